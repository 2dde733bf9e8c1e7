"""C3D: the paper's network to the parameter, its crops, its kernel depths, its arithmetic over two frames."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

import models
from models.c3d import Convolution

SMALL: dict[str, Any] = {
    "variant": "default", "height_px": 32, "width_px": 40, "crop_height_px": None, "crop_width_px": None,
    "classes": 4, "base_channels": 4, "features": 24,
}  # fmt: skip


def small(**config: Any) -> models.VideoModel:
    torch.manual_seed(0)
    return models.build("c3d", **{**SMALL, **config}).eval()


def noise(count: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_the_papers_network_has_the_papers_parameters_and_maps() -> None:
    with torch.device("meta"):  # 320 MB that nobody looks into
        model = models.build("c3d")
        clip = torch.empty(1, 3, 16, 128, 171)
        shapes = []
        for layer in model.layers:
            if isinstance(layer, Convolution | torch.nn.MaxPool3d):
                layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
        logits = model.logits(clip)
    assert sum(p.numel() for p in model.parameters()) == 79_991_015
    assert logits.shape == (1, 487)
    assert shapes == [
        (64, 16, 112, 112), (64, 16, 56, 56),
        (128, 16, 56, 56), (128, 8, 28, 28),
        (256, 8, 28, 28), (256, 8, 28, 28), (256, 4, 14, 14),
        (512, 4, 14, 14), (512, 4, 14, 14), (512, 2, 7, 7),
        (512, 2, 7, 7), (512, 2, 7, 7), (512, 1, 4, 4),
    ]  # fmt: skip


def test_the_centre_crop_is_all_that_it_sees() -> None:
    model = small(crop_height_px=16, crop_width_px=20)
    clip = noise(2, 16, 32, 40, 3)
    around = clip.clone()
    around[:, :, :8], around[:, :, 24:], around[:, :, :, :10], around[:, :, :, 30:] = 0, 255, 7, 9
    with torch.no_grad():
        torch.testing.assert_close(model.predict(around), model.predict(clip), rtol=0, atol=0)
        torch.testing.assert_close(model.predict(clip[:, :, 8:24, 10:30]), model.predict(clip), rtol=0, atol=0)


def test_the_descriptor_is_what_the_classes_are_told_from() -> None:
    model = small()
    clip = noise(2, 16, 32, 40, 3)
    with torch.no_grad():
        described = model.describe(clip)
        expected = model.fc8(F.relu(model.fc7(described))).softmax(1)
        torch.testing.assert_close(model.predict(clip), expected)
        both = model.answer_and_describe(clip)
        torch.testing.assert_close(both, (model.predict(clip), described), rtol=0, atol=0)
    assert described.shape == (2, 24)
    assert described.dtype == torch.float32
    assert float(described.min()) >= 0.0


def test_it_starts_from_the_mean_and_deviation_of_its_clips() -> None:
    model = small(channels=3)
    clip = noise(3, 16, 32, 40, 3)
    clip[..., 1] = clip[..., 1] // 4 + 100
    clip[..., 2] = 51
    model.initialise(clip)
    values = clip.double().flatten(0, 3) / 255.0
    torch.testing.assert_close(model.mean.double(), values.mean(0), rtol=1e-6, atol=0)
    expected = values.std(0, correction=0).clamp_min(1 / 255)  # one flat channel must not be divided by zero
    torch.testing.assert_close(model.deviation.double(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("kernel_depth", "depths"),
    [
        (1, [1] * 8),
        (3, [3] * 8),
        (5, [5] * 8),
        (7, [7] * 8),
        ("increasing", [3, 3, 5, 5, 5, 5, 7, 7]),
        ("decreasing", [7, 5, 5, 5, 3, 3, 3, 3]),
    ],
)
def test_the_kernel_depth_of_every_convolution(kernel_depth: int | str, depths: list[int]) -> None:
    model = small(kernel_depth=kernel_depth)
    kernels = [layer.kernel_size for layer in model.layers if isinstance(layer, Convolution)]
    assert kernels == [(depth, 3, 3) for depth in depths]
    with torch.no_grad():
        assert model.predict(noise(1, 16, 32, 40, 3)).shape == (1, 4)


def test_with_depth_one_a_film_and_its_reverse_are_the_same() -> None:
    clip = noise(2, 16, 32, 40, 3)
    with torch.no_grad():
        for depth, same in ((1, True), (3, False)):
            model = small(kernel_depth=depth)
            forward, backward = model.describe(clip), model.describe(clip.flip(1))
            assert torch.allclose(forward, backward, rtol=1e-5, atol=1e-5) is same


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"variant": "article"}, "variant is 'article'; it must be 'paper' or 'default'"),
        ({"frames": 24}, "frames is 24; c3d needs a multiple of 16"),
        ({"channels": 2}, r"channels is 2; it must be 1 \(gray\) or 3 \(RGB\)"),
        ({"classes": 1}, "classes is 1; a classifier needs two or more"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be 0 to below 1"),
        ({"crop_width_px": 41}, "crop_width_px is 41 for frames of 40 px; it must be 16 to 40, or null for all of it"),
        ({"height_px": 12}, "crop_height_px is None for frames of 12 px"),
        ({"features": 0}, "features is 0; it must be 1 or more, or null"),
        ({"kernel_depth": 4}, "kernel_depth is 4; it must be 1, 3, 5, 7, 'increasing' or 'decreasing'"),
        ({"kernel_depth": True}, "kernel_depth is True; it must be"),
    ],
)
def test_settings_that_make_no_network_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**config)
