"""The page of a batch: what a registered model made of new footage; and the list of all batches.

A page lies beside the results and leads to them by relative links, so that it works from the file system and from any
server. Videos are not inside it, because they may be large; everything else is. No script runs, all text is escaped,
links are percent-encoded: names of files are other people's. Equal results give equal bytes.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tasks import files
from tasks.report.kinds import KINDS, decimal
from tasks.report.pages import fact
from tasks.report.results import csv_if_there, json_if_there

if TYPE_CHECKING:
    import pandas as pd

HOME = "../../../index.html"  # from a version's folder to the list of all
NAME = "index.html"
FILES = ("results.csv", "anomalies.csv", "features.parquet", "ratings.csv", "rejects.csv", "batch.json")
ROWS_SHOWN = 300  # of any table; a page of thousands of sources stays below 3 MB
FOOTAGE_SHOWN = 3
TEXT = ("source", "path", "sha256", "stage", "reason", "video", "sound")
DONE = {
    "reconstruct": "reconstructed",
    "interpolate": "interpolated",
    "classify": "described",
    "regress": "rated",
}


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


def write(folder: Path) -> Path:
    """Write the page of the batch in `folder` (see docs/batch.md for what lies there) to its `index.html`.

    Raises:
        ValueError: there is no batch in the folder.
    """
    batch = read(folder)
    title = f"{batch.about['batch']}, {batch.about['recipe']}, version {batch.about['version']}"
    links = [{"href": HOME, "text": "All batches", "break": False}, {"href": NAME, "text": title, "break": True}]
    values = {
        "name": batch.about["batch"],
        "title": title,
        "kind": batch.kind,
        "line": _line(batch),
        "answer": _answer(batch),
        "facts": _facts(batch),
        "part": _part_of(batch.kind)(batch) if len(batch.results) else None,
        "rejects": shown(batch.rejects, "rejects.csv"),
        "files": [name for name in FILES if (folder / name).is_file()],
        "settings": [item for item in sorted(batch.about["settings"].items()) if item[0] != "layout"],
        "about": batch.about,
        "below": batch.below,
    }
    return _write(folder / NAME, "batch.html", links, HOME, page=values, short=batch.short)


def write_index(root: Path) -> Path:
    """Write `index.html` of the folder that holds every batch: by name and recipe, the newest version first.

    Where a batch was left before it had results, there is nothing to list.
    """
    root.mkdir(parents=True, exist_ok=True)
    found = [read(path.parent) for path in root.glob("*/*/v*/batch.json")]
    found.sort(key=lambda b: (b.about["batch"], b.about["recipe"], -int(b.about["version"])))
    rows = []
    for number, batch in enumerate(found):
        before = found[number - 1].about if number else {"batch": None, "recipe": None}
        same = (before["batch"], before["recipe"]) == (batch.about["batch"], batch.about["recipe"])
        rows.append(
            {
                "href": "/".join(quote(part, safe="") for part in batch.folder.relative_to(root).parts) + f"/{NAME}",
                "first": number > 0 and before["batch"] != batch.about["batch"],
                "newest": not same,
                "about": batch.about,
                "done": len(batch.results),
                "told": headline(batch),
            }
        )
    links = [{"href": NAME, "text": "All batches", "break": False}]
    return _write(root / NAME, "batches.html", links, NAME, rows=rows)


def _write(path: Path, template: str, links: list[dict[str, Any]], home: str, **values: Any) -> Path:
    from tasks.report import environment

    site = {"title": "Rushes", "home": home, "links": links, "kinds": []}
    files.write_text(path, environment(site).get_template(template).render(here=NAME, **values))
    return path


def _part_of(kind: str) -> Callable[[Batch], dict[str, Any]]:
    from tasks.report import batch_parts

    return {
        "reconstruct": batch_parts.reconstruct,
        "interpolate": batch_parts.interpolate,
        "classify": batch_parts.classify,
        "regress": batch_parts.regress,
    }[kind]


def shown(table: pd.DataFrame, file: str) -> dict[str, Any]:
    """The first rows of a table, and where the others are."""
    return {"rows": table.head(ROWS_SHOWN).to_dict("records"), "more": more(len(table), file), "count": len(table)}


def more(count: int, file: str, most: int = ROWS_SHOWN) -> str | None:
    beyond = count - most
    return f"{beyond:,} more {'is' if beyond == 1 else 'are'} in {file}." if beyond > 0 else None


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"


def _line(batch: Batch) -> str:
    footage = batch.about.get("footage") or []
    listed = [footage] if isinstance(footage, str) else list(footage)
    return f"{batch.about['recipe']}, version {batch.about['version']}" + (
        f", on {', '.join(listed)}" if listed else ""
    )


def _answer(batch: Batch) -> list[str]:
    """What came of it, in a sentence or two."""
    done, left_out = len(batch.results), int(batch.about["rejected"])
    said = f"{plural(done, 'source')} {DONE[batch.kind]}"
    lines = [said + (f"; {left_out:,} left out, with the reasons below." if left_out else ", none left out.")]
    if done:
        lines.append(headline(batch, long=True))
    return lines


def headline(batch: Batch, *, long: bool = False) -> str:
    """The batch's main figure, as the list of all has it, or as a sentence."""
    results = batch.results
    if not len(results):
        return ""
    if batch.kind == "reconstruct":
        return _unusual(batch, long)
    if batch.kind == "interpolate":
        made = f"{int(results['frames'].sum()):,} frames became {int(results['video_frames'].sum()):,}"
        return f"{made}." if long else made
    if batch.kind == "classify":
        clips = f"{plural(int(results['clips'].sum()), 'clip')} in {int(results['frames'].sum()):,} frames"
        return f"{clips} went into the descriptors." if long else clips
    low, high = float(results["rating"].min()), float(results["rating"].max())
    said = f"ratings {low:.2f} to {high:.2f}"
    return f"{said.capitalize()}, on average {results['rating'].mean():.2f}." if long else said


