"""A project's data on S3: pushed, pulled by a second clone, and its clips read in another repository."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.clips import ClipDataset
from tests import _s3
from tests.flows.conftest import Run

STAGES = [f"{stage}@figures" for stage in ("subclips", "sample", "assemble")]
DATA = [f"data/{folder}/figures" for folder in ("cuts", "frames", "clips")]
DOC = (Path(__file__).parents[2] / "docs/clip-format.md").read_text(encoding="utf-8")
[READER] = re.findall(r"^```python\n(import numpy.*?)^```", DOC, re.MULTILINE | re.DOTALL)
WHO = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


@pytest.fixture(scope="module")
def s3() -> Iterator[_s3.Server]:
    with _s3.serving() as server:
        yield server


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *WHO, *arguments], cwd=folder, check=True, capture_output=True)


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def pushed(project: Path, run: Run, s3: _s3.Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of one data set, its clips made by the graph and pushed; the keys in the environment alone."""
    folder = tmp_path_factory.mktemp("pushed") / "project"
    git(folder.parent, "clone", "-q", str(project), str(folder))
    run(folder, "dvc", "repro", STAGES[-1])
    run(folder, "dvc", "remote", "add", "-d", "store", f"s3://{_s3.BUCKET}/dvc")
    run(folder, "dvc", "remote", "modify", "store", "endpointurl", s3.url)
    git(folder, "add", "dvc.lock", ".dvc/config")
    git(folder, "commit", "-q", "-m", "Data on S3")
    run(folder, "dvc", "push", *STAGES, **s3.environment)
    return folder


def test_a_second_clone_pulls_the_same_bytes(pushed: Path, s3: _s3.Server, run: Run, tmp_path: Path) -> None:
    made = {name: held(pushed / name) for name in DATA}
    assert all(made.values())
    git(tmp_path, "clone", "-q", str(pushed), "theirs")
    run(tmp_path / "theirs", "dvc", "pull", *STAGES, **s3.environment)
    assert {name: held(tmp_path / "theirs" / name) for name in DATA} == made

    files = [*held(pushed).values(), *held(tmp_path).values(), *s3.files().values()]
    assert not any(secret.encode() in data for secret in (s3.key, s3.secret) for data in files)
    config = (pushed / ".dvc/config").read_text()
    assert config.endswith(f"""['remote "store"']\n    url = s3://{_s3.BUCKET}/dvc\n    endpointurl = {s3.url}\n""")


def test_another_repository_reads_the_clips_by_their_page_alone(
    pushed: Path, s3: _s3.Server, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    for word, name in (("get", "frames"), ("import", "clips")):
        run(tmp_path, "dvc", word, str(pushed), f"data/{name}/figures", "-o", name, **s3.environment)
        assert held(tmp_path / name) == held(pushed / "data" / name / "figures")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(READER, names)
    for split in ("train", "validation", "test"):
        rows = names["table"][names["table"]["split"] == split]
        ours = ClipDataset(pushed / "data/frames/figures", pushed / "data/clips/figures", split)
        np.testing.assert_array_equal(names["batch"](rows), ours.clips(range(len(ours))))
        assert names["labels"] == ours.labels


def test_a_wrong_key_brings_nothing_and_says_so(pushed: Path, s3: _s3.Server, run: Run, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(pushed), "theirs")
    wrong = s3.environment | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    said = run(tmp_path / "theirs", "dvc", "pull", STAGES[-1], expect=1, **wrong).stderr
    assert "Forbidden" in said
    assert not (tmp_path / "theirs" / DATA[-1]).exists()
