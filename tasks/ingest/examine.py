"""Whether a unit is footage, by opening it with the code that lists a dataset's sources, and what its bytes are."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from tasks import archives, files, footage, sequences
from tasks.ingest import arrivals
from tasks.ingest.arrivals import Unit
from tasks.ingest.books import shown
from tasks.params import Dataset, Inbox, Split

GIB = 2**30
SHOWN = 3


@dataclass(frozen=True)
class Piece:
    """One thing that can be put on the shelf: a file, or a folder of frames."""

    root: Path  # the folder that `unit.path` is below: the inbox, or what an archive was unpacked to
    unit: Unit
    place: str  # below the footage folder, where it belongs
    name: str  # as people are told
    kind: str  # video | strip | frames | mot | table
    sha256: str  # of a file's bytes; of a folder's frames (`footage.Source`)

    @property
    def origin(self) -> Path:
        return self.root / self.unit.path


@dataclass(frozen=True)
class Examined:
    """A unit that was opened: one piece; or an archive's pieces, what is none, and why; or a reason to refuse it."""

    unit: Unit
    pieces: tuple[Piece, ...] = ()
    left: tuple[tuple[str, str], ...] = ()  # of an archive: path in it, why it is not taken
    reason: str = ""
    archive: bool = False
    gone: bool = False  # vanished, or changed, while it was looked at


def examine(root: Path, unit: Unit, unpacked: Path, inbox: Inbox) -> Examined:
    """Open a unit.

    Args:
        root: the folder that the unit's path is below.
        unpacked: a folder that is not there, for what an archive holds.

    Raises:
        OSError: it cannot be read, through no fault of its bytes.
    """
    path = root / unit.path
    try:
        found = _examine(root, unit, unpacked, inbox)
    except (FileNotFoundError, NotADirectoryError):
        return Examined(unit, gone=True)
    return found if arrivals.stamp(path) == unit.stamp else Examined(unit, gone=True)


def _examine(root: Path, unit: Unit, unpacked: Path, inbox: Inbox) -> Examined:
    path = root / unit.path
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Examined(unit, reason="a symbolic link; put the file itself into the inbox")
    if not unit.folder:
        if not stat.S_ISREG(mode):
            return Examined(unit, reason="not a regular file")
        if unit.bytes > inbox.largest_file_gib * GIB:
            size = f"{unit.bytes / GIB:.1f} GiB"
            return Examined(unit, reason=f"{size} is more than largest_file_gib {inbox.largest_file_gib:g} allows")
        if reason := sequences.unsafe(root, path):
            return Examined(unit, reason=reason)
        if path.suffix.lower() not in arrivals.TABLES and archives.is_archive(path):
            return _archive(path, unit, unpacked, inbox)
    found = _piece(root, unit, unit.path, shown(unit.path))
    return Examined(unit, reason=found) if isinstance(found, str) else Examined(unit, (found,))


def _piece(root: Path, unit: Unit, place: str, name: str) -> Piece | str:
    """What a unit is, or why it is nothing."""
    path = root / unit.path
    if unit.folder and (links := [p.name for p in path.rglob("*") if p.is_symlink()]):
        return f"holds a symbolic link ({shown(links[0])}); put the file itself there"
    if unit.folder and (names := [shown(p.name) for p in path.rglob("*") if shown(p.name) != p.name]):
        return f"holds a name with characters that no table can hold ({names[0]}); rename it"
    if not unit.folder and path.suffix.lower() in arrivals.TABLES:
        reason = _table_fault(path)
        return reason or Piece(root, unit, place, name, "table", files.sha256_of(path))
    anything = Dataset(footage=str(root), label="none", split=Split(test=("none",)))  # its split is not read
    found = list(footage.each_source(root, anything, only=unit.path))
    own = [one for one in found if one.path == shown(unit.path)]
    others = [one.path for one in found if one not in own]
    if not own or others:
        some = ", ".join(others[:SHOWN])
        return f"holds frames and other footage ({some}); give each a folder of its own" if own else "holds no footage"
    if isinstance(own[0], footage.Reject):
        return own[0].reason
    return Piece(root, unit, place, name, own[0].kind, own[0].sha256)


def _table_fault(path: Path) -> str:
    """A table is read by whoever needs it; here only that it may be one."""
    content = sequences.what(path)
    if content == "empty":
        return sequences.EMPTY
    wanted, said = ("text", "no text") if path.suffix.lower() == ".csv" else ("other", "no Excel file")
    return "" if content == wanted else f"is {said}, whatever its name says"


def _archive(path: Path, unit: Unit, unpacked: Path, inbox: Inbox) -> Examined:
    """What an archive holds, each by itself. Everything in it that is no footage is among `left`."""
    try:
        members = archives.unpack(path, unpacked, members=inbox.archive_members, gib=inbox.archive_gib)
    except ValueError as error:
        return Examined(unit, reason=_without_path(str(error), path), archive=True)
    found = arrivals.find(unpacked, 0.0)
    pieces: list[Piece] = []
    left = [(shown(name), "not whole, by its name or that of one beside it") for name in found.waiting]
    for inner in found.units:
        name = f"{shown(unit.path)}!{shown(inner.path)}"
        one = _one(unpacked, inner, _place(unit.path, inner.path, found.units), name, inbox)
        if isinstance(one, Piece):
            pieces.append(one)
        else:
            left.append((shown(inner.path), one))
    known = {inner.path for inner in found.units} | set(found.waiting)
    for member in members:
        rel = member.relative_to(unpacked).as_posix()
        if rel not in known and not any(rel.startswith(f"{inner.path}/") for inner in found.units if inner.folder):
            left.append((shown(rel), "no footage"))
    return Examined(unit, tuple(pieces), tuple(left), archive=True)


def _one(unpacked: Path, inner: Unit, place: str, name: str, inbox: Inbox) -> Piece | str:
    path = unpacked / inner.path
    if not inner.folder:
        if inner.bytes > inbox.largest_file_gib * GIB:
            return f"{inner.bytes / GIB:.1f} GiB is more than largest_file_gib {inbox.largest_file_gib:g} allows"
        if reason := sequences.unsafe(unpacked, path):
            return reason
        if path.suffix.lower() not in arrivals.TABLES and archives.is_archive(path):
            return "an archive in an archive; unpack the outer one"
    return _piece(unpacked, inner, place, name)


def _place(archive: str, member: str, units: list[Unit]) -> str:
    """Where a member goes: into a folder called like the archive, unless all in it lies in one folder already."""
    folder, _, name = archive.rpartition("/")
    tops = {unit.path.split("/")[0] for unit in units}
    alone = len(tops) == 1 and (member.count("/") > 0 or any(u.folder and u.path == member for u in units))
    stem = name
    for suffix in (".gz", ".xz", ".bz2", ".tgz", ".txz", ".tbz2", ".tar", ".zip"):
        stem = stem[: -len(suffix)] if stem.lower().endswith(suffix) and len(stem) > len(suffix) else stem
    return "/".join(part for part in (folder, "" if alone else stem, member) if part)


def _without_path(message: str, path: Path) -> str:
    return message.removeprefix(str(path)).lstrip(",: ")
