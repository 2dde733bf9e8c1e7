"""The motion head: a picture at any time between two, made of what stands in them, moved.

    classical flow both ways ──> motions that may hold at a place: between, none, one-sided, the neighbours'
    both inputs moved by each ──> how well they agree (cost)
    costs, differences ──> U-Net at half size ──> two flows of its own, visibility of every moved input
                           both inputs moved by the two flows ──> full size: finer flows, residual detail d

    moved(p) = sum over k of  first(p + t V0_k) A_k  +  second(p + (1 - t) V1_k) B_k
    answer = moved + 4 t (1 - t) d (moved - smoothed)
    A_k ~ (1 - t) exp(a_k - s cost_k),   B_k ~ t exp(b_k - s cost_k),   all of them together 1

Candidate 0 are the network's two flows, the others start from the classical flow and lend each place the motion of its
neighbours: where the flow is blurred at an edge, one of them is right, and the visibilities choose. The network is told
how the moved inputs differ and how rough they are, never their colours: a few films are too few to learn from those.

At the start of the training every motion and d are 0: the answer is exactly the cross-fade. At t = 0 and t = 1
it is exactly the input, whatever was learned. Outside of [0, 1] (prediction) the nearer input alone is moved.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._blocks import channels_last, zeroed
from models._flow import enlarge, smooth, warp
from models._losses import doubled

SETTLING_STEPS = 20  # in which the classical flow is brought in: the first step sees the cross-fade
NEIGHBOURS = (2, 4)  # pixels at half size, each way along both axes, whose motion is tried
CANDIDATES = 5 + 4 * len(NEIGHBOURS)
SHARPNESS = 20.0  # of the choice by cost, at the start; costs are grey levels of 0 to 1
PREFERRED = 1.0  # ahead of the others: the two flows themselves
PAIR = 4 * 3  # what the network is told of two pictures: see `_beside`
MULTIPLE = 16  # heights and widths that the network halves four times


class Motion(NamedTuple):
    """Where a picture at time t comes from. Velocities are in pixels from input to input."""

    from_first: Tensor  # V0 of candidate 0, (B, 2, H, W): what is at p at time t stands at p + t V0 in the first input
    from_second: Tensor  # V1 of candidate 0: ... and at p + (1 - t) V1 in the second
    others: Tensor  # V1 = -V0 of the other candidates, (B, K - 1, 2, H, W)
    seen: Tensor  # A_0 ... A_K-1, B_0 ... B_K-1: (B, 2 K, H, W), sum 1
    detail: Tensor  # d, (B, 1, H, W): above 0 sharper, below 0 smoother than what was moved


class MotionHead(nn.Module):
    """Motion between two pictures at a time, for pictures of any size whose sides are multiples of 16.

    `trust` is the weight of the classical flow: 0 at the start, brought to 1 by `settle` in the first steps.
    """

    trust: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        w2, w4, w8, w16 = width, 2 * width, 3 * width, 4 * width
        self.register_buffer("trust", torch.zeros(()))
        self.sharpness = nn.Parameter(torch.zeros(()))
        preferred = torch.zeros(2 * CANDIDATES)
        preferred[[0, 2, CANDIDATES, CANDIDATES + 2]] = PREFERRED
        self.preferred = nn.Parameter(preferred)
        self.enter = nn.Sequential(nn.Conv2d(2 * PAIR + CANDIDATES + 2 + 3 + 1, w2, 3, padding=1), _Block(w2))
        self.down4 = nn.Sequential(_activation(), nn.Conv2d(w2, w4, 3, stride=2, padding=1), _Block(w4))
        self.down8 = nn.Sequential(_activation(), nn.Conv2d(w4, w8, 3, stride=2, padding=1), _Block(w8))
        self.down16 = nn.Sequential(_activation(), nn.Conv2d(w8, w16, 3, stride=2, padding=1), _Block(w16))
        self.up8 = _Up(w16, w8)
        self.up4 = _Up(w8, w4)
        self.up2 = _Up(w4, w2)
        self.coarse = zeroed(nn.Conv2d(w2, 4 + 2 * CANDIDATES, 3, padding=1))
        self.again = nn.Sequential(
            nn.Conv2d(w2 + PAIR + 4, w2, 3, padding=1),
            _Block(w2),
            _activation(),
            zeroed(nn.Conv2d(w2, 4 * (4 + 1), 3, padding=1)),
            nn.PixelShuffle(2),
        )
        _start(self)
        channels_last(self)

    def forward(
        self, first_BCHW: Tensor, second_BCHW: Tensor, there: Tensor, back: Tensor, time_B111: Tensor
    ) -> Motion:
        """Pictures 0 to 1; `there` and `back`: classical flows first to second and back; time 0 is the first's."""
        t = time_B111
        motions = _candidates(there, back, t)
        others = _full(motions[:, 1:].flatten(0, 1)) * self.trust
        others = others.reshape(-1, CANDIDATES - 1, *others.shape[1:])
        motion = motions[:, 0]
        cost, moved = _agreement(first_BCHW, second_BCHW, _full(motion) * self.trust, others, t)
        one_way, other_way = there[:, :2], back[:, :2]
        missed = one_way + warp(other_way, one_way), other_way + warp(one_way, other_way), motion - motions[:, 2]
        astray = torch.cat([_length(x) for x in missed], 1)
        times = t.expand(-1, 1, *motion.shape[2:])
        half_cost = 10.0 * F.avg_pool2d(cost, 2)
        x = torch.cat([_beside(first_BCHW, second_BCHW), moved, half_cost, motion * 0.1, astray, times], 1)
        x2 = self.enter(x.contiguous(memory_format=torch.channels_last))
        x4 = self.down4(x2)
        x8 = self.down8(x4)
        x = self.up8(self.down16(x8), x8)
        x = self.up2(self.up4(x, x4), x2)
        change = self.coarse(x).float()
        v0, v1 = change[:, :2] - self.trust * motion, change[:, 2:4] + self.trust * motion
        moved = _beside(warp(first_BCHW, _full(t * v0)), warp(second_BCHW, _full((1 - t) * v1)))
        fine = self.again(torch.cat([x, moved.to(x.dtype), change[:, :4].to(x.dtype)], 1)).float()
        chosen = doubled(change[:, 4:]) + self.preferred.view(1, -1, 1, 1)
        chosen = chosen - SHARPNESS * self.sharpness.exp() * torch.cat([cost, cost], 1)
        near = torch.cat([1 - t, t], 1).clamp(0, 1).repeat_interleave(CANDIDATES, 1)
        return Motion(
            _full(v0) + fine[:, :2],
            _full(v1) + fine[:, 2:4],
            others,
            torch.softmax(chosen + near.log(), 1),
            fine[:, 4:],
        )

    @torch.no_grad()
    def settle(self) -> None:
        """A step of the training is done."""
        self.trust.add_(1.0 / SETTLING_STEPS).clamp_(max=1.0)