def _unusual(batch: Batch, long: bool) -> str:
    told = anomalies_of(batch)
    many = plural(len(told), "anomaly").replace("anomalys", "anomalies")
    if not long:
        return f"{decimal(batch.results['psnr_db'].mean(), 2)} dB; {many}"
    if not len(told):
        return "No stretch of any source is rebuilt unusually badly."
    worst = told.sort_values("deviations", ascending=False, kind="stable").iloc[0]
    return (
        f"{many} in {plural(int(told['source'].nunique()), 'source')}; the strongest is in {batch.short(worst['path'])}, at"
        f" {worst['peak_seconds']:,.2f} s: {worst['deviations']:,.1f} deviations above that source's median error."
    )


def anomalies_of(batch: Batch) -> pd.DataFrame:
    import pandas as pd

    from tasks.batch.anomalies import COLUMNS

    found = csv_if_there(batch.folder / "anomalies.csv", TEXT)
    return pd.DataFrame(columns=["source", "path", *COLUMNS]) if found is None else found


def _facts(batch: Batch) -> list[dict[str, Any]]:
    about, results = batch.about, batch.results
    facts = [fact("Model", f"Version {about['version']}", f"{about['recipe']}, weights {about['weights_sha256'][:8]}")]
    if (score := about.get("score")) and score.get("value") is not None:
        measure = KINDS[batch.kind].primary
        span = measure.span(score) if score.get("low") is not None else None
        facts.append(
            fact(f"{measure.name}, when judged", measure.told(score["value"]), span and f"95% interval {span}")
        )
    facts.append(fact("Sources", f"{about['sources']:,}", f"{about['done']:,} new, {about['kept']:,} done before"))
    facts.append(fact("Left out", f"{about['rejected']:,}"))
    if batch.kind == "reconstruct" and len(results):
        facts.append(fact("PSNR here", f"{decimal(results['psnr_db'].mean(), 2)} dB", "mean over sources"))
        facts.append(fact("Anomalies", f"{len(anomalies_of(batch)):,}"))
    if batch.kind == "interpolate" and len(results):
        facts.append(fact("Frames made", f"{int((results['video_frames'] - results['frames']).sum()):,}"))
    if batch.kind == "classify" and len(results):
        facts.append(fact("Clips", f"{int(results['clips'].sum()):,}"))
    if batch.kind == "regress" and len(results):
        facts.append(fact("Mean rating", decimal(results["rating"].mean(), 2)))
    return facts
