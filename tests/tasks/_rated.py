"""Films whose brightness is their score, up to a little noise, and a model that knows it: ratings whose answer is
known. What is awkward is among them: a film in two files, a short one, a title that must stay text, a row of the table
without a file and a file without a row.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import models
from tasks import assemble, modelio, params, sample, subclips
from tasks.files import write_json, write_text
from tasks.params import Params
from tests.tasks._tiny import know_tiny

SIDE, T, SUBCLIPS, SUBCLIP_FRAMES, FIRST_FRAME = 16, 5, 3, 10, 2  # at 25 frames a second, every second one stored
DARKEST, LEVELS = 20.0, 22.0  # grey level of score 0, and levels a point
HOSTILE = "Up <img src=x onerror=alert(1)>"  # a title that must stay text

# title: score, and its files
FILMS: dict[str, tuple[float, tuple[str, ...]]] = {
    "Amber": (3.0, ("amber_official_trailer.png",)),
    "Birch & Sons": (6.5, ("Birch & Sons.png",)),
    "Café Noir": (1.5, ("cafe noir - teaser.png", "cafe noir trailer 2.png")),  # one film, two files
    "Dunes (1971)": (8.0, ("Dunes 1971.png",)),
    "Ember": (4.5, ("ember.png",)),
    "Fathom": (7.0, ("Fathom_Trailer_HD.png",)),
    "Gale": (5.5, ("gale.png",)),
    "Harbour": (2.5, ("harbour.png",)),
    "Inlet": (9.0, ("inlet.png",)),  # short: two subclips, the second of 7 frames
    "Juniper": (4.0, ("juniper.png",)),
    "Kestrel": (7.5, ("kestrel.png",)),
    "Lantern": (2.0, ("lantern.png",)),
    "Meadow": (8.5, ("meadow.png",)),
    "Nightfall": (5.0, ("nightfall.png",)),
    HOSTILE: (6.0, (f"{HOSTILE}.png",)),
}
SHORT = "inlet.png"
VALIDATION = ("Harbour", "Gale", "Kestrel")
TEST = ("Juniper", "Lantern", "Meadow", "Nightfall", HOSTILE)
NOT_FILMED, NOT_RATED = "Opus", "parade.png"  # a row without a file, a file without a row

DATASET: dict[str, Any] = {
    "label": "none",
    "subclips": {"count": SUBCLIPS, "seconds": SUBCLIP_FRAMES / 25, "start_seconds": FIRST_FRAME / 25},
    "shots": {"threshold": 0.3, "split": False},
    "frames": {"height_px": SIDE, "width_px": SIDE, "every_frames": 2},
    "clips": {"length_frames": T, "least_frames": 3, "stride_frames": T},
    "split": {"validation": list(VALIDATION), "test": list(TEST)},
    "max_reject_fraction": 0.2,
}


def footage(folder: Path) -> None:
    """The strips in `folder`, and the table of ratings beside it: `ratings.csv`."""
    folder.mkdir(parents=True)
    files = [(name, score) for score, names in FILMS.values() for name in names] + [(NOT_RATED, 5.0)]
    for number, (name, score) in enumerate(files):
        rng = np.random.default_rng(number)
        still = np.kron(rng.uniform(-14.0, 14.0, (4, 4)), np.ones((SIDE // 4, SIDE // 4)))
        seconds_frames = SUBCLIP_FRAMES + 7 if name == SHORT else SUBCLIPS * SUBCLIP_FRAMES + 2
        wobble = rng.normal(0.0, 3.0, SUBCLIPS + 1)  # a subclip is a little brighter or darker than its film
        frames = []
        for t in range(FIRST_FRAME + seconds_frames):
            level = DARKEST + LEVELS * score + wobble[max(0, t - FIRST_FRAME) // SUBCLIP_FRAMES]
            frames.append(np.clip(np.roll(still, t // 2, 1) + level, 1, 255).astype(np.uint8))
        Image.fromarray(np.concatenate(frames, axis=1)).save(folder / name)
    rows = [f'"{title}",{score}' for title, (score, _) in FILMS.items()]
    write_text(folder.parent / "ratings.csv", "\n".join(["Title,Score", *rows, f"{NOT_FILMED},4.0"]) + "\n")


def settings(root: Path, recipes: dict[str, Any]) -> Params:
    """The data set `films` and these recipes; one needs `dataset` and `architecture` at least."""
    there = {"footage": str(root / "films"), "ratings": {"file": str(root / "ratings.csv")}}
    return params.parse({"datasets": {"films": DATASET | there}, "recipes": recipes}, root / "params.yaml")


def data(root: Path) -> Path:
    """Run the stages of the data; returns the data folder."""
    footage(root / "films")
    dataset, folder = settings(root, {}).datasets["films"], root / "data"
    subclips.run(dataset, root / "films", folder / "cuts" / "films")
    sample.run(dataset, root / "films", folder / "cuts" / "films", folder / "frames" / "films", 1)
    assemble.run(dataset, folder / "frames" / "films", folder / "clips" / "films")
    return folder


def rater(sees: float = 1.0) -> models.VideoModel:
    """Answers with the score that a clip's brightness stands for; with `sees` 0, with 5.0 whatever it is shown."""
    know_tiny()
    model = models.build("tiny_rater", frames=T, height_px=SIDE, width_px=SIDE, score_mean=5.0, score_deviation=2.0)
    # brightness as the model sees it is b = level / 127.5 - 1, and it answers 5 + 2 (weight 4 b + bias)
    slope, middle = 127.5 / LEVELS, (127.5 - DARKEST) / LEVELS
    with torch.no_grad():
        model.last.weight.fill_(sees * slope / 8)  # type: ignore[operator, union-attr]
        model.last.bias.fill_(sees * (middle - 5) / 2)  # type: ignore[operator, union-attr]
    return model


