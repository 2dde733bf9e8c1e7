"""What stands on the page of a model that answers missing frames: the gain over the cross-fade, every sequence, videos
of the answers in step, the third article's side by side, strips with their differences."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tasks import pictures
from tasks.report import charts, films
from tasks.report.kinds import ANSWERS, IN_A_SENTENCE, KINDS, PSNR
from tasks.report.pages import (
    answer_rows,
    clip_about,
    fact,
    gain_marks,
    picture_row,
    sequence_names,
    strongest,
    training_facts,
)
from tasks.report.results import Result
from tasks.report.verdicts import on_every_sequence

if TYPE_CHECKING:
    import pandas as pd

SEQUENCES_SHOWN = 30
VIDEOS = 8  # sequences with a video, in the order of their names; a page stays below 8 MB with them
PICTURED = KINDS["interpolate"].pictured
OURS = "This model"


def part(result: Result, beside: Sequence[Result], scale: float, strips: int) -> dict[str, Any]:
    """The values that only this kind's template reads."""
    assert result.metrics is not None
    sources = result.tables["sources"]
    sources = sources.assign(source=sources["source"].map(sequence_names(sources)))
    rivals = list(dict.fromkeys([strongest(result.metrics), "cross_fade"]))
    return {
        "facts": _facts(result),
        "task": task(result.metrics),
        "own_verdicts": [on_every_sequence(sources, answer) for answer in ("cross_fade", "dis_flow")],
        "gains": _gain_chart(result.metrics, rivals),
        "videos": list(_videos(result)),
        "more_videos": sources["source"].nunique() - len(_of_sequences(result)),
        "side_by_side": _side_by_side(result),
        "examples": list(_strips(result, scale, strips)),
        "by_sequence": _sequence_rows(sources),
    }


def task(result: dict[str, Any]) -> str:
    """What the model is given and what it answers, in words."""
    given, asked = (f"frame{'s' * (len(p) > 1)} {_listed(p)}" for p in (result["inputs"], result["outputs"]))
    return f"given {given}, answers {asked}"


def _listed(places: Sequence[int]) -> str:
    if len(places) > 2 and list(places) == list(range(places[0], places[-1] + 1)):
        return f"{places[0]} to {places[-1]}"
    return " and ".join(filter(None, [", ".join(map(str, places[:-1])), str(places[-1])]))


def _facts(result: Result) -> list[dict[str, Any]]:
    assert result.metrics is not None
    psnr, gains = result.metrics["answers"]["model"]["psnr_db"], result.metrics["gains"]
    facts = [fact(PSNR.name, PSNR.told(psnr["value"]), PSNR.span(psnr))]
    for answer in ("cross_fade", "dis_flow"):
        gain = gains[answer]["psnr_db"]
        facts.append(fact(f"Over {IN_A_SENTENCE[answer]}", PSNR.gap(gain["value"], sign=True), PSNR.span(gain)))
    facts.append(fact("Parameters", f"{result.metrics['parameters']:,}"))
    return facts + training_facts(result)


def _gain_chart(result: dict[str, Any], rivals: Sequence[str]) -> Markup:
    marks = [mark for answer in rivals for mark in gain_marks(result, answer, f"over {IN_A_SENTENCE[answer]}")]
    title = "Gain over the strongest baseline and over the cross-fade, on all, moving and still pixels"
    return charts.interval_chart(marks, x_label="dB gained", title=title, line=0.0)


def _examples(result: Result) -> dict[str, NDArray[Any]]:
    assert result.examples is not None
    return result.examples


def _answers(result: Result, number: int) -> list[tuple[str, NDArray[np.uint8]]]:
    """The pictured baselines' and the model's answers to one example."""
    examples = _examples(result)
    shown = [(ANSWERS[answer], examples[f"answer_{answer}"][number]) for answer in PICTURED]
    return [*shown, (OURS, examples["output"][number])]


