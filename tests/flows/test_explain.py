"""Where a registered version comes from, and its evaluation again: one recipe trained, judged and registered from a
working tree that is not committed. The tests build on one another."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import models
from flows import _cache, _replay
from flows._explain_command import _decisions
from flows.explain import explain
from flows.publish import publish_recipe
from tasks import tracking
from tasks.__main__ import main
from tasks.files import sha256_of
from tests.flows import _blobs
from tests.flows.conftest import Run, Rushes

MODEL = "models:/rushes-tiny/1"
STAGES = {"subclips": "blobs", "sample": "blobs", "assemble": "blobs", "train": "tiny", "evaluate": "tiny"}
EVALUATION = "data/evaluation/tiny/metrics.json"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Iterator[Path]:
    """The stages run in this process, which has imported what takes long; `dvc commit` then notes what they made."""
    folder = _blobs.make(tmp_path_factory.mktemp("explain"))
    run(folder, "dvc", "add", "--quiet", "data/footage/blobs")
    _blobs.git(folder, "add", "--force", "data/footage/blobs.dvc")
    _blobs.git(folder, "commit", "-q", "-m", "the footage's version", "data/footage/blobs.dvc")
    (folder / "tasks/metrics.py").write_text((folder / "tasks/metrics.py").read_text() + "# not committed\n")
    stages = YAML(typ="safe").load((folder / "dvc.yaml").read_text())["stages"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("RUSHES_WORKERS", "1")
        patch.setattr(models, "__path__", [*models.__path__, str(folder / "models")])
        for stage, key in STAGES.items():
            command = stages[stage]["do"]["cmd"].replace("${key}", key).replace("${item.dataset}", "blobs")
            patch.setattr(sys, "argv", command.split()[2:])
            main()
        run(folder, "dvc", "commit", "--quiet", "--force", *(f"{stage}@{key}" for stage, key in STAGES.items()))
        assert publish_recipe(folder, "tiny")["champion_version"] == "1"
        yield folder


def _untouched(project: Path) -> dict[str, str]:
    """What a replay must leave alone: the working tree, the index, the lock, the cache, the store."""
    files = [
        p for folder in (".dvc/cache", "data/mlflow") for p in sorted((project / folder).rglob("*")) if p.is_file()
    ]
    files += [project / ".git/index", project / "dvc.lock", project / "params.yaml"]
    return {
        "status": _blobs.git(project, "status", "--porcelain"),
        "refs": _blobs.git(project, "for-each-ref") + _blobs.git(project, "stash", "list"),
        "results": str(sorted(p.relative_to(project) for p in project.glob("data/[cefr]*/*/*"))),
        **{str(path): sha256_of(path) for path in files},
    }


def test_a_version_is_explained_whole(project: Path, rushes: Rushes) -> None:
    told = json.loads(rushes(project, "explain", "tiny", "--json")[0])
    lock = YAML(typ="safe").load((project / "dvc.lock").read_text())["stages"]
    metrics = json.loads((project / EVALUATION).read_text())
    commit = _blobs.git(project, "rev-parse", "HEAD").strip()
    assert (told["model"], told["version"], told["aliases"]) == ("rushes-tiny", "1", ["challenger", "champion"])
    code = told["code"]
    assert (code["commit"], code["subject"], code["here"]) == (commit, "the footage's version", True)
    assert (code["dirty"], code["changed"]) == (True, ["models/tiny_depth.py", "tasks/metrics.py"])
    footage = next(dep for dep in lock["subclips@blobs"]["deps"] if dep["path"] == "data/footage/blobs")
    outs = {out["path"]: (name, out["md5"]) for name, stage in lock.items() for out in stage["outs"]}
    assert {row["path"]: (row["stage"], row["md5"]) for row in told["data"]["paths"]} == {
        "data/footage/blobs": (None, footage["md5"]), **outs,
    }  # fmt: skip
    assert {row["in_cache"] for row in told["data"]["paths"]} == {True}
    versioned = [(row["dvc_file"], row["dvc_file_agrees"]) for row in told["data"]["paths"] if row["stage"] is None]
    assert versioned == [("data/footage/blobs.dvc", True)]
    assert told["parameters"]["recipes.tiny.training.steps"] == 3
    assert told["parameters"]["recipes.tiny.evaluation.bootstrap_samples"] == 100
    assert told["parameters"]["datasets.blobs.split.test"] == ["2", "3"]
    assert told["scores"]["value"] == metrics["primary"]["value"]
    assert told["scores"]["answers"] == {a: s["video_accuracy"] for a, s in metrics["answers"].items()}
    assert told["weights_sha256"] == metrics["weights_sha256"]
    assert told["environment"]["packages"]["torch"].startswith("2.")
    [decided] = told["decisions"]["history"]
    assert (decided["before"], decided["after"], decided["how"]) == (None, "1", "promote")
    assert "first champion" in decided["why"]
    assert told["unknown"] == []
    patch = f"--run-id {told['run']['run_id']} --artifact-path lineage/changes.patch --dst-path ."
    assert told["rebuild"] == [
        f"git worktree add --detach ../{project.name}-tiny-v1 {commit}",
        f"cd ../{project.name}-tiny-v1",
        f"MLFLOW_TRACKING_URI={tracking.tracking_uri()} mlflow artifacts download {patch}",
        "git apply changes.patch",
        f"dvc cache dir --local {project / '.dvc/cache'}",
        "dvc checkout data/footage/blobs.dvc",
        "dvc repro --force evaluate@tiny",
    ]
    text = rushes(project, "explain", MODEL)[0]
    for words in (
        commit,
        "models/tiny_depth.py, tasks/metrics.py; the changes are kept",
        "blobs.dvc in Git",
        *told["rebuild"],
    ):
        assert words in text


def _place(project: Path, path: str) -> Path:
    """Where DVC's cache keeps a file of the run."""
    lock = YAML(typ="safe").load((project / "dvc.lock").read_text())["stages"]
    listing = _cache.place(project / ".dvc/cache", lock["train@tiny"]["outs"][0]["md5"])
    held = {row["relpath"]: row["md5"] for row in json.loads(listing.read_text())}
    return _cache.place(project / ".dvc/cache", held[path])


