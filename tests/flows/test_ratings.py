"""A registered model that rates, as people use it: `rushes predict`, the gate against another."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from flows import _tables
from flows.publish import publish_recipe
from tasks import assemble, params, predict, tracking
from tests.flows.conftest import Run, Rushes
from tests.tasks import _rated, _rated_films

RECIPES = {"brightness": {"dataset": "films", "architecture": "tiny_rater"}}
MODEL = "models:/rushes-brightness@champion"


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose champion knows that the brighter of the tests' films are the better ones."""
    root = tmp_path_factory.mktemp("rated")
    written = {
        "sample@films": "frames/films", "assemble@films": "clips/films",
        "train@brightness": "runs/brightness", "evaluate@brightness": "evaluation/brightness",
    }  # fmt: skip
    stages = {stage: {"outs": [{"path": f"data/{folder}"}]} for stage, folder in written.items()}
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "dvc.lock").write_text(json.dumps({"stages": stages}))
    (root / "params.yaml").write_text(_rated.settings(root, RECIPES).model_dump_json())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        _rated.data(root)
        _rated.train(root, "brightness")
        _rated.judge(root, "brightness")
        assert publish_recipe(root, "brightness")["champion_version"] == "1"
        yield root


def test_films_are_rated_on_the_command_line(rated: Path, run: Run, rushes: Rushes) -> None:
    interval = tracking.load(MODEL).interval
    assert interval is not None
    meaning = (
        f"{interval['level']:.0%} of films like the {interval['films']} it was judged on lie within"
        f" {interval['half_width']:.2f} of their rating\n"
    )
    (rated / "notes.mp4").write_text("no film")
    named = [str(rated / "films" / name) for name in ("juniper.png", "inlet.png")] + [str(rated / "notes.mp4")]
    done = run(rated, "flows.cli", "predict", "brightness", *named, "-o", "out/ratings.csv")
    assert meaning in done.stderr
    assert "notes.mp4: holds text" in done.stderr
    assert "inlet.png: subclip 3 of 3: begins at 0.88 s, the source ends at 0.76 s" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["path", "rating", "low", "high", "subclips", "frames"]
    assert [line.split()[0] for line in lines[1:3]] == named[:2]
    assert lines[-1] == f"Ratings: {rated / 'out/ratings.csv'}"
    table = pd.read_csv(rated / "out/ratings.csv")
    assert table["rating"].tolist() == pytest.approx([4.0, 9.0], abs=0.3)
    assert table[["subclips", "frames"]].to_numpy().tolist() == [[3, 15], [2, 9]]
    assert len(pd.read_csv(rated / "out/ratings.rejects.csv")) == 2

    told = json.loads(rushes(rated, "predict", MODEL, named[0], "--json")[0])
    assert [predict.brief(row) for row in told] == table.head(1).to_dict("records")
    assert [(s["start_seconds"], s["end_seconds"]) for s in told[0]["subclips"]] == [
        (0.08, 0.48), (0.48, 0.88), (0.88, 1.28),
    ]  # fmt: skip

    _, said = rushes(rated, "predict", "brightness", named[2], expect=3)
    assert said.endswith("error: nothing could be rated; the reasons stand above\n")


def test_of_errors_the_lowest_is_the_best_and_no_signal_is_said(tmp_path: Path) -> None:
    seen = {"blind": (30, 0.0), "few": (3, 0.9), "sees": (30, 0.9)}  # films, and how much it sees of them
    stages = {f"evaluate@{recipe}": {"outs": [{"path": f"data/evaluation/{recipe}"}]} for recipe in seen}
    recipes = {recipe: {"dataset": "films", "architecture": "lrcn"} for recipe in [*seen, "not_judged"]}
    (tmp_path / "params.yaml").write_text(_rated.settings(tmp_path, recipes).model_dump_json())
    (tmp_path / "dvc.lock").write_text(json.dumps({"stages": stages}))
    for recipe, (films, sees) in seen.items():
        _rated_films.evaluation(tmp_path / "data/evaluation" / recipe, films, sees)
    assert _tables.scores(tmp_path) == [
        {
            "recipe": "blind", "metric": "mse", "score": "0.99", "95% interval": "0.50 to 1.74",
            "best baseline": "0.47 (frames_ridge)", "gain": "-0.52, no signal",
        },
        {
            "recipe": "few", "metric": "mse", "score": "0.03", "95% interval": "0.01 to 0.07",
            "best baseline": "0.12 (frames_ridge)", "gain": "+0.08, too few films to tell",
        },
        {
            "recipe": "sees", "metric": "mse", "score": "0.04", "95% interval": "0.02 to 0.07",
            "best baseline": "0.47 (frames_ridge)", "gain": "+0.43",
        },
    ]  # fmt: skip


def test_on_other_films_the_champion_is_judged_again(rated: Path) -> None:
    known = json.loads((rated / "params.yaml").read_text())
    known["datasets"]["films"]["split"]["test"].append("Ember")
    dataset = params.parse(known, rated / "params.yaml").datasets["films"]
    assemble.run(dataset, rated / "data/frames/films", rated / "data/clips/films")
    shutil.rmtree(rated / "data/runs/brightness")
    _rated.train(rated, "brightness", sees=0.4)  # worse than what is champion
    worse = json.loads((_rated.judge(rated, "brightness") / "metrics.json").read_text())["primary"]["value"]
    record = publish_recipe(rated, "brightness")
    assert (record["challenger_version"], record["champion_version"]) == ("2", "1")
    found = re.fullmatch(
        r"version 2 with mse (\S+) is not better than champion version 1 with (\S+) on evaluation data \w+"
        r": gain -(\d+\.\d{4}) \([+-]\d+\.\d{4} to [+-]\d+\.\d{4}, 95% over 6 groups\)",
        record["decision"]["reason"],
    )
    assert found is not None, record["decision"]["reason"]
    assert float(found[3]) == pytest.approx(float(found[1]) - float(found[2]), abs=2e-4)
    assert float(found[1]) == pytest.approx(worse, abs=1e-4)
    assert float(found[2]) < 0.5 < worse
