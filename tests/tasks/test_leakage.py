"""The sieves of the leakage check rule out no copy: everything is compared with a search through all pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tasks import leakage
from tasks.leakage import Print


def film(rng: np.random.Generator, frames: int, pace: float) -> np.ndarray:
    """float (frame, 16, 16): smooth pictures that move."""
    t, y, x = np.mgrid[0:frames, 0:16, 0:16]
    waves = [rng.uniform(0.1, 0.9, 3) * rng.choice([-1, 1], 3) for _ in range(4)]
    return 127 + sum(24 * np.sin(a * x + b * y + pace * c * t + k) for k, (a, b, c) in enumerate(waves))


def every_pair(prints: list[Print]) -> set[tuple[str, str]]:
    """The definition, pair by pair: names of (queries, pool)."""
    found = set()
    for a, b in itertools.permutations(prints, 2):
        alike = b.contrast and 1 / leakage.MAX_CONTRAST_RATIO <= a.contrast / b.contrast <= leakage.MAX_CONTRAST_RATIO
        if a.split == b.split or not alike:
            continue
        asked = a.levelled(a.queries).reshape(-1, 16, 16)
        for picture in (asked, asked[:, :, ::-1]):
            distance = ((picture.reshape(len(asked), 1, -1) - b.levelled()[None]) ** 2).mean(axis=2)
            ratio = distance / (a.motion[a.queries][:, None] + b.motion[None] + leakage.NOISE)
            if leakage._is_copy(ratio, a.queries, max(a.motion.max(), b.motion.max()) < leakage.NOISE):
                found.add(tuple(sorted((a.name, b.name))))
    return found


def test_sieves_lose_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "QUERY_SOURCES", 7)  # several chunks of each
    monkeypatch.setattr(leakage, "POOL_SOURCES", 5)
    rng = np.random.default_rng(0)
    prints = []
    for number in range(24):
        frames = film(rng, int(rng.integers(20, 60)), pace=(0.0, 0.3, 1.2)[number % 3])
        for copy, change in enumerate((0.0, rng.uniform(0.0, 20.0))):  # from the same film to another one
            other = change * rng.standard_normal((1, 4, 4)).repeat(4, 1).repeat(4, 2)  # as coarse as the sieve sees
            made = frames[copy * 4 :, :, :: 1 if number % 2 else 1 - 2 * copy] + other
            pixels = np.clip(made, 0, 255).astype(np.uint8)[..., None]
            prints.append(
                leakage.fingerprint(f"{number}-{copy}", ("train", "test")[copy], (f"{number}{copy}",), pixels)
            )
    expected = every_pair(prints)
    assert {(leak.first, leak.second) for leak in leakage.find_leaks(prints)} == expected
    assert 8 <= len(expected) <= 20  # some of the 24 on either side of the threshold


def test_no_frame_near_enough_is_sieved_out() -> None:
    rng = np.random.default_rng(1)
    moving = film(rng, 40, pace=0.8)
    films = [moving, *(np.repeat(moving[k : k + 1], 12, 0) for k in range(8))]  # what moves, and its moments held
    films += [
        f + d * rng.standard_normal((1, 4, 4)).repeat(4, 1).repeat(4, 2) for f in films for d in (3.0, 10.0, 15.0)
    ]
    pixels = [np.clip(f, 0, 255).astype(np.uint8)[..., None] for f in films]
    prints = [leakage.fingerprint(str(k), "train", (str(k),), p) for k, p in enumerate(pixels)]
    checked = 0
    for a, b in itertools.permutations(prints, 2):
        asked, frames = leakage._Asked([a], mirrored=False), b.levelled()
        distance = ((asked.frames[0][:, None] - frames[None]) ** 2).mean(axis=2)
        near = distance < leakage.COPY_RATIO * (a.motion[a.queries][:, None] + b.motion[None] + leakage.NOISE)
        in_segment = np.logical_or.reduceat(near, np.arange(0, len(frames), leakage.SEGMENT_FRAMES), axis=1)
        passed = asked.coarse @ leakage._segments(b).T > asked.coarse_least[:, None]
        assert (passed | ~in_segment).all()
        checked += int(in_segment.sum())
    assert checked > 1000


def test_the_same_bytes_in_three_splits_are_named_pair_by_pair() -> None:
    black = np.zeros((9, 16, 16, 1), np.uint8)
    prints = [
        leakage.fingerprint(name, name[:-1], ("same", name), black) for name in ("test1", "train1", "train2", "val1")
    ]
    assert [(leak.first, leak.second, leak.how) for leak in leakage.find_leaks(prints)] == [
        ("test1", "train1", "identical"),
        ("test1", "train2", "identical"),
        ("test1", "val1", "identical"),
        ("train1", "val1", "identical"),
        ("train2", "val1", "identical"),
    ]
