"""A source's result at rest: a folder that is there whole or not at all, and says what it is of.

sources/<id>/result.json    what it is of, the hash of every file, the row of the table; or why there is none
             video.mp4 ...  see `kinds`
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks import files, media, new_footage
from tasks.batch import kinds
from tasks.batch.known import Known, signature
from tasks.batch.sources import Found, stutter_of

RESULT = "result.json"
REJECT, LATER = "reject", "later"  # keys: why there is no result; why there is none yet
WORKER, FAULT = "worker", "fault"  # stages of rejects: its worker died; neither footage nor machine is to blame
CHANGED = "changed while it was read; the next run takes it"
HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # a disk for no other source either
Record = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A source to be worked on: `of` is what its result has to say of itself, `folder` where it goes."""

    found: Found
    folder: Path
    of: Record


def identity(found: Found, about: Record) -> Record:
    """What a result has to say of itself to be this source's.

    Args:
        about: `model`, `version`, `weights_sha256`, `settings`.
    """
    return {"source": found.id, "path": found.path, "sha256": found.source.sha256, **about}


def read(folder: Path) -> Record | None:
    """A result's record; None where none lies, or a damaged one."""
    try:
        record = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        seal = record.pop("seal")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record | {"seal": seal} if seal == _seal(record) else None


def whole(folder: Path, of: Record, known: Known) -> Record | None:
    """The record of a result that is what it should be, with every file as it was written; else None."""
    record = read(folder)
    if record is None or any(record.get(key) != value for key, value in of.items()):
        return None
    for name, sha256 in record.get("files", {}).items():
        if not (folder / name).is_file() or known.sha256(folder / name) != sha256:
            return None
    return record


def write_reject(job: Job, stage: str, reason: str) -> Record:
    """Put down that there is no result, and why: it is not tried again until something changes."""
    record = _sealed(job.of | {REJECT: reason, "stage": stage})
    with files.replacing_folder(job.folder) as folder:
        files.write_json(folder / RESULT, record)
    return record


@dataclass(frozen=True)
class Work:
    """What every worker does: called once in each, it gives a function of jobs."""

    load: Callable[[], Any]  # a `tracking.Loaded`

    def __call__(self) -> Callable[[Job], Record]:
        import torch

        from tasks import cpu

        # Sums of floats depend on how many threads share them: one each, and as many workers as there are cores.
        torch.set_num_threads(1)
        cpu.keep_freed_memory()
        return _Worker(self.load()).do


@dataclass(frozen=True)
class _Worker:
    model: Any

    def do(self, job: Job) -> Record:
        """Make a source's result and put it in its place. What stops it for now comes back under `later`.

        Raises:
            OSError: the disk is full, or may not be written.
        """
        try:
            if job.of["weights_sha256"] != self.model.weights_sha256:
                raise OSError(errno.ESTALE, f"{self.model.uri} holds other weights than the registry says")
            if _changed(job.found):
                return {LATER: CHANGED}
            with files.replacing_folder(job.folder) as folder:
                row, notes = kinds.make(self.model, job.found, job.of["settings"], folder)
                if _changed(job.found):
                    raise BlockingIOError(CHANGED)
                made = {path.name: files.sha256_of(path) for path in sorted(folder.iterdir())}
                own = {"source": job.found.id, "path": job.found.path, "sha256": job.found.source.sha256}
                told = {"about": kinds.about(self.model, job.of["settings"]), "files": made, "notes": notes}
                record = _sealed(job.of | told | {"row": own | row})
                files.write_json(folder / RESULT, record)
        except media.MediaError as error:
            if (stutter := stutter_of(error)) is not None or _changed(job.found):
                return {LATER: str(stutter or CHANGED)}
            return write_reject(job, self.model.kind, error.reason)
        except new_footage.TooShortError as error:
            return write_reject(job, self.model.kind, str(error))
        except OSError as error:
            if error.errno in HOPELESS:
                raise
            return {LATER: str(error)}
        return record


def _changed(found: Found) -> bool:
    """Whether the files are not those that were hashed."""
    try:
        return signature(found.files) != found.signature
    except (OSError, media.MediaError):
        return True


def _sealed(record: Record) -> Record:
    return record | {"seal": _seal(record)}


def _seal(record: Record) -> str:
    told = json.dumps(record, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return files.sha256_of_bytes(told.encode())
