"""LRCN: the article's network, its parameters and arithmetic; clips of unequal length; what the default sees."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import models
from models._correlation import likeness, summed_up
from models._sequence import lengths, within

SMALL: dict[str, Any] = {"frames": 6, "height_px": 32, "width_px": 40, "features": (40, 20, 15), "dropout": 0.0}
VARIANTS = ("article", "default")


def small(variant: str, **config: Any) -> models.VideoModel:
    torch.manual_seed(0)
    return models.build("lrcn", **{**SMALL, "variant": variant, **config})


def clips(count: int, frames: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, 256, (count, frames, 32, 40, 3), dtype=torch.uint8, generator=generator)


def test_the_articles_network_has_the_articles_parameters() -> None:
    with torch.device("meta"):  # 1.5 GB that nobody looks into
        model = models.build("lrcn")
    sizes = [p.numel() for p in model.parameters()]
    assert sum(sizes) == 379_357_456
    assert max(sizes) == 62_720 * 6_000


def test_the_article_answers_as_its_sequences_one_by_one_do() -> None:
    model = small("article").eval()
    batch = clips(3)
    lstm, state = nn.LSTM(15, 64, batch_first=True), dict(zip(range(4), model.remember.weights, strict=True))
    with torch.no_grad():
        for own, given in zip(lstm.parameters(), state.values(), strict=True):
            own.copy_(given)
        expected = []
        for sequence in batch:
            seen = model.see.layers(sequence.permute(0, 3, 1, 2).float() / 255.0)
            expected.append(model.judge(lstm(seen[None])[0])[0, -1, 0])
        torch.testing.assert_close(model.predict(batch), torch.stack(expected), rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_fills_a_clip_up_reaches_no_answer_and_no_statistic(variant: str) -> None:
    short, longer = small(variant, frames=4), small(variant, frames=6)
    longer.load_state_dict(short.state_dict())
    batch = clips(3, 4)
    filled = torch.cat([batch, torch.zeros_like(batch[:, :2])], 1)
    score = torch.tensor([3.0, 5.0, 8.0])
    losses = [m.train().loss({"clip": c, "score": score})[0] for m, c in ((short, batch), (longer, filled))]
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(short.state_dict(), longer.state_dict())  # the running means of the normalisation
    with torch.no_grad():
        torch.testing.assert_close(short.eval().predict(batch), longer.eval().predict(filled))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_batch_of_one_black_clip_can_be_learned_from(variant: str) -> None:
    model = small(variant).train()
    loss, _ = model.loss({"clip": torch.zeros_like(clips(1)), "score": torch.tensor([5.0])})
    loss.backward()
    assert bool(loss.isfinite())
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize(("height_px", "width_px"), [(64, 16), (128, 36), (36, 64), (224, 224)])
def test_frames_of_any_shape_are_correlated(height_px: int, width_px: int) -> None:
    reach_px = 6 if min(height_px, width_px) > 16 else 5
    model = small("default", height_px=height_px, width_px=width_px, reach_px=reach_px).eval()
    with torch.no_grad():
        answer = model.predict(torch.full((2, 6, height_px, width_px, 3), 7, dtype=torch.uint8))
    assert bool(answer.isfinite().all())


def test_lengths_end_with_the_last_frame_that_is_not_black() -> None:
    batch = torch.zeros(4, 5, 2, 2, 1, dtype=torch.uint8)
    batch[0, :, 0, 0] = 1  # all five
    batch[1, 1, 1, 1] = 200  # black frames before the last one count
    batch[2, [0, 3], 0, 0] = 7  # and those between
    assert lengths(batch).tolist() == [5, 2, 4, 1]  # a clip that is all black has one
    assert within(lengths(batch), 5)[1].tolist() == [True, True, False, False, False]


def test_likeness_finds_by_how_much_a_picture_moved() -> None:
    noise = torch.rand(1, 1, 60, 90, generator=torch.Generator().manual_seed(2))
    scene = nn.functional.avg_pool2d(noise, 5, 1)[0]
    before, moved, other = scene[:, 8:44, 8:72], scene[:, 10:46, 5:69], scene[:, 20:56, 20:84]
    pictures = torch.cat([before, moved, 0.3 * moved + 0.5, other, torch.full_like(before, 0.5)])
    found = likeness(pictures, before.expand(5, -1, -1), 4)
    places = [divmod(int(surface.argmax()), 9) for surface in found[:3]]
    assert places == [(4, 4), (2, 7), (2, 7)]  # no shift in the middle; two rows up and three columns to the right
    peaks = found.amax((1, 2))
    assert float(peaks[0]) == pytest.approx(1.0, abs=1e-5)
    assert float(peaks[1]) > 0.9
    torch.testing.assert_close(found[2], found[1])  # neither brightness nor contrast matters
    assert float(found[3].abs().max()) < 0.5  # another picture
    assert float(found[4].abs().max()) == 0.0  # an even one
    largest, still, moved, together = summed_up(found[:2]).T
    torch.testing.assert_close(largest, peaks[:2])
    torch.testing.assert_close(still, found[:2, 4, 4])
    torch.testing.assert_close(together, torch.tensor([0.0, 13**0.5]), rtol=0.0, atol=0.15)
    assert float(moved[0]) < 0.3
    assert float(moved[1]) == pytest.approx(13**0.5, abs=0.15)


@pytest.mark.parametrize(("name", "of_one_point"), [("mse", 1.0), ("mae", 1.0), ("smooth_mae", 0.5)])
def test_losses_are_in_points(name: str, of_one_point: float) -> None:
    model = small("article", loss=name).eval()
    batch = clips(2)
    with torch.no_grad():
        truth = model.predict(batch) + 1.0
        loss, scalars = model.loss({"clip": batch, "score": truth})
    assert float(loss) == pytest.approx(of_one_point, abs=1e-5)
    assert float(scalars["mae"]) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"variant": "paper"}, "variant is 'paper'; it must be 'article' or 'default'"),
        ({"height_px": 34}, "frames of 34 x 40 px do not halve twice; the article's lrcn needs multiples of 4"),
        ({"width_px": 8}, "frames of 32 x 8 px are too small; lrcn needs 16 px or more a side"),
        ({"channels": 2}, "channels is 2; lrcn takes 1 (gray) or 3 (RGB)"),
        ({"reach_px": 0}, "reach_px is 0; frames of 32 x 40 px take 1 to 15"),
        ({"height_px": 32, "width_px": 16, "reach_px": 8}, "reach_px is 8; frames of 32 x 16 px take 1 to 7"),
        ({"loss": "huber"}, "loss is 'huber'; it must be one of mse, mae, smooth_mae"),
        ({"score_deviation": 0.0}, "score_deviation is 0.0; it must be more than 0"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be 0 or more and below 1"),
        ({"features": ()}, "hidden is None, features (), widths (8, 4); each is one number or more"),
    ],
)  # fmt: skip
def test_settings_that_make_no_network_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        small(**{"variant": "article", **setting})
