"""pix2pix as the article used it: the frames shown, stacked as channels, to the frames between them, at once.

Isola, Zhu, Zhou, Efros: "Image-to-image translation with conditional adversarial networks", CVPR 2017
(arXiv 1611.07004), section 6.1 of the appendix for both networks and section 6.2 for the training; its erratum on the
innermost norm is followed, as its public code does. Three points that the paper's 256 px pictures leave open:

- *Any size.* The paper's 256 px can be halved 8 times, the article's crops of 128 px cannot. A map is padded with zeros
  on its right and lower edge to an even size before each halving, and cut to the size of the skip on the way up. The
  erratum tells what a norm does to a map of a single pixel at batch 1: it makes it a constant, whatever is shown (and
  torch refuses it in training). So no norm ever sees one: a map of 2 px is padded to 4 px before a halving with a norm.
  At 256 px nothing of this happens and the network is the paper's.
- *Norm.* The paper trains and tests with the statistics of the batch, at batch size 1, and says that this is instance
  normalisation. It is written so here, which makes no difference at batch 1; a larger batch does not mix its clips.
- *Dropout* acts in training only. The paper keeps it when testing, as its source of noise; a model that is registered
  has to give the same answer to the same frames.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._losses import Scalars, clip_mse, scalars

LEAST_PX = 24  # below this the 70 x 70 PatchGAN has no output
WIDTHS = (1, 2, 4, 8, 8, 8, 8, 8)  # of the 8 halvings, times `width`: 64, 128, 256, 512, ...
DROPPED = 3  # innermost blocks on the way up with dropout


class Window(Protocol):
    """What both variants read from the architecture's `Config`."""

    @property
    def height_px(self) -> int: ...
    @property
    def width_px(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def inputs(self) -> tuple[int, ...]: ...
    @property
    def outputs(self) -> tuple[int, ...]: ...


class Settings(Window, Protocol):
    """What the article's variant reads beside it."""

    @property
    def width(self) -> int: ...
    @property
    def critic(self) -> Literal["patch", "single"]: ...
    @property
    def l1_weight(self) -> float: ...


class Article(nn.Module):
    """Generator, discriminator and their losses.

    At width 64, two RGB frames to five: 54,441,615 and 2,784,065 parameters (one to one, as in the paper: 54,413,955
    and 2,768,705).

    Raises ValueError for settings that do not fit.
    """

    def __init__(self, config: Settings) -> None:
        super().__init__()
        if config.channels not in (1, 3):
            raise ValueError(f"channels is {config.channels}; it must be 1 (gray) or 3 (RGB)")
        if config.critic not in ("patch", "single"):
            raise ValueError(f"critic is {config.critic!r}; it must be 'patch' or 'single'")
        if config.width < 1:
            raise ValueError(f"width is {config.width}; it must be at least 1")
        if config.l1_weight < 0:
            raise ValueError(f"l1_weight is {config.l1_weight}; it must be at least 0")
        _large_enough(config.height_px, config.width_px)
        self.channels, self.l1_weight = config.channels, config.l1_weight
        shown, answered = config.channels * len(config.inputs), config.channels * len(config.outputs)
        self.generator = Generator(shown, answered, config.width)
        critic = PatchCritic if config.critic == "patch" else SingleCritic
        self.discriminator: PatchCritic | SingleCritic = critic(shown + answered, config.width)
        self.apply(start_as_published)

    def generate(self, shown_BNHWC: Tensor) -> Tensor:
        """Frames shown, uint8 (B, N, H, W, C), any H and W, to frames answered, float (B, M, C, H, W), -1 to 1."""
        made: Tensor = self.generator(_stacked(shown_BNHWC))
        return made.reshape(made.shape[0], -1, self.channels, *made.shape[2:])

    def loss(self, shown_BNHWC: Tensor, truth_BMHWC: Tensor, part: str) -> tuple[Tensor, Scalars]:
        """What `part` minimises. Generator: adversarial + `l1_weight` x L1 on the -1 to 1 scale. Discriminator: half
        the sum of its errors on true and on made frames. Both draw frames of their own: nothing outlives a call.

        Args:
            shown_BNHWC: uint8, the frames shown.
            truth_BMHWC: uint8, the true frames at the places answered.
            part: `generator` or `discriminator`.

        Raises:
            ValueError: the frames are too small.
        """
        _large_enough(*shown_BNHWC.shape[2:4])
        shown, truth = _stacked(shown_BNHWC), _stacked(truth_BMHWC)
        made = self.generator(shown).float()
        if part == "discriminator":
            return judged(self.discriminator, shown, truth, made.detach())
        assert part == "generator"
        adversarial = judged_as(self.discriminator, shown, made, 1.0)
        l1 = (made - truth).abs().mean()
        mse_B = clip_mse(made, truth) / 4.0  # 0 to 1 scale
        found = {**scalars(mse_B), "l1": l1.detach(), "adversarial": adversarial.detach()}
        return adversarial + self.l1_weight * l1, found


class Generator(nn.Module):
    """The paper's U-Net, k = `width` / 64: C64k-C128k-C256k-C512k x 5, and CD512k x 3-C512k-C256k-C128k-C64k back."""

    def __init__(self, in_channels: int, out_channels: int, width: int) -> None:
        super().__init__()
        wide = [width * times for times in WIDTHS]
        last = len(wide) - 1
        self.down = nn.ModuleList(
            _Down(before, after, active=k > 0, norm=0 < k < last)
            for k, (before, after) in enumerate(pairwise([in_channels, *wide]))
        )
        up: list[nn.Module] = []
        for k in range(last):  # from the inside out; all but the innermost also take a skip
            before, after = wide[last - k] * (1 if k == 0 else 2), wide[last - k - 1]
            layers = [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), _norm(after)]
            up.append(nn.Sequential(*layers, *([nn.Dropout(0.5)] if k < DROPPED else [])))
        up.append(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * wide[0], out_channels, 4, 2, 1), nn.Tanh()))
        self.up = nn.ModuleList(up)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W), -1 to 1, any H and W, to (B, `out_channels`, H, W), -1 to 1."""
        maps = [x_BCHW]
        for down in self.down:
            maps.append(down(maps[-1]))
        x_BCHW, *skips = reversed(maps)
        for k, (up, skip_BCHW) in enumerate(zip(self.up, skips, strict=True), 1):
            x_BCHW = up(x_BCHW)[..., : skip_BCHW.shape[2], : skip_BCHW.shape[3]]
            if k < len(self.up):
                x_BCHW = torch.cat([x_BCHW, skip_BCHW], 1)
        return x_BCHW


class _Down(nn.Module):
    """Half the size, rounded up: leaky ReLU, 4 x 4 convolution of stride 2, norm."""

    def __init__(self, before: int, after: int, *, active: bool, norm: bool) -> None:
        super().__init__()
        self.least_px = 4 if norm else 2
        conv = nn.Conv2d(before, after, 4, 2, 1, bias=False)
        layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if active else []
        self.layers = nn.Sequential(*layers, conv, *([_norm(after)] if norm else []))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) to (B, `after`, ceil(H / 2), ceil(W / 2)), with a norm at least 2 x 2."""
        out: Tensor = self.layers(_padded(x_BCHW, self.least_px))
        return out


