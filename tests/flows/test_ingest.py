"""The ingest flow in a project of its own: what it makes of an inbox, of DVC and of Git."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import _dvc, _versions
from tasks import locks
from tests.conftest import MakeVideo
from tests.flows.conftest import edit_params

ROOT = Path(__file__).parent.parent.parent


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def service(tmp_path: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with this tree's graph and settings, in Git, nobody's name in Git's configuration; two videos."""
    for name, value in {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "project"
    for name in (".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore", "dvc.yaml", "params.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)

    def settle(values: dict) -> None:
        values["inboxes"]["new"]["settle_seconds"] = 0
        values["datasets"]["mine"] = {**values["datasets"]["streets"], "footage": "data/footage/new"}

    edit_params(folder, settle)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=Test", "-c", "user.email=t@example.org", "commit", "-q", "-m", "project")
    (folder / "data/inbox").mkdir(parents=True)
    for seed, name in enumerate(("a.mp4", "b.mp4")):
        make_video(name, 5, seed=seed)
    return folder


@pytest.fixture(scope="module")
def prefect() -> Iterator[None]:
    from prefect.settings import (
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_SERVER_ANALYTICS_ENABLED,
        temporary_settings,
    )
    from prefect.testing.utilities import prefect_test_harness

    settings = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_SERVER_ANALYTICS_ENABLED: False}
    with temporary_settings(settings), prefect_test_harness():
        yield
    logging.getLogger("prefect").setLevel(logging.NOTSET)


def run(folder: Path) -> dict[str, Any]:
    from flows.ingest import ingest

    result: dict[str, Any] = ingest(None, folder)["new"]
    return result


def tables() -> list[list[dict]]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return [json.loads(a.data) for a in client.read_artifacts() if a.key == "ingest-new"]


def test_footage_is_taken_versioned_committed_and_pushed(service: Path, prefect: None, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "a.mp4", service / "data/inbox/a.mp4")
    (service / "data/inbox/bad.mp4").write_bytes(b"\0 no film")
    (service / "data/inbox" / os.fsdecode(b"caf\xe9.mp4.part")).write_bytes(b"")  # a name that JSON cannot hold
    (service / "data/inbox/c.mp4.part").write_bytes(b"")
    (service / "staged.txt").write_text("not ours")
    (service / "params.yaml").write_text((service / "params.yaml").read_text() + "# not ours\n")
    git(service, "add", "staged.txt")
    before = len(tables())
    done = run(service)
    assert {key: done[key] for key in ("taken", "already_there", "refused", "waiting", "not_fetched")} == {
        "taken": 1, "already_there": 0, "refused": 1, "waiting": 2, "not_fetched": 0,
    }  # fmt: skip
    assert (service / "data/footage/new/a.mp4").read_bytes() == (tmp_path / "a.mp4").read_bytes()
    head = git(service, "rev-parse", "--short", "HEAD")
    assert done["said"][1:] == [f"committed as {head}", "not pushed: no default remote is configured"]
    assert git(service, "show", "--format=%an %ae %s", "--name-only", "HEAD").splitlines() == [
        "rushes rushes@localhost data/footage/new: new footage from the inbox new", "", "data/footage/new.dvc",
    ]  # fmt: skip
    assert sorted(git(service, "status", "--porcelain").split()) == ["A", "M", "params.yaml", "staged.txt"]
    assert [(row["file"], row["state"]) for row in tables()[before]] == [
        ("a.mp4", "taken"), ("bad.mp4", "refused"), ("c.mp4.part", "waiting"), ("caf\\xe9.mp4.part", "waiting"),
    ]  # fmt: skip
    from dvc.repo import Repo

    # DVC knows it as a source of data: no stage of the graph, but what makes a stage on it stale.
    stages = _dvc.stages_for(service)
    assert "subclips@mine" in stages
    assert not [stage for stage in stages if stage.endswith(".dvc")]
    with Repo(str(service)) as repo:
        status = repo.data_status()
    assert {what for what, paths in status.items() if paths} == {"git", "unchanged"}

    def nothing(*_: object, **__: object) -> str:
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_versions, "_run", nothing)  # no call of DVC or Git
        again = run(service)
    waits = {"state": "waiting", "to": "", "bytes": 0, "reason": "still being copied"}
    assert (again["files"], again["said"]) == (
        [{"file": "c.mp4.part", **waits}, {"file": "caf\\xe9.mp4.part", **waits}], [],
    )  # fmt: skip
    assert len(tables()) == before + 1

    with (service / ".dvc/config.local").open("w") as stream:
        stream.write(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store' / 'x'}\n")
    (tmp_path / "store").write_text("in the way")
    shutil.copy(tmp_path / "b.mp4", service / "data/inbox/b.mp4")
    with pytest.MonkeyPatch.context() as patch:
        from flows import ingest as module

        patch.setattr(module, "push", module.push.with_options(retries=0))
        broken = run(service)
    assert broken["taken"] == 1
    assert broken["said"][-1].endswith("the next run tries it again")
    assert git(service, "log", "--format=%s", "-n", "2").splitlines() == 2 * [
        "data/footage/new: new footage from the inbox new"
    ]
    (tmp_path / "store").unlink()
    assert run(service)["said"] == ["pushed to store"]
    assert len([p for p in (tmp_path / "store").rglob("*") if p.is_file()]) == 3  # two videos and their list
    assert run(service)["said"] == []


def test_where_nothing_may_be_put(service: Path, prefect: None, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "a.mp4", service / "data/inbox/a.mp4")
    edit_params(service, lambda values: values["inboxes"]["new"].update(footage="data/footage/figures"))
    with pytest.raises(ValueError, match=r"but the stage footage@figures writes data/footage/figures and would remove"):
        run(service)
    edit_params(service, lambda values: values["inboxes"]["new"].update(footage="data/footage/new"))
    (service / "data/footage").mkdir()
    (service / "data/footage/new.dvc").write_text("outs:\n- path: new\n  md5: 0.dir\n")
    with pytest.raises(ValueError, match=r"bring it back first: dvc pull data/footage/new\.dvc"):
        run(service)
    (service / "data/footage/new").mkdir()
    with pytest.raises(ValueError, match=r"bring it back first: dvc pull data/footage/new\.dvc"):
        run(service)
    assert (service / "data/inbox/a.mp4").is_file()


def test_a_stage_on_the_footage_and_an_ingest_wait_for_one_another(
    service: Path, prefect: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.ingest.desk.WAIT_SECONDS", 0.1)
    shutil.copy(tmp_path / "a.mp4", service / "data/inbox/a.mp4")
    held: list[str] = []

    def hold(root: Path, command: list[str], stage: str, *_: object) -> str:
        try:
            with locks.footage(root, 0.05):
                held.append(f"{stage}: free")
        except locks.BusyError:
            held.append(f"{stage}: held")
            if stage == "sample@mine":
                done = run(root)
                assert done["said"] == ["the footage folders are in use by a stage or another ingest"]
                assert [(row["file"], row["state"]) for row in done["files"]] == [("a.mp4", "waiting")]
        return ""

    monkeypatch.setattr(_dvc, "_run", hold)
    for stage in ("footage@figures", "subclips@mine", "sample@mine", "assemble@mine", "train@c3d", "report"):
        _dvc.repro(service, stage, lambda _: None)
    assert held == [
        "footage@figures: held", "subclips@mine: held", "sample@mine: held", "assemble@mine: free", "train@c3d: free",
        "report: free",
    ]  # fmt: skip
    assert (service / "data/inbox/a.mp4").is_file()


def test_without_a_repository_it_says_so(service: Path, prefect: None, tmp_path: Path) -> None:
    shutil.rmtree(service / ".git")
    (service / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    shutil.copy(tmp_path / "a.mp4", service / "data/inbox/a.mp4")
    assert run(service)["said"][1] == "not committed: the project is no Git repository"
    assert (service / "data/footage/new.dvc").is_file()
