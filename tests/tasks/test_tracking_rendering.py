"""Rendering any size and time, exported: pix2pix itself, and an architecture that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import models
from tasks.tracking import companions, rendering
from tests.tasks._tiny import know_tiny


@pytest.mark.torture  # thousands of steps; the tests of the lifecycle export one, and use it at another size
@pytest.mark.parametrize("flow", ["none", "classical"])
def test_pix2pix_is_exported_for_pictures_of_any_size(tmp_path: Path, flow: str) -> None:
    torch.manual_seed(0)
    small = {"height_px": 32, "width_px": 48, "head_width": 8, "critic_width": 8}
    model = models.build("pix2pix", variant="default", flow=flow, **small).eval()
    for parameter in model.parameters():
        if not parameter.abs().max():  # what begins at 0 would leave the cross-fade, which is easy to export
            torch.nn.init.normal_(parameter, std=0.02)
    model.net.generator.trust.fill_(1.0)  # else the classical flow counts for nothing
    rendering.save_render(model, tmp_path)
    render = rendering.load_render(tmp_path)
    for height, width, times in ((41, 67, [0.5]), (96, 130, [0.2, 0.7])):
        frames = np.random.default_rng(height).integers(0, 256, (1, 2, height, width, 3), dtype=np.uint8)
        answer = rendering.apply_render(render, frames, np.array(times, np.float32))
        with torch.no_grad():
            expected = model.render(torch.from_numpy(frames), torch.tensor(times)).numpy()
        assert answer.shape == (1, len(times), height, width, 3)
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)


def test_what_answers_at_its_own_size_only_is_not_exported(tmp_path: Path) -> None:
    model = models.build("pix2pix", variant="article", height_px=24, width_px=24, width=4).eval()
    assert companions.file_of(model, rendering.METHOD) is None
    rendering.save_render(model, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_architecture_that_fixes_a_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    know_tiny()
    model = models.build("tiny_interpolator").eval()

    def fixed(frames_BNHWC: Tensor, times_M: Tensor) -> Tensor:
        ramp = torch.linspace(0, 1, frames_BNHWC.shape[2])[:, None, None]
        return times_M[None, :, None, None, None] * frames_BNHWC[:, :1] * ramp

    monkeypatch.setattr(model, "render", fixed, raising=False)
    with pytest.raises(ValueError, match=r"render cannot be exported for every size .*as torch\.linspace"):
        rendering.save_render(model, tmp_path)
    assert list(tmp_path.iterdir()) == []
