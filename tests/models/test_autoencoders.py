"""The two autoencoders: the articles' networks to the parameter, and the sizes that are refused."""

from __future__ import annotations

import pytest
import torch

import models

AUTOENCODERS = ["conv3d_autoencoder", "gru_autoencoder"]


def parameters(model: models.VideoModel) -> int:
    return sum(p.numel() for p in model.parameters())


def test_the_article_networks_have_the_articles_parameters() -> None:
    conv3d, gru = models.build("conv3d_autoencoder"), models.build("gru_autoencoder")
    assert (parameters(conv3d), conv3d.latent_floats) == (30_452_608, 128)
    assert (parameters(gru), gru.latent_floats) == (4_538_953, 64 * 16)
    assert models.build("gru_autoencoder", frames=4).latent_floats == 64 * 4


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_default_variants_take_other_sizes(name: str) -> None:
    for size in ({"height_px": 128, "width_px": 128, "channels": 3}, {"frames": 32}, {"frames": 4, "width_px": 40}):
        model = models.build(name, variant="default", **{"height_px": 64, "width_px": 64, **size})
        c = model.config
        clip = torch.full((1, c.frames, c.height_px, c.width_px, c.channels), 90, dtype=torch.uint8)
        with torch.no_grad():
            assert model.eval().predict(clip).shape == clip.shape
        assert model.latent_floats == 1024


@pytest.mark.parametrize("name", AUTOENCODERS)
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"variant": "article", "height_px": 60}, "height_px is 60; the article's network needs a multiple of 16"),
        ({"variant": "default", "width_px": 36}, "width_px is 36; it must be a multiple of 8"),
        ({"variant": "default", "frames": 20}, "frames is 20; it must be at most 16 or a multiple of 16"),
        ({"variant": "default", "channels": 4}, "channels is 4; it must be 1 (gray) or 3 (RGB)"),
        ({"variant": "article", "channels": 2}, "channels is 2; it must be 1 (gray) or 3 (RGB)"),
        ({"variant": "default", "latent_floats": 500}, "latent_floats 500 is too small for the 256 patches"),
        ({"variant": "other"}, "variant is 'other'; it must be 'article' or 'default'"),
        ({"depth": 3}, "has no setting depth"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(name: str, config: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="(?s).*" + message.replace("(", r"\(").replace(")", r"\)")):
        models.build(name, **{"height_px": 128, "width_px": 128, **config})
