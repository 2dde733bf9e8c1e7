"""Which processes belong to a project's service. They inherit a mark in their environment, so that none is missed where
its parent has died, and no process file can be stale."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import psutil

from flows._service.places import MARK


def of_service(root: Path) -> list[psutil.Process]:
    """All processes that carry the mark of this project's service, but this one and those it runs in."""
    own = psutil.Process()
    ours = {own.pid, *(parent.pid for parent in own.parents())}
    found = []
    for process in psutil.process_iter():
        # Gone by now, or somebody else's: the service is this user's.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError):
            if process.pid not in ours and process.environ().get(MARK) == str(root):
                found.append(process)
    return found


def descendants(pids: Iterable[int]) -> set[int]:
    """These processes and all below them."""
    found: set[int] = set()
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            found |= {pid, *(child.pid for child in process.children(recursive=True))}
    return found


def gone(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes to end; those that have not."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return list(alive)


def end_all(root: Path, seconds: float) -> list[psutil.Process]:
    """End whatever is left: asked, then killed, until a look finds none. Returns what cannot be ended."""
    for ask in (psutil.Process.terminate, psutil.Process.kill, psutil.Process.kill):
        left = of_service(root)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                ask(process)
        if not left or not gone(left, seconds):
            left = of_service(root)
        if not left:
            return []
    return of_service(root)


def described(process: psutil.Process) -> str:
    """For messages: the process's number and command."""
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return f"{process.pid} ({' '.join(process.cmdline())[:100]})"
    return str(process.pid)
