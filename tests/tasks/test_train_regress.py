"""Training on ratings: what a model is told and shown, clips of unequal length, the twin that is split by subclip."""

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
from tasks.files import sha256_of
from tasks.train import batches, samples
from tasks.train.data import Data
from tasks.train.trainer import Listener, Trainer
from tests.tasks._tiny import recipe, train_tiny


@pytest.fixture(autouse=True)
def _store_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # the discard port: nobody listens


def _folders(root: Path) -> tuple[Path, Path]:
    return root / "frames" / "blobs", root / "clips" / "blobs"


def _changed(root: Path, folder: Path, **columns: object) -> Path:
    """A folder of the same clips with other values in these columns of the manifest."""
    (folder / "clips" / "blobs").mkdir(parents=True)
    (folder / "frames").symlink_to(root / "frames")
    table = pd.read_parquet(root / "clips" / "blobs" / "clips.parquet").assign(**columns)
    table.to_parquet(folder / "clips" / "blobs" / "clips.parquet", index=False)
    shutil.copy(root / "clips" / "blobs" / "summary.json", folder / "clips" / "blobs")
    return folder


def test_a_rater_learns_from_scores_and_is_judged_by_them(rated: Path, tmp_path: Path) -> None:
    settings = {"steps": 60, "ema_decay": 0.0, "gradient_clip_norm": None, "sample_every_steps": 30, "augment": {}}
    settings |= {"optimizer": {"learning_rate": 0.1}}
    run = train_tiny(rated, tmp_path, {}, "tiny_rater", **settings)
    described = json.loads((run / "model.json").read_text())
    facts = ("kind", "labels", "inputs", "outputs", "latent_floats", "ratings")
    ratings = {"lowest": 0.0, "highest": 10.0}
    assert [described[fact] for fact in facts] == ["regress", [""], [0, 1, 2, 3], [], None, ratings]
    told = {"score_mean": 3.5, "score_deviation": 1.5**0.5}  # of 2, 3.5 and 5, twice each
    shape = {"frames": 4, "height_px": 8, "width_px": 8, "channels": 1}
    assert described["config"].pop("blow_up_above") is None
    assert described["config"] == pytest.approx(shape | told, rel=1e-15)
    of_films = {  # beside what test_train.py expects of every kind
        "least_frames": 2,
        "subclips": {"count": 2, "seconds": 0.16, "start_seconds": 0.04, "snap": "none"},
        "shots": {"threshold": 0.3, "split": False},
    }
    assert {key: described["input"][key] for key in of_films} == of_films
    history = pd.read_csv(run / "history.csv").set_index("step")
    measured = ["validation_mse", "validation_mae"]
    assert list(history) == ["loss", "gradient_norm", "mse", "learning_rate", *measured]
    assert history.index[history[measured].notna().all(axis=1)].tolist() == [30, 60]
    validation = ClipDataset(*_folders(rated), "validation")
    with torch.no_grad():
        answer = modelio.load_run(run).predict(torch.from_numpy(validation.clips(range(2)))).double().numpy()
    error = answer - 6.5
    assert np.abs(error).max() < 1.0  # a film brighter than any that was learned from, and its subclip of 3 frames
    assert history.loc[60, "validation_mse"] == pytest.approx(float(np.square(error).mean()), rel=1e-6)
    assert history.loc[60, "validation_mae"] == pytest.approx(float(np.abs(error).mean()), rel=1e-6)
    picture = np.asarray(Image.open(run / "samples" / "step_00000060.png"))
    assert picture.shape == (2 * 74, 4 * 74 + samples.TEXT_WIDTH_PX, 3)
    np.testing.assert_array_equal(picture[74:146:9, 148:220:9, 0], validation.clips([1])[0, 2, :, :, 0])
    assert (picture[74:146, 3 * 74 : 4 * 74] == samples.PAPER).all()  # what fills it up is not shown
    timing = json.loads((tmp_path / "timing.json").read_text())
    assert timing["twin_seconds"] is None


def test_clips_of_unequal_length_are_filled_up_alike_wherever_they_are_read_from(rated: Path) -> None:
    frames, clips = _folders(rated)
    dataset = ClipDataset(frames, clips, "train")
    gathered = batches.resident(dataset, frames, batches.lengths_of(dataset, frames), torch.device("cpu"))
    read, _ = batches.reader(dataset, frames, torch.device("cpu"))
    indices = np.array([5, 0, 3, 3, 1])
    stored = {n: np.load(frames / f"a{n}.npy") for n in range(3)}
    expected = np.zeros((5, 4, 8, 8, 1), np.uint8)
    for at, (film, first, length) in enumerate([(2, 5, 2), (0, 0, 4), (1, 5, 3), (1, 5, 3), (0, 5, 2)]):
        expected[at, :length] = stored[film][first : first + length]
    for fetch in (gathered, read):
        batch = fetch(indices)
        np.testing.assert_array_equal(batch["clip"].numpy(), expected)
        assert batch["score"].dtype == torch.float32
        assert batch["score"].tolist() == [5.0, 2.0, 3.5, 3.5, 2.0]


