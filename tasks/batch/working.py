"""The work of a run, handed out to local processes or to a Ray cluster, and what became of each piece of it."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from tasks import new_footage, parallel, params
from tasks.batch import kinds, results
from tasks.batch.results import FAULT, WORKER, Job, Record

Executor = Literal["local", "ray"]


class Pinned(new_footage.Registered, Protocol):
    """One version of a registered model (see `tracking.Pinned`)."""

    @property
    def version(self) -> str: ...

    @property
    def weights_sha256(self) -> str: ...

    @property
    def judged(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Run:
    """A model, the footage, and how it is gone about."""

    name: str
    batch: params.Batch
    model: Pinned
    home: Path  # data/batch
    executor: Executor
    workers: int | None  # None: what a Ray cluster has
    load: Callable[[str], Any]  # an address to a `tracking.Loaded`; picklable
    retry: bool = False  # what was rejected is tried again

    @property
    def folder(self) -> Path:
        return self.home / self.name / self.model.recipe / f"v{self.model.version}"

    @property
    def about(self) -> Record:
        m = self.model
        settings = kinds.settings(m.kind, self.batch)
        return {"model": m.uri, "version": m.version, "weights_sha256": m.weights_sha256, "settings": settings}


def worked(run: Run, jobs: Sequence[Job]) -> Iterator[tuple[Job, Record]]:
    """What becomes of every job, as it becomes known. One whose worker died or had no memory is tried once more, alone,
    at the end: the machine may have been short of it, or somebody ended the process."""
    if not jobs:
        return
    dead: list[Job] = []
    load = _loading(run)
    for answer in _stream(run, load, jobs, run.workers):
        if answer.died or (answer.fault is not None and answer.fault.type == MemoryError.__name__):
            dead.append(answer.item)
        else:
            yield answer.item, _record(answer)
    for answer in itertools.chain.from_iterable(_stream(run, load, [job], 1) for job in dead):
        if answer.died:
            reason = f"its worker process died, twice: {answer.died}"
            yield answer.item, results.write_reject(answer.item, WORKER, reason)
        else:
            yield answer.item, _record(answer)


def _loading(run: Run) -> Callable[[], Any]:
    """How workers come by the model: here it is brought once, and they read the same files; on a cluster each asks the
    registry, which every node has to reach."""
    loaded = run.load(run.model.uri)
    kinds.check(loaded, run.about["settings"])
    if run.executor == "ray" and os.environ.get("RAY_ADDRESS"):
        return functools.partial(run.load, run.model.uri)
    return functools.partial(_given, loaded)


def _given(loaded: Any) -> Any:
    return loaded


def _stream(
    run: Run, load: Callable[[], Any], jobs: Sequence[Job], workers: int | None
) -> Iterator[parallel.Answer[Job, Record]]:
    if run.executor == "ray":
        from tasks import ray_parallel

        return ray_parallel.stream(results.Work(load), jobs, workers)
    assert workers is not None
    return parallel.stream(results.Work(load), jobs, workers)


def _record(answer: parallel.Answer[Job, Record]) -> Record:
    if answer.fault is None:
        assert answer.result is not None
        return answer.result
    if answer.fault.errno in results.HOPELESS:
        raise OSError(answer.fault.errno, answer.fault.message.removeprefix(f"[Errno {answer.fault.errno}] "))
    return results.write_reject(answer.item, FAULT, str(answer.fault))