def test_its_figures_come_out_again_whatever_became_of_the_working_tree_and_the_cache(
    project: Path, rushes: Rushes
) -> None:
    metrics = json.loads((project / EVALUATION).read_text())
    _blobs.git(project, "checkout", "-q", "--", "tasks/metrics.py")
    (project / "tasks/evaluate/__init__.py").write_text("raise SystemExit('the working tree was evaluated')\n")
    (project / "models/tiny_depth.py").unlink()
    (project / "params.yaml").write_text(_blobs.PARAMS.replace("bootstrap_samples: 100", "bootstrap_samples: 7"))
    for folder in ("footage/blobs", "frames/blobs", "clips/blobs", "runs/tiny", "evaluation/tiny"):
        shutil.rmtree(project / "data" / folder)
    weights, listing = _place(project, "weights.safetensors"), "data/runs/tiny/weights.safetensors"
    shutil.copytree(project / ".dvc/cache/files", project / "data/dvc-store/files")
    kept = weights.read_bytes()
    weights.chmod(0o644)
    weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    told = explain(project, MODEL)
    with pytest.raises(_replay.NotReplayableError, match="DVC's cache is damaged: 1 of its files") as said:
        _replay.replay(project, told, 0.0, print)
    assert f"{listing} ({weights})" in str(said.value)
    weights.unlink()
    with pytest.raises(_replay.NotReplayableError, match=f"not in DVC's cache any more: {listing}; .* has no remote"):
        _replay.replay(project, told, 0.0, print)
    remote = "['remote \"store\"']\n    url = ../data/dvc-store\n"  # relative to the file that says it
    config = (project / ".dvc/config").read_text()
    (project / ".dvc/config").write_text(config.replace("[core]", "[core]\n    remote = store") + remote)
    before = {**_untouched(project), str(weights): hashlib.sha256(kept).hexdigest()}
    done = json.loads(rushes(project, "explain", MODEL, "--replay", "--json")[0])["replay"]
    assert (done["outcome"], done["differences"], done["environment"]) == ("equal", [], [])
    assert done["figures"] == done["equal"] == len(_replay.leaves(metrics)) > 100
    assert _untouched(project) == before
    assert not (project / "data/state/replays/workshop").exists()


