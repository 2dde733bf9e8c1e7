"""What the footage of a batch holds now. What has not changed since it was last looked at is not read again."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks import files, footage, listing, media, new_footage, sequences
from tasks.batch.known import Known

STAGE = "footage"  # of rejects that no model has seen
READ_AS = 1  # raise it when probing or hashing changes: what is known is then read again
UNREAD = "cannot be read"  # so begins the reason where the file system is to blame, not the footage
STUTTERS = {  # of a disk or a network: they say nothing of the footage
    errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENODEV, errno.ENXIO,
    errno.ENOTCONN, errno.ECONNRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Found:
    """A source, and what a batch calls it."""

    id: str  # of path and content, safe as a file name
    path: str  # as the batch names the footage, and on from there
    root: Path  # the folder that `source.path` starts at
    source: footage.Source
    signature: str  # of its files, as they were when they were hashed

    @property
    def files(self) -> list[Path]:
        """What it is made of, now.

        Raises:
            MediaError: none of a folder's images can be used any more.
        """
        path, sequence = self.root / self.source.path, None
        if self.source.kind in ("frames", "mot"):
            sequence = listing.read_sequence(self.root, self.source.path, self.source.kind)
        return _files(path, sequence)


@dataclasses.dataclass(frozen=True)
class Listing:
    """Sources and rejects by path; `absent` are the named places with nothing in them and what the file system would
    not give, each with the reason."""

    found: list[Found]
    rejects: list[new_footage.Reject]
    absent: dict[str, str]


def look(named: Sequence[str], project: Path, known: Known) -> Listing:
    """Every source at or below the named paths; one that two of them lead to counts for the first.

    Args:
        named: files or folders, below the project or absolute.
    """
    found: dict[Path, Found] = {}
    rejects: list[new_footage.Reject] = []
    absent: dict[str, str] = {}
    for name in named:
        place = project / name
        if not place.exists():
            absent[name] = "does not exist"
            continue
        nothing = True
        for each in _each(name, place, known):
            nothing = False
            if isinstance(each, Found):
                found.setdefault(each.root / each.source.path, each)
            elif each not in rejects:
                rejects.append(each)
                if each["reason"].startswith(UNREAD):
                    absent[each["path"]] = each["reason"]
        if nothing:
            absent[name] = "holds no footage"
    ordered = sorted(found.values(), key=lambda each: each.path)
    return Listing(ordered, sorted(rejects, key=lambda reject: reject["path"]), absent)


def _each(name: str, place: Path, known: Known) -> Iterator[Found | new_footage.Reject]:
    """MOT sequences of the same frames are one source, the first by path."""
    root, shown_once = place.resolve().parent, set[str]()

    def read(path: Path, candidate: listing.Candidate) -> dict[str, Any]:
        told = known.value(_key(path), _files(path, candidate.sequence), lambda: _told(path, candidate))
        if "reason" in told:
            raise media.MediaError(path if told["whole"] else path / told["inside"], told["reason"])
        return dict(told)

    for each in new_footage.each_source(place, read):
        shown = footage.printable((Path(name) / "/".join(each.path.split("/")[1:])).as_posix())
        if isinstance(each, footage.Reject):
            yield {"path": shown, "stage": STAGE, "reason": each.reason}
        elif each.kind != "mot" or each.sha256 not in shown_once:
            shown_once.add(each.sha256)
            seen = known.seen[_key(root / each.path)]
            yield Found(_id(shown, each.sha256), shown, root, each, seen)


def _key(path: Path) -> str:
    return f"{READ_AS} {path}"


def _files(path: Path, sequence: sequences.Sequence | None) -> list[Path]:
    if sequence is None:
        return [path]
    more = [path / "seqinfo.ini"] if (path / "seqinfo.ini").is_file() else []
    return [image for _, image in sequence.frames] + more


def _told(path: Path, candidate: listing.Candidate) -> dict[str, Any]:
    """`footage.content`, or why it has none: a file that is no use is not looked into again either."""
    try:
        return footage.content(path, candidate)
    except media.MediaError as error:
        if (stutter := stutter_of(error)) is not None:
            raise stutter from error
        return {"reason": error.reason, "whole": error.path == path, "inside": error.path.name}


def stutter_of(error: media.MediaError) -> OSError | None:
    """What the disk or the network did, where that is what ended the reading."""
    cause = error.__cause__
    number = getattr(cause, "errno", None)
    return OSError(number, f"{error.reason} ({cause})") if number in STUTTERS else None


def _id(shown: str, sha256: str) -> str:
    readable = footage.source_id(shown).rpartition("-")[0]
    return f"{readable}-{files.sha256_of_bytes(f'{shown} {sha256}'.encode())[:12]}"