class PatchCritic(nn.Sequential):
    """The paper's 70 x 70 PatchGAN, C64-C128-C256-C512: (B, C, H, W) to a map of logits (B, 1, h, w), each of which
    sees 70 x 70 px (the norms tell it the contrast of the rest)."""

    def __init__(self, channels: int, width: int) -> None:
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            conv = nn.Conv2d(width * before, width * after, 4, stride, 1, bias=False)
            layers += [conv, _norm(width * after), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


class SingleCritic(nn.Module):
    """The article's critic: one logit for a whole clip, C64-C128-C256-C512-C512 and a 4 x 4 convolution, which is
    one logit for 128 px; for larger frames the mean of them.

    The article's own halved on to maps of one pixel with a norm on each, which at batch 1 made constants of them; the
    halvings with a norm stop at 4 px here.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        wide = [width * times for times in (1, 2, 4, 8, 8)]
        self.first = nn.Conv2d(channels, width, 4, 2, 1)
        self.down = nn.Sequential(*(_Down(before, after, active=True, norm=True) for before, after in pairwise(wide)))
        self.judge = nn.Conv2d(wide[-1], 1, 4)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) to logits (B, 1)."""
        h = F.leaky_relu(self.down(self.first(_padded(x_BCHW, 2))), 0.2)
        out: Tensor = self.judge(_padded(h, 4)).mean((2, 3))
        return out


def _norm(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True)


def _padded(x_BCHW: Tensor, least_px: int) -> Tensor:
    """Zeros on the right and lower edge up to an even size of at least `least_px`."""
    right, below = (max(n + n % 2, least_px) - n for n in (x_BCHW.shape[3], x_BCHW.shape[2]))
    return F.pad(x_BCHW, (0, right, 0, below)) if right or below else x_BCHW


def start_as_published(module: nn.Module) -> None:
    """The paper's start: weights from a Gaussian of mean 0 and deviation 0.02; norms scale by about 1."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.InstanceNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _stacked(frames_BTHWC: Tensor) -> Tensor:
    """uint8 (B, T, H, W, C) as float32 (B, T x C, H, W), -1 to 1: the first frame's channels, then the next one's."""
    return frames_BTHWC.permute(0, 1, 4, 2, 3).flatten(1, 2).float() / 127.5 - 1.0


def judged_as(critic: nn.Module, shown: Tensor, pictures: Tensor, target: float) -> Tensor:
    """The critic's cross-entropy where its answer should be `target`: 1 true, 0 made."""
    logits = critic(torch.cat([shown, pictures], 1)).float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def judged(critic: nn.Module, shown: Tensor, truth: Tensor, made: Tensor) -> tuple[Tensor, Scalars]:
    """What the critic minimises, half the sum of its errors on true and on made pictures, and those two errors."""
    on_true, on_made = judged_as(critic, shown, truth, 1.0), judged_as(critic, shown, made, 0.0)
    return 0.5 * (on_true + on_made), {"critic_on_true": on_true.detach(), "critic_on_made": on_made.detach()}


def _large_enough(height_px: int, width_px: int) -> None:
    if min(height_px, width_px) < LEAST_PX:
        raise ValueError(
            f"frames of {height_px} x {width_px} px are too small for pix2pix; make height_px and width_px of the data"
            f" set, and training.augment.crop_height_px and crop_width_px, at least {LEAST_PX}"
        )
