"""3-D convolutional autoencoder: the article's network, and a better one at the same number of floats."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from models._base import VideoModel, check_variant, from_unit_BCTHW, to_unit_BCTHW
from models._blocks import Residual2d, Residual3d, channels_last, to_article_BCTHW, zeroed
from models._losses import Scalars, article_mse, log_mse
from models._patch_code import PatchCode
from models._patches import PatchGrid


@dataclass(frozen=True)
class Config:
    """Settings. The defaults of the sizes are the article's own.

    Attributes:
        variant: ``article`` (Conv3d x 4 to one latent vector, Tanh, MSE) or ``default``.
        frames: article: a multiple of 16. default: at most 16, or a multiple of 16.
        height_px, width_px: article: multiples of 16. default: multiples of 8.
        channels: 1 (gray) or 3 (RGB).
        latent_floats: floats a clip is described by. None: the article's 128, or 1,024 for the default variant.
        features, classes: default variant: length of a patch's description before coding, and bases to choose from.
        width8, width4, width2: default variant: channels of the decoder at 1/8, 1/4 and 1/2 of the image size.
        width_encoder: default variant: channels of the encoder at 1/4 of the image size, twice as many at 1/8.
        width_finish: default variant: channels of the last 3-D block.
        hints: default variant: maps that the decoder gives the 3-D block for each frame, at 1/2 of the image size.
        fit_shift_px: default variant: training clips are moved by up to this much before transforms are fitted to them.
    """

    variant: Literal["article", "default"] = "article"
    frames: int = 16
    height_px: int = 128
    width_px: int = 128
    channels: int = 1
    latent_floats: int | None = None
    features: int = 256
    classes: int = 64
    width8: int = 256
    width4: int = 160
    width2: int = 64
    width_encoder: int = 128
    width_finish: int = 24
    hints: int = 4
    fit_shift_px: int = 4


class Model(VideoModel):
    """See `Config`. Raises ValueError for sizes the variant cannot take."""

    kind = "reconstruct"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        check_variant(config.variant)
        self.net: Article | Default = Article(config) if config.variant == "article" else Default(config)

    @property
    def latent_floats(self) -> int:
        """Floats between encoder and decoder for one clip."""
        return self.net.latent_floats

    def initialise(self, clips_BTHWC: Tensor) -> None:
        """Fit the default variant's transforms to training clips (uint8); the article's starts at random."""
        if isinstance(self.net, Default):
            self.net.code.fit(clips_BTHWC, self.config.fit_shift_px)

    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, Scalars]:
        """Article: MSE on the -1 to 1 scale. Default: log MSE."""
        clip_BTHWC = batch["clip"]
        if isinstance(self.net, Article):
            return article_mse(self.net(to_article_BCTHW(clip_BTHWC)), to_article_BCTHW(clip_BTHWC))
        x_BCTHW = to_unit_BCTHW(clip_BTHWC)
        return log_mse(self.net.decode(self.net.encode(x_BCTHW)), x_BCTHW)

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        """uint8 (B, T, H, W, C) to float32 of the same shape, 0 to 1."""
        if isinstance(self.net, Article):
            return from_unit_BCTHW(self.net(to_article_BCTHW(clip_BTHWC)) * 0.5 + 0.5)
        return from_unit_BCTHW(self.net.decode(self.net.encode(to_unit_BCTHW(clip_BTHWC))))


class Article(nn.Module):
    """Four strided Conv3d to one vector and back. 30,452,608 parameters at 128 px, 16 frames, gray, 128 floats."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        for name in ("frames", "height_px", "width_px"):
            value = getattr(config, name)
            if value < 16 or value % 16:
                raise ValueError(f"{name} is {value}; the article's network needs a multiple of 16 (four halvings)")
        if config.channels not in (1, 3):
            raise ValueError(f"channels is {config.channels}; it must be 1 (gray) or 3 (RGB)")
        self.latent_floats = config.latent_floats or 128
        widths = (config.channels, 64, 128, 256, 512)
        down: list[nn.Module] = []
        for narrow, wide in pairwise(widths):
            down += [nn.Conv3d(narrow, wide, 4, 2, 1, bias=False), nn.BatchNorm3d(wide), nn.ReLU()]
        self.down = nn.Sequential(*down)
        self.shape = (512, config.frames // 16, config.height_px // 16, config.width_px // 16)
        flat = 512 * (config.frames // 16) * (config.height_px // 16) * (config.width_px // 16)
        self.squeeze = nn.Sequential(nn.Linear(flat, self.latent_floats), nn.ReLU())
        self.widen = nn.Sequential(nn.Linear(self.latent_floats, flat), nn.ReLU())
        up: list[nn.Module] = []
        for wide, narrow in ((512, 256), (256, 128), (128, 64)):
            up += [nn.ConvTranspose3d(wide, narrow, 4, 2, 1, bias=False), nn.BatchNorm3d(narrow), nn.ReLU()]
        self.up = nn.Sequential(*up, nn.ConvTranspose3d(64, config.channels, 4, 2, 1, bias=False), nn.Tanh())
        channels_last(self)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """-1 to 1, to the same."""
        h = self.down(x_BCTHW.contiguous(memory_format=torch.channels_last_3d))
        h = self.widen(self.squeeze(h.flatten(1))).unflatten(1, self.shape)
        out: Tensor = self.up(h.contiguous(memory_format=torch.channels_last_3d))
        return out


class Default(nn.Module):
    """Fitted 3-D patch transforms under a float budget, with an encoder and a decoder that learn what they leave out.

    ::

        clip ─┬─ patches ─ features ─┬─ mixture code ─ │ 1,024 floats │ ─ features ─┬─ patches ─────┐
              └─ conv encoder ───────┘                                              └─ conv decoder ┴─ 3-D block ─ clip

    Encoder, decoder and 3-D block start at zero, so training starts from the transforms' own picture. Patches hold 16
    frames; within encoder and decoder a patch's frames lie in the channels, which makes a 2-D convolution one over
    space and all of time. The 3-D block treats every moment alike, which carries over to performers not seen.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.grid = PatchGrid(
            config.channels, config.frames, config.height_px, config.width_px, min(16, config.frames), 8
        )
        floats = 1024 if config.latent_floats is None else config.latent_floats
        self.code = PatchCode(self.grid, config.features, config.classes, floats, framewise=False)
        self.latent_floats = self.code.code.floats
        w8, w4, w2 = config.width8, config.width4, config.width2
        deep, narrow, wide = self.grid.patch_frames * config.channels, config.width_encoder, config.width_encoder * 2
        self.see = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(deep * 16, narrow, 3, padding=1),
            Residual2d(narrow),
            nn.ReLU(),
            nn.Conv2d(narrow, wide, 4, 2, 1),
            Residual2d(wide),
            nn.ReLU(),
            zeroed(nn.Conv2d(wide, self.code.features, 1)),
        )
        self.draw = nn.Sequential(
            nn.Conv2d(self.code.features + self.code.side, w8, 3, padding=1),
            Residual2d(w8),
            Residual2d(w8),
            nn.ReLU(),
            nn.Conv2d(w8, w4 * 4, 1),
            nn.PixelShuffle(2),
            Residual2d(w4),
            nn.ReLU(),
            nn.Conv2d(w4, w2 * 4, 1),
            nn.PixelShuffle(2),
            Residual2d(w2),
            nn.ReLU(),
            zeroed(nn.Conv2d(w2, deep * 4 + self.grid.patch_frames * config.hints, 3, padding=1)),
        )
        self.change, self.hints = deep * 4, config.hints
        self.finish = _Finish(config.channels, config.width_finish, config.hints)
        channels_last(self)

    def encode(self, x_BCTHW: Tensor) -> Tensor:
        """Clip, 0 to 1, as (B, latent_floats)."""
        seen = self.see(self.grid.fold(x_BCTHW).contiguous(memory_format=torch.channels_last)).float()
        return self.code.code.encode(self.code.describe(x_BCTHW) + self.grid.from_map(seen) / self.code.scale)

    def decode(self, latent_BF: Tensor) -> Tensor:
        """(B, latent_floats) as the clip (B, C, T, H, W), about 0 to 1."""
        features_BNS, side_BNX = self.code.code.decode(latent_BF)
        known = self.grid.as_map(torch.cat([features_BNS * self.code.scale, side_BNX], -1))
        drawn = self.draw(known.contiguous(memory_format=torch.channels_last))
        change = nn.functional.pixel_shuffle(drawn[:, : self.change].float(), 2)
        hints_BTCHW = drawn[:, self.change :].reshape(-1, self.grid.frames, self.hints, *drawn.shape[2:])
        picture_BCTHW = self.code.picture(features_BNS) + self.grid.unfold(change)
        out: Tensor = self.finish(picture_BCTHW, hints_BTCHW.transpose(1, 2))
        return out


class _Finish(nn.Module):
    """A 3-D residual block at half size over the finished clip, each 2 x 2 square of pixels as channels."""

    def __init__(self, channels: int, width: int, hints: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv3d(4 * channels + hints, width, 3, padding=1),
            Residual3d(width),
            nn.ReLU(),
            zeroed(nn.Conv3d(width, 4 * channels, 3, padding=1)),
        )

    def forward(self, x_BCTHW: Tensor, hints_BCTHW: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same; hints are (B, hints, T, H / 2, W / 2)."""
        _, channels, frames, height, width = x_BCTHW.shape
        small = x_BCTHW.reshape(-1, channels, frames, height // 2, 2, width // 2, 2).permute(0, 1, 4, 6, 2, 3, 5)
        small = small.reshape(-1, channels * 4, frames, height // 2, width // 2) - 0.5
        known = torch.cat([small, hints_BCTHW.to(small.dtype)], 1)
        change = self.block(known.contiguous(memory_format=torch.channels_last_3d)).float()
        change = change.reshape(-1, channels, 2, 2, frames, height // 2, width // 2).permute(0, 1, 4, 5, 2, 6, 3)
        return torch.add(x_BCTHW, change.reshape(-1, channels, frames, height, width))
