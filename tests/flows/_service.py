"""A project whose flows only tick or sleep, and questions to its Prefect server."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

JOBS = """
import os, pathlib, subprocess, time
from prefect import flow
from prefect.runtime import flow_run

@flow
def tick() -> None:
    with pathlib.Path("ticks").open("a") as stream:
        stream.write("tick\\n")

@flow
def slow(seconds: float = 600) -> None:
    child = subprocess.Popen(["sleep", "1000"])
    pathlib.Path(f"slow-{flow_run.id}").write_text(f"{os.getpid()} {child.pid}")
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.2)
    finally:
        child.kill()
"""
DEPLOYED = """
deployments:
  - name: tick
    entrypoint: jobs.py:tick
    tags: [rushes]
    schedules: [{slug: often, interval: 15}]
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}
    work_pool: {name: rushes}
  - name: slow
    entrypoint: jobs.py:slow
    tags: [rushes]
    enforce_parameter_schema: true
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}
    work_pool: {name: gpu}
"""


def make_project(folder: Path) -> Path:
    """Just what a service needs of one."""
    folder.mkdir(parents=True)
    for name, text in {
        "dvc.yaml": "stages: {}\n",
        "params.yaml": "rendered: {}\ndatasets: {}\nrecipes: {}\nreport: {}\n",
        "jobs.py": JOBS,
        "prefect.yaml": DEPLOYED,
    }.items():
        (folder / name).write_text(text)
    return folder


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def ask(url: str, body: Any = None) -> Any:
    """A request to Prefect's API; a body makes it a POST. 503 is a SQLite at work: Prefect's clients ask again too."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    for attempt in range(5):
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.loads(response.read() or "null")
        except urllib.error.HTTPError as error:
            if error.code != 503 or attempt == 4:
                raise
            time.sleep(2)


def until(holds: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for something true, and return it."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.3)
    return found


def begin(api: str, **parameters: object) -> str:
    """Start `slow` and wait until it runs; the run's id."""
    deployment = ask(f"{api}/deployments/name/slow/slow")["id"]
    run = str(ask(f"{api}/deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"])
    until(lambda: state(api, run) in {"Running", "Completed"}, 90, "a run that has begun")
    return run


def state(api: str, run: str) -> str:
    return str(ask(f"{api}/flow_runs/{run}")["state"]["name"])


def slow_and_child(root: Path, run: str) -> list[int]:
    """The processes of a run of `slow`: its own, and the one that it started."""
    noted = root / f"slow-{run}"
    return until(lambda: noted.is_file() and [int(pid) for pid in noted.read_text().split()], 30, "its process")


def processes_with(text: str, root: Path) -> list[psutil.Process]:
    """The service's processes whose command holds a text."""
    from flows._service.processes import of_service

    return [process for process in of_service(root) if text in " ".join(process.cmdline())]
