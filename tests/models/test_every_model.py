"""What must hold for every architecture and variant, found by name: a new one is tested by being there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import models

SMALL: dict[str, dict[str, object]] = {
    # the article's networks halve four times; the default variants need patches of 8
    "article": {"frames": 16, "height_px": 16, "width_px": 16},
    "default": {"frames": 16, "height_px": 32, "width_px": 24, "latent_floats": 200},
}
VARIANTS = [(name, variant) for name in models.names() for variant in SMALL]


def make(name: str, variant: str, **config: object) -> models.VideoModel:
    torch.manual_seed(0)
    return models.build(name, variant=variant, **{**SMALL[variant], **config})


def clips(model: models.VideoModel, count: int) -> Tensor:
    """A bright bar that moves, on a textured wall: uint8 (B, T, H, W, C)."""
    c = model.config
    generator = torch.Generator().manual_seed(1)
    clip = 60 + 40 * torch.rand(count, 1, c.height_px, c.width_px, c.channels, generator=generator)
    clip = clip.expand(-1, c.frames, -1, -1, -1).clone()
    for number in range(count):
        for frame in range(c.frames):
            left = (number + frame) % (c.width_px - 4)
            clip[number, frame, 4:-4, left : left + 4] = 230 - number
    return clip.to(torch.uint8)


def loss_after(model: models.VideoModel, batch: Tensor, steps: int) -> float:
    optimizer = torch.optim.Adam(model.parameters_of("model"), lr=3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss({"clip": batch})[0].backward()
        optimizer.step()
    return float(model.loss({"clip": batch})[1]["psnr_db"])


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_predict_answers_every_frame(name: str, variant: str, channels: int) -> None:
    model = make(name, variant, channels=channels)
    batch = clips(model, 3)
    model.initialise(batch)
    with torch.no_grad():
        out = model.eval().predict(batch)
    assert out.shape == batch.shape
    assert out.dtype == torch.float32
    assert 0.0 <= float(out.min()) <= float(out.max()) <= 1.0


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_parameter_gets_a_gradient(name: str, variant: str) -> None:
    model = make(name, variant)
    batch = clips(model, 4)
    model.initialise(batch)
    loss_after(model, batch, 3)  # branches that start at zero pass no gradient on before they have moved
    for parameter in model.parameters():
        parameter.grad = None
    model.loss({"clip": batch})[0].backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert without == []


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_overfits_one_batch(name: str, variant: str) -> None:
    model = make(name, variant)
    batch = clips(model, 2)  # and no `initialise`: two clips fitted are two clips known
    before = loss_after(model, batch, 0)
    assert loss_after(model, batch, 40) > before + 3.0


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_same_seed_same_weights_in_bf16(name: str, variant: str) -> None:
    ends = []
    for _ in range(2):
        model = make(name, variant)
        batch = clips(model, 4)
        model.initialise(batch)
        with torch.autocast("cpu", torch.bfloat16):
            loss_after(model, batch, 2)
        ends.append(model.state_dict())
    different = [key for key, value in ends[0].items() if not torch.equal(value, ends[1][key])]
    assert different == []
    assert all(bool(value.isfinite().all()) for value in ends[0].values())


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_export_equals_in_process(name: str, variant: str) -> None:
    model = make(name, variant)
    train = clips(model, 6)
    model.initialise(train)
    loss_after(model, train, 2)
    model.eval()

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, clip_BTHWC: Tensor) -> Tensor:
            return model.predict(clip_BTHWC)

    with torch.no_grad():
        program = torch.export.export(
            Exported(), (train[:2],), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},)
        ).module()
        for batch in (train[:1], train[:2], train[:5]):
            torch.testing.assert_close(program(batch), model.predict(batch), rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("name", models.names())
def test_the_decoder_is_told_no_more_than_the_latent_floats(name: str) -> None:
    model = make(name, "default")
    batch = clips(model, 2)
    model.initialise(batch)
    net = model.net
    with torch.no_grad():
        latent = net.encode(batch.permute(0, 4, 1, 2, 3) / 255.0)
        assert latent.shape == (2, model.latent_floats) == (2, 200)
        alone = net.decode(latent[1:]).clamp(0, 1).permute(0, 2, 3, 4, 1)
        torch.testing.assert_close(alone, model.predict(batch)[1:], rtol=0.0, atol=1e-5)
