"""Takes an inbox in processes that are killed with SIGKILL at named points, each gone on with until it ends.

One process imports everything and forks the others: each is a real process with a real death, and starts at once.

    python -m tests.tasks._ingest_kill ROOT MEDIA ACROSS      prints what each left, as JSON

MEDIA holds what is put into each inbox; ACROSS is a folder on another file system, or `-`.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.ingest import Desk, books, desk, shelf
from tasks.params import Inbox
from tests.tasks._deaths import die, fork


def before(owner: Any, name: str, call: int = 1) -> None:
    """Die at this call of a function."""
    called, calls = getattr(owner, name), []

    def calling(*arguments: Any, **keywords: Any) -> Any:
        calls.append(name)
        if len(calls) == call:
            die()
        return called(*arguments, **keywords)

    setattr(owner, name, calling)


def after(owner: Any, name: str, call: int = 1) -> None:
    """Die when this call of a function is done."""
    called, calls = getattr(owner, name), []

    def calling(*arguments: Any, **keywords: Any) -> Any:
        result = called(*arguments, **keywords)
        calls.append(name)
        if len(calls) == call:
            die()
        return result

    setattr(owner, name, calling)


def half_a_copy() -> None:
    def copying(origin: Path, copy: Path) -> None:
        (shutil.copy2 if origin.is_file() else shutil.copytree)(origin, copy)
        file = copy if copy.is_file() else max(p for p in copy.rglob("*") if p.is_file())
        os.truncate(file, file.stat().st_size // 2)
        die()

    shelf._copy = copying


POINTS: dict[str, Callable[[], None]] = {
    "before anything is moved": lambda: before(shelf, "_move"),
    "at the third move": lambda: before(shelf, "_move", 3),
    "moved, not in the ledger": lambda: after(shelf, "_move", 2),
    "in the ledger, still pending": lambda: after(books.Books, "write_line", 2),
    "before a copy of what is there already goes": lambda: before(shelf, "_remove", 2),
    "unpacked, nothing moved": lambda: after(desk, "examine", 4),
    "half of an archive taken": lambda: after(desk.Desk, "_take", 2),
    "before an archive goes": lambda: before(Path, "unlink", 2),
    "while the books are written": lambda: before(books.Books, "_write_rejects"),
}
ACROSS_POINTS: dict[str, Callable[[], None]] = {
    "half a copy": half_a_copy,
    "a copy, not yet renamed": lambda: after(shelf, "_copy", 2),
    "renamed, the original not removed": lambda: after(shelf, "_sync", 3),
    "the original renamed, not removed": lambda: before(shelf, "_remove", 3),
}


def one_life(root: Path, inbox: Path) -> None:
    at = Desk(root, "new", Inbox(inbox=str(inbox), footage="data/footage/new", settle_seconds=0.0))
    with at.alone():
        at.tidy()
        for unit in at.arrived().units:
            at.take([unit])


def state(root: Path, inbox: Path) -> dict[str, Any]:
    """The files in the inbox and in the footage folder, by path."""
    found = {}
    for name, folder in (("inbox", inbox), ("footage", root / "data/footage/new")):
        inside = sorted(p for p in folder.rglob("*") if p.is_file())
        found[name] = {p.relative_to(folder).as_posix(): shelf.tree_sha256(p) for p in inside}
    return found


def main(root: Path, media: Path, across: str) -> None:
    ended = {}
    points = ACROSS_POINTS if across != "-" else POINTS
    for number, point in enumerate(points):
        project = root / f"project{number}"
        inbox = project / "data/inbox" if across == "-" else Path(across) / f"inbox{number}"
        shutil.copytree(media, inbox)
        project.mkdir(exist_ok=True)

        def life(point: str, project: Path = project, inbox: Path = inbox) -> None:
            if point:
                points[point]()
            one_life(project, inbox)

        deaths = [fork(functools.partial(life, point))]
        died = state(project, inbox)
        deaths.append(fork(functools.partial(life, "")))
        ledger = (project / "data/ingest/new/ledger.jsonl").read_text().splitlines()
        ended[point] = {
            "deaths": deaths, "died": died, "ended": state(project, inbox), "ledger": [json.loads(x) for x in ledger],
        }  # fmt: skip
    sys.stdout.write(json.dumps(ended))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
