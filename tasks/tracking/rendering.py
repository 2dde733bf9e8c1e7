"""`render.pt2`: a model's `render` for pictures of any size and any number of times, beside the MLflow model.

An MLflow signature fixes the size of a picture; footage has its own. The same `torch.export` format, open in height,
width and number of times, batch 1:

    frames uint8 (1, 2, H, W, C), times float32 (M,): 0 the first, 1 the second  ->  float32 (1, M, H, W, C), 0 to 1
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models import VideoModel

RENDER = "render.pt2"
LEAST_PX = 16  # a smaller picture is widened by its own edge: a trace takes the sizes 0 and 1 for constants
TOLERANCE = 1e-4  # of 0 to 1; sums over another number of pixels are added up in another order
_TRACED = (48, 72, 3)  # height, width, times
_VERIFIED = ((16, 16, 1), (37, 53, 2), (144, 192, 5), (90, 20, 7))
Render = Callable[[Tensor, Tensor], Tensor]


class _Render(nn.Module):
    def __init__(self, model: VideoModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames_BNHWC: Tensor, times_M: Tensor) -> Tensor:
        render = render_of(self.model)
        assert render is not None
        return render(frames_BNHWC, times_M)


def own_memory(model: VideoModel) -> VideoModel:
    """A copy whose tensors are contiguous and share no memory: the archive does not keep views as views."""
    copied = copy.deepcopy(model)
    for tensor in [*copied.parameters(), *copied.buffers()]:
        tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)
    return copied


def render_of(model: VideoModel) -> Render | None:
    """The model's `render`; None for one that answers at its own size and times only."""
    render: Render | None = getattr(model, "render", None)
    return render


def _example(channels: int, height_px: int, width_px: int, times: int) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(height_px)
    frames = random.integers(0, 256, (1, 2, height_px, width_px, channels), dtype=np.uint8)
    return torch.from_numpy(frames), torch.from_numpy(random.random(times, dtype=np.float32))


@torch.no_grad()
def save_render(model: VideoModel, folder: Path) -> None:
    """Export `model.render` (CPU, eval mode), if it has one, into `folder`, load it back and compare.

    Raises:
        ValueError: the trace fixes a size, or what is loaded does not answer as the model does.
    """
    render = render_of(model)
    if render is None:
        return
    channels = model.config.channels
    from torch.export import Dim, export, save

    open_sizes = {"frames_BNHWC": {2: Dim("height"), 3: Dim("width")}, "times_M": {0: Dim("times")}}
    try:
        traced = _Render(own_memory(model)).eval()
        program = export(traced, _example(channels, *_TRACED), dynamic_shapes=open_sizes)
    except RuntimeError as error:  # torch's UserError is one
        raise ValueError(
            f"render cannot be exported for every size ({' '.join(str(error).split()):.300}), so the model was not"
            " registered; its architecture must not fix a size, as torch.linspace and F.affine_grid do"
        ) from error
    save(program, folder / RENDER)
    loaded = load_render(folder)
    for sizes in _VERIFIED:
        frames, times = _example(channels, *sizes)
        expected = render(frames, times)
        try:
            answer = loaded(frames, times)
        except (AssertionError, RuntimeError) as error:  # a guard of the trace
            raise ValueError(
                f"the exported render refuses (height, width, times) {sizes} ({error!s:.300}), so the model was not"
                " registered; its architecture must not fix a size"
            ) from error
        difference = float((answer - expected).abs().max()) if answer.shape == expected.shape else float("inf")
        if not difference <= TOLERANCE:
            raise ValueError(
                f"the exported render differs from the trained model's by {difference:.2g} (allowed: {TOLERANCE:g}) at"
                f" (height, width, times) {sizes}, so the model was not registered"
            )


def load_render(folder: Path) -> Render:
    """`render.pt2` of a model folder as a function."""
    import torch.export

    program = torch.export.load(folder / RENDER)
    render: Render = program.module()
    return render


@torch.no_grad()
def apply_render(render: Render, frames_BNHWC: np.ndarray, times_M: np.ndarray) -> np.ndarray:
    """uint8 (1, 2, H, W, C) of any size and float32 (M,) to float32 (1, M, H, W, C)."""
    height, width = frames_BNHWC.shape[2:4]
    more = [(0, 0), (0, 0), (0, max(0, LEAST_PX - height)), (0, max(0, LEAST_PX - width)), (0, 0)]
    wide = np.ascontiguousarray(np.pad(frames_BNHWC, more, mode="edge") if more[2][1] or more[3][1] else frames_BNHWC)
    answer = render(torch.from_numpy(wide), torch.from_numpy(times_M))
    whole: np.ndarray = answer[:, :, :height, :width].numpy()
    return whole
