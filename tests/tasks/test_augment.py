from __future__ import annotations

import pytest
import torch

import models
from models._sequence import lengths
from tasks.params import Augment
from tasks.train.augment import augment, check, sizes_taken
from tests.tasks._tiny import know_tiny

CLIP_THWC = torch.arange(2 * 3 * 4, dtype=torch.uint8).reshape(2, 3, 4, 1) * 4 + 80


def _many(a: Augment, clips: int = 64) -> torch.Tensor:
    torch.manual_seed(0)
    return augment(CLIP_THWC.expand(clips, -1, -1, -1, -1), a)


def _variants(a: Augment) -> set[bytes]:
    return {clip.contiguous().numpy().tobytes() for clip in _many(a)}


def _bytes(*clips: torch.Tensor) -> set[bytes]:
    return {clip.contiguous().numpy().tobytes() for clip in clips}


def test_without_settings_nothing_changes() -> None:
    assert _variants(Augment()) == _bytes(CLIP_THWC)


def test_mirror_and_reverse_give_the_clip_and_its_image_and_nothing_else() -> None:
    assert _variants(Augment(mirror=True)) == _bytes(CLIP_THWC, CLIP_THWC.flip(2))
    assert _variants(Augment(reverse=True)) == _bytes(CLIP_THWC, CLIP_THWC.flip(0))


def test_shift_moves_whole_clips_and_repeats_the_edge() -> None:
    rows = [[0, 0, 1], [0, 1, 2], [1, 2, 2]]
    columns = [[0, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 3]]
    expected = [CLIP_THWC[:, r][:, :, c] for r in rows for c in columns]
    assert _variants(Augment(shift_px=1)) == _bytes(*expected)


def test_zoom_draws_a_part_as_large_as_the_whole_both_sides_by_one_factor() -> None:
    y, x = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    ramps = torch.stack([torch.stack([6 * x, 6 * y], -1), torch.stack([6 * y, 6 * x], -1)]).to(torch.uint8)  # 2 frames
    torch.manual_seed(0)
    clips = augment(ramps.expand(50, -1, -1, -1, -1), Augment(zoom=0.5))
    assert clips.shape == (50, 2, 40, 40, 2)
    torch.testing.assert_close(clips[:, 0], clips[:, 1].flip(-1), rtol=0, atol=0)  # every frame alike
    inner = clips[:, 0, 4:-4, 4:-4].float()  # a ramp stays one, but for its ends
    across, down = (inner[:, -1, -1, c] - inner[:, 0, 0, c] for c in (0, 1))
    torch.testing.assert_close(across, down, rtol=0, atol=2.0)
    factor = across / (6 * 31)
    assert 0.49 < float(factor.min()) < 0.6 < 0.9 < float(factor.max()) <= 1.0
    starts = inner[:, 0, 0]
    assert float(starts.min()) < 30 and float(starts.max()) > 100  # anywhere in the picture  # noqa: PT018


def test_a_crop_is_any_part_of_the_frame_the_same_in_all_frames_and_then_moved() -> None:
    corners = [CLIP_THWC[:, y : y + 2, x : x + 3] for y in (0, 1) for x in (0, 1)]
    assert _variants(Augment(crop_height_px=2, crop_width_px=3)) == _bytes(*corners)
    assert _variants(Augment(crop_width_px=3)) == _bytes(CLIP_THWC[:, :, :3], CLIP_THWC[:, :, 1:])
    shifted = [part[:, :, c] for part in (CLIP_THWC[:, :, :3], CLIP_THWC[:, :, 1:]) for c in ([0, 0, 1], [1, 2, 2])]
    assert _bytes(*shifted) <= _variants(Augment(crop_width_px=3, shift_px=1))  # the edge repeated is the crop's


def test_loading_scales_all_frames_alike() -> None:
    (large,) = _variants(Augment(load_height_px=6, load_width_px=8))
    loaded = torch.frombuffer(bytearray(large), dtype=torch.uint8).reshape(2, 6, 8, 1)
    between = (3 * CLIP_THWC[:, :, :-1].float() + CLIP_THWC[:, :, 1:]) / 4  # a quarter of the way to the next
    between = (3 * between[:, :-1] + between[:, 1:]) / 4
    torch.testing.assert_close(loaded[:, 1:-1:2, 1:-1:2].float(), between, rtol=0.0, atol=0.5)
    flat = augment(torch.full((2, 3, 6, 8, 3), 77, dtype=torch.uint8), Augment(load_height_px=3, load_width_px=5))
    assert torch.equal(flat, torch.full((2, 3, 3, 5, 3), 77, dtype=torch.uint8))
    checks = (torch.arange(64).reshape(8, 8) % 2 * 200).to(torch.uint8).expand(1, 1, 8, 8).unsqueeze(-1)
    halved = augment(checks, Augment(load_height_px=8, load_width_px=4))
    assert int((halved[:, :, :, 1:-1].float() - 100).abs().max()) <= 1  # averaged, not picked


def test_loaded_then_cropped() -> None:
    a = Augment(load_height_px=6, load_width_px=8, crop_height_px=5, crop_width_px=6, mirror=True, gain=0.1)
    assert _many(a).shape == (64, 2, 5, 6, 1)


