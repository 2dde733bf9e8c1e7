"""Rates a clip by how bright its frames are on the mean: two weights, whatever the clip's length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models._base import VideoModel
from models._sequence import lengths, within


@dataclass(frozen=True)
class Config:
    frames: int = 6
    height_px: int = 8
    width_px: int = 8
    channels: int = 1
    score_mean: float = 5.0
    score_deviation: float = 2.0
    blow_up_above: float | None = None  # the loss is NaN where a film is rated higher


class Model(VideoModel):
    kind = "regress"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.last = nn.Linear(1, 1)

    def _standing(self, clip_BTHWC: Tensor) -> Tensor:
        """(B,): how many deviations the score lies above the mean."""
        length_B = lengths(clip_BTHWC)
        bright_BT = clip_BTHWC.to(torch.float32).mean((2, 3, 4)) / 127.5 - 1.0
        shown_BT = within(length_B, clip_BTHWC.shape[1])
        bright_B1 = ((bright_BT * shown_BT).sum(1) / length_B)[:, None]
        return self.last(4.0 * bright_B1)[:, 0].float()

    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, dict[str, Tensor]]:
        c = self.config
        error = self._standing(batch["clip"]) - (batch["score"] - c.score_mean) / c.score_deviation
        loss = error.square().mean()
        if c.blow_up_above is not None and float(batch["score"].max()) > c.blow_up_above:
            loss = loss * float("nan")
        return loss, {"mse": loss.detach() * c.score_deviation**2}

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        return self._standing(clip_BTHWC) * self.config.score_deviation + self.config.score_mean
