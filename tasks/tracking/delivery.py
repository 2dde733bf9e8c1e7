"""Delivering spooled runs to the tracking store, each event once.

Delivery may be cut off anywhere and done again: the run is found by the spool's own id, equal metrics (same step, same
time) are one row in the store, parameters and tags are set to what they are, files are overwritten by themselves.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from tasks.exits import UnreachableError
from tasks.files import write_json
from tasks.tracking import artifacts
from tasks.tracking.store import connected, experiment_id, require_reachable, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

EVENTS, DELIVERED, WRITER_LOCK, DELIVER_LOCK = "events.jsonl", "delivered.json", "writer.lock", "deliver.lock"
SPOOL_TAG = "rushes.spool"
BATCH_METRICS = 500  # a request may hold 1000


@dataclass(frozen=True)
class Pending:
    """A spooled run: its first event, how it ended if it did, and how many bytes of events are not delivered."""

    start: dict[str, Any]
    ended: str | None
    left: int

    @staticmethod
    def read(folder: Path) -> Pending | None:
        """None if the folder holds no run, or one that was cut off before its first event was whole."""
        events = [event for event, _ in _events(folder, 0)]
        if not events or events[0]["event"] != "start":
            return None
        last = [e for e in events if e["event"] in {"finish", "resume"}][-1:]
        ended = last[0]["status"] if last and last[0]["event"] == "finish" else None
        return Pending(events[0], ended, (folder / EVENTS).stat().st_size - _delivered(folder).get("bytes", 0))


def _delivered(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / DELIVERED).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}  # delivered again from the start, which changes nothing
    return found


def _events(folder: Path, offset: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Whole events from a byte offset on, each with the offset behind it."""
    if not (folder / EVENTS).is_file():
        return
    with (folder / EVENTS).open("rb") as stream:
        stream.seek(offset)
        for line in stream:
            if not line.endswith(b"\n"):
                return  # being written
            offset += len(line)
            yield json.loads(line), offset


def deliver(folder: Path, uri: str) -> str | None:
    """Deliver what one spooled run has left. None if all went well, else in words what did not: the store is no
    reason to stop."""
    lock = FileLock(folder / DELIVER_LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return "another process delivers"
    try:
        done = _delivered(folder)
        if done.get("uri") != uri:
            done = {"uri": uri, "bytes": 0}
        events = list(_events(folder, done["bytes"]))
        if events:
            require_reachable(uri)
            return _attempt(folder, done, events)
    except (UnreachableError, OSError) as error:
        return str(error)
    finally:
        lock.release()
    return None


def _attempt(folder: Path, done: dict[str, Any], events: list[tuple[dict[str, Any], int]]) -> str | None:
    try:
        with connected(done["uri"]) as client:
            _send(client, folder, done, events)
    except ValueError as error:  # it refused
        return str(error)
    return None


def _send(client: MlflowClient, folder: Path, done: dict[str, Any], events: list[tuple[dict[str, Any], int]]) -> None:
    """Send events in order, metrics in batches, noting after each request how far the store has them."""
    from mlflow.entities import Metric

    if "run_id" not in done:
        done["run_id"] = _run_id(client, done["uri"], next(_events(folder, 0))[0])
    run_id, metrics, behind = done["run_id"], [], done["bytes"]
    for event, after in events:
        if event["event"] == "metrics":
            metrics += [Metric(k, v, event["time_ms"], event["step"]) for k, v in event["values"].items()]
        if metrics and (event["event"] != "metrics" or len(metrics) >= BATCH_METRICS):
            client.log_batch(run_id, metrics=metrics)
            metrics = []
        if event["event"] != "metrics":
            _send_one(client, run_id, folder, event)
            write_json(folder / DELIVERED, {**done, "bytes": after})
        behind = after
    if metrics:
        client.log_batch(run_id, metrics=metrics)
    write_json(folder / DELIVERED, {**done, "bytes": behind})


def _send_one(client: MlflowClient, run_id: str, folder: Path, event: dict[str, Any]) -> None:
    from mlflow.entities import Param, RunTag

    match event["event"]:
        case "start":
            client.log_batch(run_id, params=[Param(k, v) for k, v in event["parameters"].items()])
            client.log_inputs(run_id, [dataset_input(**event["dataset"])])
        case "parameters":
            client.log_batch(run_id, tags=[RunTag(f"rushes.{k}", v) for k, v in event["values"].items()])
        case "file":
            artifacts.require_reachable(client.get_run(run_id).info.artifact_uri)
            client.log_artifact(run_id, str(folder / event["path"]), event["folder"] or None)
        case "resume":
            client.update_run(run_id, status="RUNNING")
        case "finish":
            client.log_batch(run_id, tags=[RunTag(k, v) for k, v in event["tags"].items()])
            client.set_terminated(run_id, event["status"], event["time_ms"])
        case unknown:
            raise AssertionError(unknown)


def _run_id(client: MlflowClient, uri: str, start: dict[str, Any]) -> str:
    """The run of this spool: found by its tag, or made. A crash after making it must not make a second."""
    experiment = experiment_id(client, uri)
    found = client.search_runs([experiment], f"tags.`{SPOOL_TAG}` = '{start['id']}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    own = {SPOOL_TAG: start["id"], "rushes.recipe": start["name"], "rushes.data_sha256": start["dataset"]["sha256"]}
    return str(client.create_run(experiment, start["time_ms"], {**start["tags"], **own}, start["name"]).info.run_id)


def dataset_input(name: str, sha256: str) -> Any:
    """What was trained on: its name and identity. The bytes stay where DVC keeps them."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name, sha256[:36], "local", json.dumps({"uri": f"data/clips/{name}"}))  # a digest has 36 places
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def mend(folder: Path) -> None:
    """Cut a line that a killed process left half written. Only for who holds the writer's lock."""
    path = folder / EVENTS
    if path.is_file():
        data = path.read_bytes()
        os.truncate(path, data.rfind(b"\n") + 1)


def end_abandoned(folder: Path) -> None:
    """End a run whose training is gone, so that it does not stay RUNNING. Going on with it opens it again."""
    lock = FileLock(folder / WRITER_LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return  # it lives
    try:
        mend(folder)
        pending = Pending.read(folder)
        if pending is not None and pending.ended is None:
            event = {"event": "finish", "time_ms": time.time_ns() // 1_000_000, "status": "KILLED", "tags": {}}
            with (folder / EVENTS).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(event) + "\n")
    finally:
        lock.release()


def remove_delivered(folder: Path) -> None:
    """Remove a spool that has nothing left to tell. One that could be gone on with stays, to be the same run again."""
    pending = Pending.read(folder)
    if pending is not None and pending.ended == "FINISHED" and pending.left == 0:
        shutil.rmtree(folder, ignore_errors=True)


def deliver_pending(state_root: Path, uri: str | None = None) -> list[str]:
    """Deliver what trainings below `state_root` (one folder a recipe) have left, and end runs whose process is gone.

    Returns:
        What could not be delivered and why, one line a run; it stays for the next time.
    """
    troubles = []
    for events in sorted(state_root.glob(f"*/tracking/*/{EVENTS}")):
        folder = events.parent
        end_abandoned(folder)
        trouble = deliver(folder, uri or tracking_uri())
        if trouble is not None:
            troubles.append(f"{folder}: {trouble}")
        remove_delivered(folder)
    return troubles
