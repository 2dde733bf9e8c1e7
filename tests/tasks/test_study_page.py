from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks import files, params
from tasks.params import Evaluation
from tasks.report import run as write_report
from tasks.report.study_page import study_pages
from tasks.studies import Experiment, Unjudged, kernel_depth_file, summarise, unjudged


def _at(depth: int | str, mean: float | None, low: float | None, high: float | None, *seeds: float | None) -> dict:
    outcomes = ["diverged" if seed is None else "judged" for seed in seeds]
    row = {"depth": depth, "mean": mean, "low": low, "high": high, "seeds": list(seeds), "parameters": 10}
    return row | {"outcomes": outcomes}


def _apart(depth: int | str, value: float, low: float, high: float) -> dict:
    return {"depth": depth, "against": 3, "value": value, "low": low, "high": high}


STUDY: dict[str, Any] = {
    "study": "kernel-depth", "recipe": "c3d", "dataset": "dots", "steps": 200, "chance": 0.25, "videos": 8,
    "depths": [1, 3, 5, 7, "increasing", "decreasing"], "seeds": [0, 1], "groups": {"a": "1", "b": "2"},
    "intervals": {"method": "drawn", "samples": 100, "seed": 0, "note": None},
    "table": [
        _at(1, 0.26, 0.2, 0.31, 0.25, 0.27), _at(3, 0.97, 0.9, 1.0, 1.0, 0.94), _at(5, 0.96, 0.9, 1.0, 0.96, None),
        _at(7, None, None, None, None, None), _at("increasing", 0.99, 0.98, 1.0, 0.99, 0.99),
        _at("decreasing", 0.9, 0.8, 0.95, 0.9, 0.9),
    ],
    "differences": [
        _apart(1, -0.71, -0.79, -0.6), _apart(5, -0.01, -0.03, 0.01), _apart("increasing", 0.02, 0.01, 0.04),
        _apart("decreasing", -0.07, -0.14, 0.0),
    ],
    "experiments": [],
}  # fmt: skip


def test_every_difference_is_said_once_and_what_is_not_shown_is_not_claimed(tmp_path: Path) -> None:
    files.write_json(kernel_depth_file(tmp_path, "c3d"), STUDY)
    [page] = study_pages(tmp_path)
    assert (page["href"], page["title"]) == ("study-kernel-depth-c3d.html", "Study: kernel depth of c3d")
    assert page["verdicts"] == [
        ("better", "Depth 3 is better than depth 1 by 71.0 points (interval 60.0 to 79.0)."),
        ("better", "Increasing depth is better than depth 3 by 2.0 points (interval 1.0 to 4.0)."),
        (
            "open",
            "No difference from depth 3 is shown for depth 5 (−1.0 points, interval −3.0 to 1.0) and decreasing depth"
            " (−7.0 points, interval −14.0 to 0.0).",
        ),
        ("open", "Depth 1 is at 26.0% (interval 20.0 to 31.0): not shown to do better than chance, which is 25.0%."),
        ("worse", "1 of 2 trainings with depth 5 diverged; its mean is that of the others."),
        ("worse", "2 of 2 trainings with depth 7 diverged."),
    ]
    assert page["chart"].count("<circle") == 5 + 9  # a mean a depth that has one, and its seeds
    assert page["command"] == (
        "rushes study kernel-depth c3d --depths 1,3,5,7,increasing,decreasing --seeds 2 --steps 200"
    )


def test_every_recipe_has_a_page_and_what_was_not_judged_is_told(tmp_path: Path) -> None:
    """As a study leaves it that was stopped, or of which nothing came."""
    experiments = [
        unjudged(Experiment(depth, 0, f"other-kernel-depth-{depth}-seed-0", "key"), Unjudged(how, f"the {how} reason"))
        for depth, how in ((1, "diverged"), (3, "failed"))
    ]
    about = {"study": "kernel-depth", "recipe": "other", "dataset": "dots", "steps": 200, "chance": None}
    about |= {"depths": [1, 3], "seeds": [0, 1]}
    files.write_json(kernel_depth_file(tmp_path, "c3d"), STUDY)
    files.write_json(kernel_depth_file(tmp_path, "other"), summarise(about, experiments, {}, None, Evaluation()))
    write_report(params.parse({"datasets": {}, "recipes": {}}, tmp_path / "params.yaml"), tmp_path, tmp_path / "report")
    pages = {path.name for path in (tmp_path / "report").glob("study-*")}
    assert pages == {"study-kernel-depth-c3d.html", "study-kernel-depth-other.html"}
    _, other = study_pages(tmp_path)
    assert other["verdicts"] == [
        ("worse", "1 of 2 trainings with depth 1 diverged."),
        ("open", "1 of 2 trainings with depth 1 did not run yet."),
        ("open", "1 of 2 trainings with depth 3 failed."),
        ("open", "1 of 2 trainings with depth 3 did not run yet."),
    ]
    text = (tmp_path / "report" / "study-kernel-depth-other.html").read_text()
    assert '<td class="num">diverged</td><td class="num">not run</td>' in text
    assert "failed: the failed reason" in text


def test_without_a_study_there_is_no_page(tmp_path: Path) -> None:
    assert study_pages(tmp_path) == []
