"""Every file of the real footage ends as frames or as the true reason, against an independent decode of the whole."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest

from tasks import media
from tasks.media import MediaError

UNREADABLE = "not a video that can be read (Invalid data found when processing input)"
# Every file of footage/odd: how many frames it gives, or why none.
ODD = {
    "-video-with-dash-.mp4": 5,
    "av1_video.mkv": 125,
    "corrupted.mp4": "damaged: 48 of 50 frames decode whole, 2 do not",
    "discard_first_keyframe.mp4": 25,
    "fixture-corrupt.mkv": UNREADABLE,
    "fixture.avi": 1,
    "fixture.flv": 25,
    "fixture.mpg": 19,
    "h263_1frame.3gp": 1,
    "h264_10bits.mp4": 30,
    "h264_white_frame_sar_16_9.mp4": 1,
    "mp4-with-audio.mp4": "no video stream",
    "no_duration.webm": 74,
    "no_timescale.mp4": "damaged: 142 of 182 frames decode whole, 40 do not",
    "sample.flv": 30,
    "sample_h262_mpeg_audio.ps": 3,
    "sample_partially_fragmented.mp4": 30,
    "testsrc2_mpeg4.mp4": 1,
    "testsrc2_odd_height_and_width_444.mp4": 25,
    "transparent.webm": 150,
    "tree.avi": 68,
    "unordered.mov": 4,
    "video_90.mov": 3,
    "white.mp4": 300,
    "zero_byte.webm": UNREADABLE,
    "zero_empty_stsc.mp4": "no frame decodes, though the header claims 1040 frames",
}
CUT_SHORT = {"tree.avi"}  # by its header; all that is there is read
TRAILERS = {
    "big_buck_bunny_60s.mp4": 1440,
    "chrome_imaginary_forces.mp4": 1025,
    "sintel_trailer_480x204.mp4": 1252,
    "trip_to_the_moon_trailer.mp4": 1655,
}
FOLDERS = [("odd", ODD), ("trailers", TRAILERS)]
PLAYABLE = [(f, name) for f, files in FOLDERS for name, frames in sorted(files.items()) if isinstance(frames, int)]


class Shown(NamedTuple):
    """A frame as plain PyAV shows it."""

    number: int
    pts: int | None
    seconds: float
    pixels: np.ndarray


def independent(path: Path, keep: Callable[[int], bool]) -> list[Shown]:
    """Every frame by plain PyAV from the start, nothing of ours; with pixels where `keep(number)` says so."""
    rows: list[Shown] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for number, frame in enumerate(container.decode(stream)):
            assert not frame.is_corrupt
            first = frame.pts if number == 0 else rows[0].pts
            seconds = float((frame.pts - first) * Fraction(stream.time_base))
            pixels = frame.to_ndarray(format="rgb24") if keep(number) else np.zeros(0, np.uint8)
            rows.append(Shown(number, frame.pts, seconds, pixels))
    return rows


def upright(name: str, pixels: np.ndarray, like: np.ndarray) -> np.ndarray | None:
    """An independent decode's pixels as shown; None where they are not square."""
    pixels = np.rot90(pixels, -1) if name == "video_90.mov" else pixels
    return pixels if pixels.shape == like.shape else None


@pytest.mark.parametrize(("folder", "name"), PLAYABLE)
def test_every_frame_is_there_once_at_its_time(footage: Path, folder: str, name: str) -> None:
    """Read from the start and along spans: numbers, times and pixels (of every 7th frame), no frame more or less."""
    path, count = footage / folder / name, {**ODD, **TRAILERS}[name]
    info = media.probe(path)
    truth = independent(path, lambda number: number % 7 == 0)
    assert (info.frames, info.cut_short) == (len(truth), name in CUT_SHORT) == (count, name in CUT_SHORT)
    own = info.container != "avi"  # an avi file has no times of its own
    times = [row.seconds for row in truth] if own else list(info.times_seconds)
    assert all(a < b for a, b in itertools.pairwise(times))
    length = info.duration_seconds
    ways = [None, [(0.31 * length, 0.35 * length), (0.52 * length, 0.55 * length), (0.9 * length, 2 * length)]]
    for spans in ways:
        found = 0
        wanted = [k for k, t in enumerate(times) if spans is None or any(a <= t < b for a, b in spans)]
        for (number, seconds, pixels), expected in zip(media.read_frames(path, spans=spans), wanted, strict=True):
            assert (number, seconds) == (expected, times[expected])
            plain = upright(name, truth[number].pixels, pixels) if number % 7 == 0 else None
            if plain is not None:
                np.testing.assert_array_equal(pixels, plain)
                found += 1
        assert found >= len(wanted) // 8 or info.pixel_aspect != 1


@pytest.mark.parametrize("name", sorted(name for name, reason in ODD.items() if isinstance(reason, str)))
def test_what_gives_no_frames_says_the_true_reason(footage: Path, name: str) -> None:
    for spans in (None, [(0.5, 0.6), (1.0, 1e9)]):
        with pytest.raises(MediaError) as caught:
            list(media.read_frames(footage / "odd" / name, spans=spans))
        assert caught.value.reason == ODD[name]


def test_all_footage_is_listed_here(footage: Path) -> None:
    for folder, files in FOLDERS:
        assert {p.name for p in (footage / folder).iterdir()} - {"README.md"} == set(files)


def test_trailers_are_sought_and_read_by_decord(footage: Path) -> None:
    """Key frames that open a group of pictures count as such, but no reading begins there: 18 and 10 of them here."""
    entries = {}
    for name in TRAILERS:
        info = media.probe(footage / "trailers" / name)
        assert info.decord_is_exact
        assert info.index is not None
        entries[name] = (len(info.keyframe_seconds), len(info.index.entries))
    assert list(entries.values()) == [(9, 9), (43, 43), (74, 56), (42, 32)]
