"""A project folder with a champion of every kind, tiny, in a registry of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import models
from tasks import modelio, tracking
from tasks.files import sha256_of, write_json
from tests.tasks._tiny import know_tiny

INPUT = {"fit": "crop", "every_frames": 1}
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "rebuild": ("tiny_autoencoder", {}),
    "between": ("tiny_interpolator", {}),
    "tell": ("tiny_classifier", {}),
    "rate": ("tiny_rater", {}),
}


def register(project: Path, recipe: str, seed: int = 0, spoil: bool = False, promote: bool = True) -> str:
    """Make a version of a recipe, as the stages and the publishing flow would; the store is the environment's.

    Args:
        promote: it becomes champion, whatever the gate would say.
        spoil: a weight of it is NaN.
    """
    know_tiny()
    architecture, config = RECIPES[recipe]
    torch.manual_seed(seed)
    model = models.build(architecture, **config).eval()
    if spoil:
        with torch.no_grad():
            next(model.parameters()).flatten()[0] = float("nan")
    c = model.config
    input_ = INPUT | {"height_px": c.height_px, "width_px": c.width_px, "gray": c.channels == 1}
    facts = {"dataset": "blobs", "data_sha256": "a" * 64, "training": {"seed": seed}, "labels": ["a", "b"]}
    facts |= {"inputs": list(model.inputs), "outputs": list(model.outputs)}
    facts["input"] = input_ | {"length_frames": c.frames}
    if model.kind == "regress":
        facts["ratings"] = {"lowest": 0.0, "highest": 10.0}
    run, evaluation = project / "made" / f"{recipe}{seed}", project / "made" / f"{recipe}{seed}-judged"
    modelio.save_run(run, model, {"architecture": architecture, **facts})
    (run / "history.csv").write_text("step,loss\n1,0.5\n")
    score = {"value": 30.0 + seed, "low": 29.0 + seed, "high": 31.0 + seed}
    unsaid = {"conformal": None, "signal": {"found": False, "enough": False, "p": 1.0}}
    write_json(
        evaluation / "metrics.json",
        {
            "weights_sha256": sha256_of(run / "weights.safetensors"), "evaluation_sha256": "judged-1", "clips": 5,
            "videos": 4, "films": 3, "primary": {"metric": "psnr_db", "higher_is_better": True, **score},
            "answers": {"model": {"floats": 8, "psnr_db": score}}, "gains": {}, **unsaid,
        },
    )  # fmt: skip
    version = tracking.register(recipe, run, evaluation, {}).version
    if promote:
        from mlflow import MlflowClient

        store = tracking.tracking_uri()
        client = MlflowClient(tracking_uri=store, registry_uri=store)
        client.set_registered_model_alias(f"rushes-{recipe}", "champion", version)
    return version
