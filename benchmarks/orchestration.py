"""What Prefect adds: the lifecycle flow against plain `dvc repro`, all stages up to date, without and with a server.

Run after `rushes run` (or `make demo`); elsewhere it says so and measures nothing. The server is that of `rushes up`,
started for the measurement and ended after it, unless it is up already.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows import _dvc
from flows._service.places import Addresses, Places

MOST_SECONDS = 10.0  # of the flow with a running server, all in all


def _seconds(*command: str) -> float:
    start = time.perf_counter()
    environment = {name: value for name, value in _dvc.environment().items() if not name.startswith("PREFECT_")}
    subprocess.run(
        [sys.executable, "-m", *command], check=True, capture_output=True, stdin=subprocess.DEVNULL, env=environment
    )
    return time.perf_counter() - start


def _port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@contextlib.contextmanager
def _service(root: Path) -> Iterator[None]:
    if Places(root).addresses() is not None:
        yield
        return
    addresses = Addresses(_port(), _port())
    ports = ("--prefect-port", str(addresses.prefect_port), "--mlflow-port", str(addresses.mlflow_port))
    try:
        _seconds("flows.cli", "up", *ports)
        yield
    finally:
        _seconds("flows.cli", "down")


def measure() -> dict[str, Any]:
    """Seconds of each; the shorter of two runs, the first of which makes the tables that the server does not have."""
    root = _dvc.project_root()
    planned = _dvc.plan(root)
    if any(stage.runs for stage in planned):
        print("  not measured: stages are out of date here; run `make demo` first")
        return {}
    with contextlib.chdir(root):
        plain = min(_seconds("dvc", "repro") for _ in range(2))
        alone = min(_seconds("flows.cli", "run") for _ in range(2))
        with _service(root):
            served = min(_seconds("flows.cli", "run") for _ in range(2))
    load = os.getloadavg()[0]
    print(f"  {len(planned)} stages, all up to date, and the registry (load of the machine {load:.1f}):")
    print(
        f"  dvc repro {plain:.1f} s; rushes run {alone:.1f} s with a server of its own, {served:.1f} s with rushes up"
    )
    print(
        f"  orchestration adds {served - plain:+.1f} s with a running server; at most {MOST_SECONDS:.0f} s are allowed"
    )
    return {
        "stages": len(planned),
        "dvc_repro_seconds": plain,
        "rushes_run_seconds": alone,
        "rushes_run_with_server_seconds": served,
        "load": load,
    }
