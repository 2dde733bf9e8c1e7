"""One registered model over the sources of a batch: what is to be done, by whom, and what came of it.

    data/batch/<batch>/known.json             what is known of the footage (`known`)
                       <recipe>/lock          held while one process is at work; who.json says which
                                v<version>/   what that version made of the footage
                                    sources/<id>/   `results`
                                    results.csv rejects.csv ...  `tables`       index.html  the page
                                    state.json      what tables and page are of, and their hashes
                                    known.json      what is known of the results

Everything is in its place or not at all, so a process may be killed at any time: the next one does the rest.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tasks import files, footage, new_footage
from tasks.batch import results, tables
from tasks.batch.known import NAME, Known
from tasks.batch.results import FAULT, LATER, REJECT, Job, Record
from tasks.batch.sources import Listing
from tasks.batch.working import Run, worked

PAGE, STATE = "index.html", "state.json"
Tell = Callable[[int, int, str], object]  # how many are done, of how many, and what became of the last


@dataclass
class Summary:
    """What a run of one model did. `sources` = `done` (now) + `kept` (from before) + `rejected` (without a result)."""

    batch: str
    model: str
    folder: Path
    sources: int = 0
    done: int = 0
    kept: int = 0
    rejected: int = 0
    removed: int = 0
    absent: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # met now, one a source: neither its nor the machine's fault
    later: list[str] = field(default_factory=list)  # what stopped a source for now, one each
    state: str = ""  # of batch, model, settings and results: equal for equal tables
    changed: bool = False  # whether anything was done, removed or written


def run(run: Run, listed: Listing, tell: Tell = lambda *_: None) -> Summary:
    """Bring the results of one model up to date with the footage; the batch and recipe are `held`.

    Raises:
        ValueError: the model is of no use here.
        WorkerError: no worker could be made ready.
        OSError: the disk is full, or may not be written.
    """
    summary = Summary(run.name, run.model.uri, run.folder, absent=dict(listed.absent))
    there = run.folder / "sources"
    there.mkdir(parents=True, exist_ok=True)
    for unfinished in there.glob(".*"):
        _remove(unfinished)
    known = Known(run.folder / NAME)
    records, jobs = _sorted_out(run, listed, known)
    summary.removed = _remove_others(run, listed, records, known)
    summary.kept = sum(REJECT not in record for record in records.values())
    later: list[new_footage.Reject] = []
    for number, (job, record) in enumerate(worked(run, jobs), 1):
        what = "done"
        if LATER in record:
            what = f"left for the next run: {record[LATER]}"
            summary.later.append(f"{job.found.path}: {record[LATER]}")
            later.append({"path": job.found.path, "stage": LATER, "reason": record[LATER]})
        else:
            records[job.found.id] = record
            if REJECT in record:
                what = f"rejected: {record[REJECT]}"
            if record.get("stage") == FAULT:
                summary.faults.append(f"{job.found.path}: {record[REJECT]}")
            summary.done += REJECT not in record
        tell(number, len(jobs), f"{job.found.path}: {what}")
    ordered = sorted(records.values(), key=lambda record: str(record["path"]))
    rejects = tables.rejects_of(ordered, listed.rejects, later)
    summary.rejected = len({row["path"] for row in rejects if row["stage"] != "part"})
    summary.sources = summary.done + summary.kept + summary.rejected
    summary.state = _state(run, ordered, rejects)
    written = _written(run.folder, summary.state, known)
    if not (ordered or rejects or (run.folder / STATE).exists()):
        return summary  # never anything there: no page about nothing
    if not written:
        _write(run, summary, ordered, rejects)
    summary.changed = bool(jobs or summary.removed or not written)
    known.save()
    return summary


def _sorted_out(run: Run, listed: Listing, known: Known) -> tuple[dict[str, Record], list[Job]]:
    """What lies there and is right, by id, and what is to be done."""
    records: dict[str, Record] = {}
    jobs = []
    for found in listed.found:
        folder, of = run.folder / "sources" / found.id, results.identity(found, run.about)
        record = results.whole(folder, of, known)
        if record is None or (run.retry and REJECT in record):
            jobs.append(Job(found, folder.absolute(), of))
        else:
            records[found.id] = record
    return records, jobs


def _remove_others(run: Run, listed: Listing, records: dict[str, Record], known: Known) -> int:
    """Remove results that belong to no source any more. Those of what is away stay, as it may be a disk that is not
    mounted; they count where they are right."""
    now, removed = {found.id for found in listed.found}, 0
    for folder in sorted(path for path in (run.folder / "sources").iterdir() if path.name not in now):
        record = results.read(folder)
        if record is not None and any(_below(record["path"], name) for name in listed.absent):
            if results.whole(folder, run.about, known) is not None:
                records[folder.name] = record
            continue
        _remove(folder)
        removed += 1
    return removed


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()  # a file: what some desktops leave where they look


def _below(path: str, name: str) -> bool:
    shown = footage.printable(Path(name).as_posix())
    return path == shown or path.startswith(f"{shown}/")


def _state(run: Run, records: Sequence[Record], rejects: Sequence[new_footage.Reject]) -> str:
    own = [run.name, list(run.batch.footage), run.about, run.batch.anomaly_deviations]
    told = [tables.LAYOUT, *own, [r["seal"] for r in records], list(rejects)]
    return files.sha256_of_bytes(json.dumps(told, sort_keys=True).encode())


def _written(folder: Path, state: str, known: Known) -> bool:
    """Whether tables and page are of this state, and as they were written."""
    try:
        told = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return told["state"] == state and all(
            known.sha256(folder / name) == sha256 for name, sha256 in told["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(run: Run, summary: Summary, records: Sequence[Record], rejects: Sequence[new_footage.Reject]) -> None:
    from tasks.report import batch_page

    m = run.model
    told = {
        "batch": run.name, "recipe": m.recipe, "kind": m.kind, "executor": run.executor,
        "footage": list(run.batch.footage), **run.about, **m.judged,
        "anomaly_deviations": run.batch.anomaly_deviations,
        **{key: getattr(summary, key) for key in ("sources", "done", "kept", "rejected")},
    }  # fmt: skip
    written = tables.write(run.folder, m.kind, records, rejects, told, run.batch.anomaly_deviations)
    written.append(batch_page.write(run.folder))
    batch_page.write_index(run.home)
    hashes = {path.name: files.sha256_of(path) for path in written}
    files.write_json(run.folder / STATE, {"state": summary.state, "files": hashes})
