"""What is exported of a C3D, folded and settled, against the C3D itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import models
from tasks.tracking.describing import Describer, example_clips, save_describe

HEIGHT, WIDTH = 32, 40


@pytest.mark.parametrize(
    "config",
    [
        {"variant": "default", "channels": 1},
        {"variant": "paper", "channels": 3, "base_channels": 16, "features": 64},  # 64 channels into conv3b, 128 on
    ],
    ids=["default", "paper"],
)
def test_an_exported_c3d_describes_as_the_c3d_does(config: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"height_px": HEIGHT, "width_px": WIDTH, "crop_height_px": 32, "crop_width_px": 32}
    model = models.build("c3d", classes=4, **sizes, **config)
    clips = example_clips(6, (16, HEIGHT, WIDTH, config["channels"]))
    model.initialise(torch.from_numpy(clips))
    with torch.no_grad():
        model.train().predict(torch.from_numpy(clips))  # for normalisation to have seen something
        expected = model.eval().describe(torch.from_numpy(clips)).numpy()
    save_describe(model, tmp_path)
    exact, half = Describer(tmp_path, "32"), Describer(tmp_path, "bf16")
    flat = [node for node in exact.module.graph.nodes if node.target is torch.ops.aten.conv2d.default]
    assert len(flat) >= 3 * 4  # conv3b, conv4a and conv4b by minimal filtering
    assert all(node.args[1].op == "get_attr" for node in flat)  # the sums of their weights are folded

    assert 0.2 < (expected > 0).mean() < 0.8
    np.testing.assert_allclose(exact(clips), expected, rtol=0, atol=1e-5 * expected.max())
    rounded = half(clips)
    assert rounded.dtype == np.float32
    apart = np.linalg.norm(rounded - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert 0 < apart.max() < 0.02  # as docs/features.md says; 0.009 as measured
