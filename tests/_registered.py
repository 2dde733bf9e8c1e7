"""Networks of any architecture as registered models, without data and training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import models
from tasks import modelio, tracking
from tasks.files import sha256_of, write_json, write_text

METRICS = {"classify": "video_accuracy", "interpolate": "psnr_db", "reconstruct": "psnr_db", "regress": "mse"}


def model(architecture: str, labels: tuple[str, ...] = (), **config: Any) -> models.VideoModel:
    """One with weights of its own, which answers something else for every clip."""
    torch.manual_seed(len(architecture))
    built = models.build(architecture, **config, **({"classes": len(labels)} if labels else {}))
    for parameter in built.parameters():
        if not parameter.abs().max():  # what begins at 0 would answer alike, whatever it is shown
            torch.nn.init.normal_(parameter, std=0.02)
    c = built.config
    with torch.no_grad():
        built.initialise(torch.randint(0, 256, (4, c.frames, c.height_px, c.width_px, c.channels), dtype=torch.uint8))
    return built.eval()


def register(root: Path, recipe: str, built: models.VideoModel, **facts: Any) -> tracking.Registered:
    """The run folder and the evaluation that stages would have written, below `root`, as a version and champion."""
    from mlflow import MlflowClient

    c = built.config
    run, evaluation = root / "runs" / recipe, root / "evaluation" / recipe
    run.mkdir(parents=True)
    input_ = {
        "gray": c.channels == 1, "fit": "crop", "every_frames": 1, "frames_per_second": None, "height_px": c.height_px,
        "width_px": c.width_px, "length_frames": c.frames, "least_frames": None, "stride_frames": c.frames,
        "subclips": None, "shots": None,
    }  # fmt: skip
    described = {
        "architecture": type(built).__module__.rpartition(".")[2], "dataset": "blobs", "data_sha256": "d" * 64,
        "training": {"seed": 0}, "inputs": list(built.inputs), "outputs": list(built.outputs), "labels": ["x"],
        "ratings": {"lowest": 0.0, "highest": 10.0},
    }  # fmt: skip
    described["input"] = input_ | facts.pop("input", {})
    modelio.save_run(run, built, described | facts)
    write_text(run / "history.csv", "step,loss\n1,0.5\n")
    judged = {"weights_sha256": sha256_of(run / "weights.safetensors"), "evaluation_sha256": "e" * 64}
    score = {"value": 1.0, "low": 0.5, "high": 1.5}
    primary = {"metric": METRICS[built.kind], "higher_is_better": built.kind != "regress", **score}
    counts = dict.fromkeys(("clips", "videos", "films"), 5)
    known = {"conformal": None, "signal": {"found": True, "enough": True}, "answers": {}, "gains": {}}
    write_json(evaluation / "metrics.json", judged | counts | known | {"primary": primary})
    registered = tracking.register(recipe, run, evaluation, {})
    store = tracking.tracking_uri()
    MlflowClient(store, store).set_registered_model_alias(f"rushes-{recipe}", "champion", registered.version)
    return registered
