"""Tells which way a texture slides by trying the four ways; with kernel depth 1 it sees one frame and cannot."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._base import VideoModel, to_unit_BCTHW

WAYS = ((1, 0), (0, -1), (0, 1), (-1, 0))  # rows down, columns to the right: down, left, right, up


@dataclass(frozen=True)
class Config:
    frames: int = 8
    height_px: int = 32
    width_px: int = 32
    channels: int = 1
    classes: int = 4
    kernel_depth: int = 3


class Model(VideoModel):
    kind = "classify"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.sharpness = nn.Parameter(torch.tensor(60.0))

    def logits(self, unit_BCTHW: Tensor) -> Tensor:
        if self.config.kernel_depth == 1:
            return 20.0 * F.adaptive_avg_pool3d(unit_BCTHW[:, :1], (1, 2, 2)).flatten(1)
        before, after = unit_BCTHW[:, :, :-1], unit_BCTHW[:, :, 1:]
        misses = [(after - torch.roll(before, way, (3, 4))).square().mean((1, 2, 3, 4)) for way in WAYS]
        return -self.sharpness * torch.stack(misses, 1)

    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, dict[str, Tensor]]:
        return F.cross_entropy(self.logits(to_unit_BCTHW(batch["clip"])), batch["label"]), {}

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        return self.logits(to_unit_BCTHW(clip_BTHWC)).softmax(1)

    def describe(self, clip_BTHWC: Tensor) -> Tensor:
        unit_BCTHW = to_unit_BCTHW(clip_BTHWC)
        frame = F.adaptive_avg_pool3d(unit_BCTHW, (1, 4, 4)).flatten(1)
        return torch.cat([self.logits(unit_BCTHW).softmax(1), 0.3 * frame], 1)
