"""One map over sources: in this process, or in local worker processes.

Workers are spawned, never forked: a decoder that was open at a fork hangs in the child.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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
