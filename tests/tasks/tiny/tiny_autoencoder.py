"""A network that trains in milliseconds and has what makes resuming hard: batch statistics, dropout, memory layouts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models._base import VideoModel, from_unit_BCTHW, to_unit_BCTHW
from models._blocks import channels_last


@dataclass(frozen=True)
class Config:
    frames: int = 4
    height_px: int = 8
    width_px: int = 8
    channels: int = 1
    width: int = 4
    plain: bool = False  # nothing that depends on the rest of the batch, nothing random
    blow_up_at: int = 0  # the loss is NaN from this training step on; 0: never


class Model(VideoModel):
    kind = "reconstruct"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        hard = [] if config.plain else [nn.BatchNorm3d(config.width), nn.Dropout(0.2)]
        first, second = (
            nn.Conv3d(config.channels, config.width, 3, (1, 2, 2), 1),
            nn.Conv3d(config.width, config.width, 3, 1, 1),
        )
        self.encode = nn.Sequential(first, *hard, nn.ReLU(), second)  # the second's weight can lie channels last
        self.decode = nn.ConvTranspose3d(config.width, config.channels, (3, 4, 4), (1, 2, 2), 1)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        channels_last(self)

    @property
    def latent_floats(self) -> int:
        c = self.config
        return c.width * c.frames * c.height_px * c.width_px // 4

    def initialise(self, clips_BTHWC: Tensor) -> None:
        self.mean.copy_(to_unit_BCTHW(clips_BTHWC).mean())

    def _answer(self, clip_BTHWC: Tensor) -> Tensor:
        return self.decode(self.encode(to_unit_BCTHW(clip_BTHWC) - self.mean)) + self.mean

    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, dict[str, Tensor]]:
        error = (self._answer(batch["clip"]) - to_unit_BCTHW(batch["clip"])).square().mean()
        self.steps += 1
        if self.config.blow_up_at and int(self.steps) >= self.config.blow_up_at:
            error = error * float("nan")
        return error, {"error": error.detach()}

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        return from_unit_BCTHW(self._answer(clip_BTHWC))
