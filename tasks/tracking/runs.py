"""Telling the tracking store about a training without ever waiting for it.

Every event is a line in a file below the state folder, its time fixed when it happens. A background thread delivers
the lines; what it could not deliver, the next run or the next command does.

    state/tracking/<run>/events.jsonl     start, parameters, metrics, file, resume, finish
                         files/           copies of the files to deliver
                         delivered.json   to which store, under which run, how many bytes of events.jsonl
                         writer.lock      held by the training;  deliver.lock: held by whoever delivers
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock

from tasks.tracking.delivery import (
    EVENTS,
    WRITER_LOCK,
    Pending,
    deliver,
    deliver_pending,
    end_abandoned,
    mend,
    remove_delivered,
)  # fmt: skip
from tasks.tracking.origin import origin
from tasks.tracking.store import tracking_uri

INTERVAL_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 60.0
SYSTEM_EVERY_SECONDS = 10.0
CLOSE_SECONDS = 60.0


@dataclass(frozen=True)
class RunStart:
    """What is known of a run before its first step."""

    folder: Path  # where runs wait for delivery
    key: str  # equal for trainings that would be the same run: settings, data and code
    recipe: str
    parameters: dict[str, str]
    data_sha256: str
    goes_on: bool  # a run of the same key that was not finished is continued


class RunLogger:
    """Spools what a training tells and delivers it in the background. Leaving the context on an error ends the run."""

    def __init__(self, start: RunStart) -> None:
        self.uri = tracking_uri()
        self.state_root = start.folder.parent.parent
        unfinished = _unfinished(start)
        self.folder = unfinished or start.folder / f"{time.strftime('%Y%m%d%H%M%S')}-{uuid.uuid4().hex[:8]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.writer = FileLock(self.folder / WRITER_LOCK)
        self.writer.acquire(timeout=30)
        mend(self.folder)
        self.told_step = _told_step(self.folder / EVENTS)
        self.stream = (self.folder / EVENTS).open("a", encoding="utf-8")
        self.writing = threading.Lock()
        self.finished = threading.Event()
        self.step, self.measured = 0, False
        system_metrics()  # the load of the processor is counted from one call to the next
        if unfinished:
            self._spool("resume")
        else:
            self._spool(
                "start", key=start.key, id=self.folder.name, name=start.recipe, parameters=start.parameters,
                dataset={"name": start.parameters["dataset"], "sha256": start.data_sha256}, tags=origin(),
            )  # fmt: skip
        self.thread = threading.Thread(target=self._run, name="tracking", daemon=True)

    def __enter__(self) -> RunLogger:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.finished.is_set():
            self.finish("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", {})
        self.thread.join(CLOSE_SECONDS)
        with self.writing:
            self.stream.close()
        self.writer.release()
        remove_delivered(self.folder)

    def log_metrics(self, step: int, values: dict[str, float]) -> None:
        """Numbers after `step` steps. Steps that were told before the run was killed are not told again."""
        self.step = step
        if step > self.told_step:
            self._spool("metrics", step=step, values=values)

    def log_parameters(self, values: dict[str, str]) -> None:
        self._spool("parameters", values=values)

    def log_file(self, path: Path, folder: str) -> None:
        """Keep a copy of a file for delivery; `folder` is where it goes among the run's artifacts."""
        own = Path("files") / folder / path.name
        (self.folder / own).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, self.folder / own)
        self._spool("file", path=own.as_posix(), folder=folder)

    def finish(self, status: str, tags: dict[str, str]) -> None:
        """The last event. `status` is FINISHED, FAILED or KILLED."""
        if not self.measured:
            self._measure()
        self._spool("finish", status=status, tags=tags)
        self.finished.set()

    def _spool(self, event: str, **values: Any) -> None:
        line = json.dumps({"event": event, "time_ms": time.time_ns() // 1_000_000, **values})
        with self.writing:
            self.stream.write(line + "\n")
            self.stream.flush()

    def _measure(self) -> None:
        self.measured = True
        self._spool("metrics", step=self.step, values=system_metrics())

    def _run(self) -> None:
        """The background thread: deliver, measure the machine, wait; less and less often while the store is away."""
        wait, said, measured = 0.0, False, time.monotonic()
        while True:
            ended = self.finished.wait(wait)
            if not ended and time.monotonic() - measured >= SYSTEM_EVERY_SECONDS:
                measured = time.monotonic()
                self._measure()
            trouble = deliver(self.folder, self.uri)
            if trouble is None:
                wait = INTERVAL_SECONDS
            else:
                wait = min(max(2 * wait, INTERVAL_SECONDS), LONGEST_WAIT_SECONDS)
                if not said:
                    note = f"tracking: {trouble}; training goes on, and what it logs waits in {self.folder}"
                    sys.stderr.write(note + "\n")
                    said = True
            if ended:
                if trouble is None:
                    deliver_pending(self.state_root, self.uri)  # what earlier runs could not
                return


def _unfinished(start: RunStart) -> Path | None:
    """The run to go on with. Others of this recipe cannot be gone on with any more: they are ended."""
    chosen = None
    for folder in sorted(start.folder.glob("*/")):
        pending = Pending.read(folder)
        if pending is None:
            shutil.rmtree(folder)  # cut off before its first event was whole
        elif pending.ended != "FINISHED" and start.goes_on and pending.start["key"] == start.key:
            chosen = folder
        elif pending.ended is None:
            end_abandoned(folder)
        elif pending.left == 0:
            shutil.rmtree(folder)
    return chosen


def _told_step(events: Path) -> int:
    """The last step whose training metrics were told."""
    if not events.is_file():
        return 0
    told = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    return max((e["step"] for e in told if e["event"] == "metrics" and "loss" in e["values"]), default=0)


def system_metrics() -> dict[str, float]:
    """The machine, under the names that MLflow's own system page shows. Percent of all cores; mebibytes."""
    import psutil

    memory, own = psutil.virtual_memory(), psutil.Process().memory_info().rss
    values = {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/system_memory_usage_megabytes": memory.used / 2**20,
        "system/system_memory_usage_percentage": memory.percent,
        "system/process_memory_usage_megabytes": own / 2**20,
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        free, total = torch.cuda.mem_get_info()
        values["system/gpu_0_memory_usage_megabytes"] = (total - free) / 2**20
        values["system/gpu_0_memory_usage_percentage"] = 100.0 * (total - free) / total
    return values
