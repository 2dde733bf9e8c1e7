"""`render.pt2`: a model's `render` for pictures of any size and any number of times, beside the MLflow model.

An MLflow signature fixes the size of a picture; footage has its own. The same `torch.export` format, open in height,
width and number of times, batch 1:

    frames uint8 (1, 2, H, W, C), times float32 (M,): 0 the first, 1 the second  ->  float32 (1, M, H, W, C), 0 to 1
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models import VideoModel
from tasks.tracking import companions
from tasks.tracking.companions import Function

METHOD = "render"
LEAST_PX = 16  # a smaller picture is widened by its own edge: a trace takes the sizes 0 and 1 for constants
TOLERANCE = 1e-4  # of 0 to 1; sums over another number of pixels are added up in another order
_TRACED = (48, 72, 3)  # height, width, times
_VERIFIED = ((16, 16, 1), (37, 53, 2), (144, 192, 5), (90, 20, 7))
_HINT = "its architecture must not fix a size, as torch.linspace and F.affine_grid do"


def _example(channels: int, height_px: int, width_px: int, times: int) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(height_px)
    frames = random.integers(0, 256, (1, 2, height_px, width_px, channels), dtype=np.uint8)
    return torch.from_numpy(frames), torch.from_numpy(random.random(times, dtype=np.float32))


def save_render(model: VideoModel, folder: Path) -> None:
    """Export `model.render` (CPU, eval mode), if it has one, into `folder`, load it back and compare.

    Raises:
        ValueError: the trace fixes a size, or what is loaded does not answer as the model does.
    """
    if companions.method_of(model, METHOD) is None:
        return
    from torch.export import Dim

    channels = model.config.channels
    companions.save(
        model,
        METHOD,
        folder,
        example=_example(channels, *_TRACED),
        open_sizes=({2: Dim("height"), 3: Dim("width")}, {0: Dim("times")}),
        verified=[_example(channels, *sizes) for sizes in _VERIFIED],
        tolerance=TOLERANCE,
        hint=_HINT,
    )


def load_render(folder: Path) -> Function:
    """`render.pt2` of a model folder as a function."""
    render: Function = companions.load(folder, METHOD)
    return render


@torch.no_grad()
def apply_render(render: Function, frames_BNHWC: np.ndarray, times_M: np.ndarray) -> np.ndarray:
    """uint8 (1, 2, H, W, C) of any size and float32 (M,) to float32 (1, M, H, W, C)."""
    height, width = frames_BNHWC.shape[2:4]
    more = [(0, 0), (0, 0), (0, max(0, LEAST_PX - height)), (0, max(0, LEAST_PX - width)), (0, 0)]
    wide = np.ascontiguousarray(np.pad(frames_BNHWC, more, mode="edge") if more[2][1] or more[3][1] else frames_BNHWC)
    answer = render(torch.from_numpy(wide), torch.from_numpy(times_M))
    whole: np.ndarray = answer[:, :, :height, :width].numpy()
    return whole