def _of_sequences(result: Result) -> list[tuple[str, int]]:
    """(name, example) of each sequence's liveliest window, by name."""
    examples = _examples(result)
    numbers = np.flatnonzero(examples["role"] == "sequence")
    return sorted((clip_about(result, int(examples["clip"][k]))["name"], int(k)) for k in numbers)[:VIDEOS]


def _windows(result: Result, number: int) -> list[tuple[str, NDArray[np.uint8]]]:
    """Truth and answers as whole windows, what was given at its places."""
    assert result.metrics is not None
    inputs, outputs, examples = result.metrics["inputs"], result.metrics["outputs"], _examples(result)
    named = [("Truth", examples["input"][number]), *_answers(result, number)]
    return [(name, films.window(examples["shown"][number], frames, inputs, outputs)) for name, frames in named]


def _videos(result: Result) -> Iterator[dict[str, str]]:
    assert result.metrics is not None
    inputs, outputs = result.metrics["inputs"], result.metrics["outputs"]
    for name, number in _of_sequences(result):
        about = clip_about(result, int(_examples(result)["clip"][number]))
        video = films.four_uri(_windows(result, number), inputs, outputs)
        yield {"title": name, "detail": about["when"], "video": video}


def _side_by_side(result: Result) -> str | None:
    """Every sequence's window in turn, the truth on the left."""
    truth: list[pictures.Image] = []
    ours: list[pictures.Image] = []
    for _, number in _of_sequences(result):
        windows = dict(_windows(result, number))
        order = films.there_and_back(len(windows["Truth"])) * 2
        truth += list(pictures.rgb(windows["Truth"][order]))
        ours += list(pictures.rgb(windows[OURS][order]))
    return films.side_by_side_uri(truth, ours) if truth else None


def _strips(result: Result, scale: float, strips: int) -> Iterator[dict[str, Any]]:
    examples = _examples(result)
    for role, place in itertools.product(("worst", "median", "best"), range(strips)):
        for number in np.flatnonzero((examples["role"] == role) & (examples["rank"] == place)):
            answers = _answers(result, int(number))
            rows = answer_rows(examples["input"][number], answers, result.kind, scale, [name for name, _ in answers])
            about = clip_about(result, int(examples["clip"][number]))
            detail = f"{examples['psnr_db'][number]:.2f} dB; {about['detail']}"
            title = role.capitalize() + (f" {place + 1}" if strips > 1 else "")
            yield {"title": title, "detail": detail, "rows": [given_row(result, int(number)), *rows]}


def given_row(result: Result, number: int) -> dict[str, Any]:
    """The given frames above the answered ones: at the ends of the strip where the answers lie between them."""
    assert result.metrics is not None
    shown, inputs, outputs = (_examples(result)["shown"][number], result.metrics["inputs"], result.metrics["outputs"])
    columns = len(pictures.shown_frames(len(outputs)))
    if len(inputs) == 2 and inputs[0] < outputs[0] and inputs[1] > outputs[-1] and columns > 1:
        at = [0, columns - 1]
    else:
        shown = shown[-columns:]
        at = list(range(len(shown)))
    return picture_row("Given", pictures.placed(shown, at, columns), len(at), photograph=True)


def _sequence_rows(sources: pd.DataFrame) -> dict[str, Any]:
    """One row a sequence, the model's worst first: the answers beside one another and what the model gains."""
    rows = []
    for source, part_of in sources.groupby("source", sort=False):
        by_answer = part_of.set_index("answer")
        row: dict[str, Any] = {"name": source, "clips": by_answer["clips"]["model"]}
        row |= {answer: by_answer["psnr_db"][answer] for answer in ("cross_fade", "dis_flow", "model")}
        row["moving_model"] = by_answer["psnr_moving_db"]["model"]
        rows.append(row | {f"gain_{a}": row["model"] - row[a] for a in ("cross_fade", "dis_flow")})
    more = len(rows) - SEQUENCES_SHOWN
    return {
        "rows": rows[:SEQUENCES_SHOWN],
        "more": f"{more:,} more sequences are in sources.csv of the evaluation." if more > 0 else None,
    }