def test_other_figures_than_were_logged_are_shown(
    project: Path, rushes: Rushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One a little other than it was, another quite; the evaluation itself is not run once more."""
    run_id = explain(project, MODEL).about["run"]["run_id"]
    logged = project / f"data/mlflow/artifacts/{run_id}/artifacts/lineage/metrics.json"
    values = json.loads(logged.read_text())
    now = _replay.leaves(values)
    values["answers"]["model"]["log_loss"]["value"] *= 1 + 1e-7
    values["clips"] += 1
    logged.write_text(json.dumps(values))
    ended = {"environment": ["numpy 1 then, 2 now"], "seconds": 1.5}
    monkeypatch.setattr(_replay, "replay", lambda _, told, near, __: _replay.compare(told.figures, now, near) | ended)
    said, error = rushes(project, "explain", MODEL, "--replay", expect=1)
    lines = [line.split() for line in said[said.index("Replay, 1.5 s") :].splitlines()]
    assert " ".join(lines[1]) == "another environment: numpy 1 then, 2 now"
    assert " ".join(lines[2]).startswith(f"{len(now)} figures: 1 different, 1 within the tolerance of 1e-05 (relative)")
    clips = now["clips"]
    assert lines[4] == ["clips", str(clips + 1), str(clips), f"{1 / (clips + 1):.1e}"]
    assert (lines[5][0], lines[5][-1]) == ("answers.model.log_loss.value", "1.0e-07")
    assert f"1 of {len(now)} figures of {MODEL} came out different" in error


@pytest.mark.torture
def test_one_that_is_interrupted_leaves_nothing(project: Path, environment: dict[str, str]) -> None:
    before = _untouched(project)
    with subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "explain", MODEL, "--replay"], cwd=project, env=environment, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("> python -m tasks evaluate"):
                break
        assert (project / "data/state/replays/workshop").is_dir()
        process.send_signal(signal.SIGTERM)
        try:
            rest = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert not (project / "data/state/replays/workshop").exists()
    assert _untouched(project) == before
    where = [p for p in Path("/proc").glob("[0-9]*/cwd") if os.access(p, os.R_OK) and _inside(p, project)]
    assert where == [Path(f"/proc/{os.getpid()}/cwd")]  # this suite itself


def _inside(link: Path, folder: Path) -> bool:
    try:
        return str(link.readlink()).startswith(str(folder))
    except OSError:
        return False


def test_what_cannot_be_replayed_says_why(project: Path, rushes: Rushes) -> None:
    from mlflow import MlflowClient

    told = explain(project, MODEL)
    told.about["code"]["commit"] = gone = hashlib.sha1(b"gone").hexdigest()
    with pytest.raises(_replay.NotReplayableError, match=rf"its commit {gone} is not in this repository.*git fetch"):
        _replay.replay(project, told, 0.0, print)
    told = explain(project, MODEL)
    told.about["code"]["changes_kept"] = False
    told.about["unknown"] = ["the changes are not here"]
    with pytest.raises(
        _replay.NotReplayableError,
        match=r"models/tiny_depth.py, tasks/metrics.py differ .* \(the changes are not here\)",
    ):
        _replay.replay(project, told, 0.0, print)

    client = MlflowClient(tracking.tracking_uri(), tracking.tracking_uri())
    state = project / f"data/mlflow/artifacts/{told.about['run']['run_id']}/artifacts/lineage"
    shutil.rmtree(state)  # as a version from before the state was kept, and without its dvc.lock
    text, said = rushes(project, "explain", "tiny", "--replay", expect=3)
    assert "no dvc.lock was kept with the run" in text
    assert f"error: {MODEL} cannot be replayed: no dvc.lock was kept with the run" in said
    client.create_registered_model("another")
    client.create_model_version("another", "file:///nowhere", None)
    said = rushes(project, "explain", "models:/another/1", expect=3)[1]
    assert said.startswith("error: models:/another/1 was not registered by Rushes")
    assert "name one of its 1 version(s)" in rushes(project, "explain", "models:/rushes-tiny@nobody", expect=3)[1]
    assert "is not the address of a model" in rushes(project, "explain", "models:nonsense", expect=3)[1]


def test_figures_are_equal_close_or_different() -> None:
    logged = {"a": 0.1, "b": 0.1, "c": 0.1, "d": None, "e": "x", "f": None, "h": 0.0, "i": 5.0}
    now = {"a": 0.1, "b": 0.10000001, "c": 0.11, "d": None, "e": "y", "f": 1.0, "g": 2, "h": -0.0, "i": 5}
    found = _replay.compare(logged, now, 1e-6)
    assert {k: found[k] for k in ("outcome", "figures", "equal", "close", "different")} == {
        "outcome": "different", "figures": 9, "equal": 4, "close": 1, "different": 4,
    }  # fmt: skip
    assert [row["figure"] for row in found["differences"]] == ["e", "f", "g", "c", "b"]
    assert _replay.compare({"b": 0.1}, {"b": 0.10000001}, 1e-6)["outcome"] == "within tolerance"
    assert _replay.compare({"b": 0.1}, {"b": 0.10000001}, 0.0)["outcome"] == "different"
    assert _replay.compare({"b": 0.1}, {"b": 0.1}, 0.0)["outcome"] == "equal"


def test_what_differs_of_the_environment_is_named() -> None:
    then = {"python": "3.11.1", "gpu": None, "threads": 2, "packages": {"torch": "2.12.0", "numpy": "2.4.6"}}
    now = {"python": "3.11.1", "gpu": "H100", "threads": 2, "packages": {"torch": "2.13.0"}}
    assert _replay.environment_differences(then, now) == [
        "gpu None then, H100 now", "torch 2.12.0 then, 2.13.0 now", "numpy 2.4.6 then, not installed now",
    ]  # fmt: skip


def test_two_changes_of_champion_in_one_second_are_both_told() -> None:
    both = {"at": "2026-01-01T00:00:00+00:00", "by": "kim@desk", "why": "so"}
    moved = [
        {**both, "before": None, "after": "3", "how": "outside"},
        {**both, "before": "3", "after": "1", "how": "rollback"},
    ]
    assert _decisions({"history": moved, "promoted": "true"}) == {
        "2026-01-01T00:00:00+00:00": "champion from version none to 3 (outside, by kim@desk): so; then champion from"
        " version 3 to 1 (rollback, by kim@desk): so",
        "promoted": "true",
    }
