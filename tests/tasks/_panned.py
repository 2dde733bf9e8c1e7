"""Sequences of a camera that pans by one pixel a frame, and a model that knows it: frames whose answer is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import models
from tasks import assemble, evaluate, modelio, params, sample, subclips
from tasks.files import write_json, write_text
from tasks.params import Params
from tests.tasks._tiny import know_tiny

SIDE, FRAMES, GAP = 64, 20, 6
SEQUENCES = ("a/crossing.png", "b<i>yard.png", "c/square.png", "d/lane.png", "e/quay.png")
TEST = SEQUENCES[2:]

DATASET: dict[str, Any] = {
    "label": "none",
    "frames": {"height_px": SIDE, "width_px": SIDE, "gray": False},
    "clips": {"gap_frames": GAP, "train_stride_frames": 4, "stride_frames": 4},
    "split": {"test": list(TEST)},
}
RECIPE: dict[str, Any] = {"dataset": "streets", "architecture": "tiny_interpolator"}


def footage(folder: Path) -> None:
    """Strips: a smooth texture that slides to the left, each sequence another."""
    for number, name in enumerate(SEQUENCES):
        levels = np.random.default_rng(number).integers(20, 236, (12, 24, 1))
        coarse = (levels * (1.0, 0.9, 0.8)).astype(np.uint8)  # of one hue, which H.264 keeps
        scene = np.asarray(Image.fromarray(coarse).resize((SIDE + FRAMES, SIDE), Image.Resampling.BICUBIC))
        frames = [scene[:, t : t + SIDE] for t in range(FRAMES)]
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate(frames, axis=1)).save(folder / name)


def settings(root: Path, recipes: dict[str, Any]) -> Params:
    dataset = DATASET | {"footage": str(root / "streets")}
    return params.parse({"datasets": {"streets": dataset}, "recipes": recipes}, root / "params.yaml")


def data(root: Path) -> Path:
    """Run the stages of the data; returns the data folder."""
    p = settings(root, {})
    footage(root / "streets")
    dataset, folder = p.datasets["streets"], root / "data"
    subclips.run(dataset, root / "streets", folder / "cuts" / "streets")
    sample.run(dataset, root / "streets", folder / "cuts" / "streets", folder / "frames" / "streets", 1)
    assemble.run(dataset, folder / "frames" / "streets", folder / "clips" / "streets")
    return folder


def train(root: Path, name: str, pixels_a_frame: float) -> None:
    """A run whose model believes that the picture slides to the left by so much; 0 is the cross-fade."""
    know_tiny()
    run = root / "data" / "runs" / name
    model = models.build("tiny_interpolator", frames=GAP + 1, height_px=SIDE, width_px=SIDE, channels=3)
    slide = math.atanh(GAP * pixels_a_frame * 2 / SIDE / 0.2)  # its flows are 0.2 tanh, in halves of the picture
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.flow.bias.copy_(torch.tensor([slide, 0.0, -slide, 0.0]))  # type: ignore[operator, union-attr]
    run.mkdir(parents=True)
    modelio.save_run(run, model, {"architecture": "tiny_interpolator", "dataset": "streets"})
    write_text(run / "history.csv", "step,loss,learning_rate\n" + "".join(f"{k},{1 / k},0.001\n" for k in range(1, 9)))
    timing = {"train_seconds": 7.0, "steps": 8, "device": "cpu", "threads": 1, "precision": "32-true"}
    write_json(root / "data" / "timing" / f"{name}.json", timing)


def judge(root: Path, name: str) -> Path:
    """Run the stage `evaluate`; returns its folder."""
    folder = root / "data"
    recipe, out = settings(root, {name: RECIPE}).recipes[name], folder / "evaluation" / name
    evaluate.run(name, recipe, folder / "frames" / "streets", folder / "clips" / "streets", folder / "runs" / name, out)
    return out
