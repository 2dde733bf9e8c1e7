"""The fast ways to convolve and to pool against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

from models._convolution import FILTERED_CHANNELS, Convolution, MaxPool


def _clips(frames: int, channels: int = FILTERED_CHANNELS) -> Tensor:
    torch.manual_seed(frames)
    x = torch.randn(2, channels, frames, 5, 6, dtype=torch.float64)
    return x.contiguous(memory_format=torch.channels_last_3d).requires_grad_()


def _answer_and_gradients(conv: Convolution, x: Tensor, *, plain: bool) -> list[Tensor]:
    """The output, and the gradients of a fixed random sum over it by input, weight and bias."""
    out = F.conv3d(x, conv.weight, conv.bias, padding=conv.padding) if plain else conv(x)
    torch.manual_seed(9)
    weights = torch.randn(out.shape, dtype=torch.float64)
    return [out, *torch.autograd.grad((out.double() * weights).sum(), [x, *conv.parameters()])]


@pytest.mark.parametrize("channels", [3, FILTERED_CHANNELS])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("depth", [1, 3, 5, 7])
def test_output_and_gradients_are_those_of_a_3d_convolution(depth: int, frames: int, channels: int) -> None:
    torch.manual_seed(0)
    conv = Convolution(channels, 7, depth).double()
    x = _clips(frames, channels)
    for fast, plain in zip(
        _answer_and_gradients(conv, x, plain=False), _answer_and_gradients(conv, x, plain=True), strict=True
    ):
        torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("channels", [16, FILTERED_CHANNELS])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("depth", [1, 3, 5, 7])
def test_in_bfloat16_it_is_near_float64(depth: int, frames: int, channels: int) -> None:
    """0.2 % is the rounding of one product; torch's own weight gradient over too few frames is off by any amount."""
    torch.manual_seed(0)
    conv = Convolution(channels, 32, depth)
    x = _clips(frames, channels)
    true = _answer_and_gradients(conv.double(), x, plain=True)
    conv = conv.float()
    with torch.autocast("cpu", torch.bfloat16):
        found = _answer_and_gradients(conv, x.detach().float().requires_grad_(), plain=False)
    assert found[0].dtype == torch.bfloat16
    for one, other in zip(found, true, strict=True):
        assert float((one.double() - other).detach().norm() / other.detach().norm()) < 0.008


def test_four_products_of_frames_do_for_six() -> None:
    conv, x = Convolution(FILTERED_CHANNELS, 8, 3).double(), _clips(16)
    with FlopCounterMode(display=False) as plain, torch.no_grad():
        F.conv3d(x, conv.weight, conv.bias, padding=1)
    with FlopCounterMode(display=False) as fast, torch.no_grad():
        conv(x)
    assert fast.get_total_flops() * 6 == plain.get_total_flops() * 4 > 0


def test_pooling_stays_in_bfloat16_and_commutes_with_relu() -> None:
    x = _clips(4).detach().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = F.relu(MaxPool((2, 2, 2), padding=(0, 1, 0))(x))
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, F.max_pool3d(F.relu(x), (2, 2, 2), padding=(0, 1, 0)), rtol=0, atol=0)
