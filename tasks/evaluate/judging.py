"""Every answer to every clip, measured: the tables from which the others are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks import metrics
from tasks.baselines import Answer, Clip
from tasks.clips import ClipDataset

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """The clips that are judged, and which of their places an answer is shown and asked for."""

    test: ClipDataset
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def shown(self, clip_BTHWC: Clip) -> Clip:
        return clip_BTHWC[:, list(self.inputs)]

    def truth(self, clip_BTHWC: Clip) -> Clip:
        return clip_BTHWC[:, list(self.outputs)]


def judge(
    trial: Trial, answers: Sequence[Answer], batch_clips: int
) -> tuple[pd.DataFrame, dict[str, dict[str, Floats]]]:
    """One row a clip and answer; and of every answer each of `metrics.FRAME_METRICS` as an array (clips, M).

    The rows stand answer by answer, in the order of `answers`, and clip by clip.
    """
    about = trial.test.table[["clip", "source", "group", "label", "first_frame", "first_seconds"]]
    about = about.reset_index(drop=True).astype({"group": str})
    rows: dict[str, list[pd.DataFrame]] = {answer.name: [] for answer in answers}
    frames: dict[str, list[dict[str, Floats]]] = {answer.name: [] for answer in answers}
    for start in range(0, len(trial.test), batch_clips):
        numbers = np.arange(start, min(start + batch_clips, len(trial.test)))
        clip = trial.test.clips(numbers)
        shown = trial.shown(clip)
        moving = metrics.moving_mask(clip).mean(axis=(1, 2))
        for answer in answers:
            per_clip, per_frame = metrics.measure(clip, answer.predict(shown), trial.inputs, trial.outputs)
            floats = pd.array([answer.floats] * len(numbers), dtype="Int64")
            here = about.iloc[numbers].assign(moving_fraction=moving, answer=answer.name, floats=floats)
            rows[answer.name].append(here.assign(**per_clip))
            frames[answer.name].append(per_frame)
    table = pd.concat([part for parts in rows.values() for part in parts]).reset_index(drop=True)
    of_frames = {
        name: {metric: np.concatenate([part[metric] for part in parts]) for metric in metrics.FRAME_METRICS}
        for name, parts in frames.items()
    }
    return table, of_frames


def frame_table(scores: dict[str, Floats], trial: Trial, frames: Path) -> pd.DataFrame:
    """One row an answered test frame, with its place in the clip, the number and time it has in its source, and the
    `scores` of one answer, (clips, M) each."""
    table, m = trial.test.table, len(trial.outputs)
    clip = table.loc[table.index.repeat(m)].reset_index(drop=True)
    named = clip[["source", "clip"]].assign(frame_in_clip=np.tile(trial.outputs, len(table)))
    named["row"] = clip["first_row"] + named["frame_in_clip"] * clip["step"]
    index = pd.read_parquet(frames / "index.parquet", columns=["source", "row", "source_frame", "time_seconds"])
    named = named.merge(index, on=["source", "row"], how="left", validate="many_to_one").drop(columns="row")
    return named.assign(**{metric: values.reshape(-1) for metric, values in scores.items()})
