from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from tasks import studies
from tasks.metrics import INTERVAL_QUANTILES
from tasks.params import Evaluation
from tasks.studies import Depth, Experiment

GROUPS = {"a1": "a", "a2": "a", "b1": "b", "c1": "c"}
SETTINGS = Evaluation(bootstrap_samples=50_000)


def _row(depth: Depth, seed: int, correct: str, sha256: str = "clips") -> dict:
    """`correct` names the videos that were named rightly: "a1 b1"."""
    videos = pd.DataFrame({"source": ["c1", "a1", "b1", "a2"], "group": ["c", "a", "b", "a"], "answer": "model"})
    videos["correct"] = videos["source"].isin(correct.split())
    assert studies.groups_of(videos) == GROUPS
    accuracy = float(videos["correct"].mean())
    result = {
        "answers": {"model": {"video_accuracy": {"value": accuracy}, "clip_accuracy": {"value": accuracy / 2}}},
        "parameters": 10, "weights_sha256": "weights", "evaluation_sha256": sha256,
    }  # fmt: skip
    other = videos.assign(answer="mean_frame_svm", correct=False)
    experiment = Experiment(depth, seed, f"depth-{depth}-seed-{seed}", "key")
    return studies.scored(experiment, "commit", result, pd.concat([other, videos]), {"train_seconds": 2.5})


def _summarise(rows: list[dict], depths: list[Depth], seeds: int, own: Depth | None = None) -> dict:
    about = {"study": "kernel-depth", "chance": 0.5, "depths": depths, "seeds": list(range(seeds))}
    return studies.summarise(about, rows, GROUPS, own, SETTINGS)


def test_a_row_has_what_the_experiment_scored() -> None:
    assert _row(3, 1, "a1 b1") == {
        "depth": 3, "seed": 1, "experiment": "depth-3-seed-1", "key": "key", "diverged": None, "failed": None,
        "commit": "commit",
        "video_accuracy": 0.5, "clip_accuracy": 0.25, "parameters": 10, "train_seconds": 2.5,
        "weights_sha256": "weights", "evaluation_sha256": "clips",
        "videos": {"a1": True, "a2": False, "b1": True, "c1": False},
    }  # fmt: skip


def _every_draw(seeds: list[dict[str, bool]]) -> list[float]:
    """The accuracies of all draws of three groups and of as many seeds as there are."""
    found = []
    for groups in itertools.product("abc", repeat=3):
        videos = [video for group in groups for video in GROUPS if GROUPS[video] == group]
        for drawn in itertools.product(seeds, repeat=len(seeds)):
            found.append(np.mean([seed[video] for seed in drawn for video in videos]))
    return found


def test_an_interval_is_what_every_draw_of_groups_and_seeds_says() -> None:
    """More videos, groups and seeds than these would do as well; these few can be counted out."""
    rows = [_row(3, 0, "a1 a2 b1 c1"), _row(3, 1, "a1 c1"), _row(1, 0, "b1"), _row(1, 1, "a2")]
    three, one = _summarise(rows, [3, 1], 2)["table"]
    for row, of_depth in ((three, rows[:2]), (one, rows[2:])):
        low, high = np.quantile(_every_draw([r["videos"] for r in of_depth]), INTERVAL_QUANTILES)
        assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.01)
    assert (three["mean"], three["seeds"], three["parameters"]) == (0.75, [1.0, 0.5], 10)
    assert (one["mean"], one["seeds"]) == (0.25, [0.25, 0.25])


def test_differences_are_paired_over_groups_but_not_over_seeds() -> None:
    """A group that is hard for one depth is hard for the other: the difference has no width though the means have."""
    rows = [_row(3, 0, "a1 a2 b1"), _row(1, 0, "a1 a2 b1")]
    [difference] = _summarise(rows, [3, 1], 1)["differences"]
    assert difference == {"depth": 1, "against": 3, "value": 0.0, "low": 0.0, "high": 0.0}
    everything = "a1 a2 b1 c1"
    rows = [_row(3, 0, everything), _row(3, 1, ""), _row(1, 0, everything), _row(1, 1, "")]
    [difference] = _summarise(rows, [1, 3], 2)["differences"]
    assert difference == {"depth": 1, "against": 3, "value": 0.0, "low": -1.0, "high": 1.0}


@pytest.mark.parametrize(
    ("depths", "own", "against"), [([1, 3, 5], 5, 3), ([1, 5], 5, 5), ([1, "increasing"], 5, 1), ([7, 1], None, 7)]
)
def test_the_others_are_held_against_depth_3_or_the_recipes_own_or_the_first(
    depths: list[Depth], own: Depth | None, against: Depth
) -> None:
    found = _summarise([_row(depth, 0, "a1") for depth in depths], depths, 1, own)["differences"]
    assert [d["depth"] for d in found] == [d for d in depths if d != against]
    assert {d["against"] for d in found} == {against}


def test_what_diverged_failed_or_is_still_to_come_counts_in_no_mean() -> None:
    gone = [
        studies.unjudged(Experiment(depth, seed, f"depth-{depth}-seed-{seed}", "key"), studies.Unjudged(how, "why"))
        for depth, seed, how in ((3, 0, "diverged"), (1, 1, "failed"))
    ]
    assert [(row["diverged"], row["failed"], row["commit"]) for row in gone] == [
        ("why", None, None), (None, "why", None),
    ]  # fmt: skip
    study = _summarise([*gone, _row(1, 0, "a1")], [3, 1], 2)
    three, one = study["table"]
    assert three == {
        "depth": 3, "mean": None, "low": None, "high": None, "seeds": [None, None],
        "outcomes": ["diverged", "not run"], "parameters": None,
    }  # fmt: skip
    assert (one["mean"], one["seeds"], one["outcomes"]) == (0.25, [0.25, None], ["judged", "failed"])
    assert study["differences"] == []


def test_where_nothing_was_judged_there_is_a_summary_still() -> None:
    gone = studies.unjudged(Experiment(3, 0, "depth-3-seed-0", "key"), studies.Unjudged("diverged", "nan"))
    about = {"study": "kernel-depth", "chance": None, "depths": [3], "seeds": [0, 1]}
    study = studies.summarise(about, [gone], {}, None, SETTINGS)
    assert study["table"] == [
        {
            "depth": 3, "mean": None, "low": None, "high": None, "seeds": [None, None],
            "outcomes": ["diverged", "not run"], "parameters": None,
        }
    ]  # fmt: skip
    assert (study["videos"], study["differences"], study["intervals"]["note"]) == (0, [], None)


def test_what_the_intervals_cannot_say_is_said() -> None:
    note = "There is one seed: the intervals say nothing about how much another would change."
    assert _summarise([_row(3, 0, "a1")], [3], 1)["intervals"]["note"] == note
    assert _summarise([_row(3, 0, "a1"), _row(3, 1, "a1")], [3], 2)["intervals"]["note"] is None


def test_experiments_on_different_clips_are_refused() -> None:
    with pytest.raises(ValueError, match=r"depth-1-seed-0 and depth-3-seed-0 were judged on different clips"):
        _summarise([_row(3, 0, "a1"), _row(1, 0, "a1", sha256="other")], [3, 1], 1)


def test_depths_are_read_each_once() -> None:
    assert studies.parse_depths("3, 1,increasing,3") == [3, 1, "increasing"]
    with pytest.raises(
        ValueError, match=r"--depths names '4', ''; a depth is one of 1, 3, 5, 7, increasing, decreasing"
    ):
        studies.parse_depths("3,4,")
