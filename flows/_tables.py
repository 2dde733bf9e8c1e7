"""What the commands print: JSON for programs, tables for people."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def show(value: Any, as_json: bool) -> None:
    """A value as JSON, or rows of one shape as a table; nothing for no rows."""
    if as_json:
        sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
        return
    if not value:
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in value[0]:
        table.add_column(str(column).replace("_", " "))
    for row in value:
        table.add_row(
            *("" if cell is None else f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row.values())
        )
    # A pipe has no width: nothing is wrapped or cut there.
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 400).print(table)


def brief(version: dict[str, Any]) -> dict[str, Any]:
    """A version of the registry in a line that a terminal holds."""
    hashes = {"commit": "git_commit", "dvc.lock": "dvc_lock_sha256", "flow run": "flow_run_id"}
    return {
        "model": version["model"], "version": version["version"], "kind": version["kind"],
        "aliases": ", ".join(version["aliases"]),
        "metric": version["metric"], "score": version["value"],
        "95% interval": f"{version['low'] or 0:.2f} to {version['high'] or 0:.2f}",
        **{name: (version[key] or "")[:8] for name, key in hashes.items()},
    }  # fmt: skip


def scores(root: Path) -> list[dict[str, Any]]:
    """One row a recipe: what the report's index says."""
    from flows import _dvc
    from tasks import params

    rows = []
    for recipe in sorted(params.load(root / "params.yaml").recipes):
        try:
            folder = _dvc.outputs(root, f"evaluate@{recipe}")[0]
        except ValueError:
            continue
        m = json.loads((folder / "metrics.json").read_text())
        primary = m["primary"]
        baseline, best = max(
            ((name, answer[primary["metric"]]["value"]) for name, answer in m["answers"].items() if name != "model"),
            key=lambda pair: pair[1] if primary["higher_is_better"] else -pair[1],
        )
        rows.append({
            "recipe": recipe, "metric": primary["metric"], "score": primary["value"],
            "95% interval": f"{primary['low']:.2f} to {primary['high']:.2f}",
            "best baseline": f"{best:.2f} ({baseline})", "gain": round(primary["value"] - best, 3),
        })  # fmt: skip
    return rows
