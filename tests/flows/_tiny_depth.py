"""A classifier in one layer whose kernels have a depth, and whose loss is not a number at depth 7. The training of a
depth ends as for want of memory where the environment says so."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._base import VideoModel, to_unit_BCTHW


@dataclass(frozen=True)
class Config:
    frames: int = 4
    height_px: int = 8
    width_px: int = 8
    channels: int = 1
    classes: int = 2
    kernel_depth: int | str = 3


class Model(VideoModel):
    kind = "classify"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        depth = int(config.kernel_depth)
        self.see = nn.Conv3d(config.channels, 4, (depth, 3, 3), 2, (depth // 2, 1, 1))
        self.last = nn.Linear(4, config.classes)

    def _scores(self, clip_BTHWC: Tensor) -> Tensor:
        return self.last(F.relu(self.see(to_unit_BCTHW(clip_BTHWC))).mean((2, 3, 4)))

    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, dict[str, Tensor]]:
        if os.environ.get("TINY_DEPTH_KILLED") == str(self.config.kernel_depth):
            os.kill(os.getpid(), signal.SIGKILL)
        loss = F.cross_entropy(self._scores(batch["clip"]), batch["label"])
        return loss * float("nan") if self.config.kernel_depth == 7 else loss, {}

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        return torch.softmax(self._scores(clip_BTHWC), 1)
