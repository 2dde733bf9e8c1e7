"""Which recipes the nightly flow publishes, and which champions may be judged again on their challenger's clips."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from flows._promotion import comparable
from flows.publish import judged
from tasks import model_input, params, tracking
from tests.flows import _blobs
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


def test_a_recipe_that_has_not_run_yet_does_not_keep_the_others(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(_blobs.PARAMS)
    known = params.load(tmp_path / "params.yaml")
    assert judged(tmp_path, known) == []
    made = [
        ("evaluate@tiny", "evaluation/tiny"),
        ("evaluate@gone", "evaluation/gone"),
        ("train@never_run", "runs/never_run"),
    ]
    outs = "".join(f"  {stage}:\n    outs:\n    - {{path: data/{path}, md5: 0.dir}}\n" for stage, path in made)
    (tmp_path / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n{outs}")
    assert judged(tmp_path, known) == ["tiny"]


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
