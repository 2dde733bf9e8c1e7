"""`rushes ingest`: what the schedule does every hour, now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows import _tables
from flows._project import Json, in_project


def ingest(
    inbox: Annotated[
        str | None, typer.Argument(help="A key under inboxes in params.yaml; none: all of them.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Take new footage from the inboxes: open it, move it in, make a version of it."""
    with in_project():
        from flows.ingest import ingest as run_ingest

        results = run_ingest(inbox, Path.cwd())
    if as_json:
        _tables.show(results, True)
        return
    rows = [{"inbox": name, **row} for name, result in results.items() for row in result["files"]]
    _tables.show(rows, False)
    for name, result in results.items():
        what = ", ".join(result["said"]) or ("nothing new" if not result["files"] else "no new version")
        sys.stdout.write(f"{name}: {what}\n")
