"""Steps a second against the articles' way of training: the same network, batch and clip size, in one run.

Their way, written anew from its description: all videos in memory as float; each batch draws a random clip an item and
turns every frame into a PIL image, gray, resized, a tensor, normalised; one step in fp32; the loss plot drawn to a PDF
again at every iteration. Ours is the product's own training stage, with its logging, checkpoints and samples left on.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image

import models
from benchmarks._footage import assembled, dataset, figures
from tasks import media, params, train
from tasks.files import read_json

STEPS = {"theirs": 4, "few": 2, "many": 8}
CASES = {
    "gru_autoencoder, article, 64 px, 16 frames, batch 16": ("gru_autoencoder", 64, 16, 16),
    "gru_autoencoder, article, 64 px, 4 frames, batch 16": ("gru_autoencoder", 64, 4, 16),
    "conv3d_autoencoder, article, 128 px, 16 frames, batch 16": ("conv3d_autoencoder", 128, 16, 16),
}


def their_batches(videos: list[np.ndarray], side_px: int, length: int, batch: int) -> Callable[[], torch.Tensor]:
    """A function that makes a float32 batch (B, 1, T, H, W) in -1 to 1, frame by frame through PIL."""
    rng = np.random.default_rng(0)

    def frame(values: np.ndarray) -> torch.Tensor:
        image = (
            Image.fromarray(values.astype(np.uint8)).convert("L").resize((side_px, side_px), Image.Resampling.BILINEAR)
        )
        tensor = torch.from_numpy(np.array(image)).unsqueeze(0).to(torch.float32) / 255
        return (tensor - 0.5) / 0.5

    def draw() -> torch.Tensor:
        clips = []
        for _ in range(batch):
            video = videos[rng.integers(len(videos))]
            start = rng.integers(len(video) - length + 1)
            clips.append(torch.stack([frame(f) for f in video[start : start + length]], dim=1))
        return torch.stack(clips)

    return draw


def theirs(
    architecture: str, videos: list[np.ndarray], side_px: int, length: int, batch: int, plot: Path | None
) -> float:
    """Seconds a step of the articles' loop, after one step of warm-up."""
    torch.manual_seed(0)
    model = models.build(
        architecture, variant="article", frames=length, height_px=side_px, width_px=side_px, channels=1
    ).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=1e-5)
    draw = their_batches(videos, side_px, length, batch)
    losses: list[float] = []

    def step() -> None:
        clip_BCTHW = draw()
        # The network and its loss are the product's, so that both ways compute the same; it takes what it is given.
        clip_BTHWC = ((clip_BCTHW + 1) * 127.5).permute(0, 2, 3, 4, 1)
        loss, _ = model.loss({"clip": clip_BTHWC})
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if plot is not None:
            _draw_losses(losses, plot)

    step()
    start = time.perf_counter()
    for _ in range(STEPS["theirs"]):
        step()
    return (time.perf_counter() - start) / STEPS["theirs"]


def _draw_losses(losses: list[float], path: Path) -> None:
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasPdf(figure)
    axes = figure.add_subplot()
    axes.plot(losses, label="loss")
    axes.set_xlabel("iteration")
    axes.legend()
    figure.savefig(path)


def ours(architecture: str, frames: Path, clips: Path, batch: int, folder: Path, precision: str) -> float:
    """Seconds a step of the training stage, its logging included: what six more steps cost, so that start, last
    picture and last checkpoint, which both runs have, do not count."""
    seconds = {}
    for steps in (STEPS["few"], STEPS["many"]):
        recipe = params.Recipe.model_validate({
            "dataset": "figures", "architecture": architecture, "config": {"variant": "article"},
            "training": {
                "steps": steps, "batch_clips": batch, "precision": precision, "log_every_steps": 5,
                "optimizer": {"name": "adam", "learning_rate": 1e-4, "weight_decay": 1e-5}, "decay": "constant",
            },
        })  # fmt: skip
        place = folder / str(steps)
        train.run("bench", recipe, frames, clips, place / "run", place / "timing.json", place / "state")
        seconds[steps] = float(read_json(place / "timing.json")["train_seconds"])
    return (seconds[STEPS["many"]] - seconds[STEPS["few"]]) / (STEPS["many"] - STEPS["few"])


def measure() -> dict[str, Any]:
    """Theirs, ours, theirs with the plot, for each case."""
    found = {}
    with tempfile.TemporaryDirectory() as name, mock.patch.dict(os.environ):
        scratch = Path(name)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{scratch}/mlflow.db"  # runs of a benchmark are nobody's history
        footage = figures(scratch)
        videos = [
            np.stack([frame for _, _, frame in media.read_frames(path)]).astype(np.float32)
            for path in sorted(footage.rglob("*.mp4"))
        ]
        for number, (case, (architecture, side_px, length, batch)) in enumerate(CASES.items()):
            folder = scratch / str(number)
            d = dataset(footage, side_px, length)
            frames, clips = assembled(d, folder, 1)
            before = theirs(architecture, videos, side_px, length, batch, None)
            mine = {
                precision: ours(architecture, frames, clips, batch, folder / precision, precision)
                for precision in ("bf16-mixed", "32-true")
            }
            after = theirs(architecture, videos, side_px, length, batch, None)
            plotted = theirs(architecture, videos, side_px, length, batch, folder / "loss.pdf")
            plain = min(before, after)
            fast = mine["bf16-mixed"]
            found[case] = {
                "seconds_a_step": {"theirs": [before, after], "theirs, plot included": plotted, "ours": mine},
                "ratio": plain / fast,
                "ratio_with_plot": plotted / fast,
                "ratio_fp32": plain / mine["32-true"],
            }
            print(f"  {case}")
            print(
                f"    theirs {1 / plain:.2f} steps/s, {1 / plotted:.2f} with their plot; ours {1 / fast:.2f} in bf16:"
            )
            print(f"    {plain / fast:.2f} times as fast, {plotted / fast:.2f} with their plot, ", end="")
            print(f"{plain / mine['32-true']:.2f} in fp32 without it")
    return found
