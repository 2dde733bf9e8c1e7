"""A study in a project of its own where nothing has run yet, with edits that are not committed. The tests build on
one another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows import _study, _workshop
from flows._dvc import StageFailedError
from flows.study import choose_recipe
from tasks import params
from tests.flows import _blobs
from tests.flows.conftest import Run

OUT = "data/studies/kernel_depth-tiny.json"
AWAY = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}  # nobody listens: a store that is there takes its time


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing has run yet."""
    folder = _blobs.make(tmp_path_factory.mktemp("study"))
    (folder / "notes.txt").write_text("edited\n")
    return folder


def _workspace(project: Path) -> dict[str, str]:
    """What a study must leave alone."""
    lock = YAML(typ="safe").load((project / "dvc.lock").read_text())["stages"]
    return {
        "head": _blobs.git(project, "symbolic-ref", "HEAD") + _blobs.git(project, "rev-parse", "HEAD"),
        "status": _blobs.git(project, "status", "--porcelain"),
        "diff": _blobs.git(project, "diff", "HEAD"),
        "stash": _blobs.git(project, "stash", "list"),
        "params": (project / "params.yaml").read_text(),
        "lock": json.dumps({name: stage for name, stage in lock.items() if name != "report"}),
        "results": str(sorted(p.relative_to(project) for p in project.glob("data/[ret]*/*/*"))),
    }


def _study_json(project: Path, run: Run, *arguments: str) -> dict:
    return json.loads(run(project, "flows.cli", "study", "kernel-depth", "--json", *arguments, **AWAY).stdout)


@pytest.fixture(scope="module")
def studied(project: Path, run: Run) -> dict:
    command = ["flows.cli", "study", "kernel-depth", "--json", "--depths", "1,5,3,7", "--seeds", "1"]
    done = run(project, *command, expect=1, TINY_DEPTH_KILLED="5", **AWAY)
    assert done.stderr.endswith(
        "error: tiny-kernel-depth-5-seed-0 failed: it was ended by SIGKILL; the machine may have run out of memory; the"
        " others are in the report, and the same command tries again\n"
    )
    return json.loads(done.stdout)


def test_every_depth_is_an_experiment_and_one_that_diverges_or_fails_is_a_row(
    studied: dict, project: Path, run: Run
) -> None:
    study = studied["study"]
    names = [f"tiny-kernel-depth-{depth}-seed-0" for depth in (1, 5, 3, 7)]
    assert (studied["ran"], studied["taken"]) == (names, 0)
    assert [row["experiment"] for row in study["experiments"]] == names
    assert [row["parameters"] for row in study["table"]] == [4 * 9 + 4 + 10, None, 4 * 27 + 4 + 10, None]
    assert [row["outcomes"] for row in study["table"]] == [["judged"], ["failed"], ["judged"], ["diverged"]]
    assert "became nan at step 1 of 3" in study["experiments"][3]["diverged"]
    assert [d["depth"] for d in study["differences"]] == [1]
    assert (study["videos"], study["chance"], sorted(set(study["groups"].values()))) == (4, 0.5, ["2", "3"])
    assert run(project, "dvc", "exp", "list", "--name-only").stdout.split() == [names[0], names[2]]
    assert json.loads((project / OUT).read_text()) == study
    assert Path(studied["report"]) == project / "data/report/study-kernel-depth-tiny.html"
    page = Path(studied["report"]).read_text()
    assert "1 of 1 trainings with depth 5 failed." in page
    assert "1 of 1 trainings with depth 7 diverged." in page
    assert f"dvc exp apply {study['experiments'][0]['commit'][:10]}" in page


def test_the_workspace_is_as_it_was(studied: dict, project: Path) -> None:
    found = _workspace(project)
    assert found["params"] == _blobs.PARAMS
    assert found["status"].splitlines() == [" M notes.txt", "?? dvc.lock", "?? models/tiny_depth.py"]
    assert found["stash"] == ""
    assert not list(project.glob("data/runs/*")) + list(project.glob("data/evaluation/*"))
    assert not (project / "data/state/studies/workshop").exists()


@pytest.mark.torture
def test_nothing_runs_twice_but_what_failed(studied: dict, project: Path, run: Run) -> None:
    before = _workspace(project)
    again = _study_json(project, run, "--depths", "3,7,1,5", "--seeds", "1")
    assert (again["ran"], again["taken"]) == (["tiny-kernel-depth-5-seed-0"], 3)
    by_name = {row["experiment"]: row for row in again["study"]["experiments"]}
    assert by_name.pop("tiny-kernel-depth-5-seed-0")["parameters"] == 4 * 45 + 4 + 10
    assert by_name == {row["experiment"]: row for row in studied["study"]["experiments"] if not row["failed"]}
    assert _workspace(project) == before


