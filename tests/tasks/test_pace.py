"""The pace of spans: by hand on numbers, and on a drawn film whose pace is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks import footage as footage_
from tasks import pace, shots
from tasks.footage import Source
from tasks.media import Scene
from tasks.pace import Pace
from tasks.params import Dataset, Shots, Split, Subclips
from tasks.plans import Plan
from tests.conftest import write_video

SOURCE = Source("s", "s.mp4", "video", "0" * 64, "", "s", 8, 8, 1.0, 12, None, 12.0)
# Differences are k/100 of the scale on which 1 is 100 grey levels: frame k is k grey levels from the one before.
FRAMES = [Scene(k, float(k), 0.0, k / 100, k / 20) for k in range(12)]
CUTS = [0.0, 3.5, 5.0, 8.5]  # frames 4, 5 and 9 begin shots; one begins right where a subclip does


def test_pace_by_hand() -> None:
    """Subclips [1, 5) and [5, 9); seconds 9 to 12 are not used. No frame is shown from 8.5 to 9."""
    plan = Plan(SOURCE, Subclips(count=2, seconds=4, start_seconds=1))
    first = Pace("s", 0, 1.0, 5.0, 15.0, pytest.approx((1 + 2 + 3 + 4) / 4 / 20), pytest.approx((2 + 3) / 2 / 255))
    second = Pace("s", 1, 5.0, 9.0, 15.0, pytest.approx((5 + 6 + 7 + 8) / 4 / 20), pytest.approx((6 + 7 + 8) / 3 / 255))
    assert pace.measure(plan, CUTS, False, FRAMES) == [first, second]
    pieces = pace.measure(plan, CUTS, True, FRAMES)
    assert [(row.span, row.start_seconds, row.end_seconds, row.cuts_per_minute) for row in pieces] == [
        (0, 1.0, 3.5, 15.0), (1, 3.5, 5.0, 15.0), (2, 5.0, 8.5, 15.0),
    ]  # fmt: skip
    assert pieces[0].motion == pytest.approx((2 + 3) / 2 / 255)
    assert pieces[1].motion == 0.0  # of one frame


def test_a_span_without_a_frame_has_no_row() -> None:
    plan = Plan(SOURCE, Subclips(count=3, seconds=4, start_seconds=0))
    rows = pace.measure(plan, [0.0], False, [f for f in FRAMES if not 4 <= f.seconds < 8])
    assert [(row.span, row.start_seconds) for row in rows] == [(0, 0.0), (2, 8.0)]


def test_the_pace_of_a_drawn_film(tmp_path: Path) -> None:
    """At 25 frames a second, shots of 20, 20 and 35 frames: level 51 and still; level 204 and still; then each frame is
    30 levels brighter or darker than the one before."""
    levels = [51] * 20 + [204] * 20 + [87, 117] * 17 + [87]
    film = np.stack([np.full((48, 64, 3), level, np.uint8) for level in levels])
    (tmp_path / "footage").mkdir()
    write_video(tmp_path / "footage" / "a.mkv", film)
    dataset = Dataset(footage="x", label="none", split=Split(test=("1",)))
    (source,), _ = footage_.list_sources(tmp_path / "footage", dataset)
    plan = Plan(source, Subclips(count=2, seconds=1.6, start_seconds=0.2))  # frames 5 to 44 and 45 to 74
    rows = shots.find(tmp_path / "footage", [plan], Shots(threshold=0.3, split=False)).paces
    assert [(row.span, row.start_seconds, row.end_seconds) for row in rows] == [(0, 0.2, 1.8), (1, 1.8, 3.0)]
    assert [row.cuts_per_minute for row in rows] == [75.0, 0.0]
    mean = [np.mean(levels[5:45]) / 255, np.mean(levels[45:]) / 255]
    assert [row.brightness for row in rows] == pytest.approx(mean, abs=0.01)
    assert [row.motion for row in rows] == pytest.approx([4 * 30 / 37 / 255, 30 / 255], abs=0.003)
