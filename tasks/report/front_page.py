"""The page that says how a project goes: who is champion, what arrived, what came of it. It leads to all the others.

It is made from what lies in the project, by whatever changes that, and so says the same for the same of it:

    data/registry/*.json    data/ingest/*/ledger.jsonl, rejects.csv    data/batch/*/*/v*/    ->    data/index.html
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks import files
from tasks.report import batch_page
from tasks.report.kinds import KINDS

NAME = "index.html"
REFUSED_SHOWN = 10  # of an inbox


def write(data: Path) -> Path:
    """Write `index.html` of a project's data folder.

    Raises:
        ValueError: a file that it reads is damaged.
    """
    places = [("report", f"report/{NAME}", "Report"), ("batch", f"batch/{NAME}", "All batches")]
    links = [{"href": NAME, "text": "How it goes", "break": False}]
    links += [
        {"href": href, "text": text, "break": True} for folder, href, text in places if (data / folder / NAME).is_file()
    ]
    page = {
        "champions": [_champion(path) for path in sorted((data / "registry").glob("*.json"))],
        "inboxes": [_inbox(path.parent) for path in sorted((data / "ingest").glob("*/ledger.jsonl"))],
        "batches": [row for row in batch_page.rows(data / "batch") if row["newest"]],
    }
    return batch_page.write_page(data / NAME, "front.html", links, NAME, page=page)


def _champion(path: Path) -> dict[str, Any]:
    record = files.read_json(path)
    score = record["champion"]
    return {
        "recipe": record["recipe"],
        "version": record["champion_version"],
        "score": None if score is None else _score(score),
        "reason": record["decision"]["reason"],
    }


def _score(score: dict[str, Any]) -> dict[str, Any]:
    """The primary metric as the report has it."""
    measure = next(kind.primary for kind in KINDS.values() if kind.primary.key == score["metric"])
    low, high = score["low"], score["high"]
    return {
        "name": measure.name,
        "value": "–" if score["value"] is None else measure.told(score["value"]),
        "between": None if low is None or high is None else f"{measure.number(low)} – {measure.number(high)}",
    }


def _inbox(folder: Path) -> dict[str, Any]:
    taken = [line for line in _lines(folder / "ledger.jsonl") if line.get("to") and line.get("from")]
    refused: list[dict[str, str]] = []
    if (folder / "rejects.csv").is_file():
        with (folder / "rejects.csv").open(encoding="utf-8", newline="") as stream:
            refused = list(csv.DictReader(stream))
    return {
        "name": folder.name,
        "taken": len(taken),
        "megabytes": sum(line.get("bytes", 0) for line in taken) / 1e6,
        "last": taken[-1] if taken else None,
        "refused": len(refused),
        "shown": [{"path": row["path"], "reason": row["reason"]} for row in refused[:REFUSED_SHOWN]],
    }


def _lines(ledger: Path) -> Iterator[dict[str, Any]]:
    """Those that are whole: the last one may be of a machine that lost power."""
    for line in ledger.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            read = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(read, dict):
            yield read
