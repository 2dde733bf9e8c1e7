"""C3D: 3 x 3 x 3 convolutions over clips, a descriptor, classes (Tran et al. 2015, "Learning Spatiotemporal Features
with 3D Convolutional Networks").

    clip 3 x 16 x 112 x 112
    conv1    64   pool 1 x 2 x 2   8 convolutions, each followed by ReLU; the first pool leaves time alone
    conv2   128   pool 2 x 2 x 2
    conv3ab 256   pool 2 x 2 x 2
    conv4ab 512   pool 2 x 2 x 2
    conv5ab 512   pool 2 x 2 x 2   512 x 1 x 4 x 4
    fc6    4096                    the descriptor
    fc7    4096
    fc8 classes   softmax
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._base import VideoModel, check_variant, to_unit_BCTHW
from models._blocks import channels_last
from models._convolution import Convolution, MaxPool
from models._losses import Scalars

CHANNELS = (1, 2, 4, 8, 8)  # of each block, times `base_channels`
CONVOLUTIONS = (1, 1, 2, 2, 2)  # in each block
KERNEL_DEPTHS = {"increasing": (3, 3, 5, 5, 7), "decreasing": (7, 5, 5, 3, 3)}  # section 3.2 of the paper
BASE_CHANNELS = {"paper": 64, "default": 16}
FEATURES = {"paper": 4096, "default": 256}


@dataclass(frozen=True)
class Config:
    """Settings. The defaults are the paper's own: 79,991,015 parameters.

    Attributes:
        variant: ``paper``; or ``default``: narrower, with batch normalisation.
        frames: a multiple of 16.
        height_px, width_px: of the frames as stored.
        crop_height_px, crop_width_px: what the network sees of them: the centre, or in training whatever part
            `training.augment.crop_*` cuts out; at least 16. None: the whole frame.
        channels: 1 (gray) or 3 (RGB).
        classes: 2 or more.
        base_channels: of the first convolution. None: 64, or 16 for the default variant.
        features: length of fc6, the descriptor, and of fc7. None: 4096, or 256 for the default variant.
        kernel_depth: of all convolutions along time: 1 (one frame; time is only pooled), 3, 5 or 7; or ``increasing``
            (3-3-5-5-7 over the five blocks) or ``decreasing`` (7-5-5-3-3).
        dropout: after fc6 and fc7, 0 to below 1.
    """

    variant: Literal["paper", "default"] = "paper"
    frames: int = 16
    height_px: int = 128
    width_px: int = 171
    crop_height_px: int | None = 112
    crop_width_px: int | None = 112
    channels: int = 3
    classes: int = 487
    base_channels: int | None = None
    features: int | None = None
    kernel_depth: int | str = 3
    dropout: float = 0.5


class Model(VideoModel):
    """See `Config`. Raises ValueError for settings that make no network."""

    kind = "classify"
    mean: Tensor  # (channels,)
    deviation: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        check_variant(config.variant, "paper")
        depths = _check(config)
        self.config = config
        self.crop = (config.crop_height_px or config.height_px, config.crop_width_px or config.width_px)
        base = config.base_channels or BASE_CHANNELS[config.variant]
        features = config.features or FEATURES[config.variant]
        self.register_buffer("mean", torch.full((config.channels,), 0.5))
        self.register_buffer("deviation", torch.full((config.channels,), 0.25))
        layers: list[nn.Module] = []
        inside, side = config.channels, self.crop
        for block, (times, count, depth) in enumerate(zip(CHANNELS, CONVOLUTIONS, depths, strict=True)):
            for last in (*(count - 1) * [False], True):
                layers += _convolution(inside, base * times, depth, normalised=config.variant == "default")
                inside = base * times
                if not last:
                    layers.append(nn.ReLU(inplace=True))
            pad = (side[0] % 2, side[1] % 2) if block == 4 else (0, 0)
            layers += [MaxPool((1 if block == 0 else 2, 2, 2), padding=(0, *pad)), nn.ReLU(inplace=True)]
            side = ((side[0] + 2 * pad[0]) // 2, (side[1] + 2 * pad[1]) // 2)
        self.layers = nn.Sequential(*layers)
        self.fc6 = _linear(inside * (config.frames // 16) * side[0] * side[1], features)
        self.fc7 = _linear(features, features)
        self.fc8 = nn.Linear(features, config.classes)
        nn.init.normal_(self.fc8.weight, std=0.01)
        nn.init.zeros_(self.fc8.bias)
        channels_last(self)

    def initialise(self, clips_BTHWC: Tensor) -> None:
        """Mean and standard deviation of the training clips, for each channel; they are subtracted and divided by."""
        sums = torch.zeros(2, clips_BTHWC.shape[4], dtype=torch.float64)
        for clip_THWC in clips_BTHWC:  # one at a time: as floats, all of them would fill the memory
            values_NC = clip_THWC.flatten(0, 2).double() / 255.0
            sums += torch.stack([values_NC.mean(0), values_NC.square().mean(0)]) / len(clips_BTHWC)
        self.mean.copy_(sums[0])
        self.deviation.copy_((sums[1] - sums[0].square()).clamp_min(255.0**-2).sqrt())

    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, Scalars]:
        """Cross-entropy, and the share of the clips whose likeliest class is the true one."""
        logits_BK = self.logits(to_unit_BCTHW(batch["clip"]))
        right = (logits_BK.detach().argmax(1) == batch["label"]).float().mean()
        return F.cross_entropy(logits_BK, batch["label"]), {"accuracy": right}

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        """uint8 (B, T, H, W, C) to float32 (B, classes): probabilities."""
        return self.logits(to_unit_BCTHW(clip_BTHWC)).softmax(1)

    def describe(self, clip_BTHWC: Tensor) -> Tensor:
        """uint8 (B, T, H, W, C) to float32 (B, features), 0 or more: the activations of fc6."""
        return self.fc6_of(to_unit_BCTHW(clip_BTHWC)).float()

    def answer_and_describe(self, clip_BTHWC: Tensor) -> tuple[Tensor, Tensor]:
        """What `predict` and `describe` return, for one pass through the convolutions."""
        features_BF = self.fc6_of(to_unit_BCTHW(clip_BTHWC))
        return self._logits_of(features_BF).softmax(1), features_BF.float()

    def logits(self, unit_BCTHW: Tensor) -> Tensor:
        """float (B, C, T, H, W), 0 to 1, of the stored size or of the crop's, to float32 (B, classes)."""
        return self._logits_of(self.fc6_of(unit_BCTHW))

    def _logits_of(self, fc6_BF: Tensor) -> Tensor:
        features_BF = F.dropout(fc6_BF, self.config.dropout, self.training)
        features_BF = F.dropout(F.relu(self.fc7(features_BF)), self.config.dropout, self.training)
        logits_BK: Tensor = self.fc8(features_BF)
        return logits_BK.float()

    def fc6_of(self, unit_BCTHW: Tensor) -> Tensor:
        """The activations of fc6."""
        height, width = self.crop
        top, left = (unit_BCTHW.shape[3] - height) // 2, (unit_BCTHW.shape[4] - width) // 2
        x_BCTHW = unit_BCTHW[:, :, :, top : top + height, left : left + width]
        x_BCTHW = (x_BCTHW - self.mean[:, None, None, None]) / self.deviation[:, None, None, None]
        x_BCTHW = self.layers(x_BCTHW.contiguous(memory_format=torch.channels_last_3d))
        return F.relu(self.fc6(x_BCTHW.flatten(1)))


