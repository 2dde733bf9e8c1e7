"""Variations of training clips that keep what they show: moved, mirrored, reversed, brighter, flatter."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.params import Augment


def augment(clip_BTHWC: Tensor, a: Augment) -> Tensor:
    """Vary each clip of a batch on its own, all frames of a clip alike; uint8 in, uint8 out, same shape and device.

    Draws from torch's global generator on the CPU, which the training loop seeds anew at every step.
    """
    B, T, H, W, _ = clip_BTHWC.shape
    time_BT = _axis(B, T, 0, a.reverse)
    row_BH = _axis(B, H, a.shift_px, False)
    column_BW = _axis(B, W, a.shift_px, a.mirror)
    gain_B, offset_B = 1.0 + a.gain * _symmetric(B), 255.0 * a.offset * _symmetric(B)
    device = clip_BTHWC.device
    clip_BTHWC = clip_BTHWC[
        torch.arange(B, device=device)[:, None, None, None],
        time_BT.to(device)[:, :, None, None],
        row_BH.to(device)[:, None, :, None],
        column_BW.to(device)[:, None, None, :],
    ]
    if not (a.gain or a.offset):
        return clip_BTHWC
    values = clip_BTHWC.to(torch.float32)
    mean_B1111 = values.mean((1, 2, 3, 4), keepdim=True)
    gain_B1111, offset_B1111 = (v.to(device)[:, None, None, None, None] for v in (gain_B, offset_B))
    values = (values - mean_B1111) * gain_B1111 + mean_B1111 + offset_B1111
    return values.round().clamp(0, 255).to(torch.uint8)


def _axis(batch: int, length: int, shift: int, flip: bool) -> Tensor:
    """Where each clip's positions along one axis are read from: moved, the edge repeated, half of the clips flipped."""
    index = torch.arange(length).expand(batch, length)
    if shift:
        index = (index + torch.randint(-shift, shift + 1, (batch, 1))).clamp(0, length - 1)
    if flip:
        index = torch.where(torch.rand(batch, 1) < 0.5, length - 1 - index, index)
    return index


def _symmetric(batch: int) -> Tensor:
    """Uniform between -1 and 1."""
    return torch.rand(batch) * 2.0 - 1.0
