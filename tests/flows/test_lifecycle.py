"""The whole product on tiny parameters, in the order a person meets it. The tests of this file build on one another."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows import _dvc
from tasks import media
from tests.flows.conftest import TEST_FILMS, Run, Rushes, edit_params

STAGES = [
    "footage@figures", "footage@streets", "footage@trailers", "subclips@figures", "sample@figures", "assemble@figures",
    "subclips@streets", "sample@streets", "assemble@streets",
    "subclips@trailers", "sample@trailers", "assemble@trailers",
    "train@c3d", "evaluate@c3d", "train@gru_autoencoder", "evaluate@gru_autoencoder",
    "train@lrcn", "evaluate@lrcn", "train@pix2pix", "evaluate@pix2pix", "report",
]  # fmt: skip
RECONSTRUCT, INTERPOLATE, CLASSIFY, RATE = "gru_autoencoder", "pix2pix", "c3d", "lrcn"
RECIPES = sorted([RECONSTRUCT, INTERPOLATE, CLASSIFY, RATE])
GRU = [stage for stage in STAGES if stage.endswith(("@figures", "@gru_autoencoder", "report"))]


@pytest.fixture(scope="module")
def published(project: Path, run: Run) -> dict:
    """`rushes run` where nothing has run yet."""
    done = run(project, "flows.cli", "run", "--json")
    assert f"[{len(STAGES) + len(RECIPES)}/{len(STAGES) + len(RECIPES)}] report: ran" in done.stderr
    return json.loads(done.stdout)


def test_run_runs_the_graph_and_registers_what_it_made(published: dict) -> None:
    assert list(published["stages"].items()) == [(stage, "ran") for stage in STAGES]
    assert {r: published["registry"][r]["champion_version"] for r in RECIPES} == dict.fromkeys(RECIPES, "1")


def test_by_hand_nothing_is_left_to_run(published: dict, project: Path, run: Run) -> None:
    before = (project / "dvc.lock").read_bytes()
    assert "Data and pipelines are up to date." in run(project, "dvc", "repro").stdout
    assert (project / "dvc.lock").read_bytes() == before
    assert [(p.stage, p.runs, p.reasons) for p in _dvc.plan(project)] == [(stage, False, ()) for stage in STAGES]


def test_the_results_stand_where_the_graph_says(published: dict, project: Path) -> None:
    for recipe in RECIPES:
        metrics = json.loads((project / "data/evaluation" / recipe / "metrics.json").read_text())
        if recipe == RECONSTRUCT:
            assert metrics["groups"] == ["04"]
            assert set(metrics["answers"]) == {
                "model", "train_mean_frame", "clip_mean_frame", "frame_pca", "patch_pca", "patch_pca_chosen",
            }  # fmt: skip
        elif recipe == INTERPOLATE:
            assert metrics["groups"] == ["streets-03"]
            assert set(metrics["answers"]) == {"model", "nearest_copy", "cross_fade", "dis_flow"}
        elif recipe == RATE:
            assert metrics["groups"] == TEST_FILMS
            films = pd.read_parquet(project / "data/evaluation" / recipe / "films.parquet")
            mse = films.assign(squared=films["error"] ** 2).groupby("answer")["squared"].mean()
            assert sorted(mse.index) == ["frames_ridge", "model", "pace_ridge", "training_mean"]
            assert mse.to_dict() == pytest.approx({a: s["mse"]["value"] for a, s in metrics["answers"].items()})
            assert metrics["by_subclip"]["subclips"] == 8  # one of each film, whatever its split
            assert metrics["conformal"]["films"] == 4  # of the test and the validation split
        else:
            assert metrics["groups"] == ["04"]
            assert set(metrics["answers"]) == {
                "model", "descriptor_svm", "majority_class", "mean_frame_svm", "difference_energy_svm",
            }  # fmt: skip
            videos = pd.read_parquet(project / "data/evaluation" / recipe / "videos.parquet")
            right = videos.groupby("answer")["correct"].agg(["sum", "size"])
            for answer, scores in metrics["answers"].items():
                assert right.loc[answer, "size"] == metrics["videos"] == 7  # performer 04, every action once
                assert scores["video_accuracy"]["value"] == pytest.approx(right.loc[answer, "sum"] / 7)
            assert metrics["labels"] == sorted(p.name for p in (project / "data/footage/figures").iterdir())
        value = metrics["primary"]["value"]
        assert value == metrics["answers"]["model"][metrics["primary"]["metric"]]["value"]
        if recipe in (RECONSTRUCT, INTERPOLATE):
            assert value >= 10.0  # dB
    assert (project / "data/report/index.html").is_file()


def test_running_again_does_nothing_and_leaves_a_table_of_each_stage_in_prefect(
    published: dict, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    from flows.lifecycle import lifecycle
    from flows.publish import publish

    monkeypatch.chdir(project)
    monkeypatch.setenv("RUSHES_WORKERS", "1")
    with prefect_test_harness(), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        again = lifecycle(["gru_autoencoder"])
        assert publish(["gru_autoencoder"]) == again["registry"]
        with get_client(sync_client=True) as client:
            artifacts = client.read_artifacts()
            flow_runs = client.read_flow_runs()
    logging.getLogger("prefect").setLevel(logging.NOTSET)
    assert again["stages"] == dict.fromkeys(GRU, "up to date")
    assert again["registry"]["gru_autoencoder"] == published["registry"]["gru_autoencoder"]
    assert [flow_run.state and flow_run.state.name for flow_run in flow_runs] == ["Completed", "Completed"]
    tables = {a.key: json.loads(a.data) for a in artifacts}
    stages = [stage.replace("@", "-").replace("_", "-") for stage in GRU]
    assert sorted(tables) == sorted([*stages, "publish-gru-autoencoder"])
    assert {row["kind"] for row in tables["subclips-figures"]} == {"video"}
    assert len(tables["sample-figures"]) == len(list((project / "data/frames/figures").glob("*.npy")))


def test_the_champion_reconstructs_footage(published: dict, project: Path, run: Run, tmp_path: Path) -> None:
    video = sorted((project / "data/footage/figures").rglob("*.mp4"))[0]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    out = tmp_path / "out"
    run(project, "flows.cli", "reconstruct", "gru_autoencoder", str(video), str(broken), "-o", str(out))
    assert len(list(out.glob("*.mp4"))) == 1
    errors = pd.read_csv(next(out.glob("*.errors.csv")))
    assert len(errors) == 20  # 0.8 s at 25 frames a second, each frame once
    assert errors["mse"].between(0, 1).all()
    assert "broken.mp4" in (out / "rejects.csv").read_text()


def test_the_champion_makes_frames_between_frames(published: dict, project: Path, run: Run, tmp_path: Path) -> None:
    sequence = project / "data/footage/streets/streets-03"
    done = run(project, "flows.cli", "interpolate", str(sequence), "--times", "3", "-o", str(tmp_path / "out.mp4"))
    assert "streets-03" in done.stdout
    held = media.probe(tmp_path / "out.mp4")
    assert (held.frames, held.width_px, held.height_px, held.frames_per_second) == (42, 96, 64, 75.0)
    assert held.duration_seconds == pytest.approx(14 / 25)


def test_the_champion_describes_footage(published: dict, project: Path, run: Run, tmp_path: Path) -> None:
    videos = [str(p) for p in sorted((project / "data/footage/figures").rglob("*04*.mp4"))[:2]]
    out = tmp_path / "features.parquet"
    done = run(project, "flows.cli", "features", "c3d", *videos, "-o", str(out), "--stride-frames", "2", "--json")
    assert [(row["frames"], row["clips"]) for row in json.loads(done.stdout)] == [(20, 3)] * 2
    descriptors = np.stack(pd.read_parquet(out)["descriptor"])
    assert descriptors.shape == (2, 256)
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, rtol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["features.parquet", "features.rejects.csv"]


def test_a_model_of_the_other_kind_says_what_to_use(
    published: dict, project: Path, rushes: Rushes, tmp_path: Path
) -> None:
    sequence, out = str(project / "data/footage/streets/streets-03"), str(tmp_path / "out")
    for command, use in {
        ("reconstruct", "lrcn", sequence): "'regress', not 'reconstruct'; use: rushes predict lrcn TRAILER",
        ("interpolate", sequence, "--model", "c3d"):
            "'classify', not 'interpolate'; use: rushes features c3d FOOTAGE",
        ("predict", "pix2pix", sequence):
            "'interpolate', not 'regress'; use: rushes interpolate FOOTAGE --model pix2pix",
    }.items():  # fmt: skip
        ending = [] if command[0] == "predict" else ["-o", out]
        assert rushes(project, *command, *ending, expect=3)[1].endswith(f"is of kind {use}\n")
    _, said = rushes(project, "features", "pix2pix", sequence, "-o", f"{out}.parquet", expect=3)
    assert said.endswith("makes no descriptors; recipes whose champion does: c3d\n")
    assert list(tmp_path.iterdir()) == []


def test_the_demo_uses_every_champion_on_what_it_never_saw(published: dict, project: Path) -> None:
    from flows.demo import demo

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        made = demo(project)
    described, data = [project / "data/features/c3d.parquet"], project / "data"
    assert made["described"] == described
    assert pd.read_parquet(described[0])["path"].str.contains("performer04").all()
    assert [p.parent for p in made["reconstructed"]] == 3 * [data / "reconstructions/gru_autoencoder"]
    assert [p.parent for p in made["interpolated"]] == [data / "interpolations/pix2pix"]
    assert made["rated"] == [data / "ratings/lrcn.csv"]
    rated = pd.read_csv(made["rated"][0])
    assert sorted(Path(path).name for path in rated["path"]) == [
        "the-fourth-river_trailer.flv", "the-hidden-tide_trailer.webm", "the-silver-mill_trailer.flv",
    ]  # fmt: skip
    assert rated["subclips"].tolist() == [2, 2, 2]


def test_the_tables_say_shares_as_percent_and_all_else_as_it_is(published: dict, project: Path, rushes: Rushes) -> None:
    listed = [line.split() for line in rushes(project, "models")[0].splitlines()[1:]]
    assert [row[:2] for row in listed] == [[f"rushes-{recipe}", "1"] for recipe in RECIPES]
    for row, metric, figure in (
        (listed[RECIPES.index("c3d")], "video_accuracy", r"\d+\.\d%"),
        (listed[RECIPES.index("pix2pix")], "psnr_db", r"\d+\.\d\d"),
        (listed[RECIPES.index("lrcn")], "mse", r"\d+\.\d\d"),
    ):
        assert re.fullmatch(figure, row[row.index(metric) + 1])
    scores = {line.split()[0]: line.rstrip() for line in rushes(project, "report")[0].splitlines() if line}
    baselines = "majority_class|mean_frame_svm|difference_energy_svm"
    assert re.search(rf"%  .*% \(({baselines})\) .*[+-]\d+\.\d points$", scores["c3d"])


def test_a_changed_recipe_is_all_that_is_planned(published: dict, project: Path, rushes: Rushes) -> None:
    edit_params(project, lambda v: v["recipes"]["gru_autoencoder"]["training"].update(steps=4))
    planned = json.loads(rushes(project, "plan", "--json")[0])
    edit_params(project, lambda v: v["recipes"]["gru_autoencoder"]["training"].update(steps=3))
    assert [p["stage"] for p in planned if p["runs"]] == ["train@gru_autoencoder", "evaluate@gru_autoencoder", "report"]


@pytest.mark.torture
def test_a_changed_recipe_reruns_that_recipe_alone(published: dict, project: Path, run: Run) -> None:
    edit_params(project, lambda v: v["recipes"]["gru_autoencoder"]["training"].update(steps=4))
    result = json.loads(run(project, "flows.cli", "run", "gru_autoencoder", "--json").stdout)
    assert result["stages"] == {
        **dict.fromkeys(GRU[:4], "up to date"),
        "train@gru_autoencoder": "ran", "evaluate@gru_autoencoder": "ran", "report": "ran",
    }  # fmt: skip
    record = result["registry"]["gru_autoencoder"]
    assert record["challenger_version"] == "2"
    assert record["champion_version"] in {"1", "2"}
    assert "psnr_db" in record["decision"]["reason"]


def test_bad_input_ends_the_run_with_its_message_and_code(published: dict, project: Path, run: Run) -> None:
    edit_params(project, lambda v: v["datasets"]["figures"]["split"].update(test=["77"]))
    try:
        done = run(project, "flows.cli", "run", expect=3)
        assert "77" in done.stderr
        assert "assemble@figures: failed" in done.stderr
        assert done.stderr.count("] assemble@figures\n") == 1  # not tried again: the answer would be the same
        assert "Traceback" not in done.stderr
    finally:
        edit_params(project, lambda v: v["datasets"]["figures"]["split"].update(test=["04"]))


def test_unknown_recipe_and_no_project_are_said_at_once(project: Path, rushes: Rushes, tmp_path: Path) -> None:
    _, said = rushes(project, "plan", "nonsense", expect=3)
    assert said == f"error: params.yaml has no recipes.nonsense; it has: {', '.join(RECIPES)}\n"
    _, said = rushes(tmp_path, "plan", expect=3)
    assert "is not inside a Rushes project" in said


def test_doctor_finds_a_working_project_fine(published: dict, project: Path, rushes: Rushes) -> None:
    found = json.loads(rushes(project, "doctor", "--json")[0])
    assert [c["check"] for c in found] == [
        "python", "packages", "ffmpeg", "decoders", "devices", "data", "graph", "tracking",
    ]  # fmt: skip
    assert {c["state"] for c in found} <= {"fine", "note"}
