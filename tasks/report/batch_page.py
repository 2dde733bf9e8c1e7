"""The page of a batch: what a registered model made of new footage; and the list of all batches.

A page lies beside the results and leads to them by relative links, so that it works from the file system and from any
server. Videos are not inside it, because they may be large; everything else is. No script runs, all text is escaped,
links are percent-encoded: names of files are other people's. Equal results give equal bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from tasks import files
from tasks.report import batch_parts
from tasks.report.batch_results import Batch, anomalies_of, read, shown
from tasks.report.kinds import KINDS, decimal
from tasks.report.pages import fact

HOME = "../../../index.html"  # from a version's folder to the list of all
NAME = "index.html"
FILES = ("results.csv", "anomalies.csv", "features.parquet", "ratings.csv", "rejects.csv", "batch.json")
FOOTAGE_SHOWN = 3
KINDS_TOLD = {  # what became of a source, and what the page says of it
    "reconstruct": ("reconstructed", batch_parts.reconstruct),
    "interpolate": ("interpolated", batch_parts.interpolate),
    "classify": ("described", batch_parts.classify),
    "regress": ("rated", batch_parts.regress),
}


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
        "part": KINDS_TOLD[batch.kind][1](batch) if len(batch.results) else None,
        "rejects": shown(batch.rejects, "rejects.csv"),
        "files": [name for name in FILES if (folder / name).is_file()],
        "settings": [item for item in sorted(batch.about["settings"].items()) if item[0] != "layout"],
        "about": batch.about,
        "below": batch.below,
    }
    return write_page(folder / NAME, "batch.html", links, HOME, page=values, short=batch.short)


def write_index(root: Path) -> Path:
    """Write `index.html` of the folder that holds every batch: by name and recipe, the newest version first.

    Where a batch was left before it had results, there is nothing to list.
    """
    root.mkdir(parents=True, exist_ok=True)
    links = [{"href": NAME, "text": "All batches", "break": False}]
    return write_page(root / NAME, "batches.html", links, NAME, rows=rows(root))


def rows(root: Path) -> list[dict[str, Any]]:
    """Of every batch, recipe and version, in the order of the list: `href` below `root`, `about` (its batch.json), how
    many are `done`, what is `told` of it, whether it is the `newest` version, and the `first` of another batch."""
    found = [read(path.parent) for path in root.glob("*/*/v*/batch.json")]
    found.sort(key=lambda b: (b.about["batch"], b.about["recipe"], -int(b.about["version"])))
    listed = []
    for number, batch in enumerate(found):
        before = found[number - 1].about if number else {"batch": None, "recipe": None}
        same = (before["batch"], before["recipe"]) == (batch.about["batch"], batch.about["recipe"])
        listed.append(
            {
                "href": "/".join(quote(part, safe="") for part in batch.folder.relative_to(root).parts) + f"/{NAME}",
                "first": number > 0 and before["batch"] != batch.about["batch"],
                "newest": not same,
                "about": batch.about,
                "done": len(batch.results),
                "told": headline(batch),
            }
        )
    return listed


def write_page(path: Path, template: str, links: list[dict[str, Any]], home: str, **values: Any) -> Path:
    """A page outside of the report, in its look."""
    from tasks.report import environment

    site = {"title": "Rushes", "home": home, "links": links, "kinds": []}
    files.write_text(path, environment(site).get_template(template).render(here=NAME, **values))
    return path


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
    said = f"{plural(done, 'source')} {KINDS_TOLD[batch.kind][0]}"
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
    where = plural(int(told["source"].nunique()), "source")
    return (
        f"{many} in {where}; the strongest is in {batch.short(worst['path'])}, at"
        f" {worst['peak_seconds']:,.2f} s: {worst['deviations']:,.1f} deviations above that source's median error."
    )


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
