"""Moves what it sees: a network that finds one flow at its working size and renders any time at any size.

Small, but with what makes an export hard: pictures and times of any number, a grid sampled at the picture's own size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models._base import VideoModel, from_unit_BCTHW, to_unit_BCTHW


@dataclass(frozen=True)
class Config:
    frames: int = 7
    height_px: int = 8
    width_px: int = 8
    channels: int = 3
    inputs: tuple[int, ...] = (0, 6)
    outputs: tuple[int, ...] = (1, 2, 3, 4, 5)


class Model(VideoModel):
    kind = "interpolate"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.flow = nn.Conv2d(2 * config.channels, 4, 3, padding=1)  # two flows, in shares of the picture's half

    @property
    def inputs(self) -> tuple[int, ...]:
        return self.config.inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        return self.config.outputs

    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, dict[str, Tensor]]:
        clip_BTHWC = batch["clip"]
        answer, truth = self.predict(clip_BTHWC[:, list(self.inputs)]), clip_BTHWC[:, list(self.outputs)]
        error = (answer - truth.to(torch.float32) / 255.0).square().mean()
        return error, {"error": error.detach()}

    def render(self, frames_BNHWC: Tensor, times_M: Tensor) -> Tensor:
        """uint8 (B, 2, H, W, C) and float32 (M,) to float32 (B, M, H, W, C): each input moved, then blended by time."""
        unit = to_unit_BCTHW(frames_BNHWC)
        first, second = unit[:, :, 0], unit[:, :, 1]
        height, width = first.shape[2], first.shape[3]
        small = functional.interpolate(
            torch.cat([first, second], 1), (self.config.height_px, self.config.width_px), mode="area"
        )
        flow = functional.interpolate(0.2 * torch.tanh(self.flow(small)), (height, width), mode="bilinear")
        y, x = ((2 * torch.arange(size) + 1) / size - 1 for size in (height, width))  # linspace would fix the size
        grid = torch.stack([x[None, :].expand(height, width), y[:, None].expand(height, width)], -1)[None, None]
        t = times_M[None, :, None, None, None]
        moved = [
            _sample(picture, grid + share * part.permute(0, 2, 3, 1)[:, None])
            for picture, share, part in ((first, t, flow[:, :2]), (second, 1 - t, flow[:, 2:]))
        ]
        return from_unit_BCTHW(((1 - t) * moved[0] + t * moved[1]).transpose(1, 2))

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        a, b = self.inputs
        times = torch.tensor([(place - a) / (b - a) for place in self.outputs])
        return self.render(clip_BTHWC, times)


def _sample(picture_BCHW: Tensor, grid_BMHW2: Tensor) -> Tensor:
    """The picture at M grids: (B, M, C, H, W)."""
    b, m, h, w, _ = grid_BMHW2.shape
    flat = functional.grid_sample(
        picture_BCHW, grid_BMHW2.reshape(b, m * h, w, 2), padding_mode="border", align_corners=False
    )
    return flat.reshape(b, -1, m, h, w).transpose(1, 2)