@pytest.mark.parametrize(
    ("settings", "sizes", "message"),
    [
        (
            {"crop_height_px": 9},
            None,
            "crop_height_px is 9, more than the height of 8 px that the data set's frames giv",
        ),
        (
            {"load_width_px": 20, "crop_width_px": 21},
            None,
            r"21, more than the width of 20 px that training\.augment\.lo",
        ),
        (
            {"crop_height_px": 6},
            [(8, 10)],
            "makes clips of 6 x 10 px, and this architecture takes 8 x 10 px only; leave load_height_px,",
        ),
        ({"load_width_px": 20}, [(8, 10)], "makes clips of 8 x 20 px"),
        (
            {"crop_height_px": 5, "crop_width_px": 6},
            [(6, 6), (8, 10)],
            "makes clips of 5 x 6 px, and this architecture takes 6 x 6 or 8 x 10 px only; make its crop_height_px and "
            "crop_width_px what config's are, 6 and 6, or leave",
        ),
    ],
)
def test_crops_that_cannot_be_are_refused(
    settings: dict[str, int], sizes: list[tuple[int, int]] | None, message: str
) -> None:
    scaled = Augment(load_height_px=12, load_width_px=12, crop_height_px=8, crop_width_px=10)
    check(scaled, (4, 8, 10, 3), [(8, 10)])
    with pytest.raises(ValueError, match=message):
        check(Augment(**settings), (4, 8, 10, 3), sizes)


def test_a_classifier_learns_from_its_own_crop_or_whole_frames_and_what_draws_frames_from_whole_ones() -> None:
    know_tiny()
    sizes = [
        sizes_taken(models.build(name, **config), (4, 8, 8, 1))
        for name, config in (
            ("tiny_classifier", {}),
            ("tiny_classifier", {"crop_height_px": 6, "crop_width_px": 5}),
            ("tiny_classifier", {"crop_width_px": 5}),
            ("tiny_autoencoder", {}),
            ("tiny_adversary", {}),
        )
    ]
    assert sizes == [[(8, 8)], [(6, 5), (8, 8)], [(8, 5), (8, 8)], [(8, 8)], None]


def test_gain_keeps_the_mean_and_offset_moves_it_within_their_limits() -> None:
    flat = _many(Augment(gain=0.5)).float()
    spread = flat.flatten(1).std(1) / CLIP_THWC.float().std()
    assert (flat.flatten(1).mean(1) - CLIP_THWC.float().mean()).abs().max() < 0.51  # rounding
    assert 0.49 < spread.min() < 0.6 < 1.4 < spread.max() < 1.51
    moved = _many(Augment(offset=0.1)).float().flatten(1).mean(1) - CLIP_THWC.float().mean()
    assert -25.5 <= moved.min() < -15
    assert 15 < moved.max() <= 25.5


def test_the_same_seed_gives_the_same_batch() -> None:
    a = Augment(shift_px=2, mirror=True, reverse=True, gain=0.3, offset=0.1)
    assert torch.equal(_many(a), _many(a))


def test_what_fills_up_a_shorter_clip_stays_black_and_stays_behind_it() -> None:
    clip_THWC = torch.arange(4 * 6 * 6, dtype=torch.uint8).reshape(4, 6, 6, 1) + 60
    clips = clip_THWC.repeat(64, 1, 1, 1, 1)
    length_B = torch.arange(64) % 4 + 1
    for clip, length in zip(clips, length_B.tolist(), strict=True):
        clip[length:] = 0
    torch.manual_seed(0)
    backwards = augment(clips, Augment(reverse=True), length_B)
    for length in (1, 2, 3, 4):
        whole = [clip.numpy().tobytes() for clip in backwards[length - 1 :: 4]]
        turned = torch.cat([clip_THWC[:length].flip(0), torch.zeros(4 - length, 6, 6, 1, dtype=torch.uint8)])
        assert set(whole) == _bytes(clips[length - 1], turned)
    everything = Augment(
        load_height_px=8, load_width_px=9, zoom=0.3, crop_height_px=6, crop_width_px=6, shift_px=1, mirror=True,
        reverse=True, gain=0.5, offset=0.2,
    )  # fmt: skip
    assert lengths(augment(clips, everything, length_B)).tolist() == length_B.tolist()


def test_gain_and_offset_of_a_shorter_clip_are_those_of_its_frames_alone() -> None:
    clips = CLIP_THWC.repeat(64, 1, 1, 1, 1)
    filled = torch.cat([clips, torch.zeros(64, 3, 3, 4, 1, dtype=torch.uint8)], 1)
    for settings in (Augment(gain=0.5), Augment(offset=0.1), Augment(gain=0.5, offset=0.1)):
        torch.manual_seed(0)
        alone = augment(clips, settings)
        torch.manual_seed(0)
        among = augment(filled, settings, torch.full((64,), 2))
        assert int((among[:, :2].int() - alone.int()).abs().max()) <= 1  # the mean is rounded otherwise
        assert int(among[:, 2:].max()) == 0
