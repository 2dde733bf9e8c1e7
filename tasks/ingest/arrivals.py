"""What lies in an inbox, and which of it has arrived whole.

    dance/a.mp4                 a unit, by itself: it waits for nobody
    dance/b.mp4.part            still being copied, by its name
    walk/0001.png 0002.png      one unit, the folder; it waits until all in it is there
    MOT-01/img1/..., gt/...     one unit, the folder
    table.csv, 7.jpg            waits as long as something in its folder is still being copied

Whole means: neither written to nor created for so many seconds, and open for writing in no process of this machine.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks import listing, mot, sequences
from tasks.ingest import writers

TABLES = frozenset({".csv", ".xlsx"})
PARTIAL_SUFFIXES = frozenset({
    ".part", ".partial", ".crdownload", ".download", ".opdownload", ".filepart", ".aria2", ".tmp", ".temp", ".!ut",
    ".!qb", ".swp", ".lock",
})  # fmt: skip
MOST_AHEAD_SECONDS = 3600


@dataclass(frozen=True)
class Unit:
    """A file, or a folder that is one piece of footage, which has arrived."""

    path: str  # below the inbox, with forward slashes
    folder: bool
    stamp: str  # another one as soon as a byte, a time or a name in it is another
    bytes: int


@dataclass
class Arrivals:
    """What `find` found: `units` by path, and the paths that are still on their way."""

    units: list[Unit] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


def find(inbox: Path, settle_seconds: float, held: Collection[str] = ()) -> Arrivals:
    """Look through an inbox. Hidden files and text that is no table are passed over; links are units, never followed.

    Args:
        settle_seconds: how long nothing may have changed.
        held: paths known to be incomplete, whether or not they are there.
    """
    found = Arrivals()
    leases = writers.file_system(inbox) not in writers.LEASELESS
    _Look(inbox, settle_seconds, frozenset(held), time.time(), leases, found).folder("")
    found.units.sort(key=lambda unit: unit.path)
    found.waiting = sorted(set(found.waiting))
    return found


def stamp(path: Path) -> str:
    """Of a file, or of everything in a folder; empty where there is nothing."""
    try:
        if path.is_symlink() or not path.is_dir():
            return _stamp(path.lstat())
        digest = hashlib.sha256()
        for below in _below(path):
            seen = _lstat(below)
            text = f"{below.relative_to(path)} {'' if seen is None else _stamp(seen)}\n"
            digest.update(text.encode("utf-8", "surrogateescape"))
    except FileNotFoundError:
        return ""
    return digest.hexdigest()[:16]


def partial(name: str) -> bool:
    """Whether a file or a folder is called as copying programs call what they have not finished."""
    low = name.lower()
    return low.endswith("~") or low.startswith("~") or os.path.splitext(low)[1] in PARTIAL_SUFFIXES  # noqa: PTH122


def hidden(path: str) -> bool:
    """Whether a path has a part that begins with a dot, as rsync's temporary files do too."""
    return any(part.startswith(".") for part in path.split("/"))


def bytes_of(path: Path) -> int:
    """Of a file, or of all files in a folder."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(seen.st_size for below in _below(path) if (seen := _lstat(below)) is not None)


@dataclass
class _Look:
    inbox: Path
    settle_seconds: float
    held: frozenset[str]
    now: float
    leases: bool
    found: Arrivals

    def folder(self, rel: str) -> None:
        """Add what a folder holds. What vanishes meanwhile is being renamed: the next run will see."""
        place = self.inbox / rel
        files: list[str] = []
        try:
            if rel and mot.image_folder(place) is not None:
                self._whole(rel)
                return
            for entry in sorted(os.scandir(place), key=lambda e: e.name):
                path = f"{rel}/{entry.name}" if rel else entry.name
                if entry.name.startswith("."):
                    continue
                if partial(entry.name):
                    self.found.waiting.append(path)
                elif entry.is_dir(follow_symlinks=False):
                    self.folder(path)
                else:
                    files.append(path)
            self._files(rel, files)
        except FileNotFoundError:
            self.found.waiting.append(rel)
        except PermissionError:
            self._add(rel, folder=True)

    def _files(self, rel: str, files: list[str]) -> None:
        moving = {path for path in files if not self._settled(path)}
        self.found.waiting += sorted(moving)
        together = bool(moving) or self._incomplete(rel)
        images: list[str] = []
        for path in sorted(set(files) - moving):
            place = self.inbox / path
            if place.is_symlink() or not place.is_file() or not os.access(place, os.R_OK):
                self._add(path)
                continue
            content, suffix = sequences.what(place), place.suffix.lower()
            if content == "image" or suffix in sequences.IMAGE_SUFFIXES:
                images.append(path)
            elif suffix in TABLES:
                self._add(path, waits=together)
            elif content != "text" or suffix in listing.MEDIA_SUFFIXES:
                self._add(path)
        if rel and len(images) > 1 and not together:
            names = [path.rpartition("/")[2] for path in images]
            if listing.is_sequence(sequences.look(self.inbox / rel, self.inbox, names), None):
                within = (rel + "/", *sorted(TABLES))
                mine = [u for u in self.found.units if u.path.startswith(within[0]) and u.path.endswith(within[1:])]
                self.found.units = [unit for unit in self.found.units if unit not in mine]  # they go along
                self._whole(rel)
                return
        for path in images:
            self._add(path, waits=together)

    def _whole(self, rel: str) -> None:
        """A folder as one unit, if everything in it is there."""
        inside = [path.relative_to(self.inbox).as_posix() for path in _below(self.inbox / rel)]
        moving = [path for path in inside if partial(path.rpartition("/")[2]) or not self._settled(path)]
        if moving or self._incomplete(rel):
            self.found.waiting.append(rel)
        else:
            self._add(rel, folder=True)

    def _incomplete(self, rel: str) -> bool:
        """Whether something directly or deeper in this folder, but not in the inbox as a whole, is on its way."""
        if not rel:
            return any("/" not in path for path in (*self.held, *self.found.waiting))
        return any(path.startswith(f"{rel}/") for path in (*self.held, *self.found.waiting))

    def _add(self, path: str, *, folder: bool = False, waits: bool = False) -> None:
        if waits:
            self.found.waiting.append(path)
        else:
            place = self.inbox / path
            self.found.units.append(Unit(path, folder, stamp(place), bytes_of(place)))

    def _settled(self, path: str) -> bool:
        place = self.inbox / path
        if path in self.held or any(place.with_name(place.name + s).exists() for s in (".part", ".aria2")):
            return False
        if self.settle_seconds > 0:
            seen = place.lstat()
            # Copies with the original's times are told by ctime, which a server whose clock is ahead sets too; a clock
            # that was wrong by more must not hold a file for ever, nor a camera's of another time zone, in mtime.
            times = [(seen.st_mtime, 1), (seen.st_ctime, MOST_AHEAD_SECONDS), (0.0, 0)]
            changed = max(seconds for seconds, ahead in times if seconds <= self.now + ahead)
            if self.now - changed < self.settle_seconds:
                return False
        return not (self.leases and writers.being_written(place))


def _below(folder: Path) -> Iterator[Path]:
    """Everything in a folder that is no folder itself, hidden or not, in a fixed order."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        folders.sort()
        for name in sorted(names + links):
            yield Path(place) / name


def _lstat(path: Path) -> os.stat_result | None:
    """None in a folder that may be listed and not entered: who opens it will say so."""
    try:
        return path.lstat()
    except PermissionError:
        return None


def _stamp(seen: os.stat_result) -> str:
    return hashlib.sha256(f"{seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns}".encode()).hexdigest()[:16]
