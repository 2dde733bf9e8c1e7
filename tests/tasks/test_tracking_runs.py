"""What a training tells reaches a real SQLite store once, whatever happened to the store or the process meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks import tracking
from tasks.tracking import delivery, store
from tasks.tracking.runs import RunLogger, RunStart

AWAY = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


def _start(state_root: Path, goes_on: bool = False, key: str = "k") -> RunStart:
    parameters = {"dataset": "blobs", "training.steps": "3"}
    return RunStart(state_root / "tiny" / "tracking", key, "tiny", parameters, "a" * 64, goes_on)


def _client(uri: str) -> Any:
    store.prepare()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _told(uri: str, run_id: str, metric: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in _client(uri).get_metric_history(run_id, metric)]


def _runs(uri: str) -> list[Any]:
    experiment = _client(uri).get_experiment_by_name("rushes")
    by_time = ["attributes.start_time"]
    return [] if experiment is None else list(_client(uri).search_runs([experiment.experiment_id], order_by=by_time))


def _spools(state_root: Path) -> list[Path]:
    return [path.parent for path in state_root.glob("*/tracking/*/events.jsonl")]


def test_a_store_that_is_away_is_told_later_and_once(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)
    (tmp_path / "picture.png").write_bytes(b"picture")
    with RunLogger(_start(tmp_path)) as logger:
        for step in (1, 2, 3):
            logger.log_metrics(step, {"loss": 1 / step})
        logger.log_parameters({"threads": "1"})
        logger.log_file(tmp_path / "picture.png", "samples")
        logger.finish("FINISHED", {"rushes.weights_sha256": "f" * 64})
    assert f"tracking: the tracking store {AWAY} does not answer" in capsys.readouterr().err
    (spool,) = _spools(tmp_path)
    kept = tmp_path / "crashed" / "tracking" / spool.name
    shutil.copytree(spool, kept)  # what a delivery leaves that was cut off before it noted anything
    before = len(_runs(uri))

    assert tracking.deliver_pending(tmp_path, uri) == []  # twice: the spool and its copy
    assert _spools(tmp_path) == []
    (run,) = _runs(uri)[before:]
    assert (run.info.status, run.info.run_name) == ("FINISHED", "tiny")
    assert _told(uri, run.info.run_id, "loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert len(_told(uri, run.info.run_id, "system/cpu_utilization_percentage")) == 1
    assert run.data.params == {"dataset": "blobs", "training.steps": "3"}
    assert (run.data.tags["rushes.threads"], run.data.tags["rushes.weights_sha256"]) == ("1", "f" * 64)
    assert len(run.data.tags["rushes.git_commit"]) == 40
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("blobs", "a" * 36)
    artifact = Path(run.info.artifact_uri.removeprefix("file://")) / "samples" / "picture.png"
    assert artifact.read_bytes() == b"picture"


@pytest.mark.parametrize("notes", range(4))
def test_a_delivery_that_dies_before_it_notes_what_it_did_doubles_nothing(tmp_path: Path, uri: str, notes: int) -> None:
    """Cut off, as a killed process would be, when the store has it and the note is not written; after 0 to 3 notes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        with RunLogger(_start(tmp_path)) as logger:
            logger.log_metrics(1, {"loss": 2.0})
            logger.log_parameters({"threads": "1"})
            logger.log_metrics(2, {"loss": 1.0})
            logger.finish("FINISHED", {})
    (spool,) = _spools(tmp_path)
    before, write, left = len(_runs(uri)), delivery.write_json, [None] * notes

    def die(path: Path, value: Any) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        write(path, value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "write_json", die)
        with pytest.raises(KeyboardInterrupt):
            delivery.deliver(spool, uri)
    assert tracking.deliver_pending(tmp_path, uri) == []
    (run,) = _runs(uri)[before:]
    assert run.info.status == "FINISHED"
    assert _told(uri, run.info.run_id, "loss") == [(1, 2.0), (2, 1.0)]
    assert len(_told(uri, run.info.run_id, "system/cpu_utilization_percentage")) == 1


def test_a_killed_training_goes_on_in_the_same_run(tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    killed = RunLogger(_start(tmp_path))
    killed.log_metrics(1, {"loss": 3.0})
    killed.log_metrics(2, {"loss": 2.0})
    killed.stream.write('{"event": "metr')  # torn
    killed.stream.close()
    killed.writer.release()  # as the system does for a dead process
    before = len(_runs(uri))
    assert tracking.deliver_pending(tmp_path) == []
    (run,) = _runs(uri)[before:]
    assert run.info.status == "KILLED"

    with RunLogger(_start(tmp_path, goes_on=True)) as logger:  # from the checkpoint after step 1
        logger.log_metrics(2, {"loss": 2.0})
        logger.log_metrics(3, {"loss": 1.0})
        logger.finish("FINISHED", {})
    (run,) = _runs(uri)[before:]
    assert run.info.status == "FINISHED"
    assert _told(uri, run.info.run_id, "loss") == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert _spools(tmp_path) == []


def test_a_training_of_other_settings_is_another_run_and_ends_the_abandoned_one(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    before = len(_runs(uri))
    abandoned = RunLogger(_start(tmp_path, key="old"))
    abandoned.log_metrics(1, {"loss": 3.0})
    abandoned.stream.close()
    abandoned.writer.release()

    def fail() -> None:
        with RunLogger(_start(tmp_path, key="new")) as logger:
            logger.log_metrics(1, {"loss": 5.0})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [run.info.status for run in _runs(uri)[before:]] == ["KILLED", "FAILED"]


def test_the_address_of_a_store_is_shown_without_its_password() -> None:
    assert store.shown("postgresql://kim:pa:ss@db.example.org:5432/mlflow") == (
        "postgresql://kim:...@db.example.org:5432/mlflow"
    )
    for uri in ("sqlite:////srv/mlflow.db", "http://127.0.0.1:5000", "https://kim@example.org/"):
        assert store.shown(uri) == uri


def test_a_live_training_is_left_alone(tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with RunLogger(_start(tmp_path)) as logger:
        tracking.deliver_pending(tmp_path)
        assert delivery.Pending.read(logger.folder).ended is None
        logger.finish("FINISHED", {})
