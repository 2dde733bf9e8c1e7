"""The motion head: a picture at any time between two, made of what stands in them, moved.

    classical flow both ways ── v, the motion at time t ──┐
    first, second ── warped by it, and as they are ───────┤
                                                    U-Net at half size: two flows, a visibility mask
                                                          │   warped again
                                                    full size: flows, mask, residual

    answer = ((1 - t) s(m) first(p + t V0) + t s(-m) second(p + (1 - t) V1)) / sum of weights + 4 t (1 - t) residual

At the start of the training V0 = V1 = 0, m = 0 and the residual is 0: the answer is exactly the cross-fade. At t = 0
and t = 1 it is exactly the input, whatever was learned. Outside of [0, 1] (prediction) the nearer input alone is moved.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._blocks import Residual2d, channels_last, zeroed
from models._flow import enlarge, warp

TRUST_SCALE = 20.0  # the weight of the classical flow starts at 0; so scaled, Adam reaches 1 in some fifty steps
MULTIPLE = 16  # heights and widths that the network halves four times


class Motion(NamedTuple):
    """Where a picture at time t comes from: velocities, mask, residual.

    Velocities are (B, 2, H, W), in pixels from input to input.
    """

    from_first: Tensor  # V0: what is at p at time t stands at p + t V0 in the first input
    from_second: Tensor  # V1: ... and at p + (1 - t) V1 in the second
    mask: Tensor  # (B, 1, H, W); above 0: rather from the first
    residual: Tensor  # (B, C, H, W)


class MotionHead(nn.Module):
    """Motion between two pictures at a time, for pictures of any size whose sides are multiples of 16."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.channels = channels
        w2, w4, w8, w16 = width, 2 * width, 3 * width, 4 * width
        seen = 4 * 4 * channels + 2 + 2 + 1  # both inputs, warped and not, in cells of 2 x 2; motion; consistency; time
        self.trust = nn.Parameter(torch.zeros(()))
        self.enter = nn.Sequential(nn.Conv2d(seen, w2, 3, padding=1), Residual2d(w2))
        self.down4 = nn.Sequential(nn.ReLU(), nn.Conv2d(w2, w4, 3, stride=2, padding=1), Residual2d(w4))
        self.down8 = nn.Sequential(nn.ReLU(), nn.Conv2d(w4, w8, 3, stride=2, padding=1), Residual2d(w8))
        self.down16 = nn.Sequential(
            nn.ReLU(), nn.Conv2d(w8, w16, 3, stride=2, padding=1), Residual2d(w16), Residual2d(w16)
        )
        self.up8 = _Up(w16, w8)
        self.up4 = _Up(w8, w4)
        self.up2 = _Up(w4, w2)
        self.coarse = zeroed(nn.Conv2d(w2, 5, 3, padding=1))
        self.again = nn.Sequential(
            nn.Conv2d(w2 + 2 * 4 * channels + 5, w2, 3, padding=1),
            Residual2d(w2),
            nn.ReLU(),
            zeroed(nn.Conv2d(w2, 4 * (5 + channels), 3, padding=1)),
            nn.PixelShuffle(2),
        )
        channels_last(self)

    def forward(
        self, first_BCHW: Tensor, second_BCHW: Tensor, there: Tensor, back: Tensor, time_B111: Tensor
    ) -> Motion:
        """Pictures 0 to 1; `there` and `back`: classical flows first to second and back, at half size; times 0 to 1."""
        t = time_B111
        motion = (1 - t) * there - t * back  # Jiang et al. 2018 (Super SloMo), eq. 4, as a velocity
        moved = torch.cat(
            [_cells(warp(first_BCHW, _full(-t * motion))), _cells(warp(second_BCHW, _full((1 - t) * motion)))], 1
        )
        astray = torch.cat([_length(there + warp(back, there)), _length(back + warp(there, back))], 1)
        still = torch.cat([_cells(first_BCHW), _cells(second_BCHW)], 1) - 0.5
        times = t.expand(-1, 1, *motion.shape[2:])
        x = torch.cat([still, moved - 0.5, motion * 0.1, astray, times], 1)
        x2 = self.enter(x.contiguous(memory_format=torch.channels_last))
        x4 = self.down4(x2)
        x8 = self.down8(x4)
        x = self.up8(self.down16(x8), x8)
        x = self.up2(self.up4(x, x4), x2)
        base = TRUST_SCALE * self.trust * motion
        change = self.coarse(x).float()
        v0, v1, mask = change[:, :2] - base, change[:, 2:4] + base, change[:, 4:]
        moved = torch.cat([_cells(warp(first_BCHW, _full(t * v0))), _cells(warp(second_BCHW, _full((1 - t) * v1)))], 1)
        fine = self.again(torch.cat([x, (moved - 0.5).to(x.dtype), change.to(x.dtype)], 1)).float()
        return Motion(
            _full(v0) + fine[:, :2],
            _full(v1) + fine[:, 2:4],
            F.interpolate(mask, scale_factor=2.0, mode="bilinear", align_corners=False) + fine[:, 4:5],
            fine[:, 5:],
        )


class _Up(nn.Module):
    """Twice the size, beside what was there on the way down."""

    def __init__(self, wide: int, narrow: int) -> None:
        super().__init__()
        self.widen = nn.Sequential(nn.ReLU(), nn.Conv2d(wide, 4 * narrow, 1), nn.PixelShuffle(2))
        self.join = nn.Sequential(nn.ReLU(), nn.Conv2d(2 * narrow, narrow, 3, padding=1), Residual2d(narrow))

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        out: Tensor = self.join(torch.cat([self.widen(deep), skip], 1))
        return out


def _cells(x_BCHW: Tensor) -> Tensor:
    cells: Tensor = F.pixel_unshuffle(x_BCHW, 2)
    return cells


def _full(velocity_half: Tensor) -> Tensor:
    return enlarge(velocity_half, velocity_half.shape[2] * 2, velocity_half.shape[3] * 2)


def _length(flow_B2HW: Tensor) -> Tensor:
    return flow_B2HW.norm(dim=1, keepdim=True).clamp_max(4.0) * 0.25


def blend(first_BCHW: Tensor, second_BCHW: Tensor, motion: Motion, time_B111: Tensor) -> Tensor:
    """The picture at time t; see the formula above. About 0 to 1."""
    t = time_B111
    of_first = (1 - t).clamp(0, 1) * torch.sigmoid(motion.mask)
    of_second = t.clamp(0, 1) * torch.sigmoid(-motion.mask)
    from_first = of_first * warp(first_BCHW, t * motion.from_first)
    from_second = of_second * warp(second_BCHW, (1 - t) * motion.from_second)
    unseen = (4 * t * (1 - t)).abs().clamp_max(1.0)
    return (from_first + from_second) / (of_first + of_second) + unseen * motion.residual
