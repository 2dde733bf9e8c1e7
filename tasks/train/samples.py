"""Looking at a model while it trains: truth over answer as a picture, PSNR on the validation split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models import VideoModel
from tasks.files import replacing
from tasks.train.batches import Fetch, evenly_spaced

SHOWN_CLIPS = 4
VALIDATION_CLIPS = 64
GAP_PX = 2
_MSE_FLOOR = 1e-10  # 100 dB: an exact answer would otherwise be infinite


@torch.no_grad()
def write_picture(path: Path, model: VideoModel, clip_BTHWC: Tensor) -> None:
    """A PNG: for each clip the true frames at the places answered, and the model's answers in the row below."""
    from PIL import Image

    answer_BMHWC = model.predict(clip_BTHWC[:, list(model.inputs)])
    outputs = (answer_BMHWC * 255.0).round().to(torch.uint8)
    pairs = (
        torch.stack([clip_BTHWC[:, list(model.outputs)].to(outputs.device), outputs], 1).cpu().numpy()
    )  # B 2 M H W C
    clips, _, frames, height, width, channels = pairs.shape
    grid = np.full((clips, 2, frames, height + GAP_PX, width + GAP_PX, channels), 255, np.uint8)
    grid[:, :, :, :height, :width] = pairs
    rows = grid.transpose(0, 1, 3, 2, 4, 5)  # clip, truth or answer, y, frame, x
    picture = rows.reshape(clips * 2 * (height + GAP_PX), frames * (width + GAP_PX), channels)
    with replacing(path) as temporary:
        Image.fromarray(picture[..., 0] if channels == 1 else picture).save(temporary)


@torch.no_grad()
def psnr_db(model: VideoModel, fetch: Fetch, clips: int, batch_clips: int) -> float:
    """Mean over at most 64 evenly spaced clips of 10 log10(1 / mse), pixels in 0 to 1, in decibel."""
    chosen = evenly_spaced(clips, VALIDATION_CLIPS)
    device = next(model.parameters()).device
    values = []
    for start in range(0, len(chosen), batch_clips):
        clip_BTHWC = fetch(chosen[start : start + batch_clips]).to(device)
        truth_BMHWC = clip_BTHWC[:, list(model.outputs)].float() / 255.0
        error = (model.predict(clip_BTHWC[:, list(model.inputs)]) - truth_BMHWC).square().flatten(1).mean(1)
        values.append(-10.0 * error.double().clamp_min(_MSE_FLOOR).log10())
    return float(torch.cat(values).mean())
