"""One inbox: its folders, what has arrived, and taking it in."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks import files, locks, media
from tasks.ingest import arrivals, books, remote, shelf
from tasks.ingest.arrivals import Arrivals, Unit
from tasks.ingest.books import Books, Refusal, Row, shown
from tasks.ingest.examine import SHOWN, Examined, Piece, examine
from tasks.ingest.openings import DIED, Openings
from tasks.params import Inbox

WAIT_SECONDS = 60.0
CHANGED = "it changed while it was looked at"
VERSION_STEPS = ("add", "commit", "push")


@dataclass
class _Noted:
    """For `rejects.csv`, which is written once for all units of a `take`: there may be thousands of either."""

    refused: list[Refusal] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)

    def refuse(self, unit: Unit, name: str, reason: str) -> Row:
        self.refused.append(Refusal(name, reason, unit.bytes, unit.stamp, books.now()))
        return Row(name, "refused", "", unit.bytes, reason)


@dataclass(frozen=True)
class Desk:
    """An inbox of a project, by its name in `params.yaml`."""

    project: Path
    name: str
    setting: Inbox

    @property
    def folder(self) -> Path:
        return self.project / "data" / "ingest" / self.name

    @property
    def books(self) -> Books:
        return Books(self.folder, self.setting.inbox)

    @property
    def footage(self) -> Path:
        return self.project / self.setting.footage

    @property
    def inbox(self) -> Path:
        """Where units are taken from: the inbox itself, or the folder that a URL's files are fetched to."""
        if remote.is_url(self.setting.inbox):
            return self.folder / "arrived"
        return self.project / self.setting.inbox

    def check(self) -> None:
        """Raise a ValueError for an inbox that cannot be one; make its folder if it is the project's own."""
        root, target, inbox = (path.resolve() for path in (self.project, self.footage, self.inbox))
        below = Path(self.setting.footage)
        if below.is_absolute() or ".." in below.parts or below.parts in ((), (".",)):
            raise ValueError(
                f"inboxes.{self.name}.footage is {self.setting.footage!r}; name a folder below the project"
            )
        if inbox.is_relative_to(target) or target.is_relative_to(inbox):
            raise ValueError(
                f"inboxes.{self.name}: the inbox {self.setting.inbox} and the footage folder {self.setting.footage} lie"
                " in one another; name two that do not"
            )
        if not inbox.is_dir() and not remote.is_url(self.setting.inbox):
            if not inbox.is_relative_to(root):
                raise ValueError(
                    f"the inbox {self.setting.inbox} does not exist; mount it, or correct inboxes.{self.name}.inbox"
                )
            inbox.mkdir(parents=True)
        if inbox.is_dir() and not os.access(inbox, os.R_OK | os.X_OK):
            raise ValueError(f"the inbox {self.setting.inbox} cannot be read; give permission to list and enter it")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold this inbox.

        Raises:
            BusyError: another process does.
        """
        import filelock

        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(self.folder / "lock", timeout=0):
                yield
        except filelock.Timeout:
            raise locks.BusyError(f"another ingest of {self.name} is at work; it takes what is there") from None

    def tidy(self) -> None:
        """Finish what a run that died left, and take out what it had fetched or unpacked."""
        if self.books.pending_file.is_file():
            with locks.footage(self.project, WAIT_SECONDS):
                if shelf.recover(self.books):
                    self.owe()
        for scratch in (self.folder / "unpacked", *([self.inbox] if remote.is_url(self.setting.inbox) else [])):
            shutil.rmtree(scratch, ignore_errors=True)

    def arrived(self, held: Sequence[str] = ()) -> Arrivals:
        """What is new and whole; what was refused before and has not changed since is left out."""
        settle_seconds = 0.0 if remote.is_url(self.setting.inbox) else self.setting.settle_seconds
        found = arrivals.find(self.inbox, settle_seconds, held)
        refused = self.books.refusals()
        if not remote.is_url(self.setting.inbox):
            self.books.keep_refusals({shown(unit.path) for unit in found.units} | set(map(shown, found.waiting)))

        def known(unit: Unit) -> bool:
            row = refused.get(shown(unit.path))
            return row is not None and row.stamp == unit.stamp

        return Arrivals([unit for unit in found.units if not known(unit)], found.waiting)

    def take(self, units: Sequence[Unit], versions: dict[str, str] | None = None) -> list[Row]:
        """Open units, and move those that are footage into the footage folder.

        Args:
            versions: of remote files, by path: for the ledger, and those below `units` are noted as dealt with.

        Raises:
            BusyError: a stage is reading the footage. Nothing was moved.
            OSError: the books cannot be written. What can only not be read or moved is a row that waits.
        """
        openings = Openings(self.folder)
        seen = [self._examine(unit, number, openings) for number, unit in enumerate(units)]
        with locks.footage(self.project, WAIT_SECONDS):
            if shelf.recover(self.books):
                self.owe()
            on_shelf = shelf.Shelf(self.footage, self.inbox)
            noted = _Noted()
            rows = [row for one in seen for row in self._deal_with(one, on_shelf, versions or {}, noted)]
            self.books.refuse(noted.refused, noted.settled)
        shutil.rmtree(self.folder / "unpacked", ignore_errors=True)
        return rows

    def _examine(self, unit: Unit, number: int, openings: Openings) -> Examined:
        if openings.deadly(unit):
            return Examined(unit, reason=DIED)
        try:
            with openings.opening(unit):
                return examine(self.inbox, unit, self.folder / "unpacked" / str(number), self.setting)
        except OSError as error:
            return Examined(unit, gone=True, reason=f"cannot be read ({error.strerror or error}); it is tried again")
        except ValueError as error:  # a folder without permission in it, say: one unit must not keep the others waiting
            return Examined(unit, reason=str(error))

    def _deal_with(self, one: Examined, on_shelf: shelf.Shelf, versions: dict[str, str], noted: _Noted) -> list[Row]:
        name = shown(one.unit.path)
        if one.gone:
            return [Row(name, "waiting", reason=one.reason or CHANGED)]
        if one.reason:
            return [noted.refuse(one.unit, name, one.reason)]
        rows = [self._take(piece, on_shelf, versions) for piece in one.pieces]
        if one.archive:
            return rows + self._close(one, name, rows, noted)
        (row,) = rows
        if row.state == "refused":
            noted.refuse(one.unit, name, row.reason)
        elif row.state != "waiting":
            noted.settled.append(name)
        return rows

    def _close(self, one: Examined, name: str, rows: Sequence[Row], noted: _Noted) -> list[Row]:
        """An archive whose pieces were dealt with: it goes when everything in it is on the shelf, else it stays."""
        path = self.inbox / one.unit.path
        if any(row.state == "waiting" for row in rows) or arrivals.stamp(path) != one.unit.stamp:
            return []  # the next run finds the rest in it
        others = [Row(f"{name}!{member}", "refused", reason=reason) for member, reason in one.left]
        left = [row for row in [*rows, *others] if row.state == "refused"]
        if left:
            some = "; ".join(f"{row.file.removeprefix(f'{name}!')} ({row.reason})" for row in left[:SHOWN])
            more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
            noted.refuse(one.unit, name, f"taken but for {some}{more}; remove it, or pack it anew")
            return others
        try:
            path.unlink()
        except OSError as error:
            return [Row(name, "waiting", reason=f"taken, but cannot be removed ({error.strerror or error})")]
        noted.settled.append(name)
        self.books.write_line({
            "from": self._from(one.unit.path), "to": None, "bytes": one.unit.bytes, "time": books.now(),
            "reason": f"unpacked: {len(rows)} taken or there already",
        })  # fmt: skip
        return []

    def _take(self, piece: Piece, on_shelf: shelf.Shelf, versions: dict[str, str]) -> Row:
        try:
            twin = on_shelf.twin(piece)
            target = twin or on_shelf.free(piece.place)
            to = target.relative_to(self.project).as_posix()
            if twin and piece.unit.folder and shelf.tree_sha256(twin) != shelf.tree_sha256(piece.origin):
                reason = f"the frames of {to}, with other files beside them"
                return Row(piece.name, "refused", "", piece.unit.bytes, reason)
            if not twin:
                self.owe()
            line = self._line(piece, to, twin is not None, versions.get(piece.unit.path))
            shelf.take(self.books, piece.origin, target, piece.unit.stamp, line, moves=twin is None)
        except (shelf.ChangedError, media.MediaError):
            return Row(piece.name, "waiting", reason=CHANGED)
        except OSError as error:
            return Row(piece.name, "waiting", reason=f"cannot be moved ({error.strerror or error}); it is tried again")
        if twin:
            return Row(piece.name, "already there", to, piece.unit.bytes, f"the same content as {to}")
        on_shelf.add(target)
        return Row(piece.name, "taken", to, piece.unit.bytes)

    def _line(self, piece: Piece, to: str, twin: bool, version: str | None) -> dict[str, Any]:
        """For the ledger."""
        line: dict[str, Any] = {
            "from": self._from(piece.name), "to": None if twin else to, "kind": piece.kind, "sha256": piece.sha256,
            "bytes": piece.unit.bytes, "time": books.now(),
        }  # fmt: skip
        line |= {"same_as": to} if twin else {}
        return line | ({"version": version} if version else {})

    def _from(self, path: str) -> str:
        return f"{self.books.inbox}/{shown(path)}"

    def owe(self) -> None:
        """Note that the footage folder has changed, before it does: each step of its versioning is still to be done."""
        if self.owed() != VERSION_STEPS:
            files.write_json(self._owed, list(VERSION_STEPS))

    def owed(self) -> tuple[str, ...]:
        """The steps of `VERSION_STEPS` that are still to be done, also by a run that failed in them."""
        return tuple(files.read_json(self._owed)) if self._owed.is_file() else ()

    def paid(self, step: str) -> None:
        """Note that a step was done, or is not wanted."""
        left = [other for other in self.owed() if other != step]
        if left:
            files.write_json(self._owed, left)
        else:
            self._owed.unlink(missing_ok=True)

    @property
    def _owed(self) -> Path:
        return self.folder / "unversioned.json"
