"""A small project that ran up to `evaluate`: real footage files, real stages, a model whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

import models
from tasks import assemble, evaluate, modelio, params, sample, subclips
from tasks.files import write_json, write_text
from tasks.params import Params
from tests.tasks._tiny import know_tiny

T, SIDE, FRAMES = 8, 16, 24
LEVEL = 0.5  # what the model answers everywhere
HOSTILE = "p1<script>alert(1)<.png"  # a file name that must stay text
HOSTILE_CLASS = "<img src=x onerror=alert(1)>"
CLASSES = ("wave", HOSTILE_CLASS)

VALUES = {
    "datasets": {
        "blobs": {
            "footage": "footage",
            "group": {"pattern": r"p(?P<group>\d+)"},
            "frames": {"height_px": SIDE, "width_px": SIDE},
            "clips": {"length_frames": T, "stride_frames": T},
            "split": {"test": ["3", "4"]},
            "max_reject_fraction": 0.5,
        }
    },
    "recipes": {
        "first": {"dataset": "blobs", "architecture": "tiny_autoencoder"},
        "second": {"dataset": "blobs", "architecture": "tiny_autoencoder"},
        "later": {"dataset": "blobs", "architecture": "tiny_autoencoder"},
    },
    "report": {"title": "Blobs & <b>others</b>"},
}


def footage(folder: Path) -> None:
    """Strips of a bright square that moves over a texture, of five performers in two classes, and a broken file."""
    for number, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        for performer in range(5):
            rng = np.random.default_rng([number, performer])
            video = np.repeat(rng.integers(40, 120, (1, SIDE, SIDE), dtype=np.uint8), FRAMES, axis=0)
            for t in range(FRAMES):
                row, column = (rng.integers(0, 3) + t // 2) % 12, (performer + t) % 12
                video[t, row : row + 4, column : column + 4] = 250
            name = HOSTILE if performer == 1 and label == "wave" else f"p{performer}.png"
            Image.fromarray(np.concatenate(list(video), axis=1)).save(folder / label / name)
    (folder / "wave" / "p0<broken>.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")


def settings(root: Path) -> Params:
    values = {**VALUES, "datasets": {"blobs": {**VALUES["datasets"]["blobs"], "footage": str(root / "footage")}}}  # type: ignore[dict-item, index]
    return params.parse(values, root / "params.yaml")


def data(root: Path) -> Path:
    """Run the stages of the data; returns the data folder."""
    p = settings(root)
    footage(root / "footage")
    dataset, folder = p.datasets["blobs"], root / "data"
    subclips.run(dataset, root / "footage", folder / "cuts" / "blobs")
    sample.run(dataset, root / "footage", folder / "cuts" / "blobs", folder / "frames" / "blobs", 1)
    assemble.run(dataset, folder / "frames" / "blobs", folder / "clips" / "blobs")
    return folder


def train(root: Path, name: str, level: float, seconds: float) -> None:
    """A run whose model answers `level` everywhere, with a history and a timing as training leaves them."""
    know_tiny()
    run = root / "data" / "runs" / name
    model = models.build("tiny_autoencoder", frames=T, height_px=SIDE, width_px=SIDE, channels=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.mean.fill_(level)  # type: ignore[operator, union-attr]
    run.mkdir(parents=True)
    modelio.save_run(run, model, {"architecture": "tiny_autoencoder", "dataset": "blobs"})
    rows = "".join(f"{step},{1 / step},0.001,{'' if step % 20 else 10 + step / 20}\n" for step in range(10, 210, 10))
    write_text(run / "history.csv", "step,loss,learning_rate,validation_psnr_db\n" + rows)
    timing = {"train_seconds": seconds, "steps": 200, "device": "cpu", "threads": 1, "precision": "32-true"}
    write_json(root / "data" / "timing" / f"{name}.json", timing)


def judge(root: Path, name: str, out: Path | None = None) -> Path:
    """Run the stage `evaluate`; returns its folder."""
    folder = root / "data"
    out = out or folder / "evaluation" / name
    recipe = settings(root).recipes[name]
    evaluate.run(name, recipe, folder / "frames" / "blobs", folder / "clips" / "blobs", folder / "runs" / name, out)
    return out
