"""`rushes fetch`: public sets, shown before they are fetched."""

from __future__ import annotations

import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows import _tables
from flows._project import Json, in_project

if TYPE_CHECKING:
    from tasks.fetch import Archive, Places, PublicSet
    from tasks.fetch.download import Told

LINE_EVERY_SECONDS = 10.0
BAR_EVERY_SECONDS = 0.2


def fetch(
    name: Annotated[str | None, typer.Argument(help="A public set; none: all are listed.", show_default=False)] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="The folder that it becomes. Default: data/footage/NAME.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Fetch without being asked.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show the sets, or the set, and fetch nothing.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the archives, in data/downloads/NAME.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch a public set: its terms and its size are shown first, its checksums kept and verified."""
    from tasks import fetch as fetching

    if name is None:
        _tables.show([_row(known) for known in fetching.sets().values()], as_json)
        return
    wanted = fetching.find(name)
    to = None if to is None else to.resolve()
    with in_project() as root:
        where = fetching.places(root, name, to)
        folder = _shown(where.folder, root)
        if list_ and as_json:
            section = wanted.section(folder)
            _tables.show({**wanted.model_dump(mode="json"), "folder": folder, "params_yaml": section}, True)
            return
        there = not list_ and fetching.is_there(wanted, where)
        if not there:
            (sys.stderr if as_json else sys.stdout).write(_description(wanted, folder))
        if list_:
            return
        if not there:
            _ask(wanted, folder, yes)
            fetching.fetch(wanted, where, keep=keep, told=_progress, say=_say)
        _report(wanted, where, root, there, as_json)


def _row(known: PublicSet) -> dict[str, Any]:
    return {"name": known.name, "download": _size(known), "what": known.what, "licence": known.licence}


def _size(known: PublicSet) -> str:
    exact = all(archive.bytes for archive in known.archives)
    return ("" if exact else "about ") + _nbytes(known.expected_bytes)


def _nbytes(nbytes: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if nbytes >= scale:
            return f"{nbytes / scale:.2f} {unit}"
    return f"{nbytes / 1e3:.1f} kB"


def _shown(folder: Path, root: Path) -> str:
    """As it is written in params.yaml: below the project, or absolute."""
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def _description(wanted: PublicSet, folder: str) -> str:
    lines = [wanted.title, ""]
    said = {
        "what": wanted.what, "page": wanted.page, "licence": wanted.licence, "cite": " ".join(wanted.cite.split()),
        "size": f"{_size(wanted)} to fetch, about {_nbytes(wanted.unpacked_bytes)} unpacked", "folder": folder,
    }  # fmt: skip
    for label, text in said.items():
        lines += textwrap.wrap(f"{label:<9}{text}", 110, subsequent_indent=" " * 9, break_long_words=False)
    for archive in wanted.archives:
        known = f"{archive.bytes:,} bytes ({archive.known_by})" if archive.bytes else "size not verified"
        checked = f", SHA-256 {archive.sha256}" if archive.sha256 else ""
        lines += ["", f"  {archive.url}", f"    {known}{checked}"]
    lines += ["", "For params.yaml, under datasets:", "", wanted.section(folder)]
    return "\n".join(lines) + "\n"


def _ask(wanted: PublicSet, folder: str, yes: bool) -> None:
    """Raise a ValueError where nobody said yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ValueError(f"nothing was fetched: read the terms above and say rushes fetch {wanted.name} --yes")
    sys.stderr.write(f"Fetch {_size(wanted)} to {folder} under these terms? Type yes: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise ValueError("nothing was fetched")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _progress(archive: Archive) -> Told:
    """Tells how far an archive is: in one line on a terminal, elsewhere in a line every few seconds."""
    terminal = sys.stderr.isatty()
    told_at = float("-inf")

    def told(have: int, total: int | None) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at < (BAR_EVERY_SECONDS if terminal else LINE_EVERY_SECONDS) and have != total:
            return
        told_at = now
        share = f" of {_nbytes(total)}, {100 * have / total:.0f}%" if total else ""
        sys.stderr.write(f"{archive.file}: {_nbytes(have)}{share}")
        sys.stderr.write("   \r" if terminal and have != total else "\n")
        sys.stderr.flush()

    return told


def _report(wanted: PublicSet, where: Places, root: Path, there: bool, as_json: bool) -> None:
    record = _shown(where.record, root)
    if as_json:
        result = {"name": wanted.name, "folder": str(where.folder), "fetched": not there, "record": record}
        _tables.show(result, True)
    elif there:
        sys.stdout.write(f"{where.folder} is there already; nothing was fetched.\n")
    else:
        sys.stdout.write(f"{where.folder} is complete. Commit {record}: it holds later downloads to the same bytes.\n")
