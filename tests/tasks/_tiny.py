"""A clip folder and a recipe so small that training takes a fraction of a second."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import models
from tasks import model_input, tables
from tasks.files import sha256_of, write_json
from tasks.params import Dataset, Recipe
from tasks.stores import StoredSource

DATASET = Dataset.model_validate({
    "footage": "footage",
    "frames": {"height_px": 8, "width_px": 8, "gray": True, "fit": "crop", "every_frames": 2},
    "clips": {"length_frames": 4},
    "split": {"test": ["4"]},
})  # fmt: skip
RATED = Dataset.model_validate(
    DATASET.model_dump(exclude={"clips"})
    | {
        "clips": {"length_frames": 4, "least_frames": 2},
        "subclips": {"count": 2, "seconds": 0.16, "start_seconds": 0.04},
        "shots": {"split": False},
        "ratings": {"file": "ratings.csv"},
    }
)
ARCHITECTURES = str(Path(__file__).parent / "tiny")


def know_tiny() -> None:
    """Let `models.build` find the architectures of the folder `tiny`."""
    if ARCHITECTURES not in models.__path__:
        models.__path__.append(ARCHITECTURES)


def write_clips(root: Path, labels: tuple[str, ...] = ("a",)) -> tuple[Path, Path]:
    """Frame stores and a manifest as `sample` and `assemble` write them: 5 sources a label, 9 frames each, clips of 4.

    The sources of one number are a group and look alike. The first label's move fastest, the last of several's stand
    still: mirrored or reversed they keep their class, and no single frame tells it.
    """
    frames, clips = root / "frames" / "blobs", root / "clips" / "blobs"
    frames.mkdir(parents=True)
    clips.mkdir(parents=True)
    sources, rows = [], []
    for number, (place, label) in itertools.product(range(5), enumerate(labels)):
        source, split = f"{label}{number}", ["train", "train", "train", "validation", "test"][number]
        speed = 0.5 if len(labels) == 1 else 1.0 - place / (len(labels) - 1)
        t, y, x = np.mgrid[0:9, 0:8, 0:8]
        store = (127 + 100 * np.sin(0.7 * x + 0.3 * number + speed * t) * np.cos(0.4 * y)).astype(np.uint8)[..., None]
        np.save(frames / f"{source}.npy", store)
        sources.append(
            StoredSource(
                source=source,
                path=f"{label}/{source}.mp4",
                kind="video",
                sha256=f"{number:063d}{place}",
                label=label,
                group=str(number),
                width_px=8,
                height_px=8,
                frames_per_second=25.0,
                frames=9,
                claimed_frames=9,
                duration_seconds=0.36,
                stored_frames=9,
                store_sha256=sha256_of(frames / f"{source}.npy"),
                settings="s",
            )
        )
        rows += [
            {
                "source": source,
                "span": 0,
                "first_row": first,
                "length": 4,
                "step": 1,
                "split": split,
                "group": str(number),
                "label": label,
                "film": "",
                "score": float("nan"),
                "first_frame": first,
                "first_seconds": first / 25,
            }
            for first in range(6)
        ]
    tables.write(frames / "sources.csv", StoredSource, sources)
    pd.DataFrame(rows).rename_axis("clip").reset_index().to_parquet(clips / "clips.parquet", index=False)
    _write_summary(clips, DATASET)
    return frames, clips


def write_rated_clips(root: Path) -> tuple[Path, Path]:
    """The same five sources as films: two subclips each, of 4 frames and of 2 or 3, the brighter the better rated."""
    frames, clips = write_clips(root)
    recorded = tables.read(frames / "sources.csv", StoredSource)
    for number, source in enumerate(recorded):
        path = frames / f"{source.source}.npy"
        store = np.load(path).astype(np.float64)
        np.save(path, (store * 0.3 + 20 + 30 * number).astype(np.uint8))
        recorded[number] = dataclasses.replace(
            source, store_sha256=sha256_of(path), film=f"film {number}", score=2.0 + 1.5 * number
        )
    tables.write(frames / "sources.csv", StoredSource, recorded)
    table = pd.read_parquet(clips / "clips.parquet")
    table = table[table["first_row"].isin([0, 5])].reset_index(drop=True)
    number = table["source"].str[1:].astype(int)
    late = table["first_row"] == 5
    table["span"], table["length"] = late.astype(int), np.where(late, 2 + number % 2, 4)
    table = table.assign(label="", film=[f"film {n}" for n in number], score=2.0 + 1.5 * number, clip=table.index)
    table.to_parquet(clips / "clips.parquet", index=False)
    _write_summary(clips, RATED)
    return frames, clips


def _write_summary(clips: Path, dataset: Dataset) -> None:
    """What training reads of it."""
    ratings = None if dataset.ratings is None else {"lowest": 0.0, "highest": 10.0, "films": 5}
    write_json(clips / "summary.json", {"input": model_input.describe(dataset, 4), "ratings": ratings})


def recipe(config: dict[str, Any] | None = None, architecture: str = "tiny_autoencoder", **training: Any) -> Recipe:
    """Seven batches of eight, every mechanism switched on."""
    settings = {
        "steps": 12,
        "batch_clips": 8,
        "optimizer": {"learning_rate": 0.01, "weight_decay": 0.01},
        "warmup_steps": 2,
        "gradient_clip_norm": 1.0,
        "ema_decay": 0.9,
        "augment": {"mirror": True, "gain": 0.1},
        "accelerator": "cpu",
        "threads": 1,
        "log_every_steps": 3,
        "checkpoint_every_steps": 2,
        "sample_every_steps": 5,
    }
    return Recipe.model_validate(
        {
            "dataset": "blobs",
            "architecture": architecture,
            "config": config or {},
            "training": {**settings, **training},
        }
    )


def train_tiny(
    root: Path,
    folder: Path,
    config: dict[str, Any] | None = None,
    architecture: str = "tiny_autoencoder",
    **training: Any,
) -> Path:
    """Train on the clips of `root` into `folder`: `run`, `timing.json` and `state/tiny`. Returns the run folder."""
    from tasks import train

    train.run(
        "tiny",
        recipe(config, architecture, **training),
        root / "frames" / "blobs",
        root / "clips" / "blobs",
        folder / "run",
        folder / "timing.json",
        folder / "state" / "tiny",
    )
    return folder / "run"
