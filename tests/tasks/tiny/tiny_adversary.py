"""Two parts against each other, shown the outer frames of a clip; the critic comes late. Both are hard to resume."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._base import VideoModel, from_unit_BCTHW, to_unit_BCTHW


@dataclass(frozen=True)
class Config:
    frames: int = 4
    height_px: int = 8
    width_px: int = 8
    channels: int = 1
    inputs: tuple[int, ...] = (0, 3)
    outputs: tuple[int, ...] = (1, 2)
    width: int = 4
    critic_from: float = 0.6  # of the training
    critic_scale: float = 1.0  # the critic's loss times this
    plain: bool = False  # nothing that depends on the rest of the batch, nothing random


class Model(VideoModel):
    kind = "interpolate"
    parts = ("generator", "discriminator")

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        shown, made, width = len(config.inputs), len(config.outputs), config.width
        hard = [] if config.plain else [nn.BatchNorm3d(width), nn.Dropout(0.2)]
        self.generator = nn.Sequential(
            nn.Conv3d(config.channels, width, (shown, 3, 3), padding=(0, 1, 1)),
            *hard,
            nn.ReLU(),
            nn.ConvTranspose3d(width, config.channels, (made, 3, 3), padding=(0, 1, 1)),
        )
        critic_norm = [] if config.plain else [nn.BatchNorm3d(width)]
        self.discriminator = nn.Sequential(
            nn.Conv3d(config.channels, width, 3, 2, 1), *critic_norm, nn.LeakyReLU(), nn.Conv3d(width, 1, 1)
        )
        self.register_buffer("progress", torch.zeros(()))

    @property
    def inputs(self) -> tuple[int, ...]:
        return self.config.inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        return self.config.outputs

    def active_parts(self, progress: float) -> tuple[str, ...]:
        return ("discriminator", "generator") if progress >= self.config.critic_from else ("generator",)

    def parameters_of(self, part: str) -> Iterator[nn.Parameter]:
        return getattr(self, part).parameters()

    def _made(self, shown_BNHWC: Tensor) -> Tensor:
        return self.generator(to_unit_BCTHW(shown_BNHWC))

    def loss(self, batch: dict[str, Tensor], part: str = "generator") -> tuple[Tensor, dict[str, Tensor]]:
        clip_BTHWC = batch["clip"]
        self.progress.copy_(batch["progress"])
        truth = to_unit_BCTHW(clip_BTHWC[:, list(self.outputs)])
        made = self._made(clip_BTHWC[:, list(self.inputs)])
        if part == "discriminator":
            loss = F.softplus(-self.discriminator(truth)).mean() + F.softplus(self.discriminator(made.detach())).mean()
            return self.config.critic_scale * loss, {"judged": loss.detach()}
        error = (made - truth).square().mean()
        found = {"error": error.detach()}
        if float(batch["progress"]) < self.config.critic_from:
            return error, found
        return error + 0.01 * F.softplus(-self.discriminator(made)).mean(), found

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        return from_unit_BCTHW(self._made(clip_BTHWC))