def train(root: Path, name: str, sees: float = 1.0, twin_sees: float | None = 1.0) -> Path:
    """A run as training leaves it, of a model that sees so much of the score (0 to 1), and its twin, if it is to have
    one. Returns the run folder."""
    dataset = settings(root, {}).datasets["films"]
    run = root / "data" / "runs" / name
    described = {
        "architecture": "tiny_rater",
        "dataset": "films",
        "data_sha256": "d" * 64,
        "training": {"seed": 0},
        "labels": [""],
        "input": {
            "gray": True,
            "fit": "crop",
            "every_frames": 2,
            "frames_per_second": None,
            "height_px": SIDE,
            "width_px": SIDE,
            "length_frames": T,
            "least_frames": 3,
            "stride_frames": T,
            "subclips": {**DATASET["subclips"], "snap": "none"},
            "shots": DATASET["shots"],
        },
        "ratings": {"lowest": dataset.ratings.lowest, "highest": dataset.ratings.highest} if dataset.ratings else None,
    }
    for folder, seen in ((run, sees), (run / "twin", twin_sees)):
        if seen is not None:
            folder.mkdir(parents=True)
            modelio.save_run(folder, rater(seen), described)
    rows = "".join(f"{step},{1 / step},0.003,{9 / step},{3 / step}\n" for step in range(1, 9))
    write_text(run / "history.csv", "step,loss,learning_rate,validation_mse,validation_mae\n" + rows)
    timing = {"train_seconds": 7.0, "steps": 8, "device": "cpu", "threads": 1, "precision": "32-true"}
    write_json(root / "data" / "timing" / f"{name}.json", timing | {"twin_seconds": None if twin_sees is None else 6.0})
    return run


def judge(root: Path, name: str) -> Path:
    """Run the stage `evaluate`; returns its folder."""
    from tasks import evaluate

    folder, out = root / "data", root / "data" / "evaluation" / name
    recipe = settings(root, {name: {"dataset": "films", "architecture": "tiny_rater"}}).recipes[name]
    evaluate.run(name, recipe, folder / "frames" / "films", folder / "clips" / "films", folder / "runs" / name, out)
    return out
