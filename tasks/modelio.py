"""The folder of a trained run: what is written when a training ends, and the model read back from it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.files import read_json, replacing, sha256_of, write_json

if TYPE_CHECKING:
    from models import VideoModel

WEIGHTS = "weights.safetensors"
DESCRIPTION = "model.json"
HISTORY = "history.csv"
SAMPLES = "samples"
TWIN = "twin"  # a run folder inside: weights and `model.json` of the same recipe, trained on a split by subclip


def save_run(out: Path, model: VideoModel, description: dict[str, Any]) -> str:
    """Write the weights and `model.json`; return the SHA-256 of the weights file.

    `description` is completed with the architecture's settings, its kind, the places in a clip that it is shown and
    answers, its parameter count and its latent floats (null where nothing is compressed).
    Equal weights give equal bytes: no time, no device, no thread count stands in either file.
    """
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    with replacing(out / WEIGHTS) as temporary:
        save_file(tensors, temporary)
    facts = {
        "config": dataclasses.asdict(model.config),
        "kind": model.kind,
        "inputs": list(model.inputs),
        "outputs": list(model.outputs),
        "parameters": sum(p.numel() for p in model.parameters()),
        "latent_floats": model.latent_floats,
    }
    write_json(out / DESCRIPTION, {**description, **facts})
    return sha256_of(out / WEIGHTS)


def description_of(run: Path) -> dict[str, Any]:
    """`model.json` of a run folder.

    Raises:
        ValueError: the folder is not a finished run.
    """
    for name in (WEIGHTS, DESCRIPTION):
        if not (run / name).is_file():
            raise ValueError(
                f"{run} has no {name}, so it is not a finished run; train it with: dvc repro train@{run.name}"
            )
    description: dict[str, Any] = read_json(run / DESCRIPTION)
    return description


def load_run(run: Path) -> VideoModel:
    """The trained model of a run folder, in eval mode, on the CPU.

    Raises:
        ValueError: the folder is not a finished run, or its weights do not fit the code of its architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    import models  # and torch: who only reads what stands beside the weights does not wait for it

    description = description_of(run)
    config = {key: tuple(v) if isinstance(v, list) else v for key, v in description["config"].items()}
    try:
        model = models.build(description["architecture"], **config)
        model.load_state_dict({name: tensor.clone() for name, tensor in load_file(run / WEIGHTS).items()})
    except (SafetensorError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ValueError(
            f"{run} does not fit models/{description['architecture']}.py as it stands ({said:.300});"
            f" train again with: dvc repro -f train@{run.name}"
        ) from error
    return model.eval()