def test_the_twin_is_what_a_split_by_subclip_trains_and_changes_nothing_else(rated: Path, tmp_path: Path) -> None:
    augmented = {"augment": {"mirror": True, "gain": 0.1, "offset": 0.1, "reverse": True, "shift_px": 1}}
    alone = train_tiny(rated, tmp_path / "alone", {}, "tiny_rater", **augmented)
    both = train_tiny(rated, tmp_path / "both", {}, "tiny_rater", subclip_split_twin=True, **augmented)
    files = sorted(str(path.relative_to(both)) for path in both.rglob("*") if path.is_file())
    pictures = [f"samples/step_{step:08d}.png" for step in (5, 10, 12)]
    own = ["weights.safetensors"]
    assert files == ["history.csv", "model.json", *pictures, "twin/model.json", "twin/weights.safetensors", *own]
    for name in ("weights.safetensors", "history.csv", *pictures):
        assert sha256_of(both / name) == sha256_of(alone / name)

    half, held_out = ClipDataset.by_subclip(*_folders(rated))
    assert (len(half), len(held_out)) == (5, 5)
    described, own_facts = (json.loads((folder / "model.json").read_text()) for folder in (both / "twin", both))
    assert described["data_sha256"] == half.data_sha256 != own_facts["data_sha256"]
    assert described["config"]["score_mean"] == 5.0  # of 2, 3.5, 5, 6.5 and 8: test films are learned from, too
    for facts in (described, own_facts):
        facts.pop("data_sha256"), facts.pop("config")
    assert described == own_facts

    fabric = lightning_fabric.Fabric(accelerator="cpu", devices=1)
    asked = recipe({}, "tiny_rater", subclip_split_twin=True, **augmented)
    trainer = Trainer(fabric, asked, Data(half, None, _folders(rated)[0]), tmp_path / "state", None)
    trainer.train(Listener(lambda *_: None, None, lambda *_: None), save_last=False)
    twin = modelio.load_run(both / "twin").state_dict()
    assert all(torch.equal(tensor, twin[name]) for name, tensor in trainer.kept.state_dict().items())
    timing = json.loads((tmp_path / "both" / "timing.json").read_text())
    assert timing["train_seconds"] == sum(segment["seconds"] for segment in timing["segments"])
    assert timing["twin_seconds"] > 0.0


def test_a_run_is_kept_without_a_twin_that_cannot_be_trained(
    rated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"blow_up_above": 6.0}  # of the training films none is rated higher, of the others two are
    run = train_tiny(rated, tmp_path / "a", config, "tiny_rater", subclip_split_twin=True)
    told = capsys.readouterr().err
    assert "train tiny: 12/12" in told
    assert "train tiny, its twin split by subclip: the loss or a gradient became nan at step 1 of 12" in told
    assert "The run is kept without its twin" in told
    assert (run / "weights.safetensors").is_file()
    assert not (run / "twin").exists()

    one_subclip = _changed(rated, tmp_path / "one", span=0)
    run = train_tiny(one_subclip, tmp_path / "b", {}, "tiny_rater", subclip_split_twin=True)
    assert "train tiny: no twin is trained: no film has clips from two subclips" in capsys.readouterr().err
    assert not (run / "twin").exists()
    assert json.loads((tmp_path / "b" / "timing.json").read_text())["twin_seconds"] is None


def test_what_cannot_be_learned_from_is_refused(rated: Path, labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"blobs has 36 of 36 train clips without a rating .* in datasets\.blobs\.rati"
    ):
        train_tiny(labelled, tmp_path, {}, "tiny_rater")
    scores = np.where(np.arange(10) == 6, np.nan, np.arange(10.0))
    with pytest.raises(ValueError, match=r"1 of 2 validation clips without a rating \(the first is of a3\)"):
        train_tiny(_changed(rated, tmp_path / "some", score=scores), tmp_path, {}, "tiny_rater")
    with pytest.raises(
        ValueError, match=r"every train clip of dataset blobs is rated 4\.5, so there is nothing to tell"
    ):
        train_tiny(_changed(rated, tmp_path / "same", score=4.5), tmp_path, {}, "tiny_rater")
    with pytest.raises(
        ValueError, match=r"clips of 2 to 4 frames, and tiny_autoencoder takes clips of one length only"
    ):
        train_tiny(rated, tmp_path)
    lengths = [4] * 9 + [3]  # of films 0 to 4, twice each: only the test split has a shorter one
    with pytest.raises(ValueError, match=r"clips of 3 to 4 frames, .* set datasets\.blobs\.clips\.least_fr"):
        train_tiny(_changed(rated, tmp_path / "short", length=lengths), tmp_path)
    with pytest.raises(
        ValueError, match=r"subclip_split_twin is for architectures that learn ratings, and tiny_autoen"
    ):
        train_tiny(labelled, tmp_path, subclip_split_twin=True)
    with pytest.raises(
        ValueError, match=r"config sets score_mean to 1\.0, which follows from its data set blobs \(3\.5\)"
    ):
        train_tiny(rated, tmp_path, {"score_mean": 1.0}, "tiny_rater")
    assert not list(tmp_path.glob("state/*/step_*"))