def blend(first_BCHW: Tensor, second_BCHW: Tensor, motion: Motion, time_B111: Tensor) -> Tensor:
    """The picture at time t, about 0 to 1, at the size of the pictures, which may be larger than the motion's."""
    t = time_B111
    height, width = first_BCHW.shape[2], first_BCHW.shape[3]
    made = torch.zeros_like(first_BCHW)
    for k in range(CANDIDATES):
        v0, v1 = (
            (motion.from_first, motion.from_second) if k == 0 else (-motion.others[:, k - 1], motion.others[:, k - 1])
        )
        of_first, of_second = motion.seen[:, k : k + 1], motion.seen[:, CANDIDATES + k : CANDIDATES + k + 1]
        made = made + _resized(of_first, height, width) * warp(first_BCHW, t * enlarge(v0, height, width))
        made = made + _resized(of_second, height, width) * warp(second_BCHW, (1 - t) * enlarge(v1, height, width))
    unseen = (4 * t * (1 - t)).abs().clamp_max(1.0)
    return made + unseen * _resized(motion.detail, height, width) * (made - smooth(made))


def both_ways(one: Motion, other: Motion) -> Motion:
    """The mean of what was found for the inputs in order and in reverse order (there at 1 - t)."""
    swapped = [0, 1, 2, 4, 3, *range(5, CANDIDATES)]  # the one-sided motions change places
    back = torch.tensor([CANDIDATES + k for k in swapped] + swapped, device=one.seen.device)
    return Motion(
        (one.from_first + other.from_second) / 2,
        (one.from_second + other.from_first) / 2,
        one.others,
        (one.seen + other.seen[:, back]) / 2,
        (one.detail + other.detail) / 2,
    )


