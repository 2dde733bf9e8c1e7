"""What stands on a dataset's page of the report (warnings, splits, classes, rejects, sources), as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.report import rated_data
from tasks.report.pages import data_href, fact
from tasks.report.results import csv_if_there, json_if_there, parquet_if_there

if TYPE_CHECKING:
    import pandas as pd

SOURCES_SHOWN = 200
REJECTS_SHOWN = 200
GROUPS_SHOWN = 40
SPLITS = ("train", "validation", "test")
TEXT = ("source", "path", "kind", "label", "group", "film", "stage", "reason", "sha256", "note")


def data_page(dataset: str, data: Path) -> dict[str, Any]:
    """One dataset's page; what has not run yet is left out, and the page says so."""
    folder = {stage: data / stage / dataset for stage in ("cuts", "frames", "clips")}
    sources = _latest("sources.csv", folder["frames"], folder["cuts"])
    rejects = _latest("rejects.csv", folder["clips"], folder["frames"], folder["cuts"])
    clips = parquet_if_there(folder["clips"] / "clips.parquet")
    summary = json_if_there(folder["clips"] / "summary.json")
    page: dict[str, Any] = {
        "name": dataset,
        "href": data_href(dataset),
        "line": "not run yet",
        "facts": [],
        "splits": [],
    }
    page |= {"classes": [], "leakage": _leakage(summary), "sources": [], "more_sources": None}
    page |= {"warnings": (summary or {}).get("warnings", []), "more_rejects": None}
    page["rejects"] = None if rejects is None else rejects.head(REJECTS_SHOWN).to_dict("records")
    left_out = 0 if rejects is None else len(rejects)
    if left_out > REJECTS_SHOWN:
        page["more_rejects"] = f"{left_out - REJECTS_SHOWN:,} more are in rejects.csv of the clips."
    ratings = (summary or {}).get("ratings")
    page["ratings"] = rated_data.part(ratings, clips, SPLITS) if ratings else None
    if sources is None:
        return page
    page["line"] = f"{len(sources):,} source{'s' * (len(sources) != 1)}"
    if clips is not None:
        clips = clips.assign(group=clips["group"].astype(str), label=clips["label"].astype(str))
        page |= {"splits": _split_rows(clips), "classes": _class_rows(clips)}
        page["line"] += f", {len(clips):,} clips of {_lengths(clips)} frames" if len(clips) else ", no clips"
    parts = 0 if rejects is None else rated_data.subclips_left_out(rejects, sources)
    page["line"] += f"; {left_out - parts:,} file{'s' * (left_out - parts != 1)} left out"
    page["line"] += f", {parts:,} subclip{'s' * (parts != 1)} too" if parts else ""
    return page | _source_rows(sources, clips) | {"facts": _facts(sources, clips, rated=bool(ratings))}


def _latest(name: str, *folders: Path) -> pd.DataFrame | None:
    """The table as the last stage that ran left it."""
    found = (csv_if_there(folder / name, TEXT) for folder in folders)
    return next((table for table in found if table is not None), None)


def _lengths(clips: pd.DataFrame) -> str:
    shortest, longest = int(clips["length"].min()), int(clips["length"].max())
    return f"{longest}" if shortest == longest else f"{shortest} to {longest}"


def _facts(sources: pd.DataFrame, clips: pd.DataFrame | None, *, rated: bool) -> list[dict[str, Any]]:
    seconds = float(sources["duration_seconds"].fillna(0).sum())
    facts = [
        fact("Sources", f"{len(sources):,}", ", ".join(sorted(set(sources["kind"])))),
        fact("Footage", f"{seconds / 60:,.1f} min" if seconds >= 60 else f"{seconds:,.1f} s"),
        fact("Groups", f"{sources['group'].nunique():,}"),
    ]
    classes = len(set(sources["label"]) - {""})
    if classes or not rated:
        facts.append(fact("Classes", f"{classes:,}"))
    if clips is not None:
        facts.append(fact("Clips", f"{len(clips):,}"))
    return facts


def _split_rows(clips: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for split in SPLITS:
        part = clips[clips["split"] == split]
        if not len(part):
            continue
        groups = sorted(set(part["group"]))
        named = ", ".join(groups[:GROUPS_SHOWN]) + (
            f" and {len(groups) - GROUPS_SHOWN} more" if len(groups) > GROUPS_SHOWN else ""
        )
        rows.append({"split": split, "clips": len(part), "sources": part["source"].nunique(), "groups": named})
    return rows


def _class_rows(clips: pd.DataFrame) -> list[dict[str, Any]]:
    """A row a class, in the order of the classes; its clips in each of the splits that `_split_rows` has."""
    splits = [split for split in SPLITS if (clips["split"] == split).any()]
    rows = []
    for label, part in clips.groupby("label"):
        if label == "":  # a dataset without classes
            continue
        counts = part["split"].value_counts()
        row = {"label": label, "groups": part["group"].nunique(), "sources": part["source"].nunique()}
        rows.append(row | {"clips": [int(counts.get(split, 0)) for split in splits]})
    return rows


def _leakage(summary: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The check's result as the `assemble` stage wrote it, one row a key."""
    if not summary or "leakage" not in summary:
        return []
    found = summary["leakage"]
    if not isinstance(found, dict):
        return [("result", str(found))]
    return [(key.replace("_", " "), _said(value)) for key, value in found.items()]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) if value else "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _source_rows(sources: pd.DataFrame, clips: pd.DataFrame | None) -> dict[str, Any]:
    table = sources.sort_values("path", kind="stable")
    if "stored_frames" not in table:
        table = table.assign(stored_frames=None)
    if clips is None:
        table = table.assign(split="", clips=None)
    else:
        by_source = clips.groupby("source").agg(split=("split", "first"), clips=("clip", "size"))
        table = table.join(by_source, on="source").fillna({"clips": 0, "split": ""})
    rows = table.head(SOURCES_SHOWN).to_dict("records")
    more = (
        f"{len(table) - len(rows):,} more sources are in sources.csv of the frames." if len(table) > len(rows) else None
    )
    return {"sources": rows, "more_sources": more}
