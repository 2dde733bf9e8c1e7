"""New footage through a registered classifier: the descriptor of every source, or of every clip.

As in Tran et al. 2015, section 3.3: the activations of fc6 for clips of 16 frames with 8 frames of overlap between
neighbours, averaged over the video, then divided by their length (L2).

    frames   0 1 2 3 4 5 6 7 8 9        T = 4, stride 2
    clips   [0 1 2 3]
                [2 3 4 5]
                    [4 5 6 7]
                        [6 7 8 9]       frames behind the last whole clip are in none, as in the paper
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks import cpu, descriptors, footage, listing, media, new_footage, sampling
from tasks.descriptors import Described, Part, Parts
from tasks.scores import write_csv

STAGE = "features"
STRIDE_FRAMES = sampling.DESCRIPTOR_STRIDE_FRAMES
BATCH_CLIPS = 8
AHEAD_BATCHES = 2
TELL_EVERY_SECONDS = 5.0  # while there is nothing to compute


class Model(new_footage.Registered, Protocol):
    """A loaded model that makes descriptors (see `tracking.Loaded`)."""

    @property
    def version(self) -> str: ...

    @property
    def weights_sha256(self) -> str: ...

    @property
    def input(self) -> dict[str, Any]: ...

    def describe(self, clip_BTHWC: NDArray[np.uint8], precision: str = "auto") -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Settings:
    """Windows begin `stride_frames` apart, counted in frames as the model sees them, at its own spacing."""

    stride_frames: int
    per_clip: bool
    batch_clips: int
    precision: str  # 32 or bf16


def features(
    model: Model,
    paths: list[Path],
    out: Path,
    *,
    stride_frames: int = STRIDE_FRAMES,
    per_clip: bool = False,
    batch_clips: int = BATCH_CLIPS,
    precision: str = "auto",
    say: Callable[[str], object] = lambda _: None,
) -> list[dict[str, Any]]:
    """Write the descriptors of every source in `paths` to the table `out`, in bounded memory (see docs/features.md).

    What is done lies in `<out>.parts` until all is; a run that was stopped goes on from there. `<name>.rejects.csv`
    beside `out` says what could not be used. Equal footage, model and settings give equal bytes.

    Args:
        paths: videos, image strips, frame folders, MOT sequences, or folders of them.
        out: a .parquet. What stands there is replaced, unless no source can be used.
        per_clip: a row a clip instead of a row a source.
        batch_clips: clips that go through the model at once.
        precision: `32`, `bf16`, or `auto`: bf16 where the CPU has it in hardware.
        say: told a line when a source is done, and how many were left out.

    Returns:
        A row a source: `source`, `path`, `frames` (at the model's spacing), `clips`.

    Raises:
        ValueError: a setting or `out` is not possible, or a path does not exist.
    """
    import pandas as pd

    _check(out, stride_frames, batch_clips)
    settings = Settings(stride_frames, per_clip, batch_clips, cpu.settled_precision(precision))
    told = about(model, settings)
    rejects: list[new_footage.Reject] = []
    found = new_footage.sources(paths, STAGE, rejects)
    say(f"a clip every {stride_frames} frames, precision {settings.precision}, on the CPU")
    with Parts(out, told).held() as parts:
        rows = _all(_Work(model, settings, parts, say), found, rejects)
        if rows:
            descriptors.write_table(out, rows, told, per_clip)
        refused = out.with_suffix(".rejects.csv")
        write_csv(pd.DataFrame(rejects, columns=new_footage.REJECT_COLUMNS), refused)
    if rejects:
        say(f"{len(rejects)} left out; {refused} says why")
    return [
        {"source": values["source"], "path": values["path"], "frames": part.frames, "clips": part.clips}
        for values, part in rows
    ]


def _check(out: Path, stride_frames: int, batch_clips: int) -> None:
    new_footage.require_table(out, "features.parquet")
    for name, value in (("stride_frames", stride_frames), ("batch_clips", batch_clips)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be 1 or more")


def about(model: Model, settings: Settings) -> dict[str, Any]:
    """All that decides a descriptor besides the footage: the table's metadata."""
    return {
        "model": model.recipe,
        "version": model.version,
        "weights_sha256": model.weights_sha256,
        "input": model.input,
        **vars(settings),
        "rushes": version("rushes"),
    }


@dataclass(frozen=True)
class _Work:
    """What is done to every source, and where the results go."""

    model: Model
    settings: Settings
    parts: Parts
    say: Callable[[str], object]


def _all(
    work: _Work, found: Iterator[tuple[Path, footage.Source]], rejects: list[new_footage.Reject]
) -> list[tuple[dict[str, str], Part]]:
    """Every source that can be used, in order, with its part: one that lies there, or a new one."""
    rows: list[tuple[dict[str, str], Part]] = []
    taken: set[str] = set()
    seen = kept = 0
    told = time.monotonic()
    for seen, (root, source) in enumerate(found, 1):
        try:
            key = work.parts.key(_identity(root, source))
            part = work.parts.find(key)
            if part is None:
                part = _one(work, root, source, key)
                told = time.monotonic()
            else:
                kept += 1
                if time.monotonic() - told >= TELL_EVERY_SECONDS:
                    work.say(f"{seen} source(s) so far, {kept} of them done before, or with the content of another")
                    told = time.monotonic()
        except (media.MediaError, new_footage.TooShortError) as error:
            reason = error.reason if isinstance(error, media.MediaError) else str(error)
            rejects.append({"path": source.path, "stage": STAGE, "reason": reason})
            continue
        name = new_footage.free_name(source.source, taken)
        taken.add(name)
        rows.append(({"path": source.path, "source": name, "sha256": source.sha256}, part))
    if kept:
        work.say(f"{kept} of {seen} source(s) were done before, or have the content of another")
    return rows


def _identity(root: Path, source: footage.Source) -> tuple[object, ...]:
    """What a source's row depends on: its content, and for a folder how its frames are numbered and timed."""
    first = 0
    if source.kind in ("frames", "mot"):
        first = listing.read_sequence(root, source.path, source.kind).frames[0][0]
    return source.sha256, source.kind, source.frames_per_second, first


def _one(work: _Work, root: Path, source: footage.Source, key: str) -> Part:
    counts = new_footage.Counts()

    def lost(image: str) -> None:
        work.say(f"{source.path}: {image} is left out")

    part = work.parts.write(key, described(work.model, work.settings, root, source, counts, lost), counts)
    work.say(f"{source.path}: {part.frames} frames, {part.clips} clip(s)")
    return part


def described(
    model: Model,
    settings: Settings,
    root: Path,
    source: footage.Source,
    counts: new_footage.Counts,
    lost: Callable[[str], None],
) -> Iterator[Described]:
    """The descriptors of one source, of length 1: of every clip with `per_clip`, else one of them all.

    Frames are decoded while the model computes, and no more than a few batches of clips are held.

    Args:
        root: the folder that the source's path starts at.
        settings: its precision has to be settled: `32` or `bf16`.
        counts: is filled while this goes on.
        lost: told of images of a folder that do not decode.

    Raises:
        MediaError: the source does not decode.
        TooShortError: it has fewer frames than the model's clip.
        ValueError: the model answers with NaN or infinity.
    """
    batches = new_footage.clip_batches(
        root, source, model.input, settings.stride_frames, settings.batch_clips, counts, lost
    )

    def answers() -> Iterator[Described]:
        for numbers, seconds, clip_BTHWC in new_footage.ahead(batches, AHEAD_BATCHES):
            yield numbers, seconds, _finite(model, model.describe(clip_BTHWC, settings.precision))

    return _normalised(answers()) if settings.per_clip else _averaged(answers())


def _finite(model: Model, descriptors_BD: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(descriptors_BD).all():
        raise ValueError(f"{model.uri} describes a clip with NaN or infinite values; train it again")
    return descriptors_BD


def _unit(descriptors_ND: NDArray[Any]) -> NDArray[np.float32]:
    """Each divided by its length; one that is all zeros stays so."""
    length = np.linalg.norm(descriptors_ND.astype(np.float64), axis=1, keepdims=True)
    unit: NDArray[np.float32] = (descriptors_ND / np.where(length > 0, length, 1.0)).astype(np.float32)
    return unit


def _normalised(described: Iterator[Described]) -> Iterator[Described]:
    for numbers, seconds, descriptors_BD in described:
        yield numbers, seconds, _unit(descriptors_BD)


def _averaged(described: Iterator[Described]) -> Iterator[Described]:
    """One row: the mean over all clips, divided by its length."""
    total, clips = np.zeros((1, 1)), 0
    for _, _, descriptors_BD in described:
        total = total + descriptors_BD.sum(axis=0, dtype=np.float64, keepdims=True)
        clips += len(descriptors_BD)
    yield [0], [0.0], _unit(total / clips)
