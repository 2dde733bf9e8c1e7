"""Classical optical flow inside a network: block matching, Lucas-Kanade, a variational end. Nothing in it is learned.

OpenCV's DIS cannot travel inside an exported model, so this stands in for it, in torch: a search that finds large
motions of small things, gradient steps that make them exact, and an energy that keeps the edges of motion sharp. Flows
are (B, 2, H, W), in pixels, x first: what stands at p in the first image stands at p + flow(p) in the second.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models._blocks import full_precision

REACH = 8  # pixels of the coarse level (a quarter of the size): 32 pixels
SHORT_FIRST = 2e-3  # grey levels (0 to 1) that a displacement must save for each pixel of its length
STEPS = 3  # of Lucas-Kanade, on the coarse level
WINDOW = 2  # radius of the windows
ROBUST = 0.04  # grey levels from which a pixel counts as another surface
STAY = 1e-4  # pull towards the neighbours' motion, where nothing is seen to move
LONGEST_STEP = 1.5
# Brox et al. 2004 with the weights of OpenCV's refinement for grey levels of 0 to 255, but half its smoothness.
SMOOTHNESS, BRIGHTNESS, GRADIENT = 10.0, 5.0, 10.0
WARPS, REWEIGHTED, JACOBI = 3, 2, 8
SOFT = 1e-3


def warp(image_BCHW: Tensor, flow_B2HW: Tensor) -> Tensor:
    """Read `image` at p + flow(p), bilinear, the edge repeated: the backward warp."""
    height, width = image_BCHW.shape[2], image_BCHW.shape[3]
    y = torch.arange(height, dtype=torch.float32, device=image_BCHW.device)[:, None]
    x = torch.arange(width, dtype=torch.float32, device=image_BCHW.device)[None, :]
    across = (flow_B2HW[:, 0] + x) * (2.0 / (width - 1)) - 1.0
    down = (flow_B2HW[:, 1] + y) * (2.0 / (height - 1)) - 1.0
    where = torch.stack([across, down], -1)
    return F.grid_sample(image_BCHW, where, mode="bilinear", padding_mode="border", align_corners=True)


def smooth(x: Tensor) -> Tensor:
    """Binomial, 5 x 5."""
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=x.device) / 16.0
    kernel = (row[:, None] * row[None, :]).expand(x.shape[1], 1, 5, 5)
    with full_precision(x):  # what is left of x without it is small
        return F.conv2d(_pad(x.float(), 2), kernel, groups=x.shape[1])


def enlarge(flow_B2HW: Tensor, height: int, width: int) -> Tensor:
    """A flow at another size: its vectors grow with the picture."""
    rows, columns = flow_B2HW.shape[2], flow_B2HW.shape[3]
    larger = F.interpolate(flow_B2HW, size=(height, width), mode="bilinear", align_corners=False)
    return torch.cat([larger[:, :1] * (width / columns), larger[:, 1:] * (height / rows)], 1)


@torch.no_grad()
def classical_flow(first_BCHW: Tensor, second_BCHW: Tensor) -> Tensor:
    """Two flows from the first image to the second, at half their size and in its pixels: (B, 2 x 2, H / 2, W / 2).

    The first goes through Lucas-Kanade and is the better one where little moves; the second, straight from the search
    to the energy, where things move far.

    Args:
        first_BCHW, second_BCHW: 0 to 1, C of 1 or 3, height and width multiples of 4.
    """
    half = [F.avg_pool2d(_gray(x), 2) for x in (first_BCHW.float(), second_BCHW.float())]
    quarter = [F.avg_pool2d(x, 2) for x in half]
    height, width = half[0].shape[2], half[0].shape[3]
    found = _median(_search(*(_search_terms(x) for x in quarter)))
    exact = _median(_lucas_kanade(smooth(quarter[0]), smooth(quarter[1]), found))
    both = torch.cat([exact, found])
    quarter, half = ([x.repeat(2, 1, 1, 1) for x in level] for level in (quarter, half))
    both = enlarge(_variational(quarter[0], quarter[1], both), height, width)
    both = _variational(half[0], half[1], both).reshape(2, -1, 2, height, width)  # not chunk: a trace fixes the batch
    return both.transpose(0, 1).flatten(1, 2)


def _gray(x_BCHW: Tensor) -> Tensor:
    if x_BCHW.shape[1] == 1:
        return x_BCHW
    return 0.299 * x_BCHW[:, :1] + 0.587 * x_BCHW[:, 1:2] + 0.114 * x_BCHW[:, 2:]


def _pad(x: Tensor, by: int) -> Tensor:
    return F.pad(x, (by, by, by, by), mode="replicate")


def _box(x: Tensor, radius: int) -> Tensor:
    return F.avg_pool2d(_pad(x, radius), 2 * radius + 1, 1)


def _gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    p = _pad(x, 1)
    return (p[:, :, 1:-1, 2:] - p[:, :, 1:-1, :-2]) / 2, (p[:, :, 2:, 1:-1] - p[:, :, :-2, 1:-1]) / 2


def _median(flow_B2HW: Tensor) -> Tensor:
    """Of 3 x 3 neighbours, each component by itself."""
    p = _pad(flow_B2HW, 1)
    height, width = flow_B2HW.shape[2], flow_B2HW.shape[3]
    around = [p[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return torch.stack(around).median(0).values


def _search_terms(x_B1HW: Tensor) -> Tensor:
    """What windows are compared by: the image without its local mean, and its two gradients."""
    across, down = _gradients(x_B1HW)
    return torch.cat([x_B1HW - 0.7 * _box(x_B1HW, 3), 2 * across, 2 * down], 1)


def _search(first: Tensor, second: Tensor) -> Tensor:
    """The displacement of up to `REACH` pixels along each axis that explains a window best: whole pixels."""
    height, width = first.shape[2], first.shape[3]
    places = _pad(second, REACH).unfold(2, height, 1).unfold(3, width, 1)  # B C n n H W: views, no copies
    cost = (places - first[:, :, None, None]).abs().mean(1).flatten(1, 2)
    along = torch.arange(-REACH, REACH + 1, dtype=torch.float32, device=first.device)
    moves = torch.stack([along[None, :].expand(len(along), -1), along[:, None].expand(-1, len(along))], -1).flatten(
        0, 1
    )
    cost = smooth(_box(cost + SHORT_FIRST * moves.norm(dim=1)[:, None, None], 1))
    return moves[cost.argmin(1)].permute(0, 3, 1, 2)


def _lucas_kanade(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """Gauss-Newton on windows, robust against pixels of another surface and against a change of brightness."""
    across0, down0 = _gradients(first)
    for _ in range(STEPS):
        moved = warp(second, flow)
        across1, down1 = _gradients(moved)
        gx, gy = (across0 + across1) / 2, (down0 + down1) / 2
        change = moved - first
        change = change - _box(change, 3)
        trust = 1.0 / (1.0 + (change / ROBUST).square())
        rest = change - gx * flow[:, :1] - gy * flow[:, 1:]
        sums = torch.cat([trust * s for s in (gx * gx, gx * gy, gy * gy, gx * rest, gy * rest)], 1)
        xx, xy, yy, xr, yr = smooth(_box(sums, WINDOW)).chunk(5, 1)
        around = smooth(_box(flow, 1))
        xx, yy = xx + STAY, yy + STAY
        right_x, right_y = STAY * around[:, :1] - xr, STAY * around[:, 1:] - yr
        determinant = xx * yy - xy * xy
        found = torch.cat([yy * right_x - xy * right_y, xx * right_y - xy * right_x], 1) / determinant
        step = found - flow
        flow = flow + step * (LONGEST_STEP / step.norm(dim=1, keepdim=True).clamp_min(LONGEST_STEP))
    return flow


def _variational(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """Minimise differences of brightness and of gradient plus the roughness of the flow, all robust (Brox et al. 2004).

    Differences are normalised by the gradients they are seen through (Zimmer et al. 2011). The robust weights are held
    while the linear system is solved, by Jacobi steps, so that all pixels go at once.
    """
    first, second = 255.0 * first, 255.0 * second
    across0, down0 = _gradients(first)
    weights = torch.tensor([BRIGHTNESS, GRADIENT, GRADIENT], device=first.device).view(1, 3, 1, 1)
    for _ in range(WARPS):
        moved = warp(second, flow)
        across1, down1 = _gradients(moved)
        gx, gy = (across0 + across1) / 2, (down0 + down1) / 2
        gxx, gxy = _gradients(gx)
        x, y = torch.cat([gx, gxx, gxy], 1), torch.cat([gy, gxy, _gradients(gy)[1]], 1)
        difference = torch.cat([moved - first, across1 - across0, down1 - down0], 1)
        scale = (x * x + y * y + 0.01).rsqrt()
        x, y, difference = x * scale, y * scale, difference * scale
        change = torch.zeros_like(flow)
        for _ in range(REWEIGHTED):
            rest = difference + x * change[:, :1] + y * change[:, 1:]
            trust = weights * (rest.square() + SOFT**2).rsqrt()
            change = _jacobi(trust, x, y, difference, flow, change)
        flow = flow + change
    return flow


def _jacobi(trust: Tensor, x: Tensor, y: Tensor, difference: Tensor, flow: Tensor, change: Tensor) -> Tensor:
    """The change of the flow that the weighted linear terms and the flow's smoothness agree on, from `change` on."""
    steep_x, steep_y = _gradients(flow + change)
    stiff = _pad(SMOOTHNESS * ((steep_x.square() + steep_y.square()).sum(1, keepdim=True) + SOFT**2).rsqrt(), 1)
    pulls = [(stiff[:, :, 1:-1, 1:-1] + there) / 2 for there in _neighbours(stiff)]
    total = pulls[0] + pulls[1] + pulls[2] + pulls[3]
    xx, xy, yy = ((trust * p * q).sum(1, keepdim=True) for p, q in ((x, x), (x, y), (y, y)))
    right = torch.cat([-(trust * p * difference).sum(1, keepdim=True) for p in (x, y)], 1) - total * flow
    xx, yy = xx + total, yy + total
    inverse = 1.0 / (xx * yy - xy * xy)
    for _ in range(JACOBI):
        around = _neighbours(_pad(flow + change, 1))
        b = right + pulls[0] * around[0] + pulls[1] * around[1] + pulls[2] * around[2] + pulls[3] * around[3]
        change = torch.cat([yy * b[:, :1] - xy * b[:, 1:], xx * b[:, 1:] - xy * b[:, :1]], 1) * inverse
    return change


def _neighbours(padded: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return padded[:, :, 1:-1, 2:], padded[:, :, 1:-1, :-2], padded[:, :, 2:, 1:-1], padded[:, :, :-2, 1:-1]