def _convolution(inside: int, outside: int, depth: int, *, normalised: bool) -> list[nn.Module]:
    conv = Convolution(inside, outside, depth, bias=not normalised)  # the normalisation has a bias of its own
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    if conv.bias is None:
        return [conv, nn.BatchNorm3d(outside)]
    nn.init.zeros_(conv.bias)
    return [conv]


def _linear(inside: int, outside: int) -> nn.Linear:
    layer = nn.Linear(inside, outside)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def _check(c: Config) -> tuple[int, ...]:
    """Refuse settings that make no network; the kernel depth of each block."""
    if c.frames < 16 or c.frames % 16:
        raise ValueError(f"frames is {c.frames}; c3d needs a multiple of 16 (time is halved four times)")
    if c.channels not in (1, 3):
        raise ValueError(f"channels is {c.channels}; it must be 1 (gray) or 3 (RGB)")
    if c.classes < 2:
        raise ValueError(f"classes is {c.classes}; a classifier needs two or more")
    if not 0.0 <= c.dropout < 1.0 or math.isnan(c.dropout):
        raise ValueError(f"dropout is {c.dropout}; it must be 0 to below 1")
    for name, whole in (("height", c.height_px), ("width", c.width_px)):
        crop = getattr(c, f"crop_{name}_px")
        if not 16 <= (whole if crop is None else crop) <= whole:
            raise ValueError(
                f"crop_{name}_px is {crop} for frames of {whole} px; it must be 16 to {whole}, or null for all of it"
            )
    for name in ("base_channels", "features"):
        if (value := getattr(c, name)) is not None and value < 1:
            raise ValueError(f"{name} is {value}; it must be 1 or more, or null for the variant's own")
    if c.kernel_depth in (1, 3, 5, 7) and not isinstance(c.kernel_depth, bool):
        return (int(c.kernel_depth),) * len(CHANNELS)
    if c.kernel_depth not in KERNEL_DEPTHS:
        raise ValueError(f"kernel_depth is {c.kernel_depth!r}; it must be 1, 3, 5, 7, 'increasing' or 'decreasing'")
    return KERNEL_DEPTHS[str(c.kernel_depth)]
