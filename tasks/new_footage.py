"""Footage that belongs to no dataset, for a registered model to be used on."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tasks import footage, media, sampling
from tasks.params import Dataset, Split

Reject = dict[str, str]  # path, stage, reason: a row of rejects.csv
REJECT_COLUMNS = ["path", "stage", "reason"]
COMMANDS = {  # what a model of each kind is good for
    "reconstruct": "rushes reconstruct {recipe} FOOTAGE",
    "interpolate": "rushes interpolate FOOTAGE --model {recipe}",
    "classify": "rushes features {recipe} FOOTAGE",
}
Item = TypeVar("Item")
Batch = tuple[list[int], list[float], NDArray[np.uint8]]  # of B clips: first frames, their times, (B, T, H, W, C)
_END = object()


@dataclass
class Counts:
    """Of a source, while it is read: frames at the model's spacing, and clips."""

    frames: int = 0
    clips: int = 0


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


def _sources(path: Path, stage: str, rejects: list[Reject]) -> Iterator[tuple[Path, footage.Source]]:
    root = path.resolve().parent
    anything = Dataset(footage=str(root), label="none", split=Split(test=("none",)))  # its split is not read
    nothing, sequences = True, set()
    for found in footage.each_source(root, anything, only=path.resolve().name):
        nothing = False
        if isinstance(found, footage.Reject):
            rejects.append({"path": found.path, "stage": stage, "reason": found.reason})
        elif found.kind != "mot" or found.sha256 not in sequences:
            sequences.add(found.sha256)
            yield root, found
    if nothing:
        rejects.append({"path": path.name, "stage": stage, "reason": "holds no video, image strip or frame folder"})


def require_kind(model: Registered, kind: str) -> None:
    """Raise a ValueError for a model of another kind, with the command that it is for."""
    if model.kind != kind:
        use = COMMANDS.get(model.kind, "").format(recipe=model.recipe)
        raise ValueError(f"{model.uri} is of kind {model.kind!r}, not {kind!r}" + (f"; use: {use}" if use else ""))


def too_short(frames: int, length_frames: int) -> TooShortError:
    return TooShortError(f"too short: {frames} of the {length_frames} frames that the model needs, at its spacing")


def spacing(input_: dict[str, Any]) -> int:
    """Every how many frames of a source the model takes one (`input_` as in `model.json`)."""
    return int(input_.get("every_frames", 1)) * int(input_.get("step_frames", 1))


def clip_batches(
    root: Path,
    source: footage.Source,
    input_: dict[str, Any],
    stride_frames: int,
    batch_clips: int,
    counts: Counts,
    lost: Callable[[str], None],
) -> Generator[Batch]:
    """The clips of a source, `batch_clips` at a time, in bounded memory; each frame is decoded once.

    A gap in a folder's numbers ends a run of frames: no clip crosses it.

    Args:
        input_: how footage is read for the model (`model.json`'s section of that name).
        stride_frames: distance between the first frames of neighbouring clips, in frames as the model takes them.
        counts: is filled while this goes on.
        lost: told of images of a folder that do not decode.

    Raises:
        MediaError: see `footage.open_frames`.
        TooShortError: no run of frames is as long as a clip.
    """
    i, length = input_, int(input_["length_frames"])
    sampler = sampling.SpanSampler([(0.0, float("inf"))], every_frames=spacing(input_))
    recent: deque[tuple[int, float, NDArray[np.uint8]]] = deque(maxlen=length)
    clips: list[tuple[int, float, NDArray[np.uint8]]] = []
    run = in_run = longest = 0
    for number, seconds, frame in footage.open_frames(root, source, sampler=sampler, lost=lost, run_ahead=False):
        if sampler.span != run:
            run, in_run = sampler.span, 0
            recent.clear()
        recent.append((number, seconds, media.resize(frame, i["height_px"], i["width_px"], i["fit"], i["gray"])))
        counts.frames, in_run = counts.frames + 1, in_run + 1
        longest = max(longest, in_run)
        if in_run >= length and (in_run - length) % stride_frames == 0:
            counts.clips += 1
            clips.append((recent[0][0], recent[0][1], np.stack([pixels for _, _, pixels in recent])))
        if len(clips) == batch_clips:
            yield _stacked(clips)
            clips = []
    if clips:
        yield _stacked(clips)
    if longest < length:
        raise too_short(longest, length)


def _stacked(clips: list[tuple[int, float, NDArray[np.uint8]]]) -> Batch:
    return [n for n, _, _ in clips], [s for _, s, _ in clips], np.stack([clip for _, _, clip in clips])


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
