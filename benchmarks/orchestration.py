"""What Prefect adds: the lifecycle flow against plain `dvc repro`, every stage up to date.

Run after `rushes run` (or `make demo`); elsewhere it says so and measures nothing.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from flows import _dvc


def _seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *command],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env=_dvc.environment(),
    )
    return time.perf_counter() - start


def measure() -> dict[str, Any]:
    """Seconds of both, the flow without a server (the laptop's way: its own server starts inside the process)."""
    if any(stage.runs for stage in _dvc.plan(_dvc.project_root())):
        print("  not measured: stages are out of date here; run `make demo` first")
        return {}
    plain = min(_seconds("dvc", "repro") for _ in range(2))
    flow = min(_seconds("flows.cli", "run") for _ in range(2))
    print(f"  dvc repro {plain:.1f} s, rushes run {flow:.1f} s (stages, registry, report, its own Prefect server)")
    return {"dvc_repro_seconds": plain, "rushes_run_seconds": flow}
