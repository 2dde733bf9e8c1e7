"""Which champions may be judged again on the clips of their challenger."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from flows._promotion import comparable
from tasks import model_input, tracking
from tests.tasks._tiny import DATASET, RATED

CARD = {
    "kind": "classify", "inputs": [0, 1, 2, 3], "outputs": [], "labels": ["a", "b"],
    "input": model_input.describe(RATED, 4),
}  # fmt: skip
CHAMPION = tracking.Loaded(
    uri="models:/rushes-one@champion",
    recipe="one",
    version="1",
    kind="classify",
    input=model_input.describe(RATED, 4),
    inputs=(0, 1, 2, 3),
    outputs=(),
    renders=False,
    folder=Path("nowhere"),
    describes=False,
    labels=("a", "b"),
)


def test_one_of_the_same_clips_and_answers_is_judged_again() -> None:
    assert comparable(CHAMPION, CARD)


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "reconstruct"},
        {"inputs": (0, 3)},
        {"outputs": (1, 2)},
        {"labels": ("b", "a")},
        {"input": model_input.describe(DATASET, 4)},
        {"input": CHAMPION.input | {"every_frames": 1, "frames_per_second": 12.5}},
        {"input": CHAMPION.input | {"subclips": {"count": 2, "seconds": 0.16, "start_seconds": 0.0, "snap": "shot"}}},
    ],
    ids=["kind", "inputs", "outputs", "labels", "dataset", "spacing", "subclips"],
)
def test_one_of_others_stays_champion(other: dict[str, Any]) -> None:
    assert not comparable(dataclasses.replace(CHAMPION, **other), CARD)
