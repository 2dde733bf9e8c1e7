from __future__ import annotations

import torch

from tasks.params import Augment
from tasks.train.augment import augment

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