def test_another_code_or_parameter_is_another_experiment(studied: dict, project: Path) -> None:
    change = _study.Changes({"kernel_depth": 1}, {"seed": 0})
    known = studied["study"]["experiments"][0]["key"]
    assert _study.keys(project, "tiny")(change) == known
    assert _study.keys(project, "tiny")(_study.Changes({"kernel_depth": 1}, {"seed": 0, "steps": 4})) != known
    code = project / "models/tiny_depth.py"
    kept = code.read_text()
    code.write_text(kept + "# changed\n")
    assert _study.keys(project, "tiny")(change) != known
    code.write_text(kept)
    assert _study.keys(project, "tiny")(change) == known


@pytest.mark.torture
def test_what_is_interrupted_leaves_the_workspace_alone_and_keeps_what_it_found(
    studied: dict, project: Path, environment: dict[str, str]
) -> None:
    before = _workspace(project)
    command = ["study", "kernel-depth", "--depths", "7,5", "--seeds", "1", "--steps", "1000000"]
    with subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *command], cwd=project, env=environment | AWAY, text=True,
        stderr=subprocess.PIPE, preexec_fn=_hears_ctrl_c,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "] tiny-kernel-depth-5-seed-0" in line:
                break
        state = project / "data/state/studies/states/tiny"
        while not list(state.glob("step_*[1-9]*.safetensors")):  # it trains, and has checkpoints
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        try:
            _, rest = process.communicate(timeout=60)
        finally:
            process.kill()  # one that does not hear would be waited for without end
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert _workspace(project) == before
    study = json.loads((project / OUT).read_text())
    assert [row["outcomes"] for row in study["table"]] == [["diverged"], ["not run"]]
    assert not (project / "data/state/studies/workshop").exists()
    mine = [p for p in Path("/proc").glob("[0-9]*/cwd") if os.access(p, os.R_OK) and _inside(p, project)]
    assert mine == []


def _hears_ctrl_c() -> None:
    """A shell starts its background jobs deaf to it, and so this suite, if it runs in one."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _inside(link: Path, folder: Path) -> bool:
    try:
        return str(link.readlink()).startswith(str(folder))
    except OSError:
        return False


def test_an_experiment_can_be_applied(studied: dict, project: Path, run: Run) -> None:
    """DVC complains of what no recipe has made yet, here and in the experiment, and of nothing else."""
    first = studied["study"]["experiments"][0]
    done = run(project, "dvc", "exp", "apply", first["commit"][:10], expect=255)
    failed = [line for line in done.stderr.splitlines() if line.startswith("data/")]
    assert sorted(failed) == ["data/evaluation/never_run", "data/runs/never_run", "data/timing/never_run.json"]
    metrics = json.loads((project / "data/evaluation/tiny/metrics.json").read_text())
    assert metrics["weights_sha256"] == first["weights_sha256"]
    assert (project / "params.yaml").read_text() == _blobs.PARAMS.replace("{kernel_depth: 3}", "{kernel_depth: 1}")
    assert (project / "notes.txt").read_text() == "edited\n"
    assert (project / "data/report/index.html").is_file()
    assert run(project, "dvc", "status", "train@tiny", "evaluate@tiny").stdout == "Data and pipelines are up to date.\n"


def test_why_a_stage_failed_is_said_in_a_line() -> None:
    traceback = (
        "Traceback (most recent call last):\n  File \"x\"\nRuntimeError: no memory\nERROR: failed to reproduce 'x'"
    )
    for code, output, said, exit_code in (
        (1, traceback, "RuntimeError: no memory", 1),
        (4, "error: the loss became nan\nERROR: failed to reproduce 'x'", "the loss became nan", 4),
        (-6, "ERROR: failed to reproduce 'x'", "it was ended by SIGABRT", 134),
        (None, "ERROR: no space", "it ended with exit code 3", 3),
    ):
        error = StageFailedError("x", code, output)
        assert (error.reason, error.exit_code) == (said, exit_code)


def test_without_a_commit_the_fix_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"git init && git add \. && git commit"):
        _workshop.repository(tmp_path)
    _blobs.git(tmp_path, "init", "-q")
    with pytest.raises(ValueError, match=r"git init && git add \. && git commit"):
        _workshop.repository(tmp_path)


def test_a_recipe_that_cannot_be_studied_is_named_with_those_that_can() -> None:
    values = YAML(typ="safe").load(_blobs.PARAMS)
    values["recipes"]["tiny"]["architecture"] = "c3d"
    known = params.parse(values, Path("params.yaml"))
    assert choose_recipe(known, None) == "tiny"
    with pytest.raises(ValueError, match=r"never_run is of the architecture conv3d_autoencoder.*studied: tiny$"):
        choose_recipe(known, "never_run")
    values["recipes"]["other"] = values["recipes"]["tiny"]
    with pytest.raises(ValueError, match=r"one of tiny, other: rushes study kernel-depth tiny$"):
        choose_recipe(params.parse(values, Path("params.yaml")), None)
