"""What must hold for every architecture and variant, found by name: a new one is tested by being there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import models

SMALL: dict[str, dict[str, dict[str, object]]] = {
    "reconstruct": {
        # the article's networks halve four times; the default variants need patches of 8
        "article": {"frames": 16, "height_px": 16, "width_px": 16},
        "default": {"frames": 16, "height_px": 32, "width_px": 24, "latent_floats": 200},
    },
    "interpolate": {
        "article": {"frames": 7, "height_px": 32, "width_px": 40, "width": 8},
        "default": {"frames": 7, "height_px": 32, "width_px": 48, "adversarial_from": 0.0},
    },
    "regress": {
        "article": {"features": (24, 16, 15)},
        "default": {},
    },
    "classify": {
        "paper": {"crop_height_px": 32, "crop_width_px": 32, "base_channels": 4, "features": 24},
        "default": {"crop_height_px": None, "crop_width_px": None, "base_channels": 4, "features": 24},
    },
}
SMALL["classify"] = {
    variant: {"frames": 16, "height_px": 32, "width_px": 48, "classes": 2, "dropout": 0.0, **config}
    for variant, config in SMALL["classify"].items()
}
SMALL["regress"] = {
    variant: {
        "frames": 6, "height_px": 32, "width_px": 40, "score_mean": 5.0, "score_deviation": 2.0, "dropout": 0.0,
        **config,
    }
    for variant, config in SMALL["regress"].items()
}  # fmt: skip
PROGRESS = 0.5
VARIANTS = [(name, variant) for name in models.names() for variant in SMALL[models.kind_of(name)]]


def of_kind(*kinds: str) -> list[tuple[str, str]]:
    return [(name, variant) for name, variant in VARIANTS if models.kind_of(name) in kinds]


def make(name: str, variant: str, **config: object) -> models.VideoModel:
    torch.manual_seed(0)
    return models.build(name, variant=variant, **{**SMALL[models.kind_of(name)][variant], **config})


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


def shown(model: models.VideoModel, clip_BTHWC: Tensor) -> Tensor:
    return clip_BTHWC[:, list(model.inputs)]


def loss(model: models.VideoModel, clip_BTHWC: Tensor, part: str) -> tuple[Tensor, dict[str, Tensor]]:
    known = {"label": torch.arange(len(clip_BTHWC)) % 2, "score": scores(len(clip_BTHWC))}  # each read by one kind
    return model.loss({"clip": clip_BTHWC, **known, "progress": torch.tensor(PROGRESS)}, part)


def scores(count: int) -> Tensor:
    """Of clips: 3 and 7 in turn."""
    return 3.0 + 4.0 * (torch.arange(count) % 2)


def train(model: models.VideoModel, batch: Tensor, steps: int, *, bf16: bool = False) -> None:
    parts = model.active_parts(PROGRESS)
    assert set(parts) == set(model.parts)
    optimizers = {part: torch.optim.Adam(model.parameters_of(part), lr=3e-3) for part in parts}
    both_ways = model.kind == "interpolate"  # what answers both ways in time at once has to learn both
    for step in range(steps):
        for part, optimizer in optimizers.items():
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                objective, _ = loss(model, batch.flip(1) if both_ways and step % 2 else batch, part)
            objective.backward()
            optimizer.step()


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_predict_answers_every_place(name: str, variant: str, channels: int) -> None:
    model = make(name, variant, channels=channels)
    batch = clips(model, 3)
    model.initialise(batch)
    with torch.no_grad():
        out = model.eval().predict(shown(model, batch))
    assert out.dtype == torch.float32
    if model.kind == "regress":
        assert out.shape == (3,)
        assert bool(out.isfinite().all())
        return
    assert 0.0 <= float(out.min()) <= float(out.max()) <= 1.0
    if model.kind == "classify":
        assert out.shape == (3, 2)
        torch.testing.assert_close(out.sum(1), torch.ones(3))
    else:
        assert out.shape == batch[:, list(model.outputs)].shape


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_parameter_belongs_to_one_part_and_gets_a_gradient(name: str, variant: str) -> None:
    model = make(name, variant)
    batch = clips(model, 4)
    model.initialise(batch)
    train(model, batch, 3)  # branches that start at zero pass no gradient on before they have moved
    owned = [id(p) for part in model.parts for p in model.parameters_of(part)]
    assert sorted(owned) == sorted(id(p) for p in model.parameters())
    names = {id(p): n for n, p in model.named_parameters()}
    for part in model.parts:
        model.zero_grad(set_to_none=True)
        loss(model, batch, part)[0].backward()
        own = list(model.parameters_of(part))
        without = [names[id(p)] for p in own if p.grad is None or not bool(p.grad.abs().sum() > 0)]
        assert without == []


# The largest of them takes as long as the others together.
@pytest.mark.parametrize(
    ("name", "variant"),
    [
        pytest.param(*model, marks=[pytest.mark.torture] if model == ("conv3d_autoencoder", "article") else [])
        for model in of_kind("reconstruct", "interpolate")
    ],
)
def test_overfits_one_batch(name: str, variant: str) -> None:
    model = make(name, variant)
    batch = clips(model, 2)  # and no `initialise`: two clips fitted are two clips known
    truth = batch[:, list(model.outputs)] / 255.0

    @torch.no_grad()
    def psnr_db() -> float:
        return float(-10 * (model.predict(shown(model, batch)) - truth).square().mean().log10())

    before = psnr_db()
    train(model, batch, 40)
    assert psnr_db() > before + 3.0


@pytest.mark.parametrize(("name", "variant"), of_kind("classify"))
def test_tells_the_clips_of_one_batch_apart(name: str, variant: str) -> None:
    model = make(name, variant)
    batch = clips(model, 4)
    batch[1::2] = batch[1::2].flip(1)  # the bar goes the other way: what differs is the order of the frames
    model.initialise(batch)
    train(model, batch, 60)
    with torch.no_grad():
        answer = model.eval().predict(batch)
    assert answer.argmax(1).tolist() == [0, 1, 0, 1]
    assert float(answer.max(1).values.min()) > 0.9


@pytest.mark.parametrize(("name", "variant"), of_kind("regress"))
def test_rates_the_clips_of_one_batch_by_the_order_of_their_frames(name: str, variant: str) -> None:
    model = make(name, variant)
    batch = clips(model, 4)
    batch[1::2] = batch[1::2].flip(1)  # no frame tells them apart
    train(model, batch, 100)
    model.eval()
    with torch.no_grad():
        error = model.predict(batch) - scores(4)
    assert float(error.abs().max()) < 0.5


@pytest.mark.parametrize(("name", "variant"), of_kind("regress"))
def test_what_fills_up_a_shorter_clip_does_not_reach_the_answer(name: str, variant: str) -> None:
    model = make(name, variant)
    batch = clips(model, 6)
    length_B = [1, 2, 3, 4, 5, 6]
    for clip, length in zip(batch, length_B, strict=True):
        clip[length:] = 0
    train(model, batch, 3)  # away from where it started, batch statistics too
    assert all(bool(value.isfinite().all()) for value in model.state_dict().values())
    model.eval()
    with torch.no_grad():
        filled = model.predict(batch)
        for clip, length, answer in zip(batch, length_B, filled, strict=True):
            exact = make(name, variant, frames=length)  # the same network, for clips as long as this one
            exact.load_state_dict(model.state_dict())
            torch.testing.assert_close(exact.eval().predict(clip[None, :length])[0], answer, rtol=0.0, atol=1e-5)
    assert len({round(float(answer), 4) for answer in filled}) == 6  # and the frames do


@pytest.mark.parametrize(("name", "variant"), of_kind("regress"))
def test_what_fills_up_a_shorter_clip_does_not_reach_the_gradient(name: str, variant: str) -> None:
    """A batch of short clips in a network for long ones moves it as the same batch moves one for short clips."""
    ends = []
    for frames in (3, 6):
        model = make(name, variant, frames=frames)
        batch = torch.zeros(4, frames, 32, 40, 3, dtype=torch.uint8)
        batch[:, :3] = clips(make(name, variant, frames=6), 4)[:, :3]
        objective, _ = loss(model, batch, "model")
        objective.backward()
        moved = {name: p.grad for name, p in model.named_parameters()} | dict(model.named_buffers())
        ends.append({"loss": objective.detach(), **moved})
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_same_seed_same_weights_in_bf16(name: str, variant: str) -> None:
    ends = []
    for _ in range(2):
        model = make(name, variant)
        batch = clips(model, 4)
        model.initialise(batch)
        train(model, batch, 2, bf16=True)
        ends.append(model.state_dict())
    different = [key for key, value in ends[0].items() if not torch.equal(value, ends[1][key])]
    assert different == []
    assert all(bool(value.isfinite().all()) for value in ends[0].values())


# The tests of the lifecycle export that one too, and use it.
@pytest.mark.parametrize(
    ("name", "variant"),
    [
        pytest.param(*model, marks=[pytest.mark.torture] if model == ("pix2pix", "default") else [])
        for model in VARIANTS
    ],
)
def test_export_equals_in_process(name: str, variant: str) -> None:
    model = make(name, variant)
    batch = clips(model, 6)
    model.initialise(batch)
    train(model, batch, 2)
    model.eval()
    given = shown(model, batch)

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, clip_BTHWC: Tensor) -> Tensor:
            return model.predict(clip_BTHWC)

    with torch.no_grad():
        program = torch.export.export(
            Exported(), (given[:2],), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},)
        ).module()
        for some in (given[:1], given[:2], given[:5]):
            torch.testing.assert_close(program(some), model.predict(some), rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in models.names() if models.kind_of(name) == "reconstruct"])
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
