"""Textures that slide one of four ways, and a model that knows how to tell: classes whose answer is known. And the
folder of an evaluation over many classes, without footage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

import models
from tasks import assemble, evaluate, modelio, params, sample, subclips
from tasks.baselines import VideoAnswer
from tasks.evaluate.class_tables import Judgement
from tasks.evaluate.videos import Videos
from tasks.files import write_json, write_text
from tasks.params import Evaluation, Params
from tasks.scores import write_csv
from tests.tasks._tiny import know_tiny

SIDE, FRAMES, T, SCENES = 32, 24, 8, 7
UP = "up <img src=x onerror=alert(1)>"  # a class whose name must stay text
WAYS = {"down": (1, 0), "left": (0, -1), "right": (0, 1), UP: (-1, 0)}
TEST = ("4", "5", "6")
MISLABELLED = "left", 5  # slides to the right

DATASET: dict[str, Any] = {
    "group": {"pattern": r"scene(?P<group>\d+)"},
    "frames": {"height_px": SIDE, "width_px": SIDE, "gray": True},
    "clips": {"length_frames": T, "train_stride_frames": T, "stride_frames": T},
    "split": {"test": list(TEST)},
}


def footage(folder: Path) -> None:
    """Strips; the four of a scene are the same texture, so that no frame tells them apart."""
    for label, (down, right) in WAYS.items():
        (folder / label).mkdir(parents=True)
        for scene in range(SCENES):
            down, right = WAYS["right"] if (label, scene) == MISLABELLED else WAYS[label]
            levels = np.random.default_rng(scene).integers(20, 236, (8, 8), dtype=np.uint8)
            still = np.asarray(Image.fromarray(levels).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
            frames = [np.roll(still, (t * down, t * right), (0, 1)) for t in range(FRAMES)]
            Image.fromarray(np.concatenate(frames, axis=1)).save(folder / label / f"scene{scene}.png")


def settings(root: Path, recipes: dict[str, Any]) -> Params:
    dataset = DATASET | {"footage": str(root / "ways")}
    return params.parse({"datasets": {"ways": dataset}, "recipes": recipes}, root / "params.yaml")


def data(root: Path) -> Path:
    """Run the stages of the data; returns the data folder."""
    p = settings(root, {})
    footage(root / "ways")
    dataset, folder = p.datasets["ways"], root / "data"
    subclips.run(dataset, root / "ways", folder / "cuts" / "ways")
    sample.run(dataset, root / "ways", folder / "cuts" / "ways", folder / "frames" / "ways", 1)
    assemble.run(dataset, folder / "frames" / "ways", folder / "clips" / "ways")
    return folder


def train(root: Path, name: str, kernel_depth: int) -> None:
    """A run whose model sees which way the texture slides; with kernel depth 1, one that cannot."""
    know_tiny()
    run = root / "data" / "runs" / name
    model = models.build("tiny_mover", frames=T, height_px=SIDE, width_px=SIDE, kernel_depth=kernel_depth)
    run.mkdir(parents=True)
    modelio.save_run(run, model, {"architecture": "tiny_mover", "dataset": "ways", "labels": list(WAYS)})
    rows = "".join(f"{step},{1 / step},0.003,{step / 10}\n" for step in range(1, 9))
    write_text(run / "history.csv", "step,loss,learning_rate,validation_accuracy\n" + rows)
    timing = {"train_seconds": 7.0, "steps": 8, "device": "cpu", "threads": 1, "precision": "32-true"}
    write_json(root / "data" / "timing" / f"{name}.json", timing)


def judge(root: Path, name: str) -> Path:
    """Run the stage `evaluate`; returns its folder."""
    folder = root / "data"
    recipe = settings(root, {name: {"dataset": "ways", "architecture": "tiny_mover"}}).recipes[name]
    out = folder / "evaluation" / name
    evaluate.run(name, recipe, folder / "frames" / "ways", folder / "clips" / "ways", folder / "runs" / name, out)
    return out


@dataclass(frozen=True)
class Named:
    """What of a `ClipDataset` the tables read."""

    labels: list[str]
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)


def many(folder: Path, classes: int, videos_of_class: int = 5) -> None:
    """An evaluation's folder over `classes` classes: nine videos in ten right, the others called by the next name."""
    rng = np.random.default_rng(0)
    labels = [f"a_class_of_some_length_{k:03d}" for k in range(classes)]
    true = np.repeat(np.arange(classes), videos_of_class)
    said = np.where(np.arange(len(true)) % 10 == 3, (true + 1) % classes, true)
    sure = rng.uniform(0.4, 0.95, len(true))
    chances = np.repeat(((1 - sure) / (classes - 1))[:, None], classes, axis=1)
    chances[np.arange(len(true)), said] = sure
    sources = [f"{labels[k]}/video_{n:04d}.avi" for n, k in enumerate(true)]
    groups = [str(n % 7) for n in range(len(true))]
    table = pd.DataFrame({"source": sources, "label": [labels[k] for k in true], "group": groups})
    table = table.assign(clip=range(len(true)), first_frame=0, first_seconds=0.0)
    videos = Videos(sources, groups, true, np.ones_like(true), {"probabilities": chances})
    majority = VideoAnswer("majority_class", None, np.zeros_like(true))
    test: Any = Named(labels, table)
    judged = Judgement(test, videos, chances, [majority])
    for name, rows in {
        "sources": judged.source_table(),
        "confusion": judged.confusion_table(),
        "recalls": judged.recall_table(Evaluation()),
        "calibration": judged.calibration_table(),
        "tsne": judged.video_table().head(len(true)).assign(x=rng.random(len(true)), y=true / classes),
    }.items():
        write_csv(rows, folder / f"{name}.csv")
    judged.video_table().to_parquet(folder / "videos.parquet", index=False)
    judged.clip_table().to_parquet(folder / "clips.parquet", index=False)
    identity = {
        "recipe": folder.name, "architecture": "c3d", "variant": "default", "kind": "classify", "dataset": "many",
        "inputs": [0], "outputs": [], "latent_floats": None, "parameters": 1, "evaluation_sha256": "e",
        "weights_sha256": "w", "descriptor_floats": 64, "warnings": [],
    }  # fmt: skip
    write_json(folder / "metrics.json", identity | judged.summary(Evaluation()))
