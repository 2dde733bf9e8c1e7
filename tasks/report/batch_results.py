"""The results of a batch as they lie in its folder, and how much of a table a page shows."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tasks.batch.anomalies import COLUMNS
from tasks.report.results import csv_if_there, json_if_there

if TYPE_CHECKING:
    import pandas as pd

ROWS_SHOWN = 300  # of any table; a page of thousands of sources stays below 3 MB
TEXT = ("source", "path", "sha256", "stage", "reason", "video", "sound")


@dataclass(frozen=True)
class Batch:
    """The results of one version in one batch, as they lie in its folder."""

    folder: Path
    about: dict[str, Any]  # batch.json
    results: pd.DataFrame
    rejects: pd.DataFrame
    below: str | None = None  # the folder that all sources lie in, which the page names once

    def short(self, path: str) -> str:
        """A source's path below that folder."""
        return path if self.below is None else path.removeprefix(f"{self.below}/")

    @property
    def kind(self) -> str:
        return str(self.about["kind"])

    def link(self, source: str, name: str, seconds: float | None = None) -> str:
        """To a file of a source, and a moment of it."""
        where = "/".join(quote(part, safe="") for part in ("sources", source, name))
        return where if seconds is None else f"{where}#t={max(0.0, seconds):.3f}".rstrip("0").rstrip(".")

    def file(self, source: str, name: str) -> Path | None:
        path = self.folder / "sources" / source / name
        return path if path.is_file() else None


def read(folder: Path) -> Batch:
    """Raises ValueError: there is no batch in the folder."""
    import pandas as pd

    about = json_if_there(folder / "batch.json")
    if about is None:
        raise ValueError(f"{folder} has no batch.json, so it is not the folder of a batch; run: rushes batch")
    results = csv_if_there(folder / "results.csv", TEXT)
    rejects = csv_if_there(folder / "rejects.csv", TEXT)
    results = pd.DataFrame({"source": [], "path": []}, dtype=str) if results is None else results
    rejects = pd.DataFrame({"path": [], "stage": [], "reason": []}, dtype=str) if rejects is None else rejects
    return Batch(folder, about, results, rejects, _common({*results["path"], *rejects["path"]}))


def _common(paths: set[str]) -> str | None:
    """The folder that all of several paths lie in."""
    if len(paths) < 2:
        return None
    parents = {posixpath.dirname(path) for path in paths}
    if len({path.startswith("/") for path in parents}) > 1:
        return None
    return posixpath.commonpath(parents).rstrip("/") or None


def anomalies_of(batch: Batch) -> pd.DataFrame:
    import pandas as pd

    found = csv_if_there(batch.folder / "anomalies.csv", TEXT)
    return pd.DataFrame(columns=["source", "path", *COLUMNS]) if found is None else found


def shown(table: pd.DataFrame, file: str) -> dict[str, Any]:
    """The first rows of a table, and where the others are."""
    return {"rows": table.head(ROWS_SHOWN).to_dict("records"), "more": more(len(table), file), "count": len(table)}


def more(count: int, file: str, most: int = ROWS_SHOWN) -> str | None:
    beyond = count - most
    return f"{beyond:,} more {'is' if beyond == 1 else 'are'} in {file}." if beyond > 0 else None
