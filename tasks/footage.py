"""What a source is: finding sources in a folder, by content rather than by name, and opening any of them.

    <class>/dance.mp4            video: whatever container PyAV knows, whatever its suffix
    <class>/7.jpg                strip: an image with its frames side by side
    <class>/walk/0001.png ...    frames: a folder of numbered images of one size (`sequences`)
    <sequence>/img1/000001.jpg   mot: the MOTChallenge layout, frame rate from seqinfo.ini (`mot`)

Passed over without a word: hidden files, text files without a media suffix (README.md, labels.csv), and what lies
beside `img1` in a MOT sequence. Everything else that cannot be used becomes a `Reject` with its reason; but where it
costs a sequence no more than frames, it is a gap there, and a note.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks import files, listing, media, sampling
from tasks.params import Dataset, GroupRule

UNRATED = "ratings"  # as the stage of a reject: no score belongs to it, which is somebody's table and no damage
Read = Callable[[Path, listing.Candidate], dict[str, Any]]
NOMINAL_FRAMES_PER_SECOND = 25.0  # for strips and frame folders, which state no rate


@dataclasses.dataclass(frozen=True)
class Source:
    """A piece of footage. `path` is below the footage folder, with forward slashes."""

    source: str  # id: from the path only, safe as a file name
    path: str
    kind: str  # video | strip | frames | mot
    sha256: str  # of the content: a file's bytes, or those of a folder's frames and their distances in number
    label: str  # the class; empty with label: none
    group: str
    width_px: int  # of a frame as shown
    height_px: int
    frames_per_second: float | None
    frames: int  # of a video: by its packets, until decoding counts them; of a folder: images that open
    claimed_frames: int | None
    duration_seconds: float  # gaps counted
    note: str = ""
    film: str = ""  # the title that its rating stands under
    score: float | None = None  # its rating


@dataclasses.dataclass(frozen=True)
class Reject:
    """A file or folder left out, the stage that found out, and why."""

    path: str
    stage: str
    reason: str


def list_sources(footage: Path, dataset: Dataset, only: str = "") -> tuple[list[Source], list[Reject]]:
    """Every source of a footage folder and every reject, each sorted by path; see `each_source`."""
    found = list(each_source(footage, dataset, only))
    return _one_of_each([s for s in found if isinstance(s, Source)]), [r for r in found if isinstance(r, Reject)]


def each_source(footage: Path, dataset: Dataset, only: str = "", read: Read | None = None) -> Iterator[Source | Reject]:
    """Every source of a footage folder and every reject, by path; each is hashed and probed when it is asked for.

    Args:
        only: the name of the one file or folder in `footage` to look at; empty: all of it.
        read: `content`, or what remembers what it gave.

    Raises:
        ValueError: the folder does not exist.
    """
    if not footage.is_dir():
        raise ValueError(f"the footage folder {footage} does not exist; correct the dataset's `footage` in params.yaml")
    candidates = listing.candidates(footage, dataset.strip_frame_width_px, only)
    if dataset.ratings is not None:
        table = Path(dataset.ratings.file).resolve()
        candidates = [c for c in candidates if (footage / c.path).resolve() != table]
    for name, candidate in sorted(((printable(c.path), c) for c in candidates), key=lambda named: named[0]):
        if candidate.reason:
            yield Reject(name, "subclips", candidate.reason)
            continue
        try:
            label, group = _label(name, dataset.label), _group(name, dataset.group)
            values = (read or content)(footage / candidate.path, candidate)
            yield Source(source_id(name), name, candidate.kind, label=label, group=group, **values)
        except media.MediaError as error:
            inside = "" if error.path == footage / candidate.path else f"{error.path.name}: "
            yield Reject(name, "subclips", inside + error.reason)
        except _UnplacedError as error:
            yield Reject(name, "subclips", str(error))
        except OSError as error:
            yield Reject(name, "subclips", f"cannot be read ({error.strerror})")


def open_frames(
    footage: Path,
    source: Source,
    *,
    sampler: sampling.SpanSampler | None = None,
    spans: Sequence[sampling.Span] | None = None,
    until_seconds: float = math.inf,
    threads: int = 0,
    lost: Callable[[str], None] | None = None,
    run_ahead: bool = True,
) -> Iterator[tuple[int, float, media.Frame]]:
    """The frames of a source of any kind: (source frame number, time in seconds, uint8 RGB (height, width, 3)).

    Frames of a video or a strip are numbered from 0, those of a folder as their files are.

    Args:
        sampler: called with the time of every frame; frames it declines are left out. None: all frames. It is told of
            every gap in a folder's numbers.
        spans: only the frames in these, half-open in seconds, ascending; what lies before and between is not decoded
            where a video's key frames allow it (see `media.read_frames`). None: from the first frame on.
        until_seconds: stop before the first frame at or after this time.
        lost: called with what is wrong where an image of a folder does not decode, which leaves a gap.
        run_ahead: false for who takes long over a frame (see `media.read_frames`).

    Raises:
        MediaError: the source does not decode whole, or none of a folder's images can be used.
    """
    path = footage / source.path
    choose = sampler or sampling.SpanSampler(spans or [(0.0, math.inf)])
    if spans is not None:
        until_seconds = min(until_seconds, spans[-1][1])
    if source.kind == "video":
        yield from media.read_frames(
            path, spans=spans, choose=choose, until_seconds=until_seconds, threads=threads, run_ahead=run_ahead
        )
    elif source.kind == "strip":
        rate = source.frames_per_second or NOMINAL_FRAMES_PER_SECOND
        strip = media.read_image(path)
        for k in range(source.frames):
            if k / rate < until_seconds and choose(k / rate):
                yield k, k / rate, strip[:, k * source.width_px : (k + 1) * source.width_px]
    else:
        yield from _folder_frames(footage, source, choose, until_seconds, lost or (lambda _: None))


def _folder_frames(
    footage: Path, source: Source, choose: sampling.SpanSampler, until_seconds: float, lost: Callable[[str], None]
) -> Iterator[tuple[int, float, media.Frame]]:
    rate = source.frames_per_second or NOMINAL_FRAMES_PER_SECOND
    frames = listing.read_sequence(footage, source.path, source.kind).frames
    first = expected = frames[0][0]
    for number, image in frames:
        seconds = (number - first) / rate
        if seconds >= until_seconds:
            return
        if number != expected:
            choose.interrupt()
        expected = number + 1
        if choose(seconds):
            try:
                frame = media.read_image(image)
                if frame.shape[:2] != (source.height_px, source.width_px):  # its header said otherwise
                    raise media.MediaError(image, f"{frame.shape[1]} x {frame.shape[0]} px")
            except media.MediaError as error:
                lost(f"{image.name} ({error.reason})")
                choose.interrupt()
                continue
            yield number, seconds, frame


def content_sha256(footage: Path, path: str, kind: str) -> str:
    """A source's identity: equal content, equal hash, wherever it lies and whatever it is called.

    Raises:
        MediaError: none of a folder's images can be used.
    """
    if kind in ("video", "strip"):
        return files.sha256_of(footage / path)
    return listing.read_sequence(footage, path, kind).sha256()


def source_id(path: str) -> str:
    """A file name for a source: readable, and told apart by a hash also where file systems ignore case."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", path).strip("-")[:60] or "footage"
    return f"{readable}-{hashlib.sha256(path.encode('utf-8', 'surrogateescape')).hexdigest()[:10]}"


