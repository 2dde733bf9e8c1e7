"""Losses and the scalars worth plotting beside them. All in float32, whatever the network ran in."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

Scalars = dict[str, Tensor]
PYRAMID = 0.2  # weight of its finest level, beside the Charbonnier term
CORNER = 0.1  # of the Charbonnier loss: below it differences count by their square


def clip_mse(predicted_BCTHW: Tensor, target_BCTHW: Tensor) -> Tensor:
    """Mean squared error of each clip (B,)."""
    return (predicted_BCTHW.float() - target_BCTHW.float()).square().flatten(1).mean(1)


def log_mse(predicted_BCTHW: Tensor, target_BCTHW: Tensor) -> tuple[Tensor, Scalars]:
    """Mean over clips of log MSE, which is what mean PSNR measures: every clip counts the same, easy or hard.

    Both clips are on the 0 to 1 scale. 1e-6 (60 dB) is added so that a perfect clip does not pull without bound.
    """
    mse_B = clip_mse(predicted_BCTHW, target_BCTHW)
    loss = (mse_B + 1e-6).log().mean()
    return loss, scalars(mse_B)


def scalars(mse_B: Tensor) -> Scalars:
    """MSE and PSNR (dB) on the 0 to 1 scale, detached."""
    mse_B = mse_B.detach()
    return {"mse": mse_B.mean(), "psnr_db": -10.0 * torch.log10(mse_B.clamp_min(1e-10)).mean()}


def article_mse(predicted_BCTHW: Tensor, target_BCTHW: Tensor) -> tuple[Tensor, Scalars]:
    """Mean squared error on the articles' -1 to 1 scale; the scalars are on the 0 to 1 scale like all others."""
    mse_B = clip_mse(predicted_BCTHW, target_BCTHW)
    return mse_B.mean(), scalars(mse_B / 4.0)


def interpolation_loss(made_BCHW: Tensor, truth_BCHW: Tensor, levels: int = 4) -> Tensor:
    """Charbonnier and Laplacian pyramid, as the mean over pictures of the logarithm: easy or hard, each counts alike.

    Both are mean absolute differences with a soft corner (0.1, 0 to 1 scale): what cannot be known is answered by its
    mean, not by its median. A level of the pyramid weighs twice the one before, because its error is spread over four
    times as few pixels.
    """
    error_B = _charbonnier(made_BCHW.float() - truth_BCHW.float())
    made, truth = made_BCHW.float(), truth_BCHW.float()
    for level in range(levels):
        small_made, small_truth = F.avg_pool2d(made, 2), F.avg_pool2d(truth, 2)
        band = (made - doubled(small_made)) - (truth - doubled(small_truth))
        error_B = error_B + PYRAMID * 2**level * _charbonnier(band)
        made, truth = small_made, small_truth
    return (error_B + 1e-6).log().mean()


def doubled(x_BCHW: Tensor) -> Tensor:
    """Twice the height and width, bilinear."""
    return F.interpolate(x_BCHW, scale_factor=2.0, mode="bilinear", align_corners=False)


def _charbonnier(difference_BCHW: Tensor) -> Tensor:
    return ((difference_BCHW.square() + CORNER**2).sqrt() - CORNER).flatten(1).mean(1)
