"""Footage that belongs to no dataset, for a registered model to be used on."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tasks import footage, media, sampling
from tasks.params import Dataset, Split, Subclips

Reject = dict[str, str]  # path, stage, reason: a row of rejects.csv
REJECT_COLUMNS = ["path", "stage", "reason"]
COMMANDS = {  # what a model of each kind is good for
    "reconstruct": "rushes reconstruct {recipe} FOOTAGE",
    "interpolate": "rushes interpolate FOOTAGE --model {recipe}",
    "classify": "rushes features {recipe} FOOTAGE",
    "regress": "rushes predict {recipe} TRAILER",
}
Item = TypeVar("Item")
Batch = tuple[list[int], list[float], NDArray[np.uint8]]  # of B clips: first frames, their times, (B, T, H, W, C)
Taken = tuple[int, float, NDArray[np.uint8]]  # number and time in the source, (H, W, C) as the model wants it
WHOLE: tuple[sampling.Span, ...] = ((0.0, float("inf")),)
_END = object()


@dataclass
class Counts:
    """Of a source, while it is read: frames at the model's spacing, and clips."""

    frames: int = 0
    clips: int = 0
    runs: dict[float, int] = field(default_factory=dict)  # of frames in a row: when one begins, how many it has


class TooShortError(ValueError):
    """A source has fewer frames than the model's clip."""


class Registered(Protocol):
    """Which model it is (see `tracking.Loaded`)."""

    @property
    def uri(self) -> str: ...

    @property
    def recipe(self) -> str: ...

    @property
    def kind(self) -> str: ...


def sources(paths: list[Path], stage: str, rejects: list[Reject]) -> Iterator[tuple[Path, footage.Source]]:
    """Every source below the paths with the folder its own path starts at; what is none goes to `rejects`.

    Each is looked at when it is asked for. MOT sequences of the same frames are one source, the first by path.

    Args:
        paths: videos, image strips, frame folders, MOT sequences, or folders of them.

    Raises:
        ValueError: a path does not exist.
    """
    for path in paths:
        if not path.exists():
            raise ValueError(f"{path} does not exist; name a video, an image strip, or a folder of frames or videos")
    return itertools.chain.from_iterable(_sources(path, stage, rejects) for path in paths)


def each_source(path: Path, read: footage.Read | None = None) -> Iterator[footage.Source | footage.Reject]:
    """Every source and reject at a path or below it, as `footage.each_source` gives them for the folder it lies in."""
    root = path.resolve().parent
    anything = Dataset(footage=str(root), label="none", split=Split(test=("none",)))  # its split is not read
    return footage.each_source(root, anything, path.resolve().name, read)


def _sources(path: Path, stage: str, rejects: list[Reject]) -> Iterator[tuple[Path, footage.Source]]:
    nothing, sequences = True, set()
    for found in each_source(path):
        nothing = False
        if isinstance(found, footage.Reject):
            rejects.append({"path": found.path, "stage": stage, "reason": found.reason})
        elif found.kind != "mot" or found.sha256 not in sequences:
            sequences.add(found.sha256)
            yield path.resolve().parent, found
    if nothing:
        rejects.append({"path": path.name, "stage": stage, "reason": "holds no video, image strip or frame folder"})


def require_kind(model: Registered, kind: str) -> None:
    """Raise a ValueError for a model of another kind, with the command that it is for."""
    if model.kind != kind:
        use = COMMANDS.get(model.kind, "").format(recipe=model.recipe)
        raise ValueError(f"{model.uri} is of kind {model.kind!r}, not {kind!r}" + (f"; use: {use}" if use else ""))


def require_table(out: Path, example: str) -> None:
    """Raise a ValueError if `out` is a folder, or has not the suffix of the file name `example`."""
    suffix = Path(example).suffix
    if out.is_dir():
        raise ValueError(f"{out} is a folder; name a file to be written, such as {out / example}")
    if out.suffix != suffix:
        raise ValueError(f"{out} does not end in {suffix}; name {out.with_suffix(suffix)}")


def too_short(frames: int, length_frames: int) -> TooShortError:
    return TooShortError(f"too short: {frames} of the {length_frames} frames that the model needs, at its spacing")


def spacing(input_: dict[str, Any]) -> int:
    """Every how many frames of a source the model takes one (`input_` as in `model.json`)."""
    return int(input_.get("every_frames", 1)) * int(input_.get("step_frames", 1))


def frames_per_second(input_: dict[str, Any], source: footage.Source) -> float:
    """At which the model sees a source."""
    own = source.frames_per_second or footage.NOMINAL_FRAMES_PER_SECOND
    return min(own, input_.get("frames_per_second") or own) / spacing(input_)


