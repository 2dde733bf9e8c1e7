"""What is known of files that have not changed since they were read.

A file counts as unchanged while its size, inode, time of modification and time of change (which no program can set)
are the same. That is how Git and DVC tell, too. What it cannot see is a disk that loses bits by itself: delete
`known.json`, and everything is read again.

    known.json    {"<path>": {"signature": "...", "value": ...}, ...}
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tasks import files

NAME = "known.json"
SAVE_EVERY_SECONDS = 60.0  # while files are read: whoever is stopped does not begin at the first again
FRESH_SECONDS = 2.0  # a file changed so shortly before may change again within one tick of its file system's clock


def signature(paths: Iterable[Path]) -> str:
    """Changes when one of the files does.

    Raises:
        OSError: a file is not there.
    """
    facts = []
    for path in paths:
        s = os.stat(path)  # noqa: PTH116  a Path's is ten times slower, and this is all that an idle look costs
        facts.append(f"{os.fspath(path)} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}")
    return facts[0] if len(facts) == 1 else files.sha256_of_bytes("\n".join(facts).encode("utf-8", "surrogateescape"))


class Known:
    """A memory of values that depend on files alone, kept in a file between runs.

    It is only ever a saving: one that is missing or damaged is made anew, and of two processes that write it one wins.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before = _read(path)
        self._now: dict[str, dict[str, Any]] = {}
        self._saved_seconds = time.monotonic()
        self.seen: dict[str, str] = {}  # by key: the signature of the files that a value is of

    def value(self, key: str, paths: Iterable[Path], make: Callable[[], Any]) -> Any:
        """`make()`, or what it gave when the files were as they are.

        Args:
            make: reads the files; what it gives has to survive JSON.
        """
        paths = list(paths)
        seen = self.seen[key] = signature(paths)
        entry = self._now.get(key) or self._before.get(key)
        if entry is None or entry["signature"] != seen:
            value = make()
            if signature(paths) != seen or _fresh(paths):
                self._now.pop(key, None)
                self._before.pop(key, None)
                return value
            entry = {"signature": seen, "value": value}
        self._now[key] = entry
        if time.monotonic() - self._saved_seconds >= SAVE_EVERY_SECONDS:
            self._write(self._before | self._now)
        return entry["value"]

    def sha256(self, path: Path) -> str:
        """The SHA-256 of a file's bytes."""
        return str(self.value(os.fspath(path), [path], lambda: files.sha256_of(path)))

    def save(self) -> None:
        """Keep what was asked for since it was opened, and forget the rest."""
        if self._now != _read(self.path):
            self._write(self._now)

    def _write(self, entries: dict[str, dict[str, Any]]) -> None:
        files.write_text(self.path, json.dumps(entries, sort_keys=True))
        self._saved_seconds = time.monotonic()


def _fresh(paths: Iterable[Path]) -> bool:
    return any(abs(time.time() - path.stat().st_ctime) < FRESH_SECONDS for path in paths)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    entries = found.items() if isinstance(found, dict) else ()
    return {key: entry for key, entry in entries if isinstance(entry, dict) and {"signature", "value"} <= set(entry)}