def _candidates(there: Tensor, back: Tensor, t: Tensor) -> Tensor:
    """Motions first to second that may hold at a place at time t: (B, K, 2, h, w), the likeliest first."""
    between, second = ((1 - t) * there - t * back).chunk(2, 1)  # Jiang et al. 2018 (Super SloMo), eq. 4, as velocities
    reach = max(NEIGHBOURS)
    height, width = between.shape[2], between.shape[3]
    wide = F.pad(between, (reach,) * 4, mode="replicate")
    around = [
        wide[:, :, reach + y : reach + y + height, reach + x : reach + x + width]
        for far in NEIGHBOURS
        for x, y in ((far, 0), (-far, 0), (0, far), (0, -far))
    ]
    return torch.stack([between, torch.zeros_like(between), second, there[:, :2], -back[:, :2], *around], 1)


@torch.no_grad()
def _agreement(first: Tensor, second: Tensor, motion: Tensor, others: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """How much the moved inputs differ around each pixel, for every candidate (B, K, H, W), and the first's inputs."""
    costs, moved = [], None
    for k in range(CANDIDATES):
        v = motion if k == 0 else others[:, k - 1]
        of_first, of_second = warp(first, -t * v), warp(second, (1 - t) * v)
        moved = _beside(of_first, of_second) if moved is None else moved
        costs.append((of_first - of_second).abs().mean(1, keepdim=True))
    cost = F.avg_pool2d(F.pad(torch.cat(costs, 1), (2, 2, 2, 2), mode="replicate"), 3, 1)
    assert moved is not None
    return F.avg_pool2d(cost, 3, 1), moved


def _beside(first_BCHW: Tensor, second_BCHW: Tensor) -> Tensor:
    """Where two pictures differ, and how rough each is: (B, 12, H / 2, W / 2), in cells of 2 x 2."""
    differ = (first_BCHW - second_BCHW).abs().mean(1, keepdim=True)
    rough = [(x - smooth(x)).abs().mean(1, keepdim=True) for x in (first_BCHW, second_BCHW)]
    cells: Tensor = F.pixel_unshuffle(4 * torch.cat([differ, *rough], 1), 2)
    return cells


def _activation() -> nn.Module:
    return nn.LeakyReLU(0.1)


class _Block(nn.Module):
    """x + conv(act(conv(act(x)))), kernel 3, starting as the identity; leaky, because plain units died here."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        convs = nn.Conv2d(channels, channels, 3, padding=1), zeroed(nn.Conv2d(channels, channels, 3, padding=1))
        self.branch = nn.Sequential(_activation(), convs[0], _activation(), convs[1])

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.add(x_BCHW, self.branch(x_BCHW))


class _Up(nn.Module):
    """Twice the size, beside what was there on the way down."""

    def __init__(self, wide: int, narrow: int) -> None:
        super().__init__()
        self.widen = nn.Sequential(_activation(), nn.Conv2d(wide, 4 * narrow, 1), nn.PixelShuffle(2))
        self.join = nn.Sequential(_activation(), nn.Conv2d(2 * narrow, narrow, 3, padding=1), _Block(narrow))

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        out: Tensor = self.join(torch.cat([self.widen(deep), skip], 1))
        return out


def _start(head: nn.Module) -> None:
    """He's start for the convolutions that do not start at zero: with torch's own, the signal fades in ten layers."""
    for module in head.modules():
        if isinstance(module, nn.Conv2d) and bool(module.weight.any()):
            nn.init.kaiming_normal_(module.weight, 0.1)
            assert module.bias is not None
            nn.init.zeros_(module.bias)


def _full(velocity_half: Tensor) -> Tensor:
    return enlarge(velocity_half, velocity_half.shape[2] * 2, velocity_half.shape[3] * 2)


def _resized(x_BCHW: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x_BCHW, size=(height, width), mode="bilinear", align_corners=False)


def _length(flow_B2HW: Tensor) -> Tensor:
    length: Tensor = flow_B2HW.norm(dim=1, keepdim=True).clamp_max(4.0) * 0.25
    return length
