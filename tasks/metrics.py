"""Functions of arrays: how near an output is to its input, and how sure a table of such figures can be.

Clips are uint8 (B, T, H, W, C), outputs float32 of the same shape, 0 to 1. Every metric returns one float64 a clip;
NaN says that a clip has no such figure (no pixel moves, or the input is one flat colour).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Clip = NDArray[np.uint8]
Output = NDArray[np.float32]

METRICS = ("psnr_db", "ssim", "mse", "sharpness_ratio", "psnr_moving_db", "psnr_still_db")
MSE_FLOOR = 1e-10  # a perfect output counts as 100 dB, so that one clip cannot make a mean infinite
MOVING_RANGE = 26  # of 255, about 0.1: JPEG and sensor noise stay below it, a limb on a wall does not
FEW_GROUPS = 3
INTERVAL_QUANTILES = (0.025, 0.975)


def frame_mse(clip_BTHWC: Clip, output_BTHWC: Output) -> Floats:
    """Mean squared error of every frame, values in 0 to 1: (B, T)."""
    if clip_BTHWC.shape != output_BTHWC.shape:
        raise ValueError(
            f"the output has the shape {output_BTHWC.shape}, the clips {clip_BTHWC.shape}; they have to agree"
        )
    error = output_BTHWC.astype(np.float64) - clip_BTHWC / 255.0
    mse: Floats = np.square(error).mean(axis=(2, 3, 4))
    return mse


def psnr_db(mse: Any) -> Floats:
    """Peak signal-to-noise ratio, 10 log10(1 / mse), at most 100 dB; NaN stays NaN."""
    decibels: Floats = -10.0 * np.log10(np.maximum(mse, MSE_FLOOR))
    return decibels


def ssim(clip_BTHWC: Clip, output_BTHWC: Output) -> Floats:
    """Structural similarity (Wang et al. 2004: 11 x 11 Gaussian window, sigma 1.5), mean over a clip's frames: (B,).

    In float32, which is off by 1e-4 where a picture is flat: float64 takes 30 times as long.
    """
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    b, t, h, w, c = clip_BTHWC.shape

    def planes(x: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(x)).reshape(b * t, h, w, c).movedim(3, 1)

    pair = planes(output_BTHWC), planes(clip_BTHWC.astype(np.float32) / 255.0)
    per_frame = structural_similarity_index_measure(*pair, data_range=1.0, reduction="none")
    assert isinstance(per_frame, torch.Tensor)
    mean: Floats = per_frame.reshape(b, t).double().mean(dim=1).numpy()
    return mean


def gradient_energy(clip_BTHWC: NDArray[Any]) -> Floats:
    """Mean squared difference between neighbours, along rows plus along columns: (B,)."""
    x = clip_BTHWC.astype(np.float64)
    energy: Floats = np.square(np.diff(x, axis=3)).mean(axis=(1, 2, 3, 4))
    energy += np.square(np.diff(x, axis=2)).mean(axis=(1, 2, 3, 4))
    return energy


def sharpness_ratio(clip_BTHWC: Clip, output_BTHWC: Output) -> Floats:
    """Gradient energy of the output over that of the input: below 1 is blurred, above 1 is noisy. Flat input: NaN."""
    of_input = gradient_energy(clip_BTHWC / 255.0)
    return np.divide(gradient_energy(output_BTHWC), of_input, out=np.full_like(of_input, np.nan), where=of_input > 0)


def moving_mask(clip_BTHWC: Clip) -> NDArray[np.bool_]:
    """The pixels that move: range over the clip's frames of 26 of 255 or more in any channel, grown by one pixel.

    Returns:
        bool (B, H, W): one mask for all frames of a clip, taken from the input alone, so that every answer is
        split alike. Growing takes in the eight neighbours: the soft edge of what moves belongs to it.
    """
    spread = clip_BTHWC.max(axis=1).astype(np.int16) - clip_BTHWC.min(axis=1)
    seed: NDArray[np.bool_] = (spread >= MOVING_RANGE).any(axis=-1)
    padded = np.pad(seed, ((0, 0), (1, 1), (1, 1)))
    h, w = seed.shape[1:]
    grown: NDArray[np.bool_] = np.zeros_like(seed)
    for row in range(3):
        for column in range(3):
            grown |= padded[:, row : row + h, column : column + w]
    return grown


def split_mse(clip_BTHWC: Clip, output_BTHWC: Output) -> tuple[Floats, Floats]:
    """Mean squared error over the pixels that move and over those that do not: (B,) each, NaN where there are none."""
    moving = moving_mask(clip_BTHWC)
    error = np.square(output_BTHWC.astype(np.float64) - clip_BTHWC / 255.0).mean(axis=(1, 4))

    def over(mask: NDArray[np.bool_]) -> Floats:
        pixels: Floats = mask.sum(axis=(1, 2)).astype(np.float64)
        total = np.where(mask, error, 0.0).sum(axis=(1, 2))
        mean: Floats = np.divide(total, pixels, out=np.full_like(pixels, np.nan), where=pixels > 0)
        return mean

    return over(moving), over(~moving)


def measure(clip_BTHWC: Clip, output_BTHWC: Output) -> dict[str, Floats]:
    """Every metric of `METRICS`, one value a clip. A clip's PSNR is that of the mean squared error over its pixels."""
    mse = frame_mse(clip_BTHWC, output_BTHWC).mean(axis=1)
    moving, still = split_mse(clip_BTHWC, output_BTHWC)
    return {
        "psnr_db": psnr_db(mse),
        "ssim": ssim(clip_BTHWC, output_BTHWC),
        "mse": mse,
        "sharpness_ratio": sharpness_ratio(clip_BTHWC, output_BTHWC),
        "psnr_moving_db": psnr_db(moving),
        "psnr_still_db": psnr_db(still),
    }


