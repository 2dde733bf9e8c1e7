"""The README's pictures: clips rebuilt by each architecture, and frames answered between two that were given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tasks import files, pictures
from tasks.report.pages import KINDS, bar, error_strip
from tasks.report.questions import THE_QUESTION
from tasks.report.results import Result
from tasks.report.verdicts import ANSWERS, ARCHITECTURES


def write(sets: Sequence[Sequence[Result]], folder: Path) -> None:
    """`strip.png` and `between.png`, each of the first set of its kind that was judged.

    Args:
        sets: recipes of one dataset and kind.
    """
    for members in sets:
        draw, name = (_rebuilt, "strip.png") if members[0].kind == "reconstruct" else (_between, "between.png")
        if not (folder / name).exists():
            draw(members, folder / name)


def _rebuilt(members: Sequence[Result], path: Path) -> None:
    """A lively clip, each architecture's answer and its error."""
    judged = [r for r in members if r.examples is not None]
    chosen = {a: next((r for r in judged if r.recipe.architecture == a), None) for a in THE_QUESTION}
    shown = [r for r in chosen.values() if r is not None] or judged[:1]
    if not shown:
        return
    first = shown[0].examples
    assert first is not None
    place = int(np.flatnonzero(first["role"] == "showcase")[0])
    clip, at = first["input"][place], pictures.shown_frames(len(first["input"][place]))
    scale = bar(members)["scale"]
    rows = [("input", pictures.strip(clip[at]))]
    errors = []
    for r in shown:
        assert r.examples is not None
        same = np.flatnonzero((r.examples["role"] == "showcase") & (r.examples["clip"] == first["clip"][place]))
        if len(same):
            output = r.examples["output"][int(same[0])]
            label = ARCHITECTURES.get(r.recipe.architecture, r.name)
            rows.append((label, pictures.strip(output[at])))
            errors.append((f"error, {label}", error_strip(clip[at], output[at], scale)))
    with files.replacing(path) as temporary:
        temporary.write_bytes(pictures.png(pictures.labelled_strip(rows + errors)))


def _between(members: Sequence[Result], path: Path) -> None:
    """The middle frame of the liveliest held-out window: given frames, truth, answers, and under them their errors."""
    judged = next((r for r in members if r.examples is not None), None)
    if judged is None:
        return
    assert judged.examples is not None
    assert judged.metrics is not None
    number = _liveliest(judged)
    middle = len(judged.metrics["outputs"]) // 2
    truth, scale = judged.examples["input"][number][middle], bar(members)["scale"]
    places = judged.metrics["inputs"][0], judged.metrics["inputs"][-1]
    given = judged.examples["shown"][number][[0, -1]]
    columns = [("Given: frames {} and {}".format(*places), given[0], given[1])]
    key = pictures.colour_key(truth.shape[0], truth.shape[1], scale)
    columns.append((f"Truth: frame {judged.metrics['outputs'][middle]}", truth, key))
    answers = [(ANSWERS[a], judged.examples[f"answer_{a}"][number][middle]) for a in KINDS["interpolate"].pictured]
    answers.append((judged.name, judged.examples["output"][number][middle]))
    for name, answer in answers:
        error = pictures.error_of(truth[None], answer[None])[0]
        columns.append((name, answer, pictures.error_colours(error, scale)))
    with files.replacing(path) as temporary:
        temporary.write_bytes(pictures.png(pictures.labelled_columns(columns)))


def _liveliest(judged: Result) -> int:
    """The example of most moving pixels; no model had a say in which windows stand under these roles."""
    assert judged.examples is not None
    assert judged.clips is not None
    moving = judged.clips.drop_duplicates("clip").set_index("clip")["moving_fraction"]
    choice = np.flatnonzero(np.isin(judged.examples["role"], ["showcase", "sequence"]))
    of_choice = moving.loc[judged.examples["clip"][choice]].to_numpy()
    return int(choice[np.argmax(of_choice)])
