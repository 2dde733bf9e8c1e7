"""`rushes batch`: registered models over new footage."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from flows import _tables
from flows._project import Json, in_project


def batch(
    name: Annotated[
        str | None, typer.Argument(help="Of batches in params.yaml; none: all of them.", show_default=False)
    ] = None,
    executor: Annotated[
        str | None, typer.Option(help="Default: what params.yaml says.", metavar="local|ray", show_default=False)
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what was rejected.")] = False,
    as_json: Json = False,
) -> None:
    """Use registered models on new footage: keep what is done and right, make the rest, write the page."""
    from flows._progress import showing
    from flows.batch import HOME
    from flows.batch import batch as run_batch

    if executor not in (None, "local", "ray"):
        raise ValueError(f"executor is {executor!r}; it must be local or ray")
    with in_project() as root, showing():
        rows = run_batch(name, Path.cwd(), cast(Literal["local", "ray"] | None, executor), retry)
    _tables.show(rows if as_json else [row for row in rows if "busy" not in row], as_json)
    if not as_json and (page := root / HOME / "index.html").is_file():
        sys.stdout.write(f"\nAll batches: {page}\n")
