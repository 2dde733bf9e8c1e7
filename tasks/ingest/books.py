"""What an inbox remembers, in `data/ingest/<inbox>/`.

ledger.jsonl   a line for each file or folder that was taken, was there already, or was refused
rejects.csv    what lies in the inbox and is not taken, and why: it is not looked at again until it changes
seen.json      of an inbox behind a URL: the version of each file that was dealt with
pending.json   the one move that is going on, so that one cut off by a death is finished (see `shelf`)
unversioned.json   which steps of the footage folder's versioning are still to be done (see `desk`)
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tasks import files, footage

State = Literal["taken", "already there", "refused", "waiting", "not fetched"]
COLUMNS = ["path", "stage", "reason", "bytes", "stamp", "time"]


@dataclass(frozen=True)
class Row:
    """What became of a file or a folder in a run."""

    file: str  # below the inbox; of an archive's: archive!member
    state: State
    to: str = ""  # below the project
    bytes: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Refusal:
    """A row of `rejects.csv`."""

    path: str
    reason: str
    bytes: int
    stamp: str  # of the unit when it was refused
    time: str
    stage: str = "ingest"


class Books:
    """The files of one inbox's folder; `folder` is made when the first is written.

    Args:
        inbox: what paths in the ledger start with.
    """

    def __init__(self, folder: Path, inbox: str) -> None:
        self.folder, self.inbox = folder, inbox.rstrip("/")
        self.ledger, self.rejects = folder / "ledger.jsonl", folder / "rejects.csv"
        self.seen_file, self.pending_file = folder / "seen.json", folder / "pending.json"

    def write_line(self, line: Mapping[str, Any]) -> None:
        """Add a line to the ledger, unless it is the last one already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(line, ensure_ascii=False, sort_keys=True)
        with self.ledger.open("a+b") as stream:
            reach = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, reach - 2**16))
            end = stream.read()
            if end.rstrip(b"\n").rpartition(b"\n")[2] == text.encode():
                return
            torn = b"\n" if end and not end.endswith(b"\n") else b""  # a machine that lost power in the middle of one
            stream.write(torn + text.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def refusals(self) -> dict[str, Refusal]:
        """By path."""
        if not self.rejects.is_file():
            return {}
        with self.rejects.open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if set(COLUMNS) <= row.keys()]
        return {
            row["path"]: Refusal(row["path"], row["reason"], int(row["bytes"]), row["stamp"], row["time"])
            for row in rows
            if row["bytes"].isdecimal()
        }

    def refuse(self, refused: Collection[Refusal], settled: Collection[str] = ()) -> None:
        """Add to `rejects.csv`, and to the ledger; rows of `settled` paths are taken out."""
        before, gone = self.refusals(), set(settled)
        rows = {path: row for path, row in before.items() if path not in gone}
        for row in refused:
            rows[row.path] = row
            line = {
                "from": f"{self.inbox}/{row.path}",
                "to": None,
                "reason": row.reason,
                "bytes": row.bytes,
                "time": row.time,
            }
            self.write_line(line)
        if rows != before:
            self._write_rejects(rows)

    def keep_refusals(self, paths: Collection[str]) -> None:
        """Take out the rows of what is in the inbox no more."""
        rows = self.refusals()
        kept = {path: row for path, row in rows.items() if path in paths}
        if kept != rows:
            self._write_rejects(kept)

    def _write_rejects(self, rows: Mapping[str, Refusal]) -> None:
        if not rows and not self.rejects.is_file():
            return
        with files.replacing(self.rejects) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(rows[path]) for path in sorted(rows))

    def seen(self) -> dict[str, str]:
        """The versions of the remote files that were dealt with, by path."""
        found: dict[str, str] = files.read_json(self.seen_file) if self.seen_file.is_file() else {}
        return found

    def see(self, versions: Mapping[str, str]) -> None:
        files.write_json(self.seen_file, {**self.seen(), **versions})


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def shown(path: str) -> str:
    """A path as a table can hold it."""
    return footage.printable(path)
