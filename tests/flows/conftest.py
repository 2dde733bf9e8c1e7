"""A whole project in a temporary folder: this tree's graph and code, tiny parameters."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent.parent
TEST_FILMS = ["The Fourth River", "The Hidden Tide", "The Silver Mill"]
Run = Callable[..., subprocess.CompletedProcess[str]]
Rushes = Callable[..., tuple[str, str]]


def edit_params(project: Path, change: Callable[[dict], None]) -> None:
    """Change params.yaml as a person would, in place."""
    yaml = YAML()
    yaml.preserve_quotes = True
    values = yaml.load(project / "params.yaml")
    change(values)
    yaml.dump(values, project / "params.yaml")


def _shrink(values: dict) -> None:
    for recipe in ("conv3d_autoencoder", "c3d_directions", "c3d_directions_image"):  # one of a kind is enough here
        del values["recipes"][recipe]
    del values["datasets"]["directions"], values["rendered"]["directions"]
    values["rendered"]["figures"] |= {"performers": 4, "seconds": 0.8, "height_px": 64, "width_px": 64}
    dataset = values["datasets"]["figures"]
    dataset["frames"] |= {"height_px": 32, "width_px": 32}
    dataset["split"] |= {"test": ["04"], "validation": ["03"]}
    values["rendered"]["streets"] |= {"sequences": 3, "frames": 14, "height_px": 64, "width_px": 96}
    streets = values["datasets"]["streets"]
    streets["frames"] |= {"height_px": 32, "width_px": 48}
    streets["split"] |= {"test": ["streets-03"], "validation": ["streets-02"]}
    values["rendered"]["trailers"] |= {"films": 8, "shortest_seconds": 10, "longest_seconds": 11}
    values["rendered"]["trailers"] |= {"height_px": 32, "width_px": 48, "frames_per_second": 10}
    trailers = values["datasets"]["trailers"]
    trailers["subclips"] |= {"count": 2, "seconds": 3, "start_seconds": 1}
    trailers["frames"] |= {"height_px": 16, "width_px": 24}
    trailers["clips"] |= {"length_frames": 4, "least_frames": 2, "stride_frames": 4}
    trailers["split"]["seed"] = 4  # draws `TEST_FILMS`, one for validation and four to train on
    between = values["recipes"]["pix2pix"]
    between["config"] |= {"flow": "none", "head_width": 4, "critic_width": 4}
    sizes = [f"{how}_{side}_px" for how in ("load", "crop") for side in ("height", "width")]
    between["training"]["augment"] |= dict.fromkeys(sizes)
    for recipe in values["recipes"].values():
        recipe["training"] |= {"steps": 3, "batch_clips": 2, "warmup_steps": 1, "threads": 1, "sample_every_steps": 2}
        recipe["evaluation"] |= {"bootstrap_samples": 100}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """No server, no settings and no store of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "DVC_", "RUSHES_"))}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])  # dvc.yaml says `python`
    return {**kept, "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")), "RUSHES_WORKERS": "1", "NO_COLOR": "1"}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The copy, a git repository of its own, nothing run yet."""
    folder = tmp_path_factory.mktemp("project")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
        if not name.startswith(("tests/", "docs/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "dvc.lock").unlink(missing_ok=True)
    edit_params(folder, _shrink)
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "tiny"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="session")
def run(environment: dict[str, str]) -> Run:
    """Run `python -m <command>` in a folder, as a person would, and return what it said."""

    def run(folder: Path, *command: str, expect: int = 0, **extra: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=folder, env={**environment, **extra}, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=900,
        )  # fmt: skip
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture(scope="module")
def prefect() -> Iterator[None]:
    """One server for flows that run in this process."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
    logging.getLogger("prefect").setLevel(logging.NOTSET)


@pytest.fixture
def rushes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Rushes:
    """Run `rushes` in this process, which has imported what takes long: standard output and error."""
    from flows import cli

    def rushes(folder: Path, *arguments: str, expect: int = 0) -> tuple[str, str]:
        with monkeypatch.context() as patch, mock.patch.dict(os.environ):
            patch.chdir(folder)
            patch.setattr(sys, "argv", ["rushes", *arguments])
            os.environ.pop("MLFLOW_TRACKING_URI", None)
            with pytest.raises(SystemExit) as ended:
                cli.main()
        output, error = capsys.readouterr()
        assert (ended.value.code or 0) == expect, f"exit {ended.value.code}\n{output}\n{error}"
        return output, error

    return rushes
