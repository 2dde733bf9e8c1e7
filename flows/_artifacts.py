"""What a stage did, source by source, as the rows of a Prefect table artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RATED = ("film", "score")  # columns of a dataset with ratings
MOST_ROWS = 500  # an artifact is stored in the server's database: a table of a million sources belongs in the files


def stage_rows(stage: str, outputs: list[Path]) -> list[dict[str, Any]]:
    """The rows for a stage that has run, read from what it wrote; past `MOST_ROWS` a last row counts the rest."""
    import pandas as pd

    out = outputs[0]
    match stage.split("@")[0]:
        case "footage":
            files = sorted(path for path in out.rglob("*") if path.is_file())
            table = pd.DataFrame(
                {"file": [p.relative_to(out).as_posix() for p in files], "bytes": [p.stat().st_size for p in files]}
            )
        case "subclips":
            cuts = pd.read_csv(out / "cuts.csv")
            spans = cuts.groupby("source", sort=False).size().rename("spans").reset_index()
            seconds = (
                (cuts["end_seconds"] - cuts["start_seconds"])
                .groupby(cuts["source"])
                .sum()
                .rename("seconds")
                .reset_index()
            )
            table = _with_rejects(pd.read_csv(out / "sources.csv").merge(spans).merge(seconds), out)
            columns = ("path", "kind", "label", "group", *RATED, "spans", "seconds", "rejected")
            table = _rated_or_not(table[[c for c in columns if c in table]])
        case "sample":
            table = _with_rejects(pd.read_csv(out / "sources.csv"), out)
            table = table[[c for c in ("path", "kind", "frames", "stored_frames", "rejected") if c in table]]
        case "assemble":
            clips = pd.read_parquet(out / "clips.parquet")
            about = ["source", "split", "group", "label", *RATED]
            table = _rated_or_not(clips.groupby(about, dropna=False).size().rename("clips").reset_index())
        case "train":
            table = pd.read_csv(out / "history.csv").tail(20)
        case "evaluate":
            table = pd.read_csv(out / "sources.csv")
        case _:
            pages = sorted(out.rglob("*.html"))
            table = pd.DataFrame(
                {"page": [p.relative_to(out).as_posix() for p in pages], "bytes": [p.stat().st_size for p in pages]}
            )
    return table_rows(table, out.name)


def table_rows(table: Any, name: str) -> list[dict[str, Any]]:
    """The rows of a table artifact; past `MOST_ROWS` a last row counts the rest, which are in `name`."""
    shown = table.head(MOST_ROWS)
    records = shown.astype(object).where(shown.notna(), None).to_dict("records")
    rows = [{str(column): cell for column, cell in record.items()} for record in records]
    if len(table) > MOST_ROWS:
        rows.append({str(table.columns[0]): f"… and {len(table) - MOST_ROWS} more rows in {name}"})
    return rows


def _rated_or_not(table: Any) -> Any:
    """Without film and score where the dataset has no ratings."""
    return table if table["score"].notna().any() else table.drop(columns=list(RATED))


def _with_rejects(table: Any, out: Path) -> Any:
    import pandas as pd

    rejects = pd.read_csv(out / "rejects.csv")
    if rejects.empty:
        return table
    return pd.concat([table, rejects[["path", "reason"]].rename(columns={"reason": "rejected"})], ignore_index=True)
