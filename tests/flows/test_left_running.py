"""What a project that is left running promises: real servers, workers, schedules, flows and a trained model."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from flows._service.places import MARK
from tests.flows import _service
from tests.flows.conftest import Run

CRASHED_WITHIN_SECONDS = 90
TICK_SECONDS = 45


@pytest.fixture
def service(project: Path, run: Run) -> Iterator[tuple[Path, str, str]]:
    """The project with a champion, its schedules quickened, up: its folder, Prefect's API and MLflow's address."""
    run(project, "flows.cli", "run", "gru_autoencoder")
    written = project / "prefect.yaml"
    hourly = re.compile(r'cron: "\d+ \* \* \* \*", timezone: UTC')
    text, count = hourly.subn(f"interval: {TICK_SECONDS}", written.read_text())
    assert count == 2
    written.write_text(text)
    prefect, mlflow = _service.free_port(), _service.free_port()
    run(project, "flows.cli", "up", "--prefect-port", str(prefect), "--mlflow-port", str(mlflow))
    yield project, f"http://127.0.0.1:{prefect}/api", f"http://127.0.0.1:{mlflow}"
    run(project, "flows.cli", "down")


def _results(project: Path) -> pd.DataFrame:
    table = project / "data/batch/new/gru_autoencoder/v1/results.csv"
    return pd.read_csv(table) if table.is_file() else pd.DataFrame({"path": []})


def _runs(api: str, flow: str) -> list[dict]:
    """The flow's runs that have begun, newest first."""
    asked = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_DESC"}
    return [run for run in _service.ask(f"{api}/flow_runs/filter", asked) if run["start_time"]]


def _marked(project: Path) -> list[str]:
    """Processes with the service's mark in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(project):
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.mark.torture
def test_footage_in_the_inbox_becomes_results_also_when_a_worker_is_killed(
    service: tuple[Path, str, str], run: Run
) -> None:
    project, api, mlflow = service
    videos = sorted((project / "data/footage/figures").rglob("*.mp4"))
    assert len(videos) == 28

    inbox = project / "data/inbox"
    assert inbox.is_dir()  # rushes up has made it
    shutil.copy(videos[0], inbox / "first.mp4")

    def finished() -> bool:
        return len(_results(project)) > 0 and "Running" not in {one["state"]["name"] for one in _runs(api, "batch")}

    _service.until(finished, 2 * TICK_SECONDS + 60, "two ticks, and the work")
    first = project / "data/batch/new/gru_autoencoder/v1/sources"
    assert len(list(first.glob("*/video.mp4"))) == len(_results(project)) == 1
    assert "first.mp4" in (project / "data/batch/new/gru_autoencoder/v1/index.html").read_text()
    assert _runs(api, "ingest")[-1]["state"]["name"] == "Completed"
    asked = {"experiment_ids": ["1"], "filter": "tags.`rushes.stage` = 'batch'"}
    tracked = _service.ask(f"{mlflow}/api/2.0/mlflow/runs/search", asked)["runs"]
    assert [one["info"]["status"] for one in tracked] == ["FINISHED"]

    for number, video in enumerate(videos[1:]):
        shutil.copy(video, inbox / f"{number:02d}.mp4")
    done = _service.until(lambda: len(found := set(first.glob("*/result.json"))) > 3 and found, 240, "half a batch")
    [worker] = _service.processes_with("worker-rushes", project)[:1]
    written = {path: path.stat().st_mtime_ns for path in done}
    [broken] = [one for one in _runs(api, "batch") if one["state"]["name"] == "Running"]
    worker.kill()
    killed = time.monotonic()
    _service.until(lambda: _service.state(api, broken["id"]) == "Crashed", CRASHED_WITHIN_SECONDS, "Crashed")
    print(f"crashed {time.monotonic() - killed:.0f} s after the worker was killed")
    assert len(_results(project)) < 28

    _service.until(lambda: len(_results(project)) == 28, 300, "the rest")
    results = _results(project)
    assert results["path"].is_unique
    assert len(list(first.iterdir())) == 28
    assert {path: path.stat().st_mtime_ns for path in written} == written  # what was done was not done again

    said = run(project, "flows.cli", "down").stdout
    assert "Nothing is left running" in said
    assert _marked(project) == []
