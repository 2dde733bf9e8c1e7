"""pix2pix that moves what it sees: a motion head where the U-Net painted, in the same conditional GAN."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._blocks import full_precision
from models._flow import classical_flow
from models._losses import Scalars, clip_mse, interpolation_loss, scalars
from models._motion import MULTIPLE, MotionHead, blend, both_ways
from models._pix2pix_article import PatchCritic, Window, judged, judged_as, start_as_published

REMEMBERED = 0.98  # of the running means that the guard compares
MAX_PX = 4096


class Settings(Window, Protocol):
    """What the default variant reads from the architecture's `Config`, beside `Window`."""

    @property
    def head_width(self) -> int: ...
    @property
    def critic_width(self) -> int: ...
    @property
    def flow(self) -> Literal["classical", "none"]: ...
    @property
    def adversarial_from(self) -> float: ...
    @property
    def adversarial_weight(self) -> float: ...
    @property
    def guard_db(self) -> float: ...


class Default(nn.Module):
    """Motion head, discriminator, and the guard between them. Raises ValueError for settings that do not fit.

    The guard compares running means of the gain over the cross-fade, in dB, before the adversarial term was switched on
    and since; the term's weight falls to 0 as the loss grows to `guard_db`.
    """

    before_db: Tensor
    since_db: Tensor

    def __init__(self, config: Settings) -> None:
        super().__init__()
        _check(config)
        self.c = config
        self.channels = config.channels
        self.generator = MotionHead(config.head_width)
        self.discriminator = PatchCritic(3 * config.channels, config.critic_width).apply(start_as_published)
        self.register_buffer("before_db", torch.zeros(()))
        self.register_buffer("since_db", torch.zeros(()))
        first, second = config.inputs
        times = [(place - first) / (second - first) for place in config.outputs]
        self.register_buffer("times", torch.tensor(times, dtype=torch.float32), persistent=False)

    times: Tensor

    def loss(self, shown_B2HWC: Tensor, truth_BMHWC: Tensor, part: str, progress: Tensor) -> tuple[Tensor, Scalars]:
        """What `part` minimises, on one time of each clip, drawn anew each time.

        Args:
            shown_B2HWC: uint8, the two inputs; height and width multiples of 16.
            truth_BMHWC: uint8, the true pictures at the times answered.
            progress: share of the training that is done.
        """
        height, width = shown_B2HWC.shape[2:4]
        if height % MULTIPLE or width % MULTIPLE or min(height, width) < 2 * MULTIPLE:
            raise ValueError(
                f"training clips of {height} x {width} px do not fit pix2pix's default variant; make training.augment's"
                f" crop_height_px and crop_width_px (or load_...) multiples of {MULTIPLE}, at least {2 * MULTIPLE}"
            )
        batch, moments = truth_BMHWC.shape[:2]
        moment_B = torch.randint(moments, (batch,)).to(truth_BMHWC.device)
        truth = _unit(truth_BMHWC[torch.arange(batch, device=truth_BMHWC.device), moment_B])
        time_B111 = self.times[moment_B].view(-1, 1, 1, 1)
        first, second = _unit(shown_B2HWC[:, 0]), _unit(shown_B2HWC[:, 1])
        backwards_B111 = (torch.rand(batch, 1, 1, 1) < 0.5).to(first.device)  # `render` asks both ways: learn both
        first, second = torch.where(backwards_B111, second, first), torch.where(backwards_B111, first, second)
        time_B111 = torch.where(backwards_B111, 1 - time_B111, time_B111)
        there, back = self._flows(first, second)
        with torch.set_grad_enabled(part == "generator"):
            made = blend(first, second, self.generator(first, second, there, back, time_B111), time_B111)
        shown = torch.cat([first, second], 1) - 0.5
        if part == "discriminator":
            return judged(self.discriminator, shown, truth - 0.5, made - 0.5)
        assert part == "generator"
        mse_B = clip_mse(made, truth)
        fade = (1 - time_B111).clamp(0, 1) * first + time_B111.clamp(0, 1) * second
        gain_db = 10.0 * torch.log10((clip_mse(fade, truth) + 1e-6) / (mse_B.detach() + 1e-6)).mean()
        self.generator.settle()
        loss = interpolation_loss(made, truth)
        found = {**scalars(mse_B), "gain_over_cross_fade_db": gain_db}
        on = float(progress) >= self.c.adversarial_from
        weight = self._guard(gain_db, on)
        if on:
            adversarial = judged_as(self.discriminator, shown, made - 0.5, 1.0)
            loss = loss + weight * self.c.adversarial_weight * adversarial
            found |= {"adversarial": adversarial.detach(), "guard": weight}
        return loss, found

    def render(self, frames_B2HWC: Tensor, times_M: Tensor) -> Tensor:
        """Pictures at any times, at the size of the frames: float32 (B, M, H, W, C), 0 to 1.

        Motion is found at the working size, the configuration's; where the frames are larger it is enlarged. Both
        orders of the frames are asked and their motions averaged, so that time reversed gives the answer reversed.

        Args:
            frames_B2HWC: uint8, any H and W.
            times_M: float32; 0 is the first frame, 1 the second.
        """
        first, second = _unit(frames_B2HWC[:, 0]), _unit(frames_B2HWC[:, 1])
        height, width = first.shape[2], first.shape[3]
        small = self._working(first), self._working(second)
        there, back = self._flows(*small)
        M = times_M.shape[0]
        time = times_M.to(torch.float32).view(1, M, 1, 1, 1).expand(first.shape[0], M, 1, 1, 1).flatten(0, 1)
        first, second, small0, small1, there, back = (_each(x, M) for x in (first, second, *small, there, back))
        one = self.generator(small0, small1, there, back, time)
        other = self.generator(small1, small0, back, there, 1 - time)
        motion = both_ways(one, other)
        made = blend(first, second, motion, time)
        return made.clamp(0.0, 1.0).permute(0, 2, 3, 1).reshape(-1, M, height, width, self.channels)

    def _flows(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Classical flow both ways, or none at all, at half size."""
        if self.c.flow == "none":
            still = first.new_zeros(first.shape[0], 4, first.shape[2] // 2, first.shape[3] // 2)
            return still, still
        with full_precision(first):
            flow = classical_flow(torch.cat([first, second]), torch.cat([second, first]))
        return flow[: first.shape[0]], flow[first.shape[0] :]

    def _working(self, x_BCHW: Tensor) -> Tensor:
        size = (self.c.height_px, self.c.width_px)
        return F.interpolate(x_BCHW, size=size, mode="bilinear", align_corners=False, antialias=True)

    @torch.no_grad()
    def _guard(self, gain_db: Tensor, on: bool) -> Tensor:
        """1 while nothing is lost, 0 when `guard_db` is."""
        if not on:
            self.before_db.lerp_(gain_db.float(), 1 - REMEMBERED)  # 0 at first: some fifty steps make it trustworthy
            self.since_db.copy_(self.before_db)
            return self.before_db.new_ones(())
        self.since_db.lerp_(gain_db.float(), 1 - REMEMBERED)
        return (1.0 - (self.before_db - self.since_db) / self.c.guard_db).clamp(0.0, 1.0)


def _check(config: Settings) -> None:
    if config.channels not in (1, 3):
        raise ValueError(f"channels is {config.channels}; it must be 1 (gray) or 3 (RGB)")
    for name in ("height_px", "width_px"):
        value = getattr(config, name)
        if value < 2 * MULTIPLE or value % MULTIPLE or value > MAX_PX:
            raise ValueError(
                f"{name} is {value}; pix2pix's default variant needs a multiple of {MULTIPLE},"
                f" from {2 * MULTIPLE} to {MAX_PX}"
            )
    if len(config.inputs) != 2:
        raise ValueError(
            f"inputs is {list(config.inputs)}; the default variant moves two inputs (the article's takes any number)"
        )
    if config.flow not in ("classical", "none"):
        raise ValueError(f"flow is {config.flow!r}; it must be 'classical' or 'none'")
    if not 0.0 <= config.adversarial_from <= 1.0:
        raise ValueError(f"adversarial_from is {config.adversarial_from}; it must be from 0 to 1 (1: never)")
    for name in ("head_width", "critic_width"):
        if not isinstance(getattr(config, name), int) or getattr(config, name) < 1:
            raise ValueError(f"{name} is {getattr(config, name)!r}; it must be a whole number, 1 or more")
    if not config.guard_db > 0:
        raise ValueError(f"guard_db is {config.guard_db}; it must be more than 0")
    if not config.adversarial_weight >= 0:
        raise ValueError(f"adversarial_weight is {config.adversarial_weight}; it must be 0 or more")


def _unit(frame_BHWC: Tensor) -> Tensor:
    """uint8 (B, H, W, C) as float32 (B, C, H, W), 0 to 1."""
    return frame_BHWC.permute(0, 3, 1, 2).to(torch.float32) / 255.0


def _each(x: Tensor, times: int) -> Tensor:
    """Every clip of (B, ...) once for each time: (B * times, ...)."""
    return x.unsqueeze(1).expand(-1, times, -1, -1, -1).flatten(0, 1)
