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


def figure(metric: str, value: float | None, *, gain: bool = False) -> str:
    """A score as people read it: a share of 1 as percent (a gain as points), anything else with two decimals."""
    if value is None:
        return ""
    share, sign = metric.endswith("_accuracy"), "+" if gain else ""
    number = f"{100 * value:{sign}.1f}" if share else f"{value:{sign}.2f}"
    return number + ((" points" if gain else "%") if share else "")


def interval(metric: str, score: dict[str, Any]) -> str:
    """`low` and `high` of a score; nothing where there is none."""
    if score["low"] is None or score["high"] is None:
        return ""
    return f"{figure(metric, score['low'])} to {figure(metric, score['high'])}"


def brief(version: dict[str, Any]) -> dict[str, Any]:
    """A version of the registry in a line that a terminal holds."""
    hashes = {"commit": "git_commit", "dvc.lock": "dvc_lock_sha256", "flow run": "flow_run_id"}
    return {
        "model": version["model"], "version": version["version"], "kind": version["kind"],
        "aliases": ", ".join(version["aliases"]),
        "metric": version["metric"], "score": figure(version["metric"], version["value"]),
        "95% interval": interval(version["metric"], version),
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
        metric, value = primary["metric"], primary["value"]
        known = {name: m["answers"][name][metric]["value"] for name in m["gains"]}
        ranked = sorted(known, key=lambda name: known[name], reverse=primary["higher_is_better"])
        best = ranked[0] if ranked else None
        signal = _without_signal(m.get("signal"))
        rows.append({
            "recipe": recipe, "metric": metric, "score": figure(metric, value),
            "95% interval": interval(metric, primary),
            "best baseline": f"{figure(metric, known[best])} ({best})" if best else "",
            "gain": figure(metric, m["gains"][best][metric]["value"], gain=True) + signal if best else "",
        })  # fmt: skip
    return rows


def _without_signal(told: dict[str, Any] | None) -> str:
    if told is None or told["found"]:
        return ""
    return ", no signal" if told["enough"] else ", too few films to tell"
