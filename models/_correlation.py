"""How a picture follows on the one before: moved by a little, or another picture altogether."""

from __future__ import annotations

import torch
from torch import Tensor

SUMMED_UP = 4  # numbers of `summed_up`
SHARPNESS = 40.0  # a likeness 0.1 below the largest counts for e ** -4 of it


def likeness(picture_NHW: Tensor, before_NHW: Tensor, reach_px: int) -> Tensor:
    """Normalised cross-correlation of two pictures for every shift, under a Hann window, by FFT.

    1 at the shift by which a picture is the one before, moved; near 0 everywhere where it is another picture. Neither
    brightness nor contrast matters. 0 where one of the two is even.

    Args:
        picture_NHW, before_NHW: float32, the same shape; at least 2 `reach_px` + 1 a side.
        reach_px: shifts up and down, left and right, by up to so many pixels.

    Returns:
        (N, S, S) with S = 2 `reach_px` + 1, -1 to 1; no shift stands in the middle.
    """
    height, width = picture_NHW.shape[1:]
    rows, columns = (torch.hann_window(n + 2, periodic=False, device=picture_NHW.device)[1:-1] for n in (height, width))
    window_HW = rows[:, None] * columns
    one, other = (_levelled(x_NHW, window_HW) for x_NHW in (picture_NHW, before_NHW))
    product = torch.fft.rfft2(one) * torch.fft.rfft2(other).conj()
    found_NHW: Tensor = torch.fft.irfft2(product, s=(height, width)).roll((reach_px, reach_px), (1, 2))
    power_N = one.square().sum((1, 2)) * other.square().sum((1, 2))
    side = 2 * reach_px + 1
    likeness_NSS: Tensor = found_NHW[:, :side, :side] / power_N.clamp_min(1e-8).sqrt()[:, None, None]
    return likeness_NSS


def summed_up(likeness_NSS: Tensor) -> Tensor:
    """What a film's pace and its camera's moves are read from, four numbers for each picture of `likeness`.

    The largest likeness (a cut, where it is small); that of no shift; by how many pixels it moved, and the length of
    the mean of the shifts (small, where it moved many ways), both means over the shifts near the largest.

    Returns:
        (N, 4).
    """
    reach_px = likeness_NSS.shape[1] // 2
    flat_NS = likeness_NSS.flatten(1)
    place = torch.arange(-reach_px, reach_px + 1, device=flat_NS.device, dtype=flat_NS.dtype)
    down_S, right_S = (x_SS.flatten() for x_SS in torch.meshgrid(place, place, indexing="ij"))
    near_NS = (SHARPNESS * flat_NS).softmax(1)
    moved_N = (near_NS * torch.hypot(down_S, right_S)).sum(1)
    together_N = torch.hypot((near_NS * down_S).sum(1), (near_NS * right_S).sum(1))
    still_N = likeness_NSS[:, reach_px, reach_px]
    return torch.stack([flat_NS.amax(1), still_N, moved_N, together_N], 1)


def _levelled(x_NHW: Tensor, window_HW: Tensor) -> Tensor:
    """About its mean under the window, and fading out to the edges."""
    mean_N = (x_NHW * window_HW).sum((1, 2)) / window_HW.sum()
    return (x_NHW - mean_N[:, None, None]) * window_HW
