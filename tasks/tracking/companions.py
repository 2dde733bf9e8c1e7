"""What stands beside the MLflow model: further methods of the model, by `torch.export`, each in a file of its own.

An MLflow model answers one question (`predict`) at sizes that its signature fixes. A model that has more to say
(`render`, `describe`) says it in `<method>.pt2`, which needs torch alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.export
from torch import Tensor, nn

from models import VideoModel

Function = Callable[..., Tensor]
Inputs = tuple[Tensor, ...]


class _Method(nn.Module):
    def __init__(self, model: VideoModel, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, *inputs: Tensor) -> Tensor:
        answer: Tensor = getattr(self.model, self.name)(*inputs)
        return answer


def method_of(model: VideoModel, name: str) -> Function | None:
    """The model's method; None for a model without it."""
    method: Function | None = getattr(model, name, None)
    return method


def file_of(model: VideoModel, name: str) -> str | None:
    """The name of the file that the method stands in; None for a model without it."""
    return None if method_of(model, name) is None else f"{name}.pt2"


def own_memory(model: VideoModel) -> VideoModel:
    """A copy whose tensors are contiguous and share no memory: the archive does not keep views as views."""
    copied = copy.deepcopy(model)
    for tensor in [*copied.parameters(), *copied.buffers()]:
        tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)
    return copied


@torch.no_grad()
def save(
    model: VideoModel,
    name: str,
    folder: Path,
    *,
    example: Inputs,
    open_sizes: tuple[dict[int, Any], ...],
    verified: Sequence[Inputs],
    tolerance: float,
    hint: str,
) -> None:
    """Export a method of `model` (CPU, eval mode) into `folder`, load it back and compare.

    Args:
        example: the inputs it is traced with.
        open_sizes: for every input the dimensions that stay open.
        verified: inputs of other sizes, to compare the answers for.
        tolerance: largest difference allowed, as a share of the largest number in the answer or of 1.
        hint: what an architecture must not do; ends the message where the trace fixes a size.

    Raises:
        ValueError: the trace fixes a size, or what is loaded does not answer as the model does.
    """
    method = method_of(model, name)
    assert method is not None
    try:
        program = _traced(model, name, example, open_sizes)
    except RuntimeError as error:  # torch's UserError is one
        raise ValueError(
            f"{name} cannot be exported for every size ({' '.join(str(error).split()):.300}), so the model was not"
            f" registered; {hint}"
        ) from error
    torch.export.save(program, folder / f"{name}.pt2")
    loaded = load(folder, name)
    for inputs in verified:
        sizes = [tuple(tensor.shape) for tensor in inputs]
        expected = method(*inputs)
        try:
            answer = loaded(*inputs)
        except (AssertionError, RuntimeError) as error:  # a guard of the trace
            raise ValueError(
                f"the exported {name} refuses inputs of {sizes} ({error!s:.300}), so the model was not registered;"
                f" {hint}"
            ) from error
        difference = float((answer - expected).abs().max()) if answer.shape == expected.shape else float("inf")
        if not difference <= tolerance * max(1.0, float(expected.abs().max())):
            raise ValueError(
                f"the exported {name} differs from the trained model's by {difference:.2g} (allowed: {tolerance:g} of"
                f" the largest number, or of 1) for inputs of {sizes}, so the model was not registered"
            )


def _traced(model: VideoModel, name: str, example: Inputs, open_sizes: tuple[dict[int, Any], ...]) -> Any:
    """The exported program, without the weights that this method does not use."""
    method = _Method(own_memory(model), name).eval()
    program = torch.export.export(method, example, dynamic_shapes={"inputs": open_sizes})
    inputs, signature = {n.name: n for n in program.graph.nodes if n.op == "placeholder"}, program.graph_signature
    weights = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    unread = {name for name in weights if not inputs[name].users}
    for name in unread:
        program.graph.erase_node(inputs[name])
        program.state_dict.pop(weights[name], None)
    signature.input_specs[:] = [spec for spec in signature.input_specs if spec.arg.name not in unread]
    program.graph_module.recompile()
    return program


def load(folder: Path, name: str) -> Any:
    """The method from a model's folder, as a `torch.nn.Module`."""
    return torch.export.load(folder / f"{name}.pt2").module()
