"""Videos of three classes that carry a classifier's answers in their pixels (see `tiny/tiny_oracle.py`), so that every
figure of an evaluation follows by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import models
from tasks import evaluate, modelio, tables
from tasks.files import sha256_of, write_json
from tasks.params import Recipe
from tasks.stores import StoredSource
from tests.tasks._tiny import know_tiny

T, SIDE = 4, 8
LABELS = ["a", "b", "c"]
RECIPE = Recipe.model_validate({"dataset": "marks", "architecture": "tiny_oracle", "evaluation": {"batch_clips": 3}})
GROUND = {"a": 60, "b": 180, "c": 120}  # brightness of the rows that the model does not read: what a mean frame tells


@dataclass(frozen=True)
class Video:
    """Two clips of four frames; `clips` holds the percent that the model gives a, b and c in each."""

    source: str
    group: str
    label: str
    split: str
    clips: tuple[tuple[float, float, float], tuple[float, float, float]]


ANY = ((40, 30, 30), (40, 30, 30))
TEST = [  # mean of the two             predicted
    Video("v1", "4", "a", "test", ((62, 28, 10), (43, 47, 10))),  # 52.5, 37.5, 10    a, right
    Video("v2", "4", "b", "test", ((10, 78, 12), (5, 92, 3))),  # 7.5, 85, 7.5        b, right
    Video("v3", "5", "b", "test", ((74, 16, 10), (48, 42, 10))),  # 61, 29, 10        a, wrong
    Video("v4", "5", "c", "test", ((10, 32, 58), (38, 52, 10))),  # 24, 42, 34        b, wrong
    Video("v5", "5", "a", "test", ((92, 4, 4), (98, 1, 1))),  # 95, 2.5, 2.5          a, right
]
TRAIN = [  # none of class c: three of a, two of b
    Video("t1", "1", "a", "train", ANY),
    Video("t2", "1", "b", "train", ANY),
    Video("t3", "2", "a", "train", ANY),
    Video("t4", "2", "b", "train", ANY),
    Video("t5", "3", "a", "train", ANY),
]


def pixels(video: Video) -> np.ndarray:
    """uint8 (8, 8, 8, 1). The descriptor is one of three directions, the class's own, and longer in the first clip."""
    store = np.full((2 * T, SIDE, SIDE, 1), GROUND[video.label], np.uint8)
    store[:, :2] = 0
    for k, percent in enumerate(video.clips):
        store[k * T : (k + 1) * T, 0, :3, 0] = np.array(percent) * 2
        store[k * T : (k + 1) * T, 1, LABELS.index(video.label), 0] = 200 - 100 * k
    return store


def write(root: Path, videos: Sequence[Video]) -> tuple[Path, Path]:
    """Frame stores and a manifest as `sample` and `assemble` write them."""
    frames, clips = root / "frames" / "marks", root / "clips" / "marks"
    frames.mkdir(parents=True)
    clips.mkdir(parents=True)
    sources, rows = [], []
    for number, video in enumerate(videos):
        np.save(frames / f"{video.source}.npy", pixels(video))
        sources.append(
            StoredSource(
                source=video.source,
                path=f"{video.label}/{video.source}.mp4",
                kind="video",
                sha256=f"{number:064d}",
                label=video.label,
                group=video.group,
                width_px=SIDE,
                height_px=SIDE,
                frames_per_second=25.0,
                frames=2 * T,
                claimed_frames=2 * T,
                duration_seconds=2 * T / 25,
                stored_frames=2 * T,
                store_sha256=sha256_of(frames / f"{video.source}.npy"),
                settings="s",
            )
        )
        about = {"source": video.source, "span": 0, "length": T, "step": 1, "split": video.split}
        about |= {"group": video.group, "label": video.label, "film": "", "score": float("nan")}
        rows += [about | {"first_row": f, "first_frame": f, "first_seconds": f / 25} for f in (0, T)]
    tables.write(frames / "sources.csv", StoredSource, sources)
    stored = [(video.source, 0, row, row, row / 25) for video in videos for row in range(2 * T)]
    index = pd.DataFrame(stored, columns=["source", "span", "row", "source_frame", "time_seconds"])
    index.to_parquet(frames / "index.parquet", index=False)
    pd.DataFrame(rows).rename_axis("clip").reset_index().to_parquet(clips / "clips.parquet", index=False)
    write_json(clips / "summary.json", {"warnings": ["1 of 3 classes has no training video."]})
    return frames, clips


def judge(root: Path, videos: Sequence[Video] = (*TRAIN, *TEST), labels: Sequence[str] = LABELS) -> Path:
    """Write the clips and a run whose `model.json` names `labels`, judge it; returns the evaluation's folder."""
    know_tiny()
    frames, clips = write(root, videos)
    run, out = root / "runs" / "marks", root / "evaluation" / "marks"
    run.mkdir(parents=True)
    model = models.build("tiny_oracle", frames=T, height_px=SIDE, width_px=SIDE, channels=1, classes=len(labels))
    modelio.save_run(run, model, {"architecture": "tiny_oracle", "dataset": "marks", "labels": list(labels)})
    evaluate.run("marks", RECIPE, frames, clips, run, out)
    return out
