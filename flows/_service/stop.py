"""`rushes down`: workers first, so that runs can say what became of them, then the servers, until nothing is found."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import time
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from flows._service import processes
from flows._service.places import Addresses, Places, environment, listening
from flows._service.supervisor import SERVERS, Supervisor

RUNS_SECONDS = 40.0  # a flow run ends what it started; its leash kills it after 20 s
SERVERS_SECONDS = 20.0


@dataclass(frozen=True)
class Ended:
    """What `down` found and ended."""

    processes: int
    runs: int


def down(root: Path, say: Callable[[str], None]) -> Ended:
    """End the service of this project and nothing else, also after its parts were killed or the machine rebooted.

    Raises:
        ValueError: another `up` or `down` is at work, or a process cannot be ended.
    """
    places = Places(root)
    if not places.folder.is_dir():
        return Ended(0, 0)
    with places.alone():
        return end(places, say)


def end(places: Places, say: Callable[[str], None]) -> Ended:
    """`down` for whoever holds the lock."""
    found = processes.of_service(places.root)
    runs = 0
    if found:
        supervisor = Supervisor(places)
        if supervisor.answers():
            with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Fault):  # it may die meanwhile
                runs = _end_runs(places, supervisor, say)
                say("ending the servers")
                supervisor.shutdown()
                processes.gone(processes.of_service(places.root), SERVERS_SECONDS)
        if left := processes.end_all(places.root, SERVERS_SECONDS):
            raise ValueError(f"these do not end: {', '.join(map(processes.described, left))}; end them by hand")
    places.note(None)
    _tidy(places)
    return Ended(len(found), runs)


def _end_runs(places: Places, supervisor: Supervisor, say: Callable[[str], None]) -> int:
    """Stop the workers and wait for the runs to end; those that could not say so are marked as crashed."""
    parts = supervisor.parts()
    say("ending the workers and their runs")
    for part in parts:
        if part not in SERVERS:
            supervisor.stop(part)
    kept = processes.descendants(int(parts[name]["pid"]) for name in SERVERS if parts[name]["pid"])
    kept |= {p.pid for p in processes.of_service(places.root) if _is_supervisord(p, places)}
    wait_for_runs(places.root, kept)
    addresses = places.addresses()
    if addresses is None or not listening(addresses.prefect_port):
        return 0
    return _crash_unfinished(places, addresses)


def wait_for_runs(root: Path, kept: set[int]) -> None:
    """Until no process of the service is left but those `kept`; past `RUNS_SECONDS` they are killed."""
    until = time.monotonic() + RUNS_SECONDS
    while busy := [process for process in processes.of_service(root) if process.pid not in kept]:
        if time.monotonic() > until:
            for process in busy:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            return
        processes.gone(busy, 1.0)


def _crash_unfinished(places: Places, addresses: Addresses) -> int:
    os.environ.update(environment(places, addresses))  # before Prefect is imported
    from flows._service.deployments import crash_unfinished

    return crash_unfinished("The service was ended: rushes down.")


def _is_supervisord(process: psutil.Process, places: Places) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return str(places.configuration) in process.cmdline()
    return False


def _tidy(places: Places) -> None:
    """Files that only a running service has."""
    for name in ("supervisord.pid", "supervisor.sock"):
        (places.folder / name).unlink(missing_ok=True)
    private = places.socket.parent
    if private != places.folder and private.is_dir() and not private.is_symlink():
        shutil.rmtree(private)
