"""Training a classifier: labels, what is looked at meanwhile, and classes that cannot be learned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import lightning_fabric
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tasks import modelio
from tasks.clips import ClipDataset
from tasks.exits import DivergedError
from tasks.train import samples
from tasks.train.data import open_data
from tasks.train.trainer import Trainer
from tests.tasks._tiny import know_tiny, recipe, train_tiny, write_clips


@pytest.fixture(autouse=True)
def _store_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # the discard port: nobody listens


def _relabel(root: Path, folder: Path, label_of: dict[str, str]) -> None:
    """The manifest with these sources in other classes."""
    table = pd.read_parquet(root / "clips" / "blobs" / "clips.parquet")
    table["label"] = table["source"].map(label_of).fillna(table["label"])
    (folder / "clips" / "blobs").mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "clips" / "blobs" / "clips.parquet", index=False)
    shutil.copy(root / "clips" / "blobs" / "summary.json", folder / "clips" / "blobs")


def test_a_classifier_learns_from_labels_and_is_judged_by_them(labelled: Path, tmp_path: Path) -> None:
    settings = {"steps": 60, "ema_decay": 0.0, "gradient_clip_norm": None, "sample_every_steps": 30}
    crop = {"crop_height_px": 6, "crop_width_px": 6}  # trained on any such part, judged on the one in the middle
    run = train_tiny(labelled, tmp_path, crop, "tiny_classifier", augment=crop, **settings)
    described = json.loads((run / "model.json").read_text())
    facts = ("kind", "labels", "inputs", "outputs", "latent_floats")
    assert [described[fact] for fact in facts] == ["classify", ["moving", "still"], [0, 1, 2, 3], [], None]
    assert described["config"]["classes"] == 2
    history = pd.read_csv(run / "history.csv").set_index("step")
    validation_columns = ["validation_accuracy", "validation_log_loss"]
    assert list(history) == ["loss", "accuracy", "gradient_norm", "learning_rate", *validation_columns]
    assert history.index[history[validation_columns].notna().all(axis=1)].tolist() == [30, 60]
    assert history.loc[60, "accuracy"] > 0.9
    validation = ClipDataset(labelled / "frames" / "blobs", labelled / "clips" / "blobs", "validation")
    model = modelio.load_run(run)
    with torch.no_grad():
        probability = model.predict(torch.from_numpy(validation.clips(range(12)))).double().numpy()
    own = probability[range(12), [0] * 6 + [1] * 6]
    assert history.loc[60, "validation_accuracy"] == (own > 0.5).mean() > 0.9  # of a group that was not learned from
    assert history.loc[60, "validation_log_loss"] == pytest.approx(-np.log(own).mean(), rel=1e-6)
    picture = np.asarray(Image.open(run / "samples" / "step_00000060.png"))
    np.testing.assert_array_equal(picture[:72:9, 74:146:9, 0], validation.clips([0])[0, 1, :, :, 0])  # 9 times as large


def test_the_picture_tells_right_from_wrong_beside_each_clip() -> None:
    clips = np.random.default_rng(0).integers(0, 256, (3, 16, 40, 20, 3), np.uint8)
    probability = torch.tensor([[0.7, 0.1, 0.15, 0.05], [0.7, 0.1, 0.15, 0.05], [0.0, 0.0, 0.0, 1.0]])
    labels = ["a long name " * 9, "two\nlines", "\u8d70", "d"]
    picture = samples.classes_picture(clips, [0, 2, 3], probability, labels)
    row, column = 2 * 40 + 2, 2 * 20 + 2
    assert picture.shape == (3 * row, 8 * column + 220, 3)
    np.testing.assert_array_equal(picture[row : row + 80 : 2, column : column + 40 : 2], clips[1, 2])
    text = picture[:, 8 * column :].reshape(3, row, 220, 3)
    coloured = [[bool((part == ink).all(-1).any()) for ink in (samples.RIGHT, samples.WRONG)] for part in text]
    assert coloured == [[True, False], [False, True], [True, False]]


def test_classes_come_as_often_where_that_is_asked_for(labelled: Path, tmp_path: Path) -> None:
    frames, clips = labelled / "frames" / "blobs", tmp_path / "clips" / "blobs"
    _relabel(labelled, tmp_path, {"moving1": "still", "moving2": "still"})  # 6 clips move, 30 stand still
    fabric = lightning_fabric.Fabric(accelerator="cpu")
    asked = recipe(architecture="tiny_classifier", balance="classes")
    trainer = Trainer(fabric, asked, open_data(frames, clips), tmp_path / "state", None)
    drawn = np.concatenate([trainer._chosen(i) for i in range(15)])
    counts = trainer.data.train.table["label"].iloc[drawn].value_counts().to_dict()
    assert counts == {"moving": 60, "still": 60}
    del trainer.data.train.table
    assert trainer._chosen(14).tolist() == drawn[-8:].tolist()  # grouped once, not at every step


def test_classes_that_cannot_be_learned_are_told_and_other_classes_are_another_training(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "frames").symlink_to(labelled / "frames")
    diverging = {"optimizer": {"learning_rate": 1e38}, "gradient_clip_norm": None}
    told = []
    for name in ("yak", "yak", "ant"):  # of the test split alone: the training clips are the same, the answers are not
        _relabel(labelled, tmp_path, {"moving4": name})
        with pytest.raises(DivergedError):
            train_tiny(tmp_path, tmp_path, {}, "tiny_classifier", **diverging)
        told.append(capsys.readouterr().err)
    for text, name in zip(told, ("yak", "yak", "ant"), strict=True):
        assert f"no training clip shows {name} (1 of 3 classes): what is trained here cannot know it\n" in text
    assert ["(labels differ); training starts anew" in text for text in told] == [False, False, True]
    assert ["going on from step" in text for text in told] == [False, True, False]


def test_a_classifier_of_one_class_is_refused(tmp_path: Path) -> None:
    know_tiny()
    data = tmp_path / "data"
    write_clips(data)
    with pytest.raises(ValueError, match=r"blobs has only one class \(a\), and tiny_classifier needs two or more"):
        train_tiny(data, tmp_path, {}, "tiny_classifier")
    _relabel(data, tmp_path, {f"a{number}": "" for number in range(5)})
    (tmp_path / "frames").symlink_to(data / "frames")
    with pytest.raises(ValueError, match=r"blobs has no classes.*set datasets\.blobs\.label: folder"):
        train_tiny(tmp_path, tmp_path, {}, "tiny_classifier")
