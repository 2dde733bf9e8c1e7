"""`describe.pt2`: a classifier's `describe`, the descriptor of a clip, beside the MLflow model.

    clip uint8 (B, T, H, W, C), any B of 1 or more  ->  float32 (B, D), not normalised

It runs on the CPU (an exported model cannot move to another device), in bfloat16 where the CPU has it in hardware.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch

from models import VideoModel
from tasks.tracking import companions

METHOD = "describe"
TOLERANCE = 1e-5
_VERIFIED = (1, 2, 3)  # clips
_HINT = "its architecture must take sizes as x.shape[0], which stays open, not len(x), which the trace fixes"


def example_clips(count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Clips of noise over the whole range, uint8 (count, N, H, W, C)."""
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def save_describe(model: VideoModel, folder: Path) -> None:
    """Export `model.describe` (CPU, eval mode), if it has one, into `folder`, load it back and compare.

    Raises:
        ValueError: the trace fixes the batch, or what is loaded does not answer as the model does.
    """
    if companions.method_of(model, METHOD) is None:
        return
    from torch.export import Dim

    c = model.config
    shape = (c.frames, c.height_px, c.width_px, c.channels)
    companions.save(
        model,
        METHOD,
        folder,
        example=(torch.from_numpy(example_clips(2, shape)),),  # a batch of 1 would fix the batch at 1
        open_sizes=({0: Dim("batch")},),
        verified=[(torch.from_numpy(example_clips(count, shape)),) for count in _VERIFIED],
        tolerance=TOLERANCE,
        hint=_HINT,
    )


class Describer:
    """`describe.pt2` of a model folder, made ready for one precision (`32` or `bf16`)."""

    def __init__(self, folder: Path, precision: Literal["32", "bf16"]) -> None:
        self.half = precision == "bf16"
        self.module = companions.load(folder, METHOD)
        for weights in self.module.parameters():
            if weights.dim() == 5:
                weights.data = weights.data.to(memory_format=torch.channels_last_3d)
            if self.half and weights.dim() > 1:  # once, and not in every call; biases and norms stay as they are
                weights.data = weights.data.bfloat16()
        if self.half:
            self._let_types_be()

    def __call__(self, clip_BTHWC: np.ndarray) -> np.ndarray:
        """uint8 (B, T, H, W, C) to float32 (B, D)."""
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            answer = self.module(torch.from_numpy(np.ascontiguousarray(clip_BTHWC)))
        described: np.ndarray = answer.float().numpy()
        return described

    def _let_types_be(self) -> None:
        """Drop the trace's notes of which type a tensor had: under autocast it has another."""
        for node in list(self.module.graph.nodes):
            if node.target is torch.ops.aten._assert_tensor_metadata.default:
                self.module.graph.erase_node(node)
        self.module.recompile()
