"""The default variant of pix2pix: what must hold whatever was learned, and that its motion is motion."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

import models
from models._flow import classical_flow, enlarge
from models._losses import interpolation_loss


def make(**config: object) -> models.VideoModel:
    torch.manual_seed(0)
    settings: dict[str, object] = {"height_px": 64, "width_px": 96, "head_width": 8, "critic_width": 8, **config}
    return models.build("pix2pix", variant="default", **settings)


def scrambled(**config: object) -> models.VideoModel:
    """Any weights at all, as if training had gone astray, the classical flow fully brought in."""
    model = make(**config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        model.net.generator.trust.fill_(1.0)
    return model.eval()


def texture(height_px: int, width_px: int, seed: int = 0) -> Tensor:
    """A smooth random picture, (H, W, 3), 0 to 1, with structure at several sizes."""
    generator = torch.Generator().manual_seed(seed)
    layers = [
        F.interpolate(
            torch.rand(1, 3, max(2, height_px // cell), max(2, width_px // cell), generator=generator),
            size=(height_px, width_px), mode="bicubic",
        )
        for cell in (4, 8, 16)
    ]  # fmt: skip
    return (sum(layers) / 3)[0].permute(1, 2, 0).clamp(0, 1)


def pan(step_px: tuple[int, int], frames: int = 7, height_px: int = 64, width_px: int = 96) -> Tensor:
    """A camera that moves over a texture: uint8 (1, T, H, W, 3); what is at x is at x - step one frame later."""
    wide = texture(height_px + 60, width_px + 60)
    windows = [wide[30 + k * step_px[1] :, 30 + k * step_px[0] :][:height_px, :width_px] for k in range(frames)]
    return (torch.stack(windows)[None] * 255).round().to(torch.uint8)


def psnr_db(answer: Tensor, truth: Tensor, margin: int = 16) -> float:
    inside = (..., slice(margin, -margin), slice(margin, -margin), slice(None))
    return float(-10 * (answer[inside] - truth[inside] / 255).square().mean().log10())


def noise(count: int = 2, height_px: int = 64, width_px: int = 96) -> Tensor:
    return torch.randint(0, 256, (count, 7, height_px, width_px, 3), dtype=torch.uint8)


@pytest.mark.parametrize("flow", ["classical", "none"])
def test_the_first_step_sees_the_cross_fade(flow: str) -> None:
    model, clip = make(flow=flow), noise()
    first, second = clip[:, 0] / 255, clip[:, 6] / 255
    fade = torch.stack([(1 - k / 6) * first + k / 6 * second for k in range(1, 6)], 1)
    with torch.no_grad():
        torch.testing.assert_close(model.predict(clip[:, [0, 6]]), fade, rtol=0, atol=1e-4)


def test_at_the_ends_it_answers_with_the_inputs_whatever_was_learned() -> None:
    shown = noise()[:, [0, 6]]
    with torch.no_grad():
        answer = scrambled().render(shown, torch.tensor([0.0, 1.0]))
    assert torch.equal((answer * 255).round().to(torch.uint8), shown)


def test_time_reversed_is_the_answer_reversed() -> None:
    shown, model = pan((2, 1))[:, [0, 6]], scrambled()
    with torch.no_grad():
        forth = model.render(shown, torch.tensor([0.1, 0.5, 0.8]))
        back = model.render(shown.flip(1), torch.tensor([0.9, 0.5, 0.2]))
        fade = model.render(shown, torch.tensor([0.5]))
    torch.testing.assert_close(forth, back, rtol=0, atol=1e-3)
    assert float((forth[:, 1:2] - fade).abs().max()) < 1e-3  # a time is a time, whatever it is asked with


def test_places_between_are_times_between() -> None:
    shown, model = noise()[:, [0, 6]], scrambled()
    with torch.no_grad():
        torch.testing.assert_close(model.predict(shown), model.render(shown, torch.arange(1, 6) / 6), rtol=0, atol=0)


@pytest.mark.parametrize("step_px", [(1, 0), (-2, 1), (3, -1)])
def test_the_classical_flow_finds_a_pan(step_px: tuple[int, int]) -> None:
    clip = pan(step_px)[0, [0, 6]].permute(0, 3, 1, 2) / 255
    expected = torch.tensor([-6.0 * step_px[0], -6.0 * step_px[1]])
    exact, straight = classical_flow(clip[:1], clip[1:]).split(2, 1)
    for found, most in ((exact, 0.15), (straight, 0.75)):  # the second keeps more of the search's whole pixels
        error = (enlarge(found, 64, 96)[0, :, 20:-20, 24:-24] - expected[:, None, None]).norm(dim=0)
        assert float(error.median()) < most


def test_without_any_training_the_settled_head_moves_what_it_sees() -> None:
    model, clip = make(), pan((2, 1))
    model.net.generator.trust.fill_(1.0)
    with torch.no_grad():
        answer = model.predict(clip[:, [0, 6]])
    fade = torch.stack([(1 - k / 6) * clip[:, 0] + k / 6 * clip[:, 6] for k in range(1, 6)], 1) / 255
    truth = clip[:, 1:6].float()
    assert psnr_db(answer, truth) > psnr_db(fade, truth) + 8.0


def test_prediction_is_the_same_system_with_other_places() -> None:
    model, clip = make(inputs=(0, 1), outputs=(2, 3)), pan((2, 0))
    with torch.no_grad():
        before = model.predict(clip[:, [0, 1]])
        torch.testing.assert_close(before, (clip[:, [1, 1]] / 255).float(), rtol=0, atol=1e-4)  # the last input again
        model.net.generator.trust.fill_(1.0)
        moved = model.predict(clip[:, [0, 1]])
    truth = clip[:, 2:4].float()
    assert psnr_db(moved, truth) > psnr_db(before, truth) + 8.0


def test_any_size_is_rendered_from_the_motion_at_the_working_size() -> None:
    model, clip = make(), pan((4, 2), height_px=130, width_px=190)
    model.net.generator.trust.fill_(1.0)
    with torch.no_grad():
        answer = model.render(clip[:, [0, 6]], torch.tensor([0.5]))
    assert answer.shape == (1, 1, 130, 190, 3)
    fade = (clip[:, [0]].float() + clip[:, [6]].float()) / 510
    assert psnr_db(answer, clip[:, [3]].float(), 40) > psnr_db(fade, clip[:, [3]].float(), 40) + 6.0


def test_the_guard_takes_the_adversarial_term_away_as_psnr_falls() -> None:
    net = make(adversarial_from=0.5, guard_db=0.5).net
    for _ in range(400):
        assert float(net._guard(torch.tensor(2.0), on=False)) == 1.0
    assert float(net.before_db) == pytest.approx(2.0, abs=1e-3)
    assert float(net._guard(torch.tensor(2.0), on=True)) == pytest.approx(1.0, abs=1e-3)
    weights = [float(net._guard(torch.tensor(1.0), on=True)) for _ in range(200)]
    assert all(a >= b for a, b in itertools.pairwise(weights))
    assert weights[-1] == 0.0
    assert float(net.before_db) == pytest.approx(2.0, abs=1e-3)  # what was reached before is not forgotten


def test_the_discriminator_rests_until_the_term_is_switched_on() -> None:
    model, batch = make(adversarial_from=0.75), {"clip": noise(), "progress": torch.tensor(0.5)}
    model.net.generator.trust.fill_(1.0)
    assert model.active_parts(0.74) == ("generator",)
    assert set(model.active_parts(0.75)) == {"generator", "discriminator"}
    assert "adversarial" not in model.loss(batch, "generator")[1]
    torch.manual_seed(1)
    plain = model.loss(batch, "generator")[0].detach()
    torch.manual_seed(1)
    loss, found = model.loss(batch | {"progress": torch.tensor(0.75)}, "generator")
    weight = model.config.adversarial_weight * float(found["guard"])
    assert float(loss.detach() - plain) == pytest.approx(weight * float(found["adversarial"]), rel=1e-3)


def test_the_loss_is_charbonnier_and_a_laplacian_pyramid() -> None:
    """A constant difference has no band: only the Charbonnier term and nothing of the pyramid."""
    truth = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    difference = 0.1
    expected = (difference**2 + 0.1**2) ** 0.5 - 0.1 + 1e-6
    loss = interpolation_loss(truth + difference, truth)
    assert float(loss) == pytest.approx(torch.tensor(expected).log().item(), abs=1e-4)
    stripes = truth.clone()
    stripes[..., ::2] += difference
    stripes[..., 1::2] -= difference
    assert float(interpolation_loss(stripes, truth)) > float(loss) + 0.1  # the same size, but a fine pattern


def test_a_crop_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="training clips of 100 x 96 px do not fit pix2pix's default variant; make"):
        make().loss({"clip": noise(height_px=100), "progress": torch.tensor(0.0)}, "generator")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"height_px": 72}, "height_px is 72; pix2pix's default variant needs a multiple of 16"),
        ({"inputs": (0, 3, 6), "outputs": (1,)}, r"inputs is \[0, 3, 6\]; the default variant moves two inputs"),
        ({"inputs": 6}, r"inputs is 6; give a list of places in the clip, such as \[0, 6\]"),
        ({"head_width": 2.5}, "head_width is 2.5; it must be a whole number, 1 or more"),
        ({"adversarial_weight": -1.0}, "adversarial_weight is -1.0; it must be 0 or more"),
        ({"inputs": (6, 0)}, r"inputs is \[6, 0\]; give places in a clip of 7 frames \(0 to 6\), ascending"),
        ({"outputs": (1, 7)}, r"outputs is \[1, 7\]; give places"),
        ({"outputs": (5, 6)}, "place 6 stands in inputs and in outputs"),
        ({"flow": "dis"}, "flow is 'dis'; it must be 'classical' or 'none'"),
        ({"adversarial_from": 1.5}, "adversarial_from is 1.5; it must be from 0 to 1"),
        ({"guard_db": 0.0}, "guard_db is 0.0; it must be more than 0"),
        ({"channels": 2}, "channels is 2; it must be 1"),
    ],
)
def test_bad_settings_are_named(config: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**config)
