"""Functions of arrays: how near an answer is to the truth, and how sure a table of such figures can be.

The truth is uint8 (B, M, H, W, C), the M answered frames of each clip; the output float32 of the same shape, 0 to 1.
Metrics return one float64 a clip, those named `frame_...` one a frame; NaN says that there is no such figure (no pixel
moves, the truth is one flat colour, no two answered frames are neighbours).
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

METRICS = ("psnr_db", "ssim", "mse", "sharpness_ratio", "psnr_moving_db", "psnr_still_db", "flicker")
FRAME_METRICS = ("mse", "psnr_db", "ssim", "sharpness_ratio")
MSE_FLOOR = 1e-10  # a perfect output counts as 100 dB, so that one clip cannot make a mean infinite
MOVING_RANGE = 26  # of 255, about 0.1: JPEG and sensor noise stay below it, a limb on a wall does not
FEW_GROUPS = 3
FEWEST_GROUPS = 2  # below, an interval has no width and decides nothing
INTERVAL_QUANTILES = (0.025, 0.975)


def frame_mse(truth_BMHWC: Clip, output_BMHWC: Output) -> Floats:
    """Mean squared error of every frame, values in 0 to 1: (B, M)."""
    mse: Floats = np.square(_error(truth_BMHWC, output_BMHWC)).mean(axis=(2, 3, 4))
    return mse


def _error(truth_BMHWC: Clip, output_BMHWC: Output) -> Floats:
    if truth_BMHWC.shape != output_BMHWC.shape:
        raise ValueError(
            f"the output has the shape {output_BMHWC.shape}, the truth {truth_BMHWC.shape}; they have to agree"
        )
    error: Floats = output_BMHWC.astype(np.float64) - truth_BMHWC / 255.0
    return error


def psnr_db(mse: Any) -> Floats:
    """Peak signal-to-noise ratio, 10 log10(1 / mse), at most 100 dB; NaN stays NaN."""
    decibels: Floats = -10.0 * np.log10(np.maximum(mse, MSE_FLOOR))
    return decibels


def frame_ssim(truth_BMHWC: Clip, output_BMHWC: Output) -> Floats:
    """Structural similarity (Wang et al. 2004: 11 x 11 Gaussian window, sigma 1.5) of every frame: (B, M).

    In float32, which is off by 1e-4 where a picture is flat: float64 takes 30 times as long.
    """
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    b, m, h, w, c = truth_BMHWC.shape

    def planes(x: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(x)).reshape(b * m, h, w, c).movedim(3, 1)

    pair = planes(output_BMHWC), planes(truth_BMHWC.astype(np.float32) / 255.0)
    per_frame = structural_similarity_index_measure(*pair, data_range=1.0, reduction="none")
    assert isinstance(per_frame, torch.Tensor)
    found: Floats = per_frame.reshape(b, m).double().numpy()
    return found


def gradient_energy(frames_BMHWC: NDArray[Any]) -> Floats:
    """Mean squared difference between neighbours of a frame, along rows plus along columns: (B, M)."""
    x = frames_BMHWC.astype(np.float64)
    energy: Floats = np.square(np.diff(x, axis=3)).mean(axis=(2, 3, 4))
    energy += np.square(np.diff(x, axis=2)).mean(axis=(2, 3, 4))
    return energy


def sharpness_ratio(of_truth: Floats, of_output: Floats) -> Floats:
    """Gradient energy of the output over that of the truth: below 1 is blurred, above 1 is noisy. Flat truth: NaN."""
    return np.divide(of_output, of_truth, out=np.full_like(of_truth, np.nan), where=of_truth > 0)


def flicker(truth_BMHWC: Clip, output_BMHWC: Output, inputs: Sequence[int], outputs: Sequence[int]) -> Floats:
    """Mean |change of the answer - change of the truth| from each frame to the next, 0 to 2: (B,). Lower is better.

    The steps are those between neighbouring places of the clip that are both answered, and between an answered place
    and a neighbour that is shown and not answered, which is the truth itself:

        place      0      1    2    3    4    5      6        inputs 0 and 6: six steps
                 shown  ans. ans. ans. ans. ans.   shown

    Args:
        inputs, outputs: places in the clip that are shown and that are answered.
    """
    error = _error(truth_BMHWC, output_BMHWC)
    of_place = {place: np.zeros_like(error[:, 0]) for place in inputs}
    of_place |= {place: error[:, at] for at, place in enumerate(outputs)}
    steps = [place for place in sorted(of_place) if place + 1 in of_place and {place, place + 1} & set(outputs)]
    if not steps:
        return np.full(len(error), np.nan)
    changes = [np.abs(of_place[place + 1] - of_place[place]).mean(axis=(1, 2, 3)) for place in steps]
    mean: Floats = np.mean(changes, axis=0)
    return mean


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


def split_mse(truth_BMHWC: Clip, output_BMHWC: Output, moving_BHW: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean squared error over the pixels that move and over those that do not: (B,) each, NaN where there are none."""
    error = np.square(_error(truth_BMHWC, output_BMHWC)).mean(axis=(1, 4))

    def over(mask: NDArray[np.bool_]) -> Floats:
        pixels: Floats = mask.sum(axis=(1, 2)).astype(np.float64)
        total = np.where(mask, error, 0.0).sum(axis=(1, 2))
        mean: Floats = np.divide(total, pixels, out=np.full_like(pixels, np.nan), where=pixels > 0)
        return mean

    return over(moving_BHW), over(~moving_BHW)


