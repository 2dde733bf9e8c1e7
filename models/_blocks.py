"""Parts that several architectures share."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", nn.Conv2d, nn.Conv3d, nn.Linear)


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """Float32 inside an autocast region: bf16 keeps 8 bits, a linear transform of pixels needs more."""
    device = like.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def zeroed(layer: M) -> M:
    """The same layer, its output zero until training moves it: a branch that starts as no change."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def channels_last(module: nn.Module) -> None:
    """Lay out the weights of 2-D and 3-D convolutions channels last (`Module.to` takes only one of the two kinds)."""
    for parameter in module.parameters():
        if parameter.dim() in (4, 5):
            layout = torch.channels_last if parameter.dim() == 4 else torch.channels_last_3d
            parameter.data = parameter.data.contiguous(memory_format=layout)


class Residual2d(nn.Module):
    """x + conv(relu(conv(relu(x)))), kernel 3, starting as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            zeroed(nn.Conv2d(channels, channels, 3, padding=1)),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return torch.add(x_BCHW, self.branch(x_BCHW))


class Residual3d(nn.Module):
    """The same over frames, rows and columns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReLU(),
            nn.Conv3d(channels, channels, 3, padding=1),
            nn.ReLU(),
            zeroed(nn.Conv3d(channels, channels, 3, padding=1)),
        )

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same."""
        return torch.add(x_BCTHW, self.branch(x_BCTHW))


def to_article_BCTHW(clip_BTHWC: Tensor) -> Tensor:
    """uint8 (B, T, H, W, C) as the articles feed it: float32 (B, C, T, H, W), -1 to 1."""
    return clip_BTHWC.permute(0, 4, 1, 2, 3).float() / 127.5 - 1.0


class Gru(nn.Module):
    """One GRU layer over (B, T, features), from a zero state; `both_ways` runs a second one backwards.

    Weights and arithmetic are `torch.nn.GRU`'s; that module rebuilds a list of its weights when they are replaced,
    which `torch.export` warns about.
    """

    def __init__(self, features: int, state: int, *, both_ways: bool = False) -> None:
        super().__init__()
        self.state, self.both_ways = state, both_ways
        self.weights = nn.ParameterList(nn.GRU(features, state, bidirectional=both_ways).parameters())

    def forward(self, x_BTS: Tensor) -> Tensor:
        """(B, T, features) to (B, T, state), or twice as many states both ways."""
        start = x_BTS.new_zeros(2 if self.both_ways else 1, x_BTS.shape[0], self.state)
        out: Tensor = torch.gru(x_BTS, start, list(self.weights), True, 1, 0.0, False, self.both_ways, True)[0]
        return out


class Lstm(nn.Module):
    """One LSTM layer over (B, T, features), from a zero state; `torch.nn.LSTM` as `Gru` is `torch.nn.GRU`."""

    def __init__(self, features: int, state: int) -> None:
        super().__init__()
        self.state = state
        self.weights = nn.ParameterList(nn.LSTM(features, state).parameters())

    def forward(self, x_BTS: Tensor) -> Tensor:
        """(B, T, features) to (B, T, state)."""
        start = x_BTS.new_zeros(1, x_BTS.shape[0], self.state)
        out: Tensor = torch.lstm(x_BTS, [start, start], list(self.weights), True, 1, 0.0, False, False, True)[0]
        return out
