"""Variations of training clips that keep what they show: scaled, cut, moved, mirrored, reversed, brighter, flatter."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models import VideoModel
from models._sequence import within
from tasks.params import Augment


def sizes_taken(model: VideoModel, shape_THWC: tuple[int, int, int, int]) -> list[tuple[int, int]] | None:
    """Heights and widths (px) of training clips that the model can learn from; None: whatever it is given."""
    whole = (shape_THWC[1], shape_THWC[2])
    if model.kind == "interpolate":
        return None
    if model.kind != "classify":
        return [whole]
    crop = (getattr(model.config, "crop_height_px", None), getattr(model.config, "crop_width_px", None))
    return list(dict.fromkeys([(crop[0] or whole[0], crop[1] or whole[1]), whole]))


def check(a: Augment, shape_THWC: tuple[int, int, int, int], sizes: Sequence[tuple[int, int]] | None) -> None:
    """Refuse what cannot be done to clips of this shape.

    Args:
        sizes: see `sizes_taken`.

    Raises:
        ValueError: a crop is larger than the frame it is cut from, or what is left has a size that is not taken.
    """
    _, height_px, width_px, _ = shape_THWC
    loaded = {"height": a.load_height_px or height_px, "width": a.load_width_px or width_px}
    cropped = {"height": a.crop_height_px or loaded["height"], "width": a.crop_width_px or loaded["width"]}
    for side, length_px in loaded.items():
        if cropped[side] > length_px:
            where = f"training.augment.load_{side}_px" if getattr(a, f"load_{side}_px") else "the data set's frames"
            raise ValueError(
                f"training.augment.crop_{side}_px is {cropped[side]}, more than the {side} of {length_px} px that "
                f"{where} gives; make it at most {length_px}"
            )
    if sizes is None or (cropped["height"], cropped["width"]) in sizes:
        return
    height, width = sizes[0]
    taken = " or ".join(f"{height} x {width}" for height, width in sizes)
    sides = "crop_height_px and crop_width_px"
    crop = f"make its {sides} what config's are, {height} and {width}, or " if len(sizes) > 1 else ""
    raise ValueError(
        f"training.augment makes clips of {cropped['height']} x {cropped['width']} px, and this architecture takes "
        f"{taken} px only; {crop}leave load_height_px, load_width_px, crop_height_px, crop_width_px null"
    )


def augment(clip_BTHWC: Tensor, a: Augment, length_B: Tensor | None = None) -> Tensor:
    """Vary each clip of a batch on its own, all frames of a clip alike; uint8 in, uint8 out, same device, and same
    shape but for `load_` and `crop_` sizes.

    Draws from torch's global generator on the CPU, which the training loop seeds anew at every step.

    Args:
        length_B: int64 (B,), on the clips' device: how many frames each clip has. What lies behind them stays 0, and
            stays behind them. None: all are frames.
    """
    clip_BTHWC = _scaled(clip_BTHWC, a.load_height_px, a.load_width_px)
    B, T, H, W, _ = clip_BTHWC.shape
    end_B1 = length_B.cpu()[:, None] if a.reverse and length_B is not None else None
    time_BT = _axis(B, T, T, 0, a.reverse, end_B1)
    row_BH = _axis(B, H, a.crop_height_px or H, a.shift_px, False)
    column_BW = _axis(B, W, a.crop_width_px or W, a.shift_px, a.mirror)
    gain_B, offset_B = 1.0 + a.gain * _symmetric(B), 255.0 * a.offset * _symmetric(B)
    device = clip_BTHWC.device
    if a.zoom:
        clip_BTHWC = torch.stack([_zoomed(clip_THWC, a.zoom) for clip_THWC in clip_BTHWC])
    clip_BTHWC = clip_BTHWC[
        torch.arange(B, device=device)[:, None, None, None],
        time_BT.to(device)[:, :, None, None],
        row_BH.to(device)[:, None, :, None],
        column_BW.to(device)[:, None, None, :],
    ]
    if not (a.gain or a.offset):
        return clip_BTHWC
    values = clip_BTHWC.to(torch.float32)
    mean_B1111 = values.mean((1, 2, 3, 4), keepdim=True)
    if length_B is not None:  # of the frames alone
        mean_B1111 = mean_B1111 * (T / length_B[:, None, None, None, None])
    gain_B1111, offset_B1111 = (v.to(device)[:, None, None, None, None] for v in (gain_B, offset_B))
    values = (values - mean_B1111) * gain_B1111 + mean_B1111 + offset_B1111
    if length_B is not None:
        values *= within(length_B, T)[:, :, None, None, None]
    return values.round().clamp(0, 255).to(torch.uint8)


def _scaled(clip_BTHWC: Tensor, height_px: int | None, width_px: int | None) -> Tensor:
    """Bilinear; with a filter as wide as the step where that makes the picture smaller."""
    B, T, H, W, C = clip_BTHWC.shape
    wanted = (height_px or H, width_px or W)
    if wanted == (H, W):
        return clip_BTHWC
    frames_NCHW = clip_BTHWC.reshape(B * T, H, W, C).permute(0, 3, 1, 2).float()
    frames_NCHW = F.interpolate(frames_NCHW, wanted, mode="bilinear", align_corners=False, antialias=True)
    frames_NHWC = frames_NCHW.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return frames_NHWC.reshape(B, T, *wanted, C)


def _zoomed(clip_THWC: Tensor, zoom: float) -> Tensor:
    """A part of a clip's picture, anywhere in it, as large as the whole; height and width by the same factor."""
    _, H, W, _ = clip_THWC.shape
    share, down, right = (float(value) for value in torch.rand(3))
    height_px, width_px = (max(1, round(length * (1.0 - zoom * share))) for length in (H, W))
    top, left = round(down * (H - height_px)), round(right * (W - width_px))
    part = clip_THWC[None, :, top : top + height_px, left : left + width_px]
    return _scaled(part, H, W)[0]


def _axis(batch: int, length: int, kept: int, shift: int, flip: bool, end_B1: Tensor | None = None) -> Tensor:
    """Where each clip's positions along one axis are read from: a part of it, moved, the edge repeated, or flipped.
    With `end_B1`, (B, 1), only what lies before it is flipped."""
    index = torch.arange(kept).expand(batch, kept)
    if shift:
        index = (index + torch.randint(-shift, shift + 1, (batch, 1))).clamp(0, kept - 1)
    if flip:
        flipped = ((kept if end_B1 is None else end_B1) - 1 - index) % kept
        index = torch.where(torch.rand(batch, 1) < 0.5, flipped, index)
    return index + torch.randint(0, length - kept + 1, (batch, 1)) if kept < length else index


def _symmetric(batch: int) -> Tensor:
    """Uniform between -1 and 1."""
    return torch.rand(batch) * 2.0 - 1.0
