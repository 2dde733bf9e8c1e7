"""When footage becomes the same clips for two models."""

from __future__ import annotations

from typing import Any

import pytest

from tasks import model_input
from tests.tasks._tiny import DATASET, RATED

OLD = {"gray": True, "fit": "crop", "height_px": 8, "width_px": 8, "length_frames": 4}  # as early versions say it


@pytest.mark.parametrize(
    "other",
    [
        {"gray": False},
        {"fit": "pad"},
        {"every_frames": 3},
        {"every_frames": 1, "frames_per_second": 12.5},
        {"height_px": 16},
        {"width_px": 16},
        {"length_frames": 5},
        {"least_frames": None},
        {"subclips": {"count": 2, "seconds": 0.16, "start_seconds": 0.08, "snap": "none"}},
        {"subclips": None},
        {"shots": {"threshold": 0.2, "split": False}},
    ],
    ids=str,
)
def test_clips_of_another_kind_are_told_apart(other: dict[str, Any]) -> None:
    mine = model_input.describe(RATED, 4)
    assert not model_input.alike(mine, mine | other)
    assert not model_input.alike(mine | other, mine)


def test_what_early_versions_left_out_has_its_default() -> None:
    mine = model_input.describe(DATASET, 4)
    assert mine["every_frames"] == 2
    assert model_input.alike(OLD | {"every_frames": 2}, mine)
    assert model_input.alike(OLD | {"step_frames": 2}, mine)  # a stored frame in two, where every one is stored
    assert not model_input.alike(OLD, mine)
    assert not model_input.alike(OLD | {"every_frames": 2}, model_input.describe(RATED, 4))


def test_how_far_apart_clips_begin_is_not_what_they_are() -> None:
    mine = model_input.describe(RATED, 4)
    assert model_input.alike(mine, mine | {"stride_frames": 1})
