"""One process at a time on a batch and recipe."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tasks import files


class BusyError(RuntimeError):
    """Another process works on the same batch and recipe; the message says which."""


@contextlib.contextmanager
def held(home: Path, batch: str, recipe: str) -> Iterator[None]:
    """Keep other processes away from a batch and recipe.

    Raises:
        BusyError: one is at work.
    """
    folder = home / batch / recipe
    folder.mkdir(parents=True, exist_ok=True)
    lock, who = FileLock(folder / "lock"), folder / "who.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(f"{_told(who)} works on batch {batch} with {recipe}; nothing is done here") from None
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        files.write_json(who, {"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        yield
        who.unlink(missing_ok=True)
    finally:
        lock.release()


def _told(who: Path) -> str:
    try:
        told = json.loads(who.read_text(encoding="utf-8"))
        return f"process {told['pid']} on {told['host']}, since {told['since']},"
    except (OSError, ValueError, KeyError):
        return "another process"  # which has just begun, or just ended
