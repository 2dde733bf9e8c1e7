"""LRCN: a CNN over every frame, an LSTM over its answers, one number: a film's rating from a subclip of its trailer
(after Donahue et al. 2015, "Long-term Recurrent Convolutional Networks").

    article                         default
    frame 3 x 224 x 224             frame                      frame and the one before, gray, about 36 px
    conv 5x5 10, ReLU, BN, pool 2   conv 3x3 / 2  8, ReLU      correlation, shifts of up to 6 px: four numbers
    conv 3x3 20, dropout, ReLU,     conv 3x3 / 2  4, ReLU      mean and deviation of the frame: two
             BN, pool 2             mean over the frame, BN    BN
    linear 6000, 500, 15                  |__ dropout, linear 16, ReLU __|
    LSTM 64, its last output                  LSTM 32, the mean of its outputs
    linear 1                                  linear 1, in deviations of the training scores from their mean

How fast a film is cut and how the camera moves stand between frames. A CNN over single frames leaves it to the LSTM to
find that out from a hundred films; the correlation (as in Fischer et al. 2015, "FlowNet") says it outright. What single
frames look like tells so few films apart by heart, so little of it is let through; `widths` is for who has thousands.

All frames of a batch go through the CNN at once. Frames that only fill up a shorter clip (`models._sequence`) do not:
in training they would move the batch normalisation, and afterwards nothing that they leave is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._base import VideoModel, check_variant
from models._blocks import Lstm, channels_last, full_precision
from models._correlation import SUMMED_UP, likeness, summed_up
from models._losses import Scalars
from models._sequence import lengths, within

Loss = Literal["mse", "mae", "smooth_mae"]
CORRELATED_PX = 36  # of the shorter side, about: pictures are halved, taken by thirds, ... until it has them
DESCRIBED = 16  # floats about a frame
LUMA = (0.299, 0.587, 0.114)  # BT.601
LOSSES = {"mse": F.mse_loss, "mae": F.l1_loss, "smooth_mae": F.smooth_l1_loss}


@dataclass(frozen=True)
class Config:
    """Settings. The defaults are the article's own: 379,357,456 parameters, 376,326,000 of them in one layer.

    Attributes:
        variant: ``article`` or ``default``.
        frames: of the longest clip.
        height_px, width_px: at least 16; ``article``: multiples of 4.
        channels: 1 (gray) or 3 (RGB).
        score_mean, score_deviation: of the training clips' scores; the article's network is not told.
        loss: ``mse``; ``mae``; ``smooth_mae``: quadratic below a point, linear above.
        hidden: floats of the LSTM's state. None: 64, or 32 for the default variant.
        features: ``article``: lengths of the linear layers over a frame.
        widths: ``default``: channels of the convolutions.
        reach_px: ``default``: shifts that are correlated, in pixels of the smaller pictures.
        dropout: ``article``: of whole maps, after the second convolution; ``default``: of all that is told of a frame.
    """

    variant: Literal["article", "default"] = "article"
    frames: int = 16
    height_px: int = 224
    width_px: int = 224
    channels: int = 3
    score_mean: float = 5.0
    score_deviation: float = 1.0
    loss: Loss = "mse"
    hidden: int | None = None
    features: tuple[int, ...] = (6000, 500, 15)
    widths: tuple[int, ...] = (8, 4)
    reach_px: int = 6
    dropout: float = 0.2


class Model(VideoModel):
    """See `Config`. Raises ValueError for settings that make no network."""

    kind = "regress"

    def __init__(self, config: Config) -> None:
        super().__init__()
        check_variant(config.variant)
        _check(config)
        self.config = config
        article = config.variant == "article"
        self.see: nn.Module = _Article(config) if article else _Default(config)
        hidden = config.hidden or (64 if article else 32)
        self.remember = Lstm(config.features[-1] if article else DESCRIBED, hidden)
        self.judge = nn.Linear(hidden, 1)
        channels_last(self)

    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, Scalars]:
        """The setting `loss`, in points of the ratings (``default``: in deviations), and the mean absolute error."""
        score_B = self.scores(batch["clip"], masked=True)
        truth_B = batch["score"].to(score_B.dtype)
        scale = 1.0 if self.config.variant == "article" else self.config.score_deviation
        error = (score_B.detach() - truth_B).abs().mean()
        return LOSSES[self.config.loss](score_B / scale, truth_B / scale), {"mae": error}

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        """uint8 (B, T, H, W, C) to float32 (B,): scores."""
        return self.scores(clip_BTHWC)

    def scores(self, clip_BTHWC: Tensor, *, masked: bool = False) -> Tensor:
        """uint8 (B, T, H, W, C) to float32 (B,).

        Args:
            masked: frames that fill up do not pass the CNN, which a traced network cannot leave out; what is answered
                is the same in eval mode.
        """
        c, length_B = self.config, lengths(clip_BTHWC)
        inside_BT = within(length_B, c.frames)
        unit_BTCHW = clip_BTHWC.permute(0, 1, 4, 2, 3).float() / 255.0
        given = [unit_BTCHW.flatten(0, 1)]
        if c.variant == "default":
            given.append(torch.cat([unit_BTCHW[:, :1], unit_BTCHW[:, :-1]], 1).flatten(0, 1))
        if masked:
            kept = [x_NCHW[inside_BT.flatten()] for x_NCHW in given]
            alone = kept[0].shape[0] == 1  # a batch of one black clip: there is no deviation of one frame
            kept_ND = self.see(*(torch.cat([x_NCHW, x_NCHW]) if alone else x_NCHW for x_NCHW in kept))
            kept_ND = kept_ND[:1] if alone else kept_ND
            features_ND = kept_ND.new_zeros(inside_BT.numel(), kept_ND.shape[1])
            features_ND[inside_BT.flatten()] = kept_ND
        else:
            features_ND = self.see(*given)
        state_BTS = self.remember(features_ND.reshape(-1, c.frames, features_ND.shape[1]))
        if c.variant == "article":
            place_BT = F.one_hot(length_B - 1, c.frames).to(state_BTS.dtype)
        else:
            place_BT = inside_BT.to(state_BTS.dtype) / length_B[:, None]
        answer_B: Tensor = self.judge((state_BTS * place_BT[:, :, None]).sum(1))[:, 0].float()
        return answer_B if c.variant == "article" else c.score_mean + c.score_deviation * answer_B


class _Article(nn.Module):
    """A frame, float32 (N, C, H, W), 0 to 1, to (N, features[-1])."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(c.channels, 10, 5, padding=2), nn.ReLU(), nn.BatchNorm2d(10), nn.MaxPool2d(2),
            nn.Conv2d(10, 20, 3, padding=1), nn.Dropout2d(c.dropout), nn.ReLU(), nn.BatchNorm2d(20), nn.MaxPool2d(2),
            nn.Flatten(),
        ]  # fmt: skip
        inside = 20 * (c.height_px // 4) * (c.width_px // 4)
        for number, features in enumerate(c.features):
            layers += [*([nn.ReLU()] if number else []), nn.Linear(inside, features)]
            inside = features
        self.layers = nn.Sequential(*layers)

    def forward(self, frame_NCHW: Tensor) -> Tensor:
        answer_NF: Tensor = self.layers(frame_NCHW.contiguous(memory_format=torch.channels_last))
        return answer_NF


class _Default(nn.Module):
    """A frame and the one before, float32 (N, C, H, W), 0 to 1, to (N, `DESCRIBED`)."""

    luma: Tensor

    def __init__(self, c: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = c.channels
        for width in c.widths:
            layers += [nn.Conv2d(inside, width, 3, stride=2, padding=1), nn.ReLU(inplace=True)]
            inside = width
        self.look = nn.Sequential(*layers)
        self.looked = nn.BatchNorm1d(inside)
        self.smaller, self.reach_px = _smaller(c), c.reach_px
        self.measured = nn.BatchNorm1d(SUMMED_UP + 2)
        self.both = nn.Sequential(nn.Dropout(c.dropout), nn.Linear(inside + SUMMED_UP + 2, DESCRIBED), nn.ReLU())
        self.register_buffer("luma", torch.tensor(LUMA if c.channels == 3 else (1.0,)), persistent=False)

    def forward(self, frame_NCHW: Tensor, before_NCHW: Tensor) -> Tensor:
        with full_precision(frame_NCHW):
            small_NHW = self._small(frame_NCHW)
            follows_NF = summed_up(likeness(small_NHW, self._small(before_NCHW), self.reach_px))
            level_N, contrast_N = small_NHW.mean((1, 2)), small_NHW.std((1, 2))
            measured_NF = self.measured(torch.cat([follows_NF, level_N[:, None], contrast_N[:, None]], 1))
        seen_NCHW = self.look((2.0 * frame_NCHW - 1.0).contiguous(memory_format=torch.channels_last))
        looked_NF = self.looked(seen_NCHW.float().mean((2, 3)))
        both_NF: Tensor = self.both(torch.cat([looked_NF, measured_NF], 1))
        return both_NF

    def _small(self, frame_NCHW: Tensor) -> Tensor:
        """Gray and smaller, (N, h, w)."""
        gray_NHW = (frame_NCHW * self.luma[:, None, None]).sum(1)
        return gray_NHW if self.smaller == 1 else F.avg_pool2d(gray_NHW, self.smaller)


def _smaller(c: Config) -> int:
    """By what pictures are made smaller before they are correlated: the shorter side comes to about so many pixels."""
    return max(1, round(min(c.height_px, c.width_px) / CORRELATED_PX))


def _check(c: Config) -> None:
    """Refuse settings that make no network."""
    if c.channels not in (1, 3):
        raise ValueError(f"channels is {c.channels}; lrcn takes 1 (gray) or 3 (RGB)")
    if c.frames < 1:
        raise ValueError(f"frames is {c.frames}; lrcn needs 1 or more")
    if min(c.height_px, c.width_px) < 16:
        raise ValueError(f"frames of {c.height_px} x {c.width_px} px are too small; lrcn needs 16 px or more a side")
    shortest_px = min(c.height_px, c.width_px) // _smaller(c)
    if not 1 <= c.reach_px <= (shortest_px - 1) // 2:
        raise ValueError(
            f"reach_px is {c.reach_px}; frames of {c.height_px} x {c.width_px} px take 1 to {(shortest_px - 1) // 2}"
        )
    if c.variant == "article" and (c.height_px % 4 or c.width_px % 4):
        raise ValueError(
            f"frames of {c.height_px} x {c.width_px} px do not halve twice; the article's lrcn needs multiples of 4"
        )
    if c.loss not in LOSSES:
        raise ValueError(f"loss is {c.loss!r}; it must be one of {', '.join(LOSSES)}")
    if not c.score_deviation > 0.0:
        raise ValueError(f"score_deviation is {c.score_deviation}; it must be more than 0")
    if not 0.0 <= c.dropout < 1.0:
        raise ValueError(f"dropout is {c.dropout}; it must be 0 or more and below 1")
    if (c.hidden or 1) < 1 or not c.features or not c.widths or min(*c.features, *c.widths) < 1:
        raise ValueError(
            f"hidden is {c.hidden}, features {c.features}, widths {c.widths}; each is one number or more of at least 1"
        )
