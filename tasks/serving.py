"""What a server of a registered model is sent: the clips of footage, made as the model's own were (docs/serving.md)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks import footage, media, new_footage, predict
from tasks.files import replacing

STAGE = "clips"
BATCH_CLIPS = 8
SUFFIXES = (".json", ".npy")


class Model(new_footage.Registered, Protocol):
    """A loaded model of any kind (see `tracking.Loaded`)."""

    @property
    def input(self) -> dict[str, Any]: ...

    @property
    def inputs(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class SourceClips:
    """The clips of one source, in order.

    `clips` is uint8 (B, N, H, W, C), N the frames of a clip that the model is shown (its `inputs`). `first_frames` and
    `first_seconds` say where each clip begins in the source.
    """

    path: str
    first_frames: tuple[int, ...]
    first_seconds: tuple[float, ...]
    clips: NDArray[np.uint8]

    def rows(self) -> list[dict[str, Any]]:
        """A row a clip: `clip`, `first_frame`, `first_seconds`."""
        places = enumerate(zip(self.first_frames, self.first_seconds, strict=True))
        return [{"clip": clip, "first_frame": frame, "first_seconds": seconds} for clip, (frame, seconds) in places]


def clips_of(model: Model, path: Path, stride_frames: int | None = None, most: int | None = None) -> SourceClips:
    """Every clip of one video, image strip or frame folder, as `model` and a server of it take them.

    A model that rates gets the subclips that `rushes predict` rates; any other gets windows of its length over the
    whole source, of which it is shown the frames at `inputs`.

    Args:
        stride_frames: from clip to clip, in frames at the model's spacing; None: as in its data set.
        most: only so many clips, the first ones; the rest of the source is not read. None: all.

    Raises:
        ValueError: there is not exactly one source at `path`, it cannot be used, or the stride is not possible; the
            message says why.
    """
    if stride_frames is not None and (stride_frames < 1 or model.kind == "regress"):
        raise ValueError(
            f"stride_frames is {stride_frames}; it must be 1 or more, and a model that rates takes its own subclips"
        )
    rejects: list[new_footage.Reject] = []
    found = list(new_footage.sources([path], STAGE, rejects))
    if len(found) != 1:
        why = "; ".join(reject["reason"] for reject in rejects) or f"it holds {len(found)} sources; name one of them"
        raise ValueError(f"{path}: {why}")
    root, source = found[0]
    batches: list[new_footage.Batch] = []
    try:
        with contextlib.closing(_batches(model, root, source, stride_frames)) as made:
            for batch in made:
                batches.append(batch)
                if most is not None and sum(len(clip_BTHWC) for _, _, clip_BTHWC in batches) >= most:
                    break
    except (media.MediaError, new_footage.TooShortError) as error:
        raise ValueError(f"{path}: {error.reason if isinstance(error, media.MediaError) else error}") from error
    clips = np.concatenate([clip_BTHWC for _, _, clip_BTHWC in batches])[:most]
    return SourceClips(
        source.path,
        tuple(frame for frames, _, _ in batches for frame in frames)[:most],
        tuple(second for _, seconds, _ in batches for second in seconds)[:most],
        clips if model.kind == "regress" else clips[:, list(model.inputs)],
    )


def _batches(
    model: Model, root: Path, source: footage.Source, stride_frames: int | None
) -> Generator[new_footage.Batch]:
    if model.kind == "regress":
        return predict.batches_of(model.input, root, source)
    stride = stride_frames or int(model.input.get("stride_frames", model.input["length_frames"]))
    return new_footage.clip_batches(
        root, source, model.input, stride, BATCH_CLIPS, new_footage.Counts(), lambda _: None
    )


def write(clips_BNHWC: NDArray[np.uint8], out: Path) -> None:
    """Write clips: `.json`, a request as `/invocations` takes it; or `.npy`, the array.

    Raises:
        ValueError: `out` has another suffix, or is a folder.
    """
    if out.suffix not in SUFFIXES or out.is_dir():
        raise ValueError(f"{out} is no file ending in .json or .npy; name {out.with_suffix('.json')}")
    with replacing(out) as temporary:
        if out.suffix == ".npy":
            with temporary.open("wb") as stream:
                np.save(stream, clips_BNHWC)
            return
        with temporary.open("w", encoding="ascii") as text:  # a clip at a time: as text they are four times as large
            text.write('{"inputs": [')
            for place, clip_NHWC in enumerate(clips_BNHWC):
                text.write((", " if place else "") + json.dumps(clip_NHWC.tolist(), separators=(",", ":")))
            text.write("]}\n")
