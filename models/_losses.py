"""Losses and the scalars worth plotting beside them. All in float32, whatever the network ran in."""

from __future__ import annotations

import torch
from torch import Tensor

Scalars = dict[str, Tensor]


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
