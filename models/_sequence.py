"""Clips of unequal length in one array: the shorter ones are filled up with frames that are all 0, behind their last.

A clip ends with its last frame that is not all 0. A film's own black frames at the end tell nothing, and count as
filling wherever a clip comes from: in training, in judging, and in a request to a server, which has no other place for
a length.
"""

from __future__ import annotations

import torch
from torch import Tensor


def lengths(clip_BTHWC: Tensor) -> Tensor:
    """How many frames each clip has: int64 (B,), 1 to T; a clip that is all 0 has one.

    Args:
        clip_BTHWC: uint8 (B, T, H, W, C).
    """
    shown_BT = clip_BTHWC.flatten(2).amax(2) > 0
    place_T = torch.arange(1, clip_BTHWC.shape[1] + 1, device=clip_BTHWC.device)
    return (shown_BT * place_T).amax(1).clamp_min(1)


def within(length_B: Tensor, frames: int) -> Tensor:
    """Which places are frames of the clip and not filling: bool (B, `frames`)."""
    return torch.arange(frames, device=length_B.device) < length_B[:, None]
