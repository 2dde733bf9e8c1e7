"""Files that take the whole process along when they are opened, as damaged media can.

opening.json   what is being opened now: still there when the next run begins, the process died of it, or with it
deaths.json    how often that happened, by file and stamp
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from tasks import files
from tasks.ingest.arrivals import Unit

MOST_DEATHS = 2
DIED = f"the process died {MOST_DEATHS} times while it was being opened; touch it to have it opened again"


class Openings:
    """The two files in an inbox's folder; to be made once a run, as it takes up what the last one left."""

    def __init__(self, folder: Path) -> None:
        self._opening, self._deaths = folder / "opening.json", folder / "deaths.json"
        self._died: dict[str, int] = files.read_json(self._deaths) if self._deaths.is_file() else {}
        if self._opening.is_file():
            with contextlib.suppress(ValueError):  # half written: it died before it opened anything
                key = files.read_json(self._opening)
                self._died[key] = self._died.get(key, 0) + 1
                files.write_json(self._deaths, self._died)
            self._opening.unlink()

    def deadly(self, unit: Unit) -> bool:
        return self._died.get(_key(unit), 0) >= MOST_DEATHS

    @contextlib.contextmanager
    def opening(self, unit: Unit) -> Iterator[None]:
        """Say what is opened within; no flush to the disk, as a dead process leaves what it wrote to the system."""
        self._opening.parent.mkdir(parents=True, exist_ok=True)
        self._opening.write_text(json.dumps(_key(unit)), encoding="utf-8")
        try:
            yield
        finally:
            self._opening.unlink()


def _key(unit: Unit) -> str:
    return f"{unit.path} {unit.stamp}".encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
