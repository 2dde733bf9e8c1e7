"""`rushes models`, `promote` and `rollback`: the registry, by hand."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from flows import _tables
from flows._project import Json, in_project

Recipe = Annotated[str, typer.Argument(help="A recipe in params.yaml.", show_default=False)]


def models(
    history: Annotated[
        str | None, typer.Option("--history", metavar="RECIPE", help="Its champions instead: from when to when, why.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The registry: versions, aliases, scores, lineage."""
    from tasks import tracking

    with in_project():
        if history is not None:
            entries = tracking.champions(history)
            _tables.show([asdict(entry) for entry in entries] if as_json else _reigns(entries), as_json)
            return
        listed = tracking.list_models()
        if as_json:
            _tables.show(listed, True)
            return
        if not listed:
            sys.stdout.write("No model is registered yet; rushes run registers what it trains.\n")
        _tables.show([_tables.brief(version) for version in listed], False)


def promote(
    recipe: Recipe,
    version: Annotated[str | None, typer.Argument(help="None: the newest, the challenger.", show_default=False)] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also if the gate says no; that goes on record.")] = False,
    as_json: Json = False,
) -> None:
    """Make a version the champion, if the gate lets it."""
    from flows import _promotion
    from tasks import tracking
    from tasks.exits import BAD_INPUT

    with in_project() as root:
        newest = (row["version"] for row in tracking.list_models() if row["recipe"] == recipe)
        number = version or tracking.registry_record(recipe)["challenger_version"] or next(newest, "1")
        decision = _promotion.promote(root, recipe, number, anyway=anyway)
        _promotion.write_record(root, recipe)
    if as_json:
        _tables.show(asdict(decision), True)
    else:
        sys.stdout.write(f"{decision.reason}\n")
    if decision.champion_version != decision.version:
        raise SystemExit(BAD_INPUT)


def rollback(
    recipe: Recipe,
    to: Annotated[str | None, typer.Option("--to", metavar="VERSION", help="A champion before that one.")] = None,
    why: Annotated[str, typer.Option("--why", help="For the record.", show_default=False)] = "",
    as_json: Json = False,
) -> None:
    """Make the champion before this one champion again; twice goes back twice."""
    from flows import _promotion
    from tasks import tracking

    with in_project() as root:
        entry = tracking.rollback(recipe, to, why)
        _promotion.write_record(root, recipe)
    if as_json:
        _tables.show(asdict(entry), True)
    else:
        sys.stdout.write(f"{entry.why}\n")


def _reigns(entries: list[Any]) -> list[dict[str, Any]]:
    """One row a time as champion, oldest first."""
    until = [entry.at for entry in entries[1:]] + ["now"]
    return [
        {"version": e.after, "from": e.at, "to": end, "how": e.how, "by": e.by, "why": e.why}
        for e, end in zip(entries, until, strict=True)
    ]
