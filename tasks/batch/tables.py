"""The tables of a batch, made of the results at rest: equal results, equal bytes, whoever made them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks import descriptors, files, new_footage, predict
from tasks.batch import anomalies as unlike
from tasks.batch import kinds
from tasks.batch.results import REJECT, Record
from tasks.scores import write_csv

BATCH, RESULTS, REJECTS = "batch.json", "results.csv", "rejects.csv"
ANOMALIES, RATINGS = "anomalies.csv", "ratings.csv"
LAYOUT = 1  # raise it when the tables or the page change: they are then written anew


def rejects_of(
    records: Sequence[Record], listed: Sequence[new_footage.Reject], later: Sequence[new_footage.Reject]
) -> list[new_footage.Reject]:
    """A row for everything that has no result, or not all of it, by path."""
    rows = [*listed, *later]
    for record in records:
        stage = record.get("stage", "")
        reasons = [record[REJECT]] if REJECT in record else record["notes"]
        rows += [{"path": record["path"], "stage": stage or "part", "reason": reason} for reason in reasons]
    return sorted(rows, key=lambda row: (row["path"], row["stage"], row["reason"]))


def write(
    folder: Path,
    kind: str,
    records: Sequence[Record],
    rejects: Sequence[new_footage.Reject],
    batch: dict[str, Any],
    deviations: float,
) -> list[Path]:
    """Write the tables of a batch, each whole or not at all; `batch.json` last.

    Args:
        records: of every source that the model has seen, by path.
        deviations: see `anomalies`; of kind reconstruct.

    Returns:
        The files that were written.
    """
    import pandas as pd

    done = [record for record in records if REJECT not in record]
    rows = [record["row"] for record in done]
    tables = {
        RESULTS: pd.DataFrame(rows, columns=list(kinds.COLUMNS[kind])),
        REJECTS: pd.DataFrame(rejects, columns=new_footage.REJECT_COLUMNS),
    }
    if kind == "reconstruct":
        tables[ANOMALIES] = _anomalies(folder, done, deviations)
    if kind == "regress":
        tables[RATINGS] = pd.DataFrame(rows, columns=predict.COLUMNS)
    for name, table in tables.items():
        write_csv(table, folder / name)
    written = [folder / name for name in tables]
    if kind == "classify":
        written += _features(folder, done)
    files.write_json(folder / BATCH, batch)
    return [*written, folder / BATCH]


def _anomalies(folder: Path, done: Sequence[Record], deviations: float) -> Any:
    import pandas as pd

    rows = []
    for record in done:
        errors = pd.read_csv(folder / "sources" / record["source"] / kinds.ERRORS)
        own = {"source": record["source"], "path": record["path"]}
        rows += [own | found for found in unlike.anomalies(errors, deviations)]
    return pd.DataFrame(rows, columns=["source", "path", *unlike.COLUMNS])


def _features(folder: Path, done: Sequence[Record]) -> list[Path]:
    table = folder / kinds.FEATURES
    if not done:
        table.unlink(missing_ok=True)
        return []
    rows = [
        (
            {key: record[key] for key in ("path", "source", "sha256")},
            descriptors.read_part(folder / "sources" / record["source"] / kinds.FEATURES),
        )
        for record in done
    ]
    descriptors.write_table(table, rows, done[0]["about"], per_clip=False)
    return [table]
