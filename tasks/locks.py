"""Who may touch the footage folders now."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

FOOTAGE_LOCK = Path("data/state/footage.lock")


class BusyError(Exception):
    """Somebody else is at work; nothing was done, and another run will find the same."""


@contextlib.contextmanager
def footage(
    project: Path, wait_seconds: float | None = None, waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold a project's footage folders: while a stage reads or draws them, and while new files are moved in.

    Args:
        wait_seconds: for whoever holds them; None: as long as it takes.
        waiting: called once where there is somebody to wait for.

    Raises:
        BusyError: they were held all that time.
    """
    import filelock

    path = project / FOOTAGE_LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            waiting()
            lock.acquire(timeout=-1 if wait_seconds is None else wait_seconds)
    except filelock.Timeout:
        raise BusyError("the footage folders are in use by a stage or another ingest") from None
    try:
        yield
    finally:
        lock.release()
