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
from tests.flows.conftest import Run, edit_params

STAGES = [
    "footage@figures", "footage@streets", "subclips@figures", "sample@figures", "assemble@figures",
    "subclips@streets", "sample@streets", "assemble@streets",
    "train@c3d", "evaluate@c3d",
    "train@conv3d_autoencoder", "evaluate@conv3d_autoencoder", "train@gru_autoencoder", "evaluate@gru_autoencoder",
    "train@pix2pix", "evaluate@pix2pix", "report",
]  # fmt: skip
RECONSTRUCT, INTERPOLATE, CLASSIFY = ["conv3d_autoencoder", "gru_autoencoder"], ["pix2pix"], ["c3d"]
RECIPES = sorted([*RECONSTRUCT, *INTERPOLATE, *CLASSIFY])
GRU = [stage for stage in STAGES if stage.endswith(("@figures", "@gru_autoencoder", "report"))]


@pytest.fixture(scope="module")
def reproduced(project: Path, run: Run) -> Path:
    """The graph, run by hand once."""
    output = run(project, "dvc", "repro").stdout
    assert sorted(re.findall(r"Running stage '([^']+)'", output)) == sorted(STAGES)
    return project


def test_a_second_repro_runs_nothing(reproduced: Path, run: Run) -> None:
    before = (reproduced / "dvc.lock").read_bytes()
    assert "Data and pipelines are up to date." in run(reproduced, "dvc", "repro").stdout
    assert (reproduced / "dvc.lock").read_bytes() == before


def test_the_results_stand_where_the_graph_says(reproduced: Path) -> None:
    for recipe in RECIPES:
        metrics = json.loads((reproduced / "data/evaluation" / recipe / "metrics.json").read_text())
        if recipe in RECONSTRUCT:
            assert metrics["groups"] == ["04"]
            assert set(metrics["answers"]) == {
                "model", "train_mean_frame", "clip_mean_frame", "frame_pca", "patch_pca", "patch_pca_chosen",
            }  # fmt: skip
        elif recipe in INTERPOLATE:
            assert metrics["groups"] == ["streets-03"]
            assert set(metrics["answers"]) == {"model", "nearest_copy", "cross_fade", "dis_flow"}
        else:
            assert metrics["groups"] == ["04"]
            assert set(metrics["answers"]) == {
                "model", "descriptor_svm", "majority_class", "mean_frame_svm", "difference_energy_svm",
            }  # fmt: skip
            videos = pd.read_parquet(reproduced / "data/evaluation" / recipe / "videos.parquet")
            right = videos.groupby("answer")["correct"].agg(["sum", "size"])
            for answer, scores in metrics["answers"].items():
                assert right.loc[answer, "size"] == metrics["videos"] == 7  # performer 04, every action once
                assert scores["video_accuracy"]["value"] == pytest.approx(right.loc[answer, "sum"] / 7)
            assert metrics["labels"] == sorted(p.name for p in (reproduced / "data/footage/figures").iterdir())
        value = metrics["primary"]["value"]
        assert value == metrics["answers"]["model"][metrics["primary"]["metric"]]["value"]
        if recipe not in CLASSIFY:
            assert value >= 10.0  # dB
    assert (reproduced / "data/report/index.html").is_file()


@pytest.fixture(scope="module")
def published(reproduced: Path, run: Run) -> dict:
    """`rushes run` after `dvc repro`: nothing to compute, everything to register."""
    done = run(reproduced, "flows.cli", "run", "--json")
    assert f"[{len(STAGES) + len(RECIPES)}/{len(STAGES) + len(RECIPES)}] report: ran" in done.stderr
    return json.loads(done.stdout)


def test_run_registers_what_the_graph_made_and_computes_nothing_again(published: dict, project: Path, run: Run) -> None:
    assert published["stages"] == dict.fromkeys(STAGES, "up to date") | {"report": "ran"}
    assert {r: published["registry"][r]["champion_version"] for r in RECIPES} == dict.fromkeys(RECIPES, "1")
    assert "Data and pipelines are up to date." in run(project, "dvc", "repro").stdout


def test_running_again_registers_nothing_new(published: dict, project: Path, run: Run) -> None:
    again = json.loads(run(project, "flows.cli", "run", "--json").stdout)
    assert again["stages"] == dict.fromkeys(STAGES, "up to date")
    assert again["registry"] == published["registry"]
    listed = json.loads(run(project, "flows.cli", "models", "--json").stdout)
    assert sorted((m["model"], m["version"]) for m in listed) == [(f"rushes-{r}", "1") for r in RECIPES]


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


def test_a_model_of_the_other_kind_says_what_to_use(published: dict, project: Path, run: Run, tmp_path: Path) -> None:
    sequence, out = str(project / "data/footage/streets/streets-03"), str(tmp_path / "out")
    done = run(project, "flows.cli", "reconstruct", "pix2pix", sequence, "-o", out, expect=3)
    assert done.stderr.endswith(
        "is of kind 'interpolate', not 'reconstruct'; use: rushes interpolate FOOTAGE --model pix2pix\n"
    )
    done = run(project, "flows.cli", "interpolate", sequence, "--model", "gru_autoencoder", "-o", out, expect=3)
    assert done.stderr.endswith(
        "is of kind 'reconstruct', not 'interpolate'; use: rushes reconstruct gru_autoencoder FOOTAGE\n"
    )
    done = run(project, "flows.cli", "interpolate", sequence, "--model", "c3d", "-o", out, expect=3)
    assert done.stderr.endswith("is of kind 'classify', not 'interpolate'; use: rushes features c3d FOOTAGE\n")
    done = run(project, "flows.cli", "features", "pix2pix", sequence, "-o", f"{out}.parquet", expect=3)
    assert done.stderr.endswith("makes no descriptors; recipes whose champion does: c3d\n")
    assert list(tmp_path.iterdir()) == []


