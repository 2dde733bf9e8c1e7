"""The article's pix2pix: the paper's networks to the parameter, its losses, and sizes the paper never had."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import models
from models._pix2pix_article import Generator, PatchCritic


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def make(height_px: int = 32, width_px: int = 32, **config: object) -> models.VideoModel:
    torch.manual_seed(0)
    return models.build("pix2pix", variant="article", width=4, height_px=height_px, width_px=width_px, **config)


def noise(model: models.VideoModel, count: int = 1) -> Tensor:
    c = model.config
    shape = (count, c.frames, c.height_px, c.width_px, c.channels)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_the_networks_have_the_papers_parameters() -> None:
    # By hand, weights 16 a pair of channels. Down, 3 to 64 to 128 to 256 to 512 and four times 512 to 512: 19,532,800.
    # Up, 512 to 512, three times 1,024 to 512, 1,024 to 256, 512 to 128, 256 to 64, 128 to 3 with bias: 34,871,299.
    # Two a channel for norms on 128, 256, 512 x 4 maps down and 512 x 4, 256, 128, 64 up: 9,856.
    assert parameters(Generator(3, 3, 64)) == 19_532_800 + 34_871_299 + 9_856 == 54_413_955
    # 6 to 64 and 512 to 1 with bias, 64 to 128 to 256 to 512 without; norms on 128, 256 and 512 maps.
    assert parameters(PatchCritic(6, 64)) == 6_208 + 8_193 + 2_752_512 + 1_792 == 2_768_705
    article = models.build("pix2pix", variant="article")
    counts = {part: sum(p.numel() for p in article.parameters_of(part)) for part in article.parts}
    # two RGB frames to five: 3 channels more in and 12 more out, 15 more to judge
    assert counts == {"generator": 54_413_955 + 3_072 + 24_588, "discriminator": 2_768_705 + 15_360}
    single = models.build("pix2pix", variant="article", critic="single")
    # 512 to 512 more, with its norm
    assert parameters(single.net.discriminator) == counts["discriminator"] + 512 * 512 * 16 + 1_024


def test_a_logit_of_the_patch_critic_sees_70_px() -> None:
    critic = PatchCritic(2, 4)
    for name, module in list(critic.named_children()):
        if isinstance(module, nn.InstanceNorm2d):
            setattr(critic, name, nn.Identity())  # whose statistics see everything
    pair = torch.randn(1, 2, 128, 128, requires_grad=True)
    logits = critic(pair)
    assert logits.shape == (1, 1, 14, 14)
    logits[0, 0, 7, 7].backward()
    assert pair.grad is not None
    seen = pair.grad[0].abs().sum(0)
    assert [int((seen.sum(axis) > 0).sum()) for axis in (0, 1)] == [70, 70]


@pytest.mark.parametrize(("height_px", "width_px"), [(24, 24), (33, 47), (144, 192), (128, 128), (256, 256)])
@pytest.mark.parametrize("critic", ["patch", "single"])
def test_every_size_is_answered_at_that_size_and_no_norm_sees_a_single_pixel(
    height_px: int, width_px: int, critic: str
) -> None:
    model = make(height_px, width_px, critic=critic)
    normed: list[int] = []
    for module in model.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.register_forward_hook(lambda _, inputs, __: normed.append(math.prod(inputs[0].shape[2:])))
    clip = noise(model)
    for part in model.parts:
        assert bool(model.loss({"clip": clip}, part)[0].isfinite())
    assert model.predict(clip[:, [0, 6]]).shape == (1, 5, height_px, width_px, 3)
    assert min(normed) >= 4


def test_the_innermost_layers_pass_on_what_they_see_in_crops_of_128_px() -> None:
    """A norm on a map of one pixel would make them constants."""
    generator, innermost = Generator(6, 15, 4), []
    generator.down[-1].register_forward_hook(lambda _, __, out: innermost.append(out.detach()))
    for _ in range(2):
        generator(torch.randn(1, 6, 128, 128))
    assert innermost[0].shape == (1, 32, 1, 1)
    assert float((innermost[0] - innermost[1]).abs().max()) > 0.1 * float(innermost[0].abs().max())


def test_a_crop_is_answered_with_the_frames_in_their_order() -> None:
    """Frames are stacked on the channels: with the last layer's bias alone, each answers for one frame and channel."""
    model = make()
    last = model.net.generator.up[-1][1]
    nn.init.zeros_(last.weight)
    levels = torch.linspace(-0.9, 0.9, 15)
    last.bias.data = levels.atanh()
    answer = model.predict(noise(model)[:, [0, 6]])
    expected = (levels * 0.5 + 0.5).reshape(1, 5, 1, 1, 3).expand(1, 5, 32, 32, 3)
    torch.testing.assert_close(answer, expected)


def test_losses_are_the_papers() -> None:
    model = make()
    clip = noise(model, 2)
    model.eval()  # no dropout: one answer, so that the losses can be computed beside it
    shown, truth = clip[:, [0, 6]], clip[:, 1:6]
    with torch.no_grad():
        made = model.predict(shown)
        pair = torch.cat([shown / 255.0, made], 1).permute(0, 1, 4, 2, 3).flatten(1, 2) * 2 - 1
        true = torch.cat([shown, truth], 1).permute(0, 1, 4, 2, 3).flatten(1, 2) / 127.5 - 1
        p_made, p_true = (model.net.discriminator(x).sigmoid() for x in (pair, true))
        generator, found = model.loss({"clip": clip}, "generator")
        discriminator, judged = model.loss({"clip": clip}, "discriminator")
    l1 = 2 * (made - truth / 255.0).abs().mean()
    mse_B = (made - truth / 255.0).square().flatten(1).mean(1)
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(generator, 100 * l1 - p_made.log().mean(), **close)
    torch.testing.assert_close(discriminator, -0.5 * (p_true.log().mean() + (1 - p_made).log().mean()), **close)
    expected = {
        "mse": mse_B.mean(),
        "psnr_db": (-10 * mse_B.log10()).mean(),
        "l1": l1,
        "adversarial": -p_made.log().mean(),
    }
    torch.testing.assert_close(found, expected, **close)
    errors = {"critic_on_true": -p_true.log().mean(), "critic_on_made": -(1 - p_made).log().mean()}
    torch.testing.assert_close(judged, errors, **close)


def test_an_answer_depends_on_its_own_frames_alone() -> None:
    model = make().eval()
    shown = noise(model, 3)[:, [0, 6]]
    with torch.no_grad():
        together = model.predict(shown)
        alone = torch.cat([model.predict(shown[k : k + 1]) for k in range(3)])
        torch.testing.assert_close(together, alone, rtol=0.0, atol=1e-5)
        model.train()
        assert not torch.equal(model.predict(shown), model.predict(shown))  # dropout, in training


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"channels": 2}, r"channels is 2; it must be 1 \(gray\) or 3 \(RGB\)"),
        ({"critic": "both"}, "critic is 'both'; it must be 'patch' or 'single'"),
        ({"width": 0}, "width is 0; it must be at least 1"),
        ({"l1_weight": -1.0}, r"l1_weight is -1\.0; it must be at least 0"),
        ({"height_px": 16}, r"frames of 16 x 128 px are too small.*crop_height_px and crop_width_px, at least 24"),
    ],
)
def test_settings_that_do_not_fit_are_refused(config: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.build("pix2pix", **{"variant": "article", "width": 4, **config})


def test_crops_that_are_too_small_are_refused() -> None:
    model = make()
    with pytest.raises(ValueError, match="frames of 32 x 20 px are too small"):
        model.loss({"clip": noise(model)[:, :, :, :20]}, "generator")
