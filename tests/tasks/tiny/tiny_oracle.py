"""Reads its answers off the picture: a classifier whose probabilities and descriptors stand in a clip's first frame.

Row 0 holds the probabilities of the classes, in any unit; row 1 the descriptor, in 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models._base import VideoModel, to_unit_BCTHW


@dataclass(frozen=True)
class Config:
    frames: int = 4
    height_px: int = 8
    width_px: int = 8
    channels: int = 1
    classes: int = 3


class Model(VideoModel):
    kind = "classify"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.unused = nn.Parameter(torch.zeros(1))

    def _row(self, unit_BCTHW: Tensor, row: int) -> Tensor:
        return unit_BCTHW[:, 0, 0, row]

    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, dict[str, Tensor]]:
        return self.unused.sum(), {}

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        marks_BK = self._row(to_unit_BCTHW(clip_BTHWC), 0)[:, : self.config.classes]
        return marks_BK / marks_BK.sum(1, keepdim=True)

    def describe(self, clip_BTHWC: Tensor) -> Tensor:
        return self._row(to_unit_BCTHW(clip_BTHWC), 1)

    def logits(self, unit_BCTHW: Tensor) -> Tensor:
        return self._row(unit_BCTHW, 0)[:, : self.config.classes].log()
