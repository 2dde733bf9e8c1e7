"""The answers to kind ``reconstruct``, fitted on training clips and given as many floats as the model.

==================  ==========================================================================  ====================
answer              what it is told about a clip                                                floats
==================  ==========================================================================  ====================
train_mean_frame    nothing: the mean frame of the training clips                               0
clip_mean_frame     the clip's own mean frame                                                   H x W x C
frame_pca           every frame in the principal components of the training frames              (floats // T) x T
patch_pca           space-time blocks of at most 16 x 8 x 8, equally many components each       (floats // P) x P blocks
patch_pca_chosen    the same components; the (block, component) pairs of largest variance       floats
==================  ==========================================================================  ====================

The components of the blocks are shared by all positions, the mean is each position's own. A clip that blocks do
not divide is continued by its last frame, row or column, and cut off again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.baselines.answers import Answer, Batches, Clip, Output

if TYPE_CHECKING:
    import torch

BLOCK = (16, 8, 8)  # frames, rows, columns at most
FRAME_PCA_FRAMES = 8192  # training frames for the frame PCA, evenly spaced
STEP_VALUES = 2**22  # pixels worked on at once
SKETCH_PASSES = 6
SKETCH_EXTRA = 32  # more directions than asked for: subspace iteration settles by the ratio of the eigenvalues
RANK_TOLERANCE = 1e-9  # directions of less variance, relative to the largest, are rounding noise


def fit(batches: Batches, latent_floats: int) -> list[Answer]:
    """Fit all five on training clips, in bounded memory: one batch and two covariances at a time.

    Args:
        batches: starts a pass over the training clips.
        latent_floats: what the model's decoder is told about one clip; the PCA answers get no more.

    Raises:
        ValueError: no training clip, or fewer than one float.
    """
    if latent_floats < 1:
        raise ValueError(f"latent_floats is {latent_floats}; a baseline needs at least 1")
    first = next(iter(batches()), None)
    if first is None or len(first) == 0:
        raise ValueError("there is no training clip to fit the baselines on; check split.test and split.validation")
    _, t, h, w, c = first.shape
    batches = _in_small_steps(batches)
    mean_HWC, clips = _mean_frame(batches)

    def train_mean(clip_BTHWC: Clip) -> Output:
        return np.broadcast_to(mean_HWC.astype(np.float32), clip_BTHWC.shape).copy()

    def clip_mean(clip_BTHWC: Clip) -> Output:
        mean = clip_BTHWC.mean(axis=1, keepdims=True, dtype=np.float64) / 255.0
        return np.broadcast_to(mean.astype(np.float32), clip_BTHWC.shape).copy()

    return [
        Answer("train_mean_frame", 0, train_mean),
        Answer("clip_mean_frame", h * w * c, clip_mean),
        _frame_pca(batches, mean_HWC, clips, latent_floats // t),
        *_patch_pcas(batches, latent_floats),
    ]


def _in_small_steps(batches: Batches) -> Batches:
    """The same clips in batches of at most 32 MiB as float64, or one clip."""

    def start() -> Iterator[Clip]:
        for batch in batches():
            step = max(1, STEP_VALUES // max(1, batch[:1].size))
            yield from (batch[i : i + step] for i in range(0, len(batch), step))

    return start


def _mean_frame(batches: Batches) -> tuple[NDArray[np.float64], int]:
    """The mean training frame (H, W, C), 0 to 1, and the number of clips. Sums of whole numbers: exact in any order."""
    total, clips, t = 0, 0, 1
    for batch in batches():
        total = total + batch.sum(axis=(0, 1), dtype=np.int64)
        clips, t = clips + len(batch), batch.shape[1]
    mean: NDArray[np.float64] = np.asarray(total) / (255.0 * clips * t)
    return mean, clips


def _clamped(values: torch.Tensor, shape: tuple[int, ...]) -> Output:
    output: Output = values.clamp(0.0, 1.0).float().reshape(shape).numpy()
    return output


def _frame_pca(batches: Batches, mean_HWC: NDArray[np.float64], clips: int, components: int) -> Answer:
    """PCA over whole frames by subspace iteration (Halko et al. 2011): a 128 px frame's covariance would be 2 GB."""
    import torch

    mean = torch.from_numpy(mean_HWC.reshape(-1))
    t = next(iter(batches())).shape[1]
    every = max(1, -(-clips * t // FRAME_PCA_FRAMES))

    def frames() -> Iterator[torch.Tensor]:
        seen = 0
        for batch in batches():
            rows = batch.reshape(-1, mean.numel())
            kept = rows[(-seen) % every :: every]
            seen += len(rows)
            yield torch.from_numpy(kept.astype(np.float64) / 255.0) - mean

    count = -(-clips * t // every)
    components = min(components, mean.numel(), count)
    width = min(components + SKETCH_EXTRA, mean.numel())
    basis = torch.linalg.qr(
        torch.randn(mean.numel(), width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    )[0]
    for _ in range(SKETCH_PASSES if components else 0):
        basis = torch.linalg.qr(sum((x.T @ (x @ basis) for x in frames()), torch.zeros_like(basis)))[0]
    small = sum(((x @ basis).T @ (x @ basis) for x in frames()), torch.zeros(width, width, dtype=torch.float64))
    values, vectors = torch.linalg.eigh(small)
    kept = min(components, int((values > RANK_TOLERANCE * values.max()).sum()))
    basis = basis @ vectors.flip(1)[:, :kept]

    def predict(clip_BTHWC: Clip) -> Output:
        x = torch.from_numpy(clip_BTHWC.astype(np.float64) / 255.0).reshape(-1, mean.numel()) - mean
        return _clamped(x @ basis @ basis.T + mean, clip_BTHWC.shape)

    return Answer("frame_pca", kept * t, predict)


@dataclass(frozen=True)
class Blocks:
    """A clip cut into P space-time blocks of D values, and back.

    The extents are balanced: 20 frames give two blocks of 10, not one of 16 and a rest of 4.
    """

    shape: tuple[int, int, int, int]  # T, H, W, C
    counts: tuple[int, int, int]
    extents: tuple[int, int, int]

    @classmethod
    def of(cls, shape: tuple[int, int, int, int]) -> Blocks:
        counts = [-(-n // most) for n, most in zip(shape[:3], BLOCK, strict=True)]
        extents = [-(-n // count) for n, count in zip(shape[:3], counts, strict=True)]
        return cls(shape, (counts[0], counts[1], counts[2]), (extents[0], extents[1], extents[2]))

    def cut(self, clip_BTHWC: Clip) -> Clip:
        """(B, T, H, W, C) to (B, P, D)."""
        room = [n * size - have for n, size, have in zip(self.counts, self.extents, self.shape[:3], strict=True)]
        x = np.pad(clip_BTHWC, ((0, 0), *((0, more) for more in room), (0, 0)), mode="edge")
        (nt, nh, nw), (t, h, w), c = self.counts, self.extents, self.shape[3]
        x = x.reshape(len(x), nt, t, nh, h, nw, w, c).transpose(0, 1, 3, 5, 2, 4, 6, 7)
        return x.reshape(len(x), nt * nh * nw, t * h * w * c)

    def join(self, blocks_BPD: Output) -> Output:
        """(B, P, D) to (B, T, H, W, C)."""
        (nt, nh, nw), (t, h, w), c = self.counts, self.extents, self.shape[3]
        x = blocks_BPD.reshape(len(blocks_BPD), nt, nh, nw, t, h, w, c).transpose(0, 1, 4, 2, 5, 3, 6, 7)
        x = x.reshape(len(x), nt * t, nh * h, nw * w, c)
        return np.ascontiguousarray(x[:, : self.shape[0], : self.shape[1], : self.shape[2]])


def _patch_pcas(batches: Batches, latent_floats: int) -> tuple[Answer, Answer]:
    """Both block PCAs from one covariance.

    Sums and products of uint8 are whole numbers that float64 holds exactly up to 2**53, so the covariance does not
    depend on the batch, the number of threads or the order.
    """
    import torch

    shape = next(iter(batches())).shape[1:]
    blocks = Blocks.of((shape[0], shape[1], shape[2], shape[3]))
    positions, size = int(np.prod(blocks.counts)), int(np.prod(blocks.extents)) * shape[3]
    products = torch.zeros(size, size, dtype=torch.float64)
    sums = torch.zeros(positions, size, dtype=torch.float64)
    clips = 0
    for batch in batches():
        x = torch.from_numpy(blocks.cut(batch)).double()
        flat = x.reshape(-1, size)
        products += flat.T @ flat
        sums += x.sum(dim=0)
        clips += len(batch)
    mean = sums / clips
    covariance = (products - clips * mean.T @ mean) / (clips * positions * 255.0**2)
    values, vectors = torch.linalg.eigh(covariance)
    rank = int((values > RANK_TOLERANCE * values.max()).sum())
    basis, mean = vectors.flip(1)[:, :rank], mean / 255.0

    def coefficients(clip_BTHWC: Clip) -> torch.Tensor:
        projected: torch.Tensor = (torch.from_numpy(blocks.cut(clip_BTHWC)).double() / 255.0 - mean) @ basis
        return projected

    variance = sum(
        (coefficients(batch).square().sum(dim=0) for batch in batches()), torch.zeros(positions, rank).double()
    )
    equal = torch.zeros(positions, rank, dtype=torch.bool)
    equal[:, : latent_floats // positions] = True
    order = variance.flatten().argsort(descending=True, stable=True)[:latent_floats]
    chosen = torch.zeros(positions * rank, dtype=torch.bool).index_fill(0, order, True).reshape(positions, rank)

    def answer(name: str, kept: torch.Tensor) -> Answer:
        def predict(clip_BTHWC: Clip) -> Output:
            output: Any = (coefficients(clip_BTHWC) * kept) @ basis.T + mean
            return blocks.join(_clamped(output, tuple(output.shape)))

        return Answer(name, int(kept.sum()), predict)

    return answer("patch_pca", equal), answer("patch_pca_chosen", chosen)
