"""Recurrent autoencoder: 2-D convolutions see frames, a GRU sees time. The article's network, and a better one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from models._base import VideoModel, check_variant, from_unit_BCTHW, to_unit_BCTHW
from models._blocks import Gru, Residual2d, channels_last, to_article_BCTHW, zeroed
from models._losses import Scalars, article_mse, log_mse
from models._patch_code import PatchCode
from models._patches import PatchGrid


@dataclass(frozen=True)
class Config:
    """Settings. The defaults of the sizes are the article's own (its pictures; its published code has 4 frames).

    Attributes:
        variant: ``article`` or ``default``.
        frames: article: any. default: at most 16, or a multiple of 16.
        height_px, width_px: article: multiples of 16. default: multiples of 8.
        channels: 1 (gray) or 3 (RGB).
        latent_floats: floats a clip is described by. None: the article's 64 a frame, or 1,024 for the default variant.
        features, classes: default variant: length of a patch's description before coding (over its 16 frames), and
            bases to choose from.
        width8, width4, width2: default variant: channels of the decoder at 1/8, 1/4 and 1/2 of the image size.
        width_encoder: default variant: channels of the frame encoder, at 1/8 of the image size.
        fit_shift_px: default variant: training clips are moved by up to this much before transforms are fitted to them.
    """

    variant: Literal["article", "default"] = "article"
    frames: int = 16
    height_px: int = 64
    width_px: int = 64
    channels: int = 1
    latent_floats: int | None = None
    features: int = 384
    classes: int = 64
    width8: int = 128
    width4: int = 64
    width2: int = 32
    width_encoder: int = 96
    fit_shift_px: int = 4


class Model(VideoModel):
    """See `Config`. Raises ValueError for sizes the variant cannot take.

    The article's code draws a random initial state of the GRU at every call, so that the same clip never gives the
    same answer twice; ours starts from zero.
    """

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
    """Frame encoder, GRU of 100 over the frames, frame decoder. 4,538,953 parameters at 64 px gray."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        for name in ("height_px", "width_px"):
            value = getattr(config, name)
            if value < 16 or value % 16:
                raise ValueError(f"{name} is {value}; the article's network needs a multiple of 16 (four halvings)")
        if config.channels not in (1, 3):
            raise ValueError(f"channels is {config.channels}; it must be 1 (gray) or 3 (RGB)")
        self.latent_floats = 64 * config.frames if config.latent_floats is None else config.latent_floats
        if self.latent_floats % config.frames or self.latent_floats < config.frames:
            raise ValueError(f"latent_floats is {self.latent_floats}; give a multiple of the {config.frames} frames")
        code = self.latent_floats // config.frames
        self.frames = config.frames
        self.shape = (512, config.height_px // 16, config.width_px // 16)
        flat = 512 * (config.height_px // 16) * (config.width_px // 16)
        widths = (32, 64, 128, 256, 512)
        down: list[nn.Module] = [nn.Conv2d(config.channels, 32, 3, 1, 1)]
        for narrow, wide in pairwise(widths):
            down += [nn.BatchNorm2d(narrow), nn.ReLU(), nn.Conv2d(narrow, wide, 3, 2, 1)]
        self.down = nn.Sequential(*down)
        self.squeeze = nn.Linear(flat, code)
        self.over_time = Gru(code, 100)
        self.widen = nn.Linear(100, flat)
        up: list[nn.Module] = []
        for wide, narrow in ((512, 256), (256, 128), (128, 64), (64, 32)):
            up += [nn.ConvTranspose2d(wide, narrow, 3, 2, 1, output_padding=1), nn.BatchNorm2d(narrow), nn.ReLU()]
        self.up = nn.Sequential(*up, nn.ConvTranspose2d(32, config.channels, 3, 1, 1), nn.Tanh())
        channels_last(self)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """-1 to 1, to the same."""
        images = x_BCTHW.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        codes_BTZ = self.squeeze(self.down(images).flatten(1)).unflatten(0, (-1, self.frames))
        state_BTZ = self.over_time(codes_BTZ)
        maps = self.widen(state_BTZ.flatten(0, 1)).unflatten(1, self.shape)
        out: Tensor = self.up(maps.contiguous(memory_format=torch.channels_last))
        return out.reshape(-1, self.frames, *out.shape[1:]).transpose(1, 2)


class Default(nn.Module):
    """Frame features under a float budget, a bidirectional GRU over the frames, a frame decoder.

    Each frame's 8 x 8 patches are described by themselves; the features of 16 frames of one place are coded together
    (see `MixtureCode`). The decoder reads the decoded features of every frame, runs a GRU over time at every place,
    both ways, and draws what the features alone leave out; it starts at zero.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.grid = PatchGrid(
            config.channels, config.frames, config.height_px, config.width_px, min(16, config.frames), 8
        )
        floats = 1024 if config.latent_floats is None else config.latent_floats
        self.code = PatchCode(self.grid, config.features, config.classes, floats, framewise=True)
        self.latent_floats = self.code.code.floats
        w8, w4, w2 = config.width8, config.width4, config.width2
        self.each = self.code.features // self.grid.patch_frames
        self.see = nn.Sequential(
            nn.PixelUnshuffle(8),
            nn.Conv2d(config.channels * 64, config.width_encoder, 3, padding=1),
            Residual2d(config.width_encoder),
            nn.ReLU(),
            zeroed(nn.Conv2d(config.width_encoder, self.each, 1)),
        )
        self.read = nn.Sequential(nn.Conv2d(self.each + self.code.side, w8, 3, padding=1), nn.ReLU())
        self.over_time = Gru(w8, w8 // 2, both_ways=True)
        self.draw = nn.Sequential(
            Residual2d(w8),
            nn.ReLU(),
            nn.Conv2d(w8, w4 * 4, 1),
            nn.PixelShuffle(2),
            Residual2d(w4),
            nn.ReLU(),
            nn.Conv2d(w4, w2 * 4, 1),
            nn.PixelShuffle(2),
        )
        self.finish = nn.Sequential(
            nn.Conv2d(w2 + config.channels * 4, w2, 3, padding=1),
            Residual2d(w2),
            nn.ReLU(),
            zeroed(nn.Conv2d(w2, config.channels * 4, 3, padding=1)),
            nn.PixelShuffle(2),
        )
        channels_last(self)

    def encode(self, x_BCTHW: Tensor) -> Tensor:
        """Clip, 0 to 1, as (B, latent_floats)."""
        images = x_BCTHW.transpose(1, 2).flatten(0, 1)
        seen = self.see(images.contiguous(memory_format=torch.channels_last)).float()
        groups, rows, columns = self.grid.grid
        seen = seen.reshape(-1, groups, self.grid.patch_frames, self.each, rows, columns)
        seen = seen.permute(0, 1, 4, 5, 2, 3).reshape(-1, self.grid.places, self.code.features)
        return self.code.code.encode(self.code.describe(x_BCTHW) + seen / self.code.scale)

    def decode(self, latent_BF: Tensor) -> Tensor:
        """(B, latent_floats) as the clip (B, C, T, H, W), about 0 to 1."""
        features_BNS, side_BNX = self.code.code.decode(latent_BF)
        groups, rows, columns = self.grid.grid
        frames = self.grid.patch_frames
        each_BNTS = (features_BNS * self.code.scale).reshape(*side_BNX.shape[:2], frames, self.each)
        known = torch.cat([each_BNTS, side_BNX.unsqueeze(2).expand(-1, -1, frames, -1)], -1)
        known = known.reshape(-1, groups, rows, columns, frames, known.shape[-1]).permute(0, 1, 4, 5, 2, 3)
        maps = self.read(known.flatten(0, 2).contiguous(memory_format=torch.channels_last))
        maps = maps + self._over_time(maps)
        drawn = self.draw(maps)
        picture_BCTHW = self.code.picture(features_BNS)
        small = nn.functional.pixel_unshuffle(picture_BCTHW.transpose(1, 2).flatten(0, 1) - 0.5, 2)
        change = self.finish(torch.cat([drawn, small.to(drawn.dtype)], 1)).float()
        change = change.reshape(-1, self.grid.frames, *change.shape[1:]).transpose(1, 2)
        return torch.add(picture_BCTHW, change)

    def _over_time(self, maps_FSHW: Tensor) -> Tensor:
        """The GRU along the frames of every place: (B * T, S, rows, columns) to the same."""
        _, rows, columns = self.grid.grid
        x = maps_FSHW.permute(0, 2, 3, 1).reshape(-1, self.grid.frames, rows * columns, maps_FSHW.shape[1])
        out: Tensor = self.over_time(x.transpose(1, 2).flatten(0, 1))
        out = out.reshape(-1, rows * columns, *out.shape[1:]).transpose(1, 2)
        return out.reshape(-1, rows, columns, maps_FSHW.shape[1]).permute(0, 3, 1, 2)
