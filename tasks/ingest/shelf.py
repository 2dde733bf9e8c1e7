"""The footage folder: what is in it by content, and moving something in so that a death at any moment loses nothing.

    1  pending.json says what is about to be moved, and where to
    2  rename                       across file systems: copy to a hidden name there, verify the copy, rename, and
                                    rename the original to a hidden name here before it is removed
    3  a line in the ledger
    4  pending.json goes

Whoever comes next finishes what `pending.json` tells: where the target is there, everything after its rename is done
again; where it is not, the original still lies whole where it was.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

from tasks import files, listing, media, mot
from tasks.ingest import arrivals
from tasks.ingest.books import Books
from tasks.ingest.examine import Piece

COPIES = ".rushes-arriving-"  # hidden: neither the listing of footage nor this package looks at such names
REMOVED = ".rushes-taken-"


class ChangedError(Exception):
    """The original is not what it was when it was opened; it stays where it is."""


class Shelf:
    """A footage folder, as it is while `data/state/footage.lock` is held.

    Args:
        inbox: a link in the folder to what lies here is no copy of it.
    """

    def __init__(self, folder: Path, inbox: Path) -> None:
        self.folder = folder
        self._by_bytes: dict[int, list[Path]] = defaultdict(list)
        self._identities: dict[Path, str] = {}
        for place, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(place) / name
                if path.is_symlink() and path.resolve().is_relative_to(inbox.resolve()):
                    continue
                if not name.startswith(".") and path.is_file():
                    self._by_bytes[path.stat().st_size].append(path)

    def twin(self, piece: Piece) -> Path | None:
        """What has the same content. Only what has as many bytes is read."""
        if not piece.unit.folder:
            alike = sorted(self._by_bytes.get(piece.unit.bytes, []))
            return next((path for path in alike if self._identity(path) == piece.sha256), None)
        first = listing.read_sequence(piece.root, piece.unit.path, piece.kind).frames[0][1]
        holders = {path.parent for path in self._by_bytes.get(first.stat().st_size, [])} - {self.folder}
        wholes = {p.parent if mot.image_folder(p.parent) == p and p.parent != self.folder else p for p in holders}
        return next((path for path in sorted(wholes) if self._identity(path) == piece.sha256), None)

    def free(self, place: str) -> Path:
        """The path for a place in the folder, or one with a number where something lies."""
        wanted = self.folder / place
        while any(parent.is_file() for parent in wanted.parents if parent.is_relative_to(self.folder)):
            blocking = next(parent for parent in wanted.parents if parent.is_file())
            wanted = blocking.with_name(f"{blocking.name}-folder") / wanted.relative_to(blocking)
        numbered = (wanted.with_name(f"{wanted.stem}-{n}{wanted.suffix}") for n in itertools.count(2))
        return next(path for path in itertools.chain([wanted], numbered) if not os.path.lexists(path))

    def add(self, path: Path) -> None:
        """Tell it of what was moved in."""
        inside = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        for file in inside:
            self._by_bytes[file.stat().st_size].append(file)

    def _identity(self, path: Path) -> str:
        if path not in self._identities:
            kind = "" if path.is_file() else "mot" if mot.image_folder(path) else "frames"
            try:
                identity = files.sha256_of(path) if not kind else listing.read_sequence(
                    self.folder, path.relative_to(self.folder).as_posix(), kind
                ).sha256()  # fmt: skip
            except media.MediaError:
                identity = ""  # images, but no frames
            self._identities[path] = identity
        return self._identities[path]


def take(books: Books, origin: Path, target: Path, stamp: str, line: dict[str, Any], *, moves: bool) -> None:
    """Move `origin` to `target`; or, with `moves` false, remove it, as its content is at `target` already.

    Args:
        stamp: of the origin when it was opened.
        line: for the ledger.

    Raises:
        ChangedError: the origin is another one now. Nothing was done.
        OSError: it cannot be moved. It is whole in one of the two places.
    """
    if arrivals.stamp(origin) != stamp:
        raise ChangedError(str(origin))
    target.parent.mkdir(parents=True, exist_ok=True)
    pending: dict[str, Any] = {
        "line": line, "origin": str(origin), "target": str(target), "stamp": stamp,
        "copy": str(target.parent / f"{COPIES}{uuid.uuid4().hex}"),
        "removed": str(origin.parent / f"{REMOVED}{uuid.uuid4().hex}"),
    }  # fmt: skip
    files.write_json(books.pending_file, pending)
    try:
        if moves:
            sha256 = line["sha256"] if origin.is_file() else ""
            _move(origin, target, Path(pending["copy"]), sha256)
    except (OSError, ChangedError):
        recover(books)
        raise
    recover(books, sure=True)


def recover(books: Books, *, sure: bool = False) -> dict[str, Any] | None:
    """Finish the move that is pending, if there is one; return its line for the ledger if it was made.

    Args:
        sure: what lies at the target was put there, or compared, just now; else it is compared with the original
            before that is removed.
    """
    if not books.pending_file.is_file():
        return None
    pending = files.read_json(books.pending_file)
    origin, target, removed = (Path(pending[key]) for key in ("origin", "target", "removed"))
    _remove(Path(pending["copy"]))
    line: dict[str, Any] | None = None
    if os.path.lexists(target):
        left = arrivals.stamp(origin) == pending["stamp"]
        if not left or sure or tree_sha256(origin) == tree_sha256(target):
            if left:
                origin.rename(removed)
            _remove(removed)
            line = pending["line"]
            books.write_line(pending["line"])
    books.pending_file.unlink()
    return line


def tree_sha256(path: Path) -> str:
    """Of a file's bytes; of a folder, of every file in it with its path."""
    if path.is_file():
        return files.sha256_of(path)
    inside = sorted(p for p in path.rglob("*") if p.is_file())
    text = "".join(f"{p.relative_to(path).as_posix()}\0{files.sha256_of(p)}\n" for p in inside)
    return files.sha256_of_bytes(text.encode("utf-8", "surrogateescape"))


def _move(origin: Path, target: Path, copy: Path, sha256: str) -> None:
    try:
        origin.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        if not os.access(origin.parent, os.W_OK):  # what cannot be removed here would be copied at every run
            raise PermissionError(errno.EACCES, "no permission to remove it from the inbox") from None
        _copy(origin, copy)
        if tree_sha256(copy) != (sha256 or tree_sha256(origin)):
            raise ChangedError(str(origin)) from None
        copy.rename(target)
    _sync(target.parent)


def _copy(origin: Path, copy: Path) -> None:
    """Every byte and time, on the disk when this returns."""
    if origin.is_file():
        shutil.copy2(origin, copy, follow_symlinks=False)
    else:
        shutil.copytree(origin, copy, symlinks=True)
    for path in [copy, *([] if copy.is_file() else copy.rglob("*"))]:
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
