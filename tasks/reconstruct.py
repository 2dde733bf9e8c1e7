"""New footage through a registered model: the reconstruction beside the input, and the error of every frame.

Frames are read in a stream and go through the model in windows of its length; the last window is anchored at the
end, and of it only the frames that no window before had are taken, so that every frame is answered exactly once:

    frames   0 1 2 3 4 5 6 7 8 9        T = 4
    windows  [0 1 2 3][4 5 6 7]
                         [6 7 8 9]      of which 8 and 9
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks import footage, media, metrics, new_footage, pictures
from tasks.scores import write_csv

BATCH_WINDOWS = 8
ERROR_SCALE = 0.25  # the error of the brightest colour; fixed, so that videos can be compared
STAGE = "reconstruct"
RESULTS = ("source", "path", "frames", "mse", "psnr_db", "worst_frame", "worst_time_seconds", "worst_mse")
Answered = Iterator[tuple["_Taken", int, NDArray[np.float32]]]


class Model(new_footage.Registered, Protocol):
    """A loaded model: `input` says how footage is read for it (`model.json`'s section of that name)."""

    @property
    def input(self) -> dict[str, Any]: ...

    def predict(self, clip_BTHWC: NDArray[np.uint8]) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class _Taken:
    """A frame on its way: its number and time in the source, uint8 (H, W, C) as the model wants it."""

    source_frame: int
    time_seconds: float
    frame: NDArray[np.uint8]


def reconstruct(
    model: Model,
    paths: list[Path],
    out: Path,
    *,
    batch_windows: int = BATCH_WINDOWS,
    say: Callable[[str], object] = lambda _: None,
) -> list[dict[str, Any]]:
    """Run every source in `paths` through `model`, in bounded memory.

    Writes into `out`, each file whole or not at all: `<id>.mp4` (input, reconstruction, error), `<id>.errors.csv`
    (per frame: `frame, source_frame, time_seconds, place, mse, psnr_db`; `place` is that in the model's window, at
    whose ends the error is larger), `results.csv` and `rejects.csv`. A source that cannot be used costs one row in
    `rejects.csv`, nothing else.

    Args:
        paths: videos, image strips, frame folders, MOT sequences, or folders of them.
        batch_windows: windows that go through the model at once.
        say: told a line when a source is done, and how many were left out.

    Returns:
        The rows of `results.csv`.

    Raises:
        ValueError: a path does not exist, or the model is of another kind.
    """
    import pandas as pd

    new_footage.require_kind(model, "reconstruct")
    out.mkdir(parents=True, exist_ok=True)
    results: list[dict[str, Any]] = []
    rejects: list[new_footage.Reject] = []
    for root, source in new_footage.sources(paths, STAGE, rejects):
        name = new_footage.free_name(source.source, {row["source"] for row in results})
        try:
            video, errors = out / f"{name}.mp4", out / f"{name}.errors.csv"
            results.append({"source": name} | one(model, root, source, video, errors, batch_windows))
            say(f"{source.path}: {results[-1]['frames']} frames, {results[-1]['psnr_db']:.2f} dB")
        except media.MediaError as error:
            rejects.append({"path": source.path, "stage": STAGE, "reason": error.reason})
        except new_footage.TooShortError as error:
            rejects.append({"path": source.path, "stage": STAGE, "reason": str(error)})
    write_csv(pd.DataFrame(results, columns=list(RESULTS)), out / "results.csv")
    write_csv(pd.DataFrame(rejects, columns=new_footage.REJECT_COLUMNS), out / "rejects.csv")
    if rejects:
        say(f"{len(rejects)} left out; {out / 'rejects.csv'} says why")
    return results


def one(
    model: Model,
    root: Path,
    source: footage.Source,
    video: Path,
    errors_csv: Path,
    batch_windows: int = BATCH_WINDOWS,
) -> dict[str, Any]:
    """One source: the video is encoded while the model answers, so no more than a few windows are in memory.

    Args:
        root: the folder that the source's path starts at.
        video: the .mp4 to write; `errors_csv`: the table to write.

    Returns:
        The columns of `RESULTS` behind `source`.

    Raises:
        MediaError: the source does not decode.
        TooShortError: it has fewer frames than the model's clip.
        ValueError: the model answers with NaN or infinity.
    """
    import pandas as pd

    rate = new_footage.frames_per_second(model.input, source)
    errors: list[dict[str, Any]] = []

    def panels() -> Iterator[NDArray[np.uint8]]:
        for taken, place, output in _answers(model, _frames(model, root, source), batch_windows):
            if not np.isfinite(output).all():
                raise ValueError(f"{model.uri} rebuilds a frame with NaN or infinity; train it again")
            mse = float(metrics.frame_mse(taken.frame[None, None], output[None, None])[0, 0])
            row = {"frame": len(errors), "source_frame": taken.source_frame, "time_seconds": taken.time_seconds}
            errors.append(row | {"place": place, "mse": mse, "psnr_db": float(metrics.psnr_db(mse))})
            answer = np.rint(output.clip(0.0, 1.0) * 255).astype(np.uint8)
            yield pictures.panels(taken.frame, answer, ERROR_SCALE)

    media.encode_video(panels(), video, frames_per_second=rate)
    write_csv(pd.DataFrame(errors), errors_csv)
    worst = max(errors, key=lambda row: float(row["mse"]))
    mse = float(np.mean([row["mse"] for row in errors]))
    values = (
        source.path,
        len(errors),
        mse,
        float(metrics.psnr_db(mse)),
        worst["frame"],
        worst["time_seconds"],
        worst["mse"],
    )
    return dict(zip(RESULTS[1:], values, strict=True))


def _frames(model: Model, root: Path, source: footage.Source) -> Iterator[_Taken]:
    i = model.input
    sampler = new_footage.sampler(i)
    for number, seconds, frame in footage.open_frames(root, source, sampler=sampler, run_ahead=False):
        yield _Taken(number, seconds, media.resize(frame, i["height_px"], i["width_px"], i["fit"], i["gray"]))


def _windows(frames: Iterator[_Taken], length: int) -> Iterator[tuple[list[_Taken], int]]:
    """Windows of `length` frames, each with the number of its last frames that no window before had.

    Raises:
        TooShortError: there are fewer frames than one window.
    """
    recent: deque[_Taken] = deque(maxlen=length)
    fresh = 0
    for frame in frames:
        recent.append(frame)
        fresh += 1
        if fresh == length:
            yield list(recent), fresh
            fresh = 0
    if len(recent) < length:
        raise new_footage.too_short(len(recent), length)
    if fresh:
        yield list(recent), fresh


def _answers(model: Model, frames: Iterator[_Taken], batch_windows: int) -> Answered:
    """Every frame once, in order, with its place in the window that it was answered in, and the model's float32
    (H, W, C)."""
    length = int(model.input["length_frames"])
    windows = _windows(frames, length)
    while batch := list(itertools.islice(windows, batch_windows)):
        clip_BTHWC = np.stack([np.stack([taken.frame for taken in window]) for window, _ in batch])
        output_BTHWC = model.predict(clip_BTHWC)
        for (window, fresh), output_THWC in zip(batch, output_BTHWC, strict=True):
            yield from zip(window[-fresh:], range(length - fresh, length), output_THWC[-fresh:], strict=True)
