"""`describe.pt2`: a classifier's `describe`, the descriptor of a clip, beside the MLflow model.

    clip uint8 (B, T, H, W, C), any B of 1 or more  ->  float32 (B, D), not normalised

It runs on the CPU, in bfloat16 where the CPU has it in hardware.
"""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.fx import GraphModule
from torch.fx.node import map_arg

from models import VideoModel
from tasks.tracking import companions

METHOD = "describe"
TOLERANCE = 1e-5
_LAYOUTS = {
    torch.ops.aten.conv2d.default: torch.channels_last,
    torch.ops.aten.conv3d.default: torch.channels_last_3d,
    torch.ops.aten.linear.default: torch.contiguous_format,
}
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
        with torch.no_grad():
            _fold(self.module)
            _settle_weights(self.module, self.half)

    def __call__(self, clip_BTHWC: np.ndarray) -> np.ndarray:
        """uint8 (B, T, H, W, C) to float32 (B, D)."""
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            answer = self.module(torch.from_numpy(np.ascontiguousarray(clip_BTHWC)))
        described: np.ndarray = answer.float().numpy()
        return described


def _fold(module: GraphModule) -> None:
    """Compute what follows from the weights alone now, and not in every call."""
    graph, known = module.graph, {}
    for node in list(graph.nodes):
        if node.op == "get_attr":
            known[node] = operator.attrgetter(node.target)(module)
        elif node.op == "call_function" and node.all_input_nodes and all(n in known for n in node.all_input_nodes):
            args, keywords = map_arg((node.args, node.kwargs), known.__getitem__)
            known[node] = node.target(*args, **keywords)
    for number, (node, value) in enumerate(known.items()):
        if node.op == "call_function" and isinstance(value, torch.Tensor) and any(u not in known for u in node.users):
            module.register_buffer(f"folded_{number}", value)
            with graph.inserting_before(node):
                node.replace_all_uses_with(graph.get_attr(f"folded_{number}"))
    graph.eliminate_dead_code()
    module.recompile()


def _settle_weights(module: GraphModule, half: bool) -> None:
    """Lay the weights out as the convolutions read them, and round them now, as autocast would in every call.

    The trace's notes of which type a tensor had go: under autocast it has another.
    """
    for node in list(module.graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            module.graph.erase_node(node)
        layout = _LAYOUTS.get(node.target)
        if layout is not None and node.args[1].op == "get_attr":
            weights = operator.attrgetter(node.args[1].target)(module)
            weights.data = weights.data.to(torch.bfloat16 if half else weights.dtype, memory_format=layout)
    module.recompile()