def measure(
    clip_BTHWC: Clip, output_BMHWC: Output, inputs: Sequence[int], outputs: Sequence[int]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Every metric of `METRICS`, one value a clip (B,), and every one of `FRAME_METRICS`, one a frame (B, M).

    A clip's PSNR is that of the mean squared error over the pixels of all its answered frames. What moves is taken from
    the whole clip, shown frames included.

    Args:
        clip_BTHWC: the whole window, whether shown or not.
        output_BMHWC: the answer for the places `outputs`.
        inputs, outputs: places in the clip that are shown and that are answered.
    """
    truth = clip_BTHWC[:, list(outputs)]
    mse = frame_mse(truth, output_BMHWC)
    ssim = frame_ssim(truth, output_BMHWC)
    energies = gradient_energy(truth / 255.0), gradient_energy(output_BMHWC)
    moving, still = split_mse(truth, output_BMHWC, moving_mask(clip_BTHWC))
    per_clip = {
        "psnr_db": psnr_db(mse.mean(axis=1)),
        "ssim": ssim.mean(axis=1),
        "mse": mse.mean(axis=1),
        "sharpness_ratio": sharpness_ratio(energies[0].mean(axis=1), energies[1].mean(axis=1)),
        "psnr_moving_db": psnr_db(moving),
        "psnr_still_db": psnr_db(still),
        "flicker": flicker(truth, output_BMHWC, inputs, outputs),
    }
    per_frame = {"mse": mse, "psnr_db": psnr_db(mse), "ssim": ssim, "sharpness_ratio": sharpness_ratio(*energies)}
    return per_clip, per_frame


@dataclass(frozen=True)
class Interval:
    """A mean over clips, or another figure of them, and its bootstrap 95% interval; all three None where no clip has
    it, the ends also where no draw has."""

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
    drawn = draws(len(names), samples, seed)
    total, clips = sums[drawn].sum(axis=1), counts[drawn].sum(axis=1)
    means = total[clips > 0] / clips[clips > 0]
    low, high = np.quantile(means, INTERVAL_QUANTILES)
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def draws(groups: int, samples: int, seed: int) -> NDArray[np.int64]:
    """(samples, groups): in each row as many groups as there are, drawn with replacement."""
    return np.random.default_rng(seed).integers(0, groups, (samples, groups))


def bootstrap_share(right: Any, groups: Sequence[str], *, samples: int, seed: int) -> Interval:
    """`bootstrap` of what is right or wrong, with a width also where all of it is the one or the other."""
    return unanimous(bootstrap(right, groups, samples=samples, seed=seed), len(set(groups)))


def unanimous(share: Interval, groups: int) -> Interval:
    """A share of 0 or 1 whose draws are all alike says nothing of the groups that were not drawn: its other end is the
    exact binomial 95% limit for that many groups (Clopper and Pearson 1934), 0.025 ** (1 / groups) from the far side.
    Any other interval stays as it is."""
    limit = INTERVAL_QUANTILES[0] ** (1.0 / groups)
    if share.value == share.low == 1.0:
        return Interval(1.0, limit, 1.0)
    return Interval(0.0, 0.0, 1.0 - limit) if share.value == share.high == 0.0 else share


def interval_note(groups: Sequence[str]) -> str | None:
    """What must be said beside intervals that rest on fewer than three groups; None when they rest on enough."""
    names = sorted(set(groups))
    if len(names) >= FEW_GROUPS:
        return None
    spans = "it has no width" if len(names) == 1 else "it only spans the two groups' means"
    few = f"{len(names)} group{'s' * (len(names) > 1)} ({', '.join(names)})"
    return f"The 95% interval rests on only {few}: {spans}, which says little about other groups."
