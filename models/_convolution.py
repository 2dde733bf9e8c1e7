"""3-D convolution and max-pooling, computed the fastest way that torch has on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

FILTERED_CHANNELS = 64  # with fewer, sums of frames take longer than the products they spare


class Convolution(nn.Conv3d):
    """Kernel depth x 3 x 3, stride 1, same size out.

    The sums over time are arranged in three ways, by what there is to convolve:

    - with a depth of three and many channels, on a CPU, by minimal filtering (`_filtered`): four products of frames for
      every two, where a plain convolution has six;
    - over fewer frames than the kernel is deep, with the zeros around them written out: where torch 2.13 imagines
      them, its gradient by the weights in bfloat16 on a CPU is not a number, or the end of the process;
    - else as torch does it.
    """

    def __init__(self, inside: int, outside: int, depth: int, *, bias: bool = True) -> None:
        super().__init__(inside, outside, (depth, 3, 3), padding=(depth // 2, 1, 1), bias=bias)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, out, T, H, W)."""
        depth, frames = self.kernel_size[0], x_BCTHW.shape[2]
        many = self.in_channels >= FILTERED_CHANNELS and x_BCTHW.device.type == "cpu"
        if depth == 3 and frames % 2 == 0 and many:
            return self._filtered(x_BCTHW)
        if 1 < frames < depth:
            around = F.pad(x_BCTHW, (0, 0, 0, 0, depth // 2, depth // 2))
            return F.conv3d(around, self.weight, self.bias, padding=(0, 1, 1))
        return super().forward(x_BCTHW)

    def _filtered(self, x_BCTHW: Tensor) -> Tensor:
        """Minimal filtering F(2, 3) along time (Winograd; Lavin and Gray 2016, section 4.1). Frames a, b, c, d give

            m0 = before * (a - c)                     out b = m0 + m1 + m2
            m1 = (before + now + after) / 2 * (b + c)     out c = m1 - m2 - m3
            m2 = (before - now + after) / 2 * (c - b)
            m3 = after * (b - d)

        with a 2-D convolution for `*`; a and d are the b and c of the neighbours.
        """
        batch, _, frames, height, width = x_BCTHW.shape
        x_BTHWC = x_BCTHW.permute(0, 2, 3, 4, 1)
        nothing = torch.zeros_like(x_BTHWC[:, :1])
        padded = torch.cat([nothing, x_BTHWC, nothing], 1)
        left, right = padded.reshape(batch, frames // 2 + 1, 2, height, width, self.in_channels).unbind(2)
        a, b, c, d = left[:, :-1], right[:, :-1], left[:, 1:], right[:, 1:]

        def times(weight: Tensor, sums_BTHWC: Tensor, bias: Tensor | None = None) -> Tensor:
            return F.conv2d(sums_BTHWC.flatten(0, 1).permute(0, 3, 1, 2), weight, bias, padding=1).permute(0, 2, 3, 1)

        before, now, after = self.weight.unbind(2)
        outer, inner = (before + after) * 0.5, now * 0.5
        m0 = times(before, a - c)
        m1 = times(outer + inner, b + c, self.bias)
        m2 = times(outer - inner, c - b)
        m3 = times(after, b - d)
        out = torch.stack([m0 + m1 + m2, m1 - m2 - m3], 1)
        return out.reshape(batch, frames, height, width, self.out_channels).permute(0, 4, 1, 2, 3)


class MaxPool(nn.MaxPool3d):
    """Max-pooling that stays in bfloat16 under autocast, which takes plain `max_pool3d` through float32.

    It commutes with ReLU; pool first, and ReLU has 4 or 8 times less to do.
    """

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C, T', H', W')."""
        pooled: Tensor = F.max_pool3d(x_BCTHW, self.kernel_size, self.stride, self.padding, return_indices=True)[0]
        return pooled
