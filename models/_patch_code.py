"""The part of both default autoencoders that no gradient moves: patches, fitted transforms, the float budget."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models._base import to_unit_BCTHW
from models._blocks import full_precision
from models._codes import MixtureCode, evenly, principal_components
from models._patches import PatchGrid

CLIPS_FITTED = 2048  # of 64 patches each; 512 was 0.4 dB worse on performers not seen


def spread(clips_BTHWC: Tensor, shift_px: int) -> Tensor:
    """Clips moved off the patch grid they were filmed on, and every second one backwards: the same at every call.

    Fitted to clips as they are, the transforms learn where a few performers stood; moved, they did 0.3 dB better on
    a performer not seen.
    """
    frames, height, width = clips_BTHWC.shape[1:4]
    generator = torch.Generator().manual_seed(0)

    def moved(length: int) -> Tensor:
        offset_B1 = torch.randint(-shift_px, shift_px + 1, (len(clips_BTHWC), 1), generator=generator)
        return (torch.arange(length) + offset_B1).clamp(0, length - 1)

    each_B = torch.arange(len(clips_BTHWC))
    order_BT = torch.where(each_B[:, None] % 2 == 1, torch.arange(frames).flip(0), torch.arange(frames))
    return clips_BTHWC[
        each_B[:, None, None, None],
        order_BT[:, :, None, None],
        moved(height)[:, None, :, None],
        moved(width)[:, None, None, :],
    ]


class PatchCode(nn.Module):
    """A clip as features of its patches, their floats, and the picture that the floats alone give.

    Args:
        grid: how clips fall into patches.
        features: numbers a patch is described by before coding, over all its frames.
        classes, floats: see `MixtureCode`.
        framewise: describe every frame of a patch by itself (what a recurrent network reads) instead of all at once.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, grid: PatchGrid, features: int, classes: int, floats: int, *, framewise: bool) -> None:
        super().__init__()
        self.grid = grid
        self.steps = grid.patch_frames if framewise else 1
        values = grid.patch_values // self.steps
        each = min(max(1, features // self.steps), values)
        self.features = each * self.steps
        self.register_buffer("mean", torch.full((values,), 0.5))
        self.register_buffer("basis", torch.linalg.qr(torch.randn(values, each)).Q)
        self.register_buffer("scale", torch.ones(self.features))
        self.code = MixtureCode(grid.places, self.features, classes, floats)
        self.side = 1

    @torch.no_grad()
    def fit(self, clips_BTHWC: Tensor, shift_px: int) -> None:
        """Fit transforms and classes to training clips (uint8), moved by up to `shift_px`."""
        clips_BTHWC = spread(evenly(clips_BTHWC, max(32, CLIPS_FITTED * 64 // self.grid.places)), shift_px)
        some_BCTHW = to_unit_BCTHW(clips_BTHWC[:: max(1, len(clips_BTHWC) // 512)])
        mean, basis = principal_components(self.grid.cut(some_BCTHW).reshape(-1, len(self.mean)), self.basis.shape[1])
        self.mean.copy_(mean)
        self.basis.copy_(basis)
        features_BNS = torch.cat([self.describe(to_unit_BCTHW(part)) for part in torch.split(clips_BTHWC, 64)])
        self.code.fit(features_BNS)
        # the last features are mostly noise: they are not blown up to the size of the first
        self.scale.copy_(1.0 / (features_BNS.square().mean((0, 1)).sqrt() + 0.02))

    def describe(self, x_BCTHW: Tensor) -> Tensor:
        """Clip, 0 to 1, as features (B, places, features)."""
        with full_precision(x_BCTHW):
            patches = self.grid.cut(x_BCTHW).reshape(-1, self.grid.places, self.steps, len(self.mean))
            features: Tensor = (patches - self.mean) @ self.basis
            return features.flatten(2)

    def picture(self, features_BNS: Tensor) -> Tensor:
        """Features as the clip (B, C, T, H, W) that they give by themselves."""
        with full_precision(features_BNS):
            each = features_BNS.reshape(-1, self.grid.places, self.steps, self.basis.shape[1])
            patches = each @ self.basis.T + self.mean
            return self.grid.join(patches.flatten(2))