def test_the_demo_uses_every_champion_on_what_it_never_saw(published: dict, project: Path) -> None:
    from flows.demo import demo

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        made = demo(project)
    described, data = [project / "data/features/c3d.parquet"], project / "data"
    assert made["described"] == described
    assert pd.read_parquet(described[0])["path"].str.contains("performer04").all()
    assert [p.parent for p in made["reconstructed"]] == [
        data / "reconstructions" / recipe for recipe in RECONSTRUCT for _ in range(3)
    ]
    assert [p.parent for p in made["interpolated"]] == [data / "interpolations/pix2pix"]


def test_the_tables_say_shares_as_percent_and_decibels_as_they_are(published: dict, project: Path, run: Run) -> None:
    by_model = {line.split()[0]: line.split() for line in run(project, "flows.cli", "models").stdout.splitlines()}
    assert re.fullmatch(r"\d+\.\d%", by_model["rushes-c3d"][by_model["rushes-c3d"].index("video_accuracy") + 1])
    assert re.fullmatch(r"\d+\.\d\d", by_model["rushes-pix2pix"][by_model["rushes-pix2pix"].index("psnr_db") + 1])
    scores = run(project, "flows.cli", "report").stdout.splitlines()
    [c3d] = [line for line in scores if line.startswith("c3d ")]
    assert re.search(r"%  .*% \((majority_class|mean_frame_svm|difference_energy_svm)\) .*[+-]\d+\.\d points$", c3d)


def test_a_changed_recipe_reruns_that_recipe_alone(published: dict, project: Path, run: Run) -> None:
    edit_params(project, lambda v: v["recipes"]["gru_autoencoder"]["training"].update(steps=4))
    planned = json.loads(run(project, "flows.cli", "plan", "--json").stdout)
    assert [p["stage"] for p in planned if p["runs"]] == ["train@gru_autoencoder", "evaluate@gru_autoencoder", "report"]
    result = json.loads(run(project, "flows.cli", "run", "gru_autoencoder", "--json").stdout)
    assert result["stages"] == {
        **dict.fromkeys(GRU[:4], "up to date"),
        "train@gru_autoencoder": "ran", "evaluate@gru_autoencoder": "ran", "report": "ran",
    }  # fmt: skip
    record = result["registry"]["gru_autoencoder"]
    assert record["challenger_version"] == "2"
    assert record["champion_version"] in {"1", "2"}
    assert "psnr_db" in record["decision"]["reason"]


def test_each_stage_leaves_a_table_in_prefect(
    published: dict, project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    from flows.lifecycle import lifecycle

    monkeypatch.chdir(project)
    monkeypatch.setenv("RUSHES_WORKERS", "1")
    with prefect_test_harness(), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        lifecycle(["gru_autoencoder"])
        with get_client(sync_client=True) as client:
            artifacts = client.read_artifacts()
            [flow_run] = client.read_flow_runs()
    logging.getLogger("prefect").setLevel(logging.NOTSET)
    assert flow_run.state is not None
    assert flow_run.state.name == "Completed"
    tables = {a.key: json.loads(a.data) for a in artifacts}
    stages = [stage.replace("@", "-").replace("_", "-") for stage in GRU]
    assert sorted(tables) == sorted([*stages, "publish-gru-autoencoder"])
    assert {row["kind"] for row in tables["subclips-figures"]} == {"video"}
    assert len(tables["sample-figures"]) == len(list((project / "data/frames/figures").glob("*.npy")))


def test_plan_without_a_change_says_that_nothing_runs(published: dict, project: Path) -> None:
    assert [(p.stage, p.runs, p.reasons) for p in _dvc.plan(project)] == [(stage, False, ()) for stage in STAGES]


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


def test_unknown_recipe_and_no_project_are_said_at_once(
    published: dict, project: Path, run: Run, tmp_path: Path
) -> None:
    done = run(project, "flows.cli", "plan", "nonsense", expect=3)
    assert done.stderr == (
        "error: params.yaml has no recipes.nonsense; it has: c3d, conv3d_autoencoder, gru_autoencoder, pix2pix\n"
    )
    done = run(tmp_path, "flows.cli", "plan", expect=3)
    assert "is not inside a Rushes project" in done.stderr


def test_doctor_finds_a_working_project_fine(published: dict, project: Path, run: Run) -> None:
    found = json.loads(run(project, "flows.cli", "doctor", "--json").stdout)
    assert [c["check"] for c in found] == [
        "python", "packages", "ffmpeg", "decoders", "devices", "data", "graph", "tracking",
    ]  # fmt: skip
    assert {c["state"] for c in found} <= {"fine", "note"}
