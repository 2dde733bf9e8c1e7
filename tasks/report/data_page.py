"""What stands on a dataset's page of the report (sources, splits, rejects, leakage check), as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.report.pages import data_href, fact
from tasks.report.results import csv_if_there, json_if_there, parquet_if_there

if TYPE_CHECKING:
    import pandas as pd

SOURCES_SHOWN = 200
GROUPS_SHOWN = 40
SPLITS = ("train", "validation", "test")
TEXT = ("source", "path", "kind", "label", "group", "stage", "reason", "sha256")


def data_page(dataset: str, data: Path) -> dict[str, Any]:
    """One dataset's page; what has not run yet is left out, and the page says so."""
    folder = {stage: data / stage / dataset for stage in ("cuts", "frames", "clips")}
    sources = csv_if_there(folder["frames"] / "sources.csv", TEXT)
    sources = csv_if_there(folder["cuts"] / "sources.csv", TEXT) if sources is None else sources
    rejects = csv_if_there(folder["frames"] / "rejects.csv", TEXT)
    rejects = csv_if_there(folder["cuts"] / "rejects.csv", TEXT) if rejects is None else rejects
    clips = parquet_if_there(folder["clips"] / "clips.parquet")
    summary = json_if_there(folder["clips"] / "summary.json")
    page: dict[str, Any] = {
        "name": dataset,
        "href": data_href(dataset),
        "line": "not run yet",
        "facts": [],
        "splits": [],
    }
    page |= {"labels": [], "leakage": _leakage(summary), "sources": [], "more_sources": None}
    page["rejects"] = None if rejects is None else rejects.to_dict("records")
    if sources is None:
        return page
    page["line"] = f"{len(sources):,} source{'s' * (len(sources) != 1)}"
    if clips is not None:
        clips = clips.assign(group=clips["group"].astype(str), label=clips["label"].astype(str))
        page |= _split_rows(clips)
        page["line"] += f", {len(clips):,} clips of {int(clips['length'].max())} frames" if len(clips) else ", no clips"
    left_out = len(page["rejects"] or [])
    page["line"] += f"; {left_out} file{'s' * (left_out != 1)} left out"
    return page | _source_rows(sources, clips) | {"facts": _facts(sources, clips)}


def _facts(sources: pd.DataFrame, clips: pd.DataFrame | None) -> list[dict[str, Any]]:
    seconds = float(sources["duration_seconds"].fillna(0).sum())
    facts = [
        fact("Sources", f"{len(sources):,}", ", ".join(sorted(set(sources["kind"])))),
        fact("Footage", f"{seconds / 60:,.1f} min" if seconds >= 60 else f"{seconds:,.1f} s"),
        fact("Groups", f"{sources['group'].nunique():,}"),
        fact("Classes", f"{sources['label'].nunique():,}"),
    ]
    if clips is not None:
        facts.append(fact("Clips", f"{len(clips):,}"))
    return facts


def _split_rows(clips: pd.DataFrame) -> dict[str, Any]:
    labels = sorted(set(clips["label"]))
    rows = []
    for split in SPLITS:
        part = clips[clips["split"] == split]
        if not len(part):
            continue
        groups = sorted(set(part["group"]))
        named = ", ".join(groups[:GROUPS_SHOWN]) + (
            f" and {len(groups) - GROUPS_SHOWN} more" if len(groups) > GROUPS_SHOWN else ""
        )
        counts = part["label"].value_counts()
        row = {"split": split, "clips": len(part), "sources": part["source"].nunique(), "groups": named}
        rows.append(row | {"labels": [int(counts.get(label, 0)) for label in labels]})
    return {"splits": rows, "labels": labels}


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