class _UnplacedError(ValueError):
    """The footage is sound, but the dataset's rules give it no class or no group."""


def content(path: Path, candidate: listing.Candidate) -> dict[str, Any]:
    """The fields of a source that its content decides: it is hashed and probed.

    Raises:
        MediaError: it cannot be used.
    """
    names = ["height_px", "width_px", "frames_per_second", "claimed_frames", "note"]
    if candidate.sequence is not None:
        found = candidate.sequence
        seconds = found.reach / (found.frames_per_second or NOMINAL_FRAMES_PER_SECOND)
        values = {"sha256": found.sha256(), "frames": len(found.frames), "duration_seconds": seconds}
        return values | {name: getattr(found, name) for name in names}
    if candidate.kind == "strip":
        height_px, width_px = candidate.strip_size
        values = {"height_px": height_px, "width_px": width_px, "frames_per_second": None, "claimed_frames": None}
        seconds = candidate.strip_frames / NOMINAL_FRAMES_PER_SECOND
        values |= {"frames": candidate.strip_frames, "duration_seconds": seconds}
        return values | {"sha256": files.sha256_of(path)}
    info = media.probe(path)
    names += ["frames", "duration_seconds"]
    return {"sha256": files.sha256_of(path)} | {name: getattr(info, name) for name in names}


def _one_of_each(sources: list[Source]) -> list[Source]:
    """MOT sequences of the same frames are one source, the first by path: MOT17 holds each once for each detector."""
    kept: dict[str, Source] = {}
    others: dict[str, list[str]] = {}
    for source in sources:
        identity = source.sha256 if source.kind == "mot" else source.path
        if kept.setdefault(identity, source) is not source:
            others.setdefault(identity, []).append(source.path)
    for identity, paths in others.items():
        notes = [kept[identity].note, f"the same frames as in {', '.join(paths)}"]
        kept[identity] = dataclasses.replace(kept[identity], note="; ".join(filter(None, notes)))
    return list(kept.values())


def _label(path: str, rule: str) -> str:
    if rule == "none":
        return ""
    folders = path.split("/")[:-1]
    if not folders:
        raise _UnplacedError(
            "lies in no class folder; move it to <class>/, or set label: none where the dataset has no classes"
        )
    return folders[-1]


def _group(path: str, rule: GroupRule | None) -> str:
    if rule is None:
        return path
    match = re.search(rule.pattern, path)
    if match is None or match["group"] is None:
        raise _UnplacedError(f"group.pattern {rule.pattern!r} does not match the path; correct the pattern or the name")
    found = match["group"]
    if rule.divide_by is None:
        return found
    if not found.isdecimal():
        raise _UnplacedError(f"group.divide_by needs a number, group.pattern {rule.pattern!r} found {found!r}")
    return str(int(found) // rule.divide_by)


def printable(path: str) -> str:
    """A path as a table can hold it: bytes that are no UTF-8 and control characters are written out."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
