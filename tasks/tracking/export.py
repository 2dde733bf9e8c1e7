"""A trained model as an MLflow model that needs MLflow and torch, no code of ours, and no pickle.

The network's `predict` is traced by `torch.export` (MLflow's pt2 format) with the batch dimension left open: the
frames at the model's `inputs` in, uint8; an answer for each of its `outputs`, float32, or a probability for each of its
classes, or one number a clip; normalisation inside. What else a model can do is saved beside it (see `companions`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import VideoModel
from tasks.tracking import companions, describing, rendering
from tasks.tracking.describing import example_clips

TOLERANCE = 1e-5  # largest difference between the export and the model it was made from, of the largest number or of 1
METADATA = "rushes"


class _Predict(nn.Module):
    def __init__(self, model: VideoModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, clip_BTHWC: Tensor) -> Tensor:
        return self.model.predict(clip_BTHWC)


def save(model: VideoModel, folder: Path, metadata: dict[str, Any]) -> dict[str, Any]:
    """Export `model` (CPU, eval mode) into `folder`, load it back and compare.

    Returns:
        `metadata`, completed with `inputs` and `outputs` (places in a clip), `render` and `describe` (the file's name,
        or None), as it stands in the MLmodel file.

    Raises:
        ValueError: what is loaded does not answer as the model does, for 1, 2 or 3 clips, clips filled up, or
            pictures of another size; or a classifier has another number of classes than there are labels.
    """
    import mlflow.pytorch
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    c = model.config
    picture = (c.height_px, c.width_px, c.channels)
    shape = (len(model.inputs), *picture)
    answer: tuple[int, ...] = (len(model.outputs), *picture)
    if model.kind == "classify":
        answer = (c.classes,)
        if len(metadata["labels"]) != c.classes:
            raise ValueError(f"the model tells {c.classes} classes apart, its labels are {len(metadata['labels'])}")
    elif model.kind == "regress":
        answer = ()
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, *shape))]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *answer))]),
    )
    metadata = metadata | {"inputs": list(model.inputs), "outputs": list(model.outputs)}
    metadata |= {name: companions.file_of(model, name) for name in (rendering.METHOD, describing.METHOD)}
    packages = {name: version(name).split("+")[0] for name in ("mlflow", "torch", "numpy")}
    mlflow.pytorch.save_model(
        _Predict(companions.own_memory(model)).eval(),
        folder,
        signature=signature,
        input_example=example_clips(2, shape),  # a batch of 1 would fix the batch dimension at 1
        pip_requirements=[f"{name}=={number}" for name, number in packages.items()],
        metadata={METADATA: metadata},
    )
    for large in ("input_example.json", "serving_input_example.json"):
        (folder / large).unlink(missing_ok=True)
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    written = Model.load(str(folder))
    written.saved_input_example_info = {}  # noise, as numbers in text, a hundred times the size of the clip
    written.flavors["python_function"]["config"] = {"device": "cpu"}  # an exported model cannot move to another device
    written.save(str(folder / "MLmodel"))
    _verify(model, folder, shape)
    rendering.save_render(model, folder)
    describing.save_describe(model, folder)
    return metadata


@torch.no_grad()
def _verify(model: VideoModel, folder: Path, shape: tuple[int, ...]) -> None:
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(folder))
    for clip_BTHWC in _verified(model, shape):
        count = len(clip_BTHWC)
        expected = model.predict(torch.from_numpy(clip_BTHWC)).numpy()
        try:
            answer = loaded.predict(clip_BTHWC)
        except AssertionError as error:  # a guard of the trace
            raise ValueError(
                f"the exported model refuses a batch of {count} ({error}), so it was not registered; its architecture"
                " must take sizes as x.shape[0], which stays open, not len(x), which the trace fixes"
            ) from error
        if answer.shape != expected.shape or answer.dtype != expected.dtype:
            raise ValueError(
                f"the exported model answers {answer.dtype} {answer.shape}, not {expected.dtype} {expected.shape}"
            )
        allowed = TOLERANCE * max(1.0, float(np.abs(expected).max()))
        if not (difference := float(np.abs(answer - expected).max())) <= allowed:
            raise ValueError(
                f"the exported model differs from the trained one by {difference:.2g} (allowed: {allowed:.2g}) on"
                f" {count} clip(s), so it was not registered; its predict must depend on its input alone"
            )


def _verified(model: VideoModel, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Batches of noise; of kind ``regress`` also shorter clips, and one of none, filled up as in training."""
    yield from (example_clips(count, shape) for count in (1, 2, 3))
    if model.kind == "regress":
        for lengths in ((shape[0] // 2,), (0, 1, shape[0] - 1)):
            filled = example_clips(len(lengths), shape)
            for clip_THWC, length in zip(filled, lengths, strict=True):
                clip_THWC[length:] = 0
            yield filled
