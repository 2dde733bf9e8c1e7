"""Asking a model that answers whole clips, and refusing what is no answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.baselines import Clip

if TYPE_CHECKING:
    from models import VideoModel


@contextlib.contextmanager
def accelerated(model: VideoModel) -> Iterator[None]:
    """The model on the GPU where there is one, in float32 as on a CPU: TF32 would keep three digits of its answers."""
    import torch

    if not torch.cuda.is_available():
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        model.to("cuda")
        try:
            yield
        finally:
            model.to("cpu")


def asked(model: VideoModel, method: str, clip_BTHWC: Clip) -> list[NDArray[np.float32]]:
    """What a method of the model returns, one array or several."""
    import torch

    device = next(model.parameters()).device
    with torch.inference_mode():
        found = getattr(model, method)(torch.from_numpy(clip_BTHWC).to(device))
    return [part.cpu().numpy() for part in (found if isinstance(found, tuple) else (found,))]


def finite(answered: NDArray[Any], whose: str) -> NDArray[Any]:
    if not np.isfinite(answered).all():
        raise ValueError(f"{whose} answers NaN or infinite values; train it again")
    return answered
