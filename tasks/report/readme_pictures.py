"""The README's pictures: clips rebuilt by each architecture, frames answered between two that were given, what a
network that sees motion is worth beside one that does not, and films beside the ratings that were predicted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tasks import files, pictures
from tasks.report import rating_picture
from tasks.report.kinds import ANSWERS, ARCHITECTURES, KINDS, VIDEO_ACCURACY
from tasks.report.pages import bar, error_strip
from tasks.report.questions import DEPTH, THE_QUESTION, image_only
from tasks.report.results import Result
from tasks.report.verdicts import in_order
from tasks.scores import OF_THE_MODEL

MOTION_CLASSES, MOTION_LETTERS = 4, 14  # that have room


def write(sets: Sequence[Sequence[Result]], folder: Path) -> None:
    """`strip.png`, `between.png`, `motion.png` and `rating.png`, each of the first set of its kind that was judged;
    `motion.png` rather of a set with an image-only network in it.

    Args:
        sets: recipes of one dataset and kind.
    """
    of_kind = {"reconstruct": (_rebuilt, "strip.png"), "interpolate": (_between, "between.png")}
    of_kind |= {"classify": (_motion, "motion.png"), "regress": (_rated, "rating.png")}
    for members in sorted(sets, key=lambda those: not any(image_only(r.config) for r in those if r.examples)):
        draw, name = of_kind[members[0].kind]
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


def _motion(members: Sequence[Result], path: Path) -> None:
    """A clip of each class, and beside them how many unseen videos each answer names rightly."""
    judged = [r for r in members if r.metrics and r.examples is not None]
    if not judged:
        return
    first = next((r for r in judged if not image_only(r.config)), judged[0])
    assert first.examples is not None
    assert first.metrics is not None
    strips: list[tuple[str, pictures.Image]] = []
    for label in first.metrics["labels"]:
        found = np.flatnonzero(first.examples["label"] == label)
        if len(found) and len(strips) < MOTION_CLASSES:
            frames = first.examples["frames"][int(found[0])]
            strips.append(
                (label.replace("_", " ")[:MOTION_LETTERS], pictures.strip(frames[pictures.shown_frames(len(frames))]))
            )
    left = pictures.labelled_strip(strips, label=150, margin=0)
    bars = [(_called(r), r.metrics["answers"]["model"], not image_only(r.config)) for r in judged if r.metrics]
    bars += [
        (ANSWERS.get(answer, answer), scores, False)
        for answer, scores in in_order(first.metrics["answers"]).items()
        if answer not in OF_THE_MODEL
    ]
    rows = [(name, *(s[VIDEO_ACCURACY.key][k] for k in ("value", "low", "high")), strong) for name, s, strong in bars]
    right = pictures.labelled_bars(rows, first.metrics["chance"], left.shape[0])
    caption = f"{first.metrics['videos']} unseen videos named rightly, with 95% intervals; dashed: chance"
    with files.replacing(path) as temporary:
        temporary.write_bytes(pictures.png(pictures.beside(left, right, caption)))


def _rated(members: Sequence[Result], path: Path) -> None:
    """What the recipe with the least error rates."""
    judged = [r for r in members if r.metrics and r.examples is not None]
    if judged:
        best = min(judged, key=lambda r: r.metrics["primary"]["value"] if r.metrics else 0.0)
        with files.replacing(path) as temporary:
            temporary.write_bytes(pictures.png(rating_picture.draw(best)))


def _called(result: Result) -> str:
    name = ARCHITECTURES.get(result.recipe.architecture, result.recipe.architecture)
    depth = result.config.get(DEPTH)
    return (
        name
        if depth is None
        else f"{name}, kernel depth {depth}" + (": image-only" if image_only(result.config) else "")
    )