def sampler(input_: dict[str, Any], spans: Sequence[sampling.Span] = WHOLE) -> sampling.SpanSampler:
    """Takes the frames of these spans that the model was trained on (`input_` as in `model.json`)."""
    return sampling.SpanSampler(spans, spacing(input_), input_.get("frames_per_second"))


def clip_batches(
    root: Path,
    source: footage.Source,
    input_: dict[str, Any],
    stride_frames: int,
    batch_clips: int,
    counts: Counts,
    lost: Callable[[str], None],
    spans: Sequence[sampling.Span] = WHOLE,
) -> Generator[Batch]:
    """The clips of a source, `batch_clips` at a time, in bounded memory; each frame is decoded once.

    They are those of `sampling.span_windows`: a gap in a folder's numbers ends a run of frames, as the end of a span
    does, and no clip crosses it; where the model was trained on clips that were filled up, a run shorter than a clip is
    one, filled up with zeros.

    Args:
        input_: how footage is read for the model (`model.json`'s section of that name).
        stride_frames: distance between the first frames of neighbouring clips, in frames as the model takes them.
        counts: is filled while this goes on.
        lost: told of images of a folder that do not decode.
        spans: what is used of the source.

    Raises:
        MediaError: see `footage.open_frames`.
        TooShortError: no run of frames is as long as a clip has to be.
    """
    i, length = input_, int(input_["length_frames"])
    least = int(i.get("least_frames") or length)
    chosen = sampler(i, spans)
    recent: deque[Taken] = deque(maxlen=length)
    clips: list[list[Taken]] = []
    run = in_run = 0
    begins_seconds = 0.0
    for number, seconds, frame in footage.open_frames(
        root, source, sampler=chosen, spans=spans, lost=lost, run_ahead=False
    ):
        if chosen.span != run:
            if least <= in_run < length:
                clips.append(list(recent))
            run, in_run = chosen.span, 0
            recent.clear()
        recent.append((number, seconds, media.resize(frame, i["height_px"], i["width_px"], i["fit"], i["gray"])))
        counts.frames, in_run = counts.frames + 1, in_run + 1
        begins_seconds = seconds if in_run == 1 else begins_seconds
        counts.runs[begins_seconds] = in_run
        if in_run >= length and (in_run - length) % stride_frames == 0:
            clips.append(list(recent))
        while len(clips) >= batch_clips:
            yield _stacked(clips[:batch_clips], length, counts)
            del clips[:batch_clips]
    if least <= in_run < length:
        clips.append(list(recent))
    longest = max(counts.runs.values(), default=0)
    if longest < least:
        raise too_short(longest, least)
    for start in range(0, len(clips), batch_clips):
        yield _stacked(clips[start : start + batch_clips], length, counts)


def without_clips(input_: dict[str, Any], subclips: Sequence[sampling.Span], counts: Counts) -> list[str]:
    """The subclips of a source, all of its batches taken, that gave no clip, each with its reason. Not where shots are
    spans of their own (see `assemble.without_clips`)."""
    if input_.get("subclips") is None or (input_.get("shots") or {}).get("split"):
        return []
    needed = int(input_.get("least_frames") or input_["length_frames"])
    starts = [start for start, _ in subclips]
    return sampling.without_clips(list(counts.runs.items()), starts, Subclips(**input_["subclips"]), needed)


def _stacked(clips: list[list[Taken]], length: int, counts: Counts) -> Batch:
    counts.clips += len(clips)
    batch = np.zeros((len(clips), length, *clips[0][0][2].shape), np.uint8)
    for place, clip in enumerate(clips):
        batch[place, : len(clip)] = [pixels for _, _, pixels in clip]
    return [clip[0][0] for clip in clips], [clip[0][1] for clip in clips], batch


def ahead(items: Generator[Item], depth: int) -> Iterator[Item]:
    """The same items, up to `depth` of them made by a thread while the one before is used.

    What the generator raises is raised here, in its place. Leaving off early ends the thread.
    """
    waiting: deque[Future[object]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead") as pool:
        try:
            waiting.extend(pool.submit(next, items, _END) for _ in range(depth))
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(pool.submit(next, items, _END))
                yield cast(Item, item)
        finally:
            pool.shutdown(cancel_futures=True)
            items.close()


def free_name(name: str, taken: set[str]) -> str:
    """The name, or the name with a number where two folders hold files of one name."""
    names = itertools.chain([name], (f"{name}-{n}" for n in itertools.count(2)))
    return next(n for n in names if n not in taken)
