"""One map over sources: in this process, or in local worker processes.

`map_sources` is for the stages: all or an error. `stream` is for batches: answers as they come, each item's own fate
in its own answer. Workers are spawned, never forked: a decoder that was open at a fork hangs in the child.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Setup = Callable[[], Callable[[Item], Result]]  # is called once in every worker; what it gives, with every item
WANT_OF_MEMORY = "; mostly a want of memory"


class WorkerError(RuntimeError):
    """An item whose work raised, or whose worker died; the message names the item, the cause is chained."""


def map_sources(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    *,
    name: Callable[[Item], str] = str,
) -> list[Result]:
    """`[function(item) for item in items]`, results in the order of `items` whatever the number of workers.

    Args:
        function: a module's function (it is pickled); with one worker it runs here.
        workers: processes at most. Starting one costs about a second: pass 1 for little work.
        name: how an item is called in errors.

    Raises:
        WorkerError: naming the first item, in order, that failed. Work not yet begun is given up.
    """
    if workers <= 1 or len(items) <= 1:
        return [_here(function, item, name) for item in items]
    results: dict[int, Result] = {}
    unfinished: list[int] = []
    pool = concurrent.futures.ProcessPoolExecutor(min(workers, len(items)), _spawn())
    with pool:
        futures = {pool.submit(function, item): index for index, item in enumerate(items)}
        for future in concurrent.futures.as_completed(futures):
            index = futures[future]
            try:
                results[index] = future.result()
            except (BrokenProcessPool, concurrent.futures.CancelledError):
                unfinished.append(index)
            except Exception as error:
                pool.shutdown(cancel_futures=True)
                raise _failed(name(items[index]), error) from error
    for index in sorted(unfinished):  # a worker died and took the pool along: one at a time shows whose fault it was
        results[index] = _alone(function, items[index], name)
    return [results[index] for index in range(len(items))]


def _here(function: Callable[[Item], Result], item: Item, name: Callable[[Item], str]) -> Result:
    try:
        return function(item)
    except Exception as error:
        raise _failed(name(item), error) from error


def _alone(function: Callable[[Item], Result], item: Item, name: Callable[[Item], str]) -> Result:
    with concurrent.futures.ProcessPoolExecutor(1, _spawn()) as pool:
        try:
            return pool.submit(function, item).result()
        except BrokenProcessPool as error:
            raise WorkerError(
                f"{name(item)}: its worker process died (out of memory, or a crash in a decoder)"
            ) from error
        except Exception as error:
            raise _failed(name(item), error) from error


def _failed(name: str, error: Exception) -> WorkerError:
    return WorkerError(f"{name}: {type(error).__name__}: {error}")


def _spawn() -> multiprocessing.context.SpawnContext:
    return multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Fault:
    """What an item's work raised: the exception's type, its message, `errno` of an OSError, and the traceback."""

    type: str
    message: str
    errno: int | None
    traceback: str

    @staticmethod
    def of(error: Exception) -> Fault:
        told = "".join(traceback.format_exception(error))
        return Fault(type(error).__name__, str(error), error.errno if isinstance(error, OSError) else None, told)

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


@dataclass(frozen=True)
class Answer(Generic[Item, Result]):
    """What became of an item: a result; or a fault; or, with `died`, how the process ended that had it."""

    item: Item
    result: Result | None = None
    fault: Fault | None = None
    died: str = ""


def stream(setup: Setup[Item, Result], items: Sequence[Item], workers: int) -> Iterator[Answer[Item, Result]]:
    """What becomes of every item, once each, in the order in which they are done.

    A worker that dies takes one item with it; another worker is started for the rest. Workers end with this process,
    however it ends, and with the iterator.

    Args:
        setup: picklable; prepares what takes long, such as a model, once a worker.
        workers: processes at most.

    Raises:
        WorkerError: a worker could not be made ready, or died of it.
    """
    waiting = deque(items)
    running: dict[Connection, _Worker[Item, Result]] = {}

    def start() -> None:
        worker = _Worker(setup)
        running[worker.pipe] = worker

    try:
        for _ in range(min(workers, len(items))):
            start()
        while running:
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                worker = running[ready]
                answer = worker.receive()
                if answer is not None and answer.died:
                    worker.end()
                    del running[ready]
                    yield answer
                    if len(waiting) > sum(1 for other in running.values() if other.item is None):
                        start()
                    continue
                if answer is not None:
                    yield answer
                if waiting:
                    worker.send(waiting.popleft())
                else:
                    worker.end()
                    del running[ready]
    finally:
        for worker in running.values():
            worker.end()


class _Worker(Generic[Item, Result]):
    """A process of `stream`, and the item it has; None while it is being made ready."""

    def __init__(self, setup: Setup[Item, Result]) -> None:
        context = _spawn()
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(setup, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.item: Item | None = None

    def send(self, item: Item) -> None:
        self.item = item
        with contextlib.suppress(OSError):  # it died between two items: `receive` says so
            self.pipe.send(item)

    def receive(self) -> Answer[Item, Result] | None:
        """What became of its item; None when it is ready for the first."""
        try:
            result, fault = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            how = ended(self.process.exitcode)
            if self.item is None:
                raise WorkerError(f"a worker process was ended by {how} while it was made ready") from None
            return Answer(self.item, died=how)
        if self.item is None:
            if fault is not None:
                raise WorkerError(f"a worker could not be made ready: {fault}\n{fault.traceback}")
            return None
        return Answer(self.item, result, fault)

    def end(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def ended(exit_code: int | None) -> str:
    """How a process ended, in words."""
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    name = signal.Signals(-exit_code).name
    return name + (WANT_OF_MEMORY if name == "SIGKILL" else "")


def _serve(setup: Setup[Item, Result], pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, goes to all; whoever started this one ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work: Callable[[Item], Result] | None = None
    item: Item | None = None
    while True:
        try:
            if work is None:
                work, result = setup(), None
            else:
                assert item is not None
                result = work(item)
            told: tuple[Result | None, Fault | None] = result, None
        except Exception as error:  # noqa: BLE001  it is the answer, and told as one
            told = None, Fault.of(error)
        try:
            pipe.send(told)
            item = pipe.recv()
        except (EOFError, OSError):
            return


def _end_with_parent() -> None:
    """A process that was killed cannot end its workers, and they would write beside those of the next."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
