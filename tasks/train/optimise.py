"""What moves the weights: optimizer, learning rate, moving average, memory layout."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from models import VideoModel
from tasks.params import Training


def learning_rate(t: Training, step: int) -> float:
    """Linear warm-up over `warmup_steps`; then half a cosine down to 0 at `steps`, or constant, or divided by
    `decay_divisor` at every multiple of `decay_every_steps`, counted from step 0."""
    peak = t.optimizer.learning_rate
    if step < t.warmup_steps:
        return peak * (step + 1) / t.warmup_steps
    if t.decay == "constant":
        return peak
    if t.decay == "steps":
        assert t.decay_every_steps is not None
        return float(peak / t.decay_divisor ** (step // t.decay_every_steps))
    return peak * 0.5 * (1.0 + math.cos(math.pi * (step - t.warmup_steps) / max(t.steps - t.warmup_steps, 1)))


def make_optimizer(t: Training, parameters: list[nn.Parameter]) -> Optimizer:
    """The recipe's optimizer over one part of a model."""
    o = t.optimizer
    if o.name == "sgd":
        return torch.optim.SGD(parameters, o.learning_rate, o.beta1, weight_decay=o.weight_decay, fused=True)
    adam = torch.optim.AdamW if o.name == "adamw" else torch.optim.Adam
    return adam(parameters, o.learning_rate, betas=(o.beta1, o.beta2), weight_decay=o.weight_decay, fused=True)


@contextlib.contextmanager
def learning(model: VideoModel, part: str) -> Iterator[None]:
    """While one part of a model learns, the others get no gradient, which also spares computing it."""
    own = set(model.parameters_of(part))
    others = [p for p in model.parameters() if p.requires_grad and p not in own]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)


def moving_average(model: VideoModel, decay: float) -> AveragedModel:
    """Average of the parameters, buffers copied. After n steps the decay is at most (1 + n) / (10 + n), so that the
    average of a short run is not mostly its start."""

    def average(means: Any, values: Any, n: Any) -> None:
        steps = int(n)
        torch._foreach_lerp_(means, values, 1.0 - min(decay, (1.0 + steps) / (10.0 + steps)))

    return AveragedModel(model, multi_avg_fn=average)
