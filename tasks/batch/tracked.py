"""What the tracking store is told of a batch, and whether it was told: once for every state of the tables.

tracked.json    {"state": ..., "run_id": ...}
"""

from __future__ import annotations

import json
from pathlib import Path

from tasks import files
from tasks.batch import kinds, tables
from tasks.batch.running import PAGE, STATE, Summary
from tasks.batch.working import Run

TRACKED = "tracked.json"


def due(summary: Summary) -> bool:
    """Whether there are tables of a state that the store was not told of, be it that the last run was killed."""
    if not (summary.folder / STATE).is_file():
        return False
    try:
        told = json.loads((summary.folder / TRACKED).read_text(encoding="utf-8"))
        return bool(told["state"] != summary.state)
    except (OSError, ValueError, KeyError, TypeError):
        return True


def story(run: Run, summary: Summary) -> tuple[dict[str, str], dict[str, float], dict[str, str], list[Path]]:
    """Parameters, metrics, tags and files."""
    import pandas as pd

    m = run.model
    parameters = {
        "batch": run.name, "model": m.uri, "version": m.version, "executor": run.executor,
        "footage": ", ".join(run.batch.footage),
    }  # fmt: skip
    metrics = {key: float(getattr(summary, key)) for key in ("sources", "done", "kept", "rejected")}
    figure = kinds.FIGURE[m.kind]
    results = pd.read_csv(summary.folder / tables.RESULTS)
    if len(results):
        metrics[f"mean_{figure}"] = float(results[figure].mean())
    tags = {"rushes.recipe": m.recipe, "rushes.model_version": m.uri.removeprefix("models:/")}
    return parameters, metrics, tags, [summary.folder / name for name in (tables.RESULTS, tables.REJECTS, PAGE)]


def note(summary: Summary, run_id: str) -> None:
    """The store has been told."""
    files.write_json(summary.folder / TRACKED, {"state": summary.state, "run_id": run_id})
