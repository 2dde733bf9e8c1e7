"""A run folder gives back the model that was saved, or says why it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import models
from tasks import modelio
from tasks.files import sha256_of
from tests.tasks._tiny import know_tiny

DESCRIPTION = {"architecture": "tiny_autoencoder", "dataset": "blobs"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    know_tiny()
    torch.manual_seed(0)
    modelio.save_run(tmp_path / "run", models.build("tiny_autoencoder", width=3), DESCRIPTION)
    return tmp_path / "run"


def test_a_model_comes_back_as_it_was_saved(run: Path, tmp_path: Path) -> None:
    loaded = modelio.load_run(run)
    assert not loaded.training
    assert loaded.config.width == 3
    torch.manual_seed(0)
    for name, tensor in models.build("tiny_autoencoder", width=3).state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    again = modelio.save_run(tmp_path / "again", loaded, DESCRIPTION)
    assert again == sha256_of(run / "weights.safetensors")  # memory layout and mode leave no trace in the bytes
    assert (tmp_path / "again" / "model.json").read_bytes() == (run / "model.json").read_bytes()


def test_the_places_shown_and_answered_stand_beside_the_weights(run: Path, tmp_path: Path) -> None:
    adversary = models.build("tiny_adversary", inputs=(0, 1), outputs=(2, 3))  # the future of two frames
    modelio.save_run(tmp_path / "adversary", adversary, {**DESCRIPTION, "architecture": "tiny_adversary"})
    described = [modelio.description_of(folder) for folder in (run, tmp_path / "adversary")]
    assert [(d["kind"], d["inputs"], d["outputs"], d["latent_floats"]) for d in described] == [
        ("reconstruct", [0, 1, 2, 3], [0, 1, 2, 3], 3 * 4 * 8 * 8 // 4),
        ("interpolate", [0, 1], [2, 3], None),
    ]
    loaded = modelio.load_run(tmp_path / "adversary")
    assert (loaded.inputs, loaded.outputs) == ((0, 1), (2, 3))


def test_what_cannot_be_loaded_says_why(run: Path) -> None:
    described = json.loads((run / "model.json").read_text())
    (run / "model.json").write_text(json.dumps({**described, "config": {**described["config"], "width": 5}}))
    with pytest.raises(
        ValueError, match=r"does not fit models/tiny_autoencoder\.py.*train again with: dvc repro -f train@run"
    ):
        modelio.load_run(run)
    (run / "model.json").write_text(json.dumps(described))
    weights = run / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"run does not fit models"):
        modelio.load_run(run)
    weights.unlink()
    with pytest.raises(ValueError, match=r"has no weights\.safetensors, so it is not a finished run"):
        modelio.load_run(run)