@dataclass(frozen=True)
class Interval:
    """A mean over clips and its bootstrap 95% interval; all three None where no clip has the figure."""

    value: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


def bootstrap(values: Any, groups: Sequence[str], *, samples: int, seed: int) -> Interval:
    """Mean over clips with a percentile interval: groups drawn with replacement, all clips of a drawn group taken.

    Clips of one performer resemble each other, so clips must not be drawn one by one. Equal seed and groups give equal
    draws: the interval of a difference of paired values is a paired one. With one group the interval is the mean
    itself, with two it spans the two groups' means: see `interval_note`.

    Args:
        values: (n,), one a clip; NaN is left out.
        groups: the n clips' groups.
    """
    x = np.asarray(values, np.float64)
    assert x.shape == (len(groups),)
    names = sorted(set(groups))
    known = np.isfinite(x)
    if not known.any():
        return Interval(None, None, None)
    number = np.searchsorted(names, groups)
    sums = np.bincount(number, np.where(known, x, 0.0), minlength=len(names))
    counts = np.bincount(number, known, minlength=len(names))
    drawn = np.random.default_rng(seed).integers(0, len(names), (samples, len(names)))
    total, clips = sums[drawn].sum(axis=1), counts[drawn].sum(axis=1)
    means = total[clips > 0] / clips[clips > 0]
    low, high = np.quantile(means, INTERVAL_QUANTILES)
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def interval_note(groups: Sequence[str]) -> str | None:
    """What must be said beside intervals that rest on fewer than three groups; None when they rest on enough."""
    names = sorted(set(groups))
    if len(names) >= FEW_GROUPS:
        return None
    spans = "it has no width" if len(names) == 1 else "it only spans the two groups' means"
    few = f"{len(names)} group{'s' * (len(names) > 1)} ({', '.join(names)})"
    return f"The 95% interval rests on only {few}: {spans}, which says little about other groups."
