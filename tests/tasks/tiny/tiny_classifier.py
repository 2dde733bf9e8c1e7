"""Tells clips apart by what moves: a classifier with a descriptor, a crop, and what makes resuming hard."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._base import VideoModel, to_unit_BCTHW
from models._blocks import channels_last


@dataclass(frozen=True)
class Config:
    frames: int = 4
    height_px: int = 8
    width_px: int = 8
    channels: int = 1
    classes: int = 2
    crop_height_px: int | None = None  # None: the whole frame
    crop_width_px: int | None = None
    width: int = 8
    descriptor: int = 6
    plain: bool = False  # nothing that depends on the rest of the batch, nothing random


class Model(VideoModel):
    kind = "classify"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        norm: list[nn.Module] = [] if config.plain else [nn.BatchNorm3d(config.width)]
        self.see = nn.Sequential(
            nn.Conv3d(config.channels, config.width, 3, (1, 2, 2), 1),
            *norm,
            nn.ReLU(),
            nn.Conv3d(config.width, config.width, 3, 1, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool3d(1),
            nn.Flatten(),
        )
        self.fc6 = nn.Linear(config.width, config.descriptor)
        self.drop = nn.Dropout(0.0 if config.plain else 0.2)
        self.last = nn.Linear(config.descriptor, config.classes)
        channels_last(self)

    def _fc6(self, clip_BTHWC: Tensor) -> Tensor:
        """Of the centre of whole frames, or of clips that are cropped already."""
        c, (_, _, height, width, _) = self.config, clip_BTHWC.shape
        crop_height, crop_width = c.crop_height_px or c.height_px, c.crop_width_px or c.width_px
        top, left = (height - crop_height) // 2, (width - crop_width) // 2
        seen = clip_BTHWC[:, :, top : top + crop_height, left : left + crop_width]
        return F.relu(self.fc6(self.see(4.0 * to_unit_BCTHW(seen) - 2.0)))

    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, dict[str, Tensor]]:
        scores = self.last(self.drop(self._fc6(batch["clip"])))
        right = (scores.argmax(1) == batch["label"]).float().mean()
        return F.cross_entropy(scores, batch["label"]), {"accuracy": right}

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        return torch.softmax(self.last(self._fc6(clip_BTHWC)).float(), 1)

    def describe(self, clip_BTHWC: Tensor) -> Tensor:
        return self._fc6(clip_BTHWC).float()
