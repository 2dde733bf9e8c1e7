"""The clip dataset: what it gives, how it reads, what it refuses."""

from __future__ import annotations

import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tasks import assemble, sample, subclips, tables
from tasks.clips import ClipDataset
from tasks.files import sha256_of
from tasks.footage import Reject
from tasks.params import Clips, Dataset, Frames, Split
from tasks.stores import StoredSource
from tests.conftest import true_frames, write_video
from tests.tasks._tiny import write_clips

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("clips")
    for seed, name in enumerate(["run/a.mkv", "jump/b.mkv", "jump/c.mkv"]):
        (root / "footage" / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(root / "footage" / name, true_frames(10 + seed, seed=seed))
    rules = Dataset(
        footage="x",
        frames=Frames(height_px=48, width_px=64, gray=False, fit="stretch"),
        clips=Clips(length_frames=3, step_frames=2, train_stride_frames=4, stride_frames=5),
        split=Split(test=("run/a.mkv",)),
    )
    subclips.run(rules, root / "footage", root / "cuts")
    sample.run(rules, root / "footage", root / "cuts", root / "frames", 1)
    assemble.run(rules, root / "frames", root / "clips")
    return root / "frames", root / "clips"


def test_clips_are_the_true_frames(data: tuple[Path, Path]) -> None:
    train, test = ClipDataset(*data, "train"), ClipDataset(*data, "test")
    assert (len(train), len(test), train.shape, train.labels) == (4, 2, (3, 48, 64, 3), ["jump", "run"])
    expected = [true_frames(11, seed=1)[k : k + 5 : 2] for k in (0, 4)]
    expected += [true_frames(12, seed=2)[k : k + 5 : 2] for k in (0, 4)]
    np.testing.assert_array_equal(train.clips([3, 0, 1, 2]), [expected[k] for k in (3, 0, 1, 2)])
    item = test[1]
    assert torch.equal(item["clip"], torch.from_numpy(true_frames(10, seed=0)[5:10:2].copy()))
    assert (item["clip"].dtype, item["label"], item["clip_index"]) == (torch.uint8, 1, 1)
    assert train.table["first_frame"].tolist() == [0, 4, 0, 4]
    with pytest.raises(IndexError, match="clip 4 of 4"):
        train[4]


def test_identity_tells_splits_apart_and_is_the_summarys(data: tuple[Path, Path]) -> None:
    train, test = ClipDataset(*data, "train"), ClipDataset(*data, "test")
    assert train.data_sha256 != test.data_sha256
    assert ClipDataset(*data, "train").data_sha256 == train.data_sha256
    assert len(json.loads((data[1] / "summary.json").read_text())["data_sha256"]) == 64


def test_it_reads_maps_and_crosses_to_workers(data: tuple[Path, Path]) -> None:
    dataset = ClipDataset(*data, "train")
    first = dataset[0]["clip"]
    assert isinstance(dataset._clip(0), np.memmap)
    again = pickle.loads(pickle.dumps(dataset))
    assert again._open.cache_info().currsize == 0
    assert torch.equal(again[0]["clip"], first)
    loader = torch.utils.data.DataLoader(dataset, batch_size=2, num_workers=1, multiprocessing_context="spawn")
    assert [batch["clip_index"].tolist() for batch in loader] == [[0, 1], [2, 3]]


def rated(root: Path, frames: dict[str, list[int]]) -> tuple[Path, Path]:
    """Stores of so many frames in each subclip, numbered from 10 in a corner; the films a to d, b from two files."""
    films = {"a": ("a", 3.0), "b1": ("b", 6.0), "b2": ("b", 6.0), "c": ("c", 8.5), "d": ("d", 1.0)}
    (root / "frames").mkdir()
    sources, index = [], []
    for name, lengths in frames.items():
        film, score = films[name]
        count = sum(lengths)
        store = np.random.default_rng(len(sources)).integers(0, 256, (count, 16, 24, 1), np.uint8)
        store[:, 0, 0, 0] = np.arange(10, 10 + count)
        np.save(root / "frames" / f"{name}.npy", store)
        about = StoredSource(name, f"{name}.mp4", "video", name, "", film, 24, 16, 25.0, 99, 99, 4.0, "", film, score)
        sha256 = sha256_of(root / "frames" / f"{name}.npy")
        sources.append(dataclasses.replace(about, stored_frames=count, store_sha256=sha256, settings="s"))
        spans = np.repeat(np.arange(len(lengths)), lengths).tolist()
        index += [(name, span, row, row, row / 25) for row, span in enumerate(spans)]
    tables.write(root / "frames" / "sources.csv", StoredSource, sources)
    tables.write(root / "frames" / "rejects.csv", Reject, [])
    columns = ["source", "span", "row", "source_frame", "time_seconds"]
    pd.DataFrame(index, columns=columns).to_parquet(root / "frames" / "index.parquet")
    windows = Clips(length_frames=4, least_frames=2, train_stride_frames=2, stride_frames=4)
    rules = Dataset(footage="x", label="none", clips=windows, split=Split(test=("a",), validation=("d",)))
    assemble.run(rules, root / "frames", root / "clips")
    return root / "frames", root / "clips"


def test_shorter_clips_are_filled_up(tmp_path: Path) -> None:
    """The longest clip of any split decides, so that what is trained and what is judged have one shape."""
    data = rated(tmp_path, {"a": [5, 4], "b1": [3, 1], "b2": [2], "c": [3], "d": [4]})
    train, test = ClipDataset(*data, "train"), ClipDataset(*data, "test")
    assert (train.shape, test.shape) == ((4, 16, 24, 1), (4, 16, 24, 1))
    assert train.table[["source", "span", "length", "film", "score"]].values.tolist() == [
        ["b1", 0, 3, "b", 6.0],
        ["b2", 0, 2, "b", 6.0],
        ["c", 0, 3, "c", 8.5],
    ]
    assert train.clips([1, 0])[..., 0, 0, 0].tolist() == [[10, 11, 0, 0], [10, 11, 12, 0]]
    assert train[2]["clip"][:, 0, 0, 0].tolist() == [10, 11, 12, 0]
    assert not train[2]["clip"][3].any()
    assert [train[k]["score"] for k in range(3)] == train.scores.tolist() == [6.0, 6.0, 8.5]
    assert test.table[["span", "first_row", "length"]].values.tolist() == [[0, 0, 4], [1, 5, 4]]
    assert train.every(3).table[["source", "first_row", "length"]].values.tolist() == [
        ["b1", 0, 3], ["b2", 0, 2], ["c", 0, 3],
    ]  # fmt: skip
    assert ClipDataset(*data, "validation").scores.tolist() == [1.0]


def test_identity_holds_the_score(tmp_path: Path) -> None:
    data = rated(tmp_path, {"a": [4], "b1": [4], "c": [4], "d": [4]})
    before = ClipDataset(*data, "train").data_sha256
    table = pd.read_parquet(data[1] / "clips.parquet")
    table.assign(score=table["score"] + 0.5).to_parquet(data[1] / "clips.parquet")
    assert ClipDataset(*data, "train").data_sha256 != before


def test_by_subclip_one_of_each_film_is_held_out_in_turn(tmp_path: Path) -> None:
    """Film a is number 0, b 1, c 2, d 3; b's subclips lie in two files, d has one only and is trained on."""
    data = rated(tmp_path, {"a": [6, 4, 4], "b1": [4, 4], "b2": [4], "c": [4, 4], "d": [4]})
    train, held = ClipDataset.by_subclip(*data)
    names = ["source", "span", "first_row", "split"]
    assert held.table[names].values.tolist() == [["a", 0, 0, "test"], ["b1", 1, 4, "test"], ["c", 0, 0, "test"]]
    assert train.table[names].values.tolist() == [
        ["a", 1, 6, "train"], ["a", 2, 10, "train"], ["b1", 0, 0, "train"], ["b2", 0, 0, "train"],
        ["c", 1, 4, "train"], ["d", 0, 0, "train"],
    ]  # fmt: skip
    assert held.clips([1])[0, :, 0, 0, 0].tolist() == [14, 15, 16, 17]
    assert train.data_sha256 != held.data_sha256


def test_no_film_of_two_subclips_cannot_be_split_by_subclip(tmp_path: Path) -> None:
    data = rated(tmp_path, {"a": [8], "b1": [8], "c": [4], "d": [4]})
    with pytest.raises(ValueError, match="no film has clips from two subclips"):
        ClipDataset.by_subclip(*data)


READ = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from tasks import clips
from tasks.train import batches

frames, manifest = map(Path, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (clips.OPEN_STORES + 50,) * 2)
dataset = clips.ClipDataset(frames, manifest, "train")
assert dataset.table["source"].nunique() > clips.OPEN_STORES + 50
there = batches.resident(dataset, frames, batches.lengths_of(dataset, frames), torch.device("cpu"))
indices = np.random.default_rng(0).permutation(len(dataset))
np.testing.assert_array_equal(dataset.clips(indices), there(indices)["clip"].numpy())
"""


def test_there_may_be_more_sources_than_files_that_can_be_open(tmp_path: Path) -> None:
    frames, clips = write_clips(tmp_path, tuple(f"class{n:02d}" for n in range(62)))  # 3 train sources each
    command = [sys.executable, "-c", READ, str(frames), str(clips)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_missing_or_changed_is_named(data: tuple[Path, Path], tmp_path: Path) -> None:
    frames, clips = data
    with pytest.raises(ValueError, match=r"has no clip of split 'validation'; its splits are: test, train"):
        ClipDataset(frames, clips, "validation")
    with pytest.raises(ValueError, match=r"clips\.parquet does not exist; run stage assemble"):
        ClipDataset(frames, tmp_path, "train")
    copy = tmp_path / "frames"
    copy.mkdir()
    for path in frames.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    store = next(copy.glob("jump-b-*.npy"))
    data_bytes = bytearray(store.read_bytes())
    data_bytes[-1] ^= 1
    store.write_bytes(data_bytes)
    with pytest.raises(ValueError, match=r"jump-b-.*\.npy is not what stage sample wrote"):
        ClipDataset(copy, clips, "train")
    store.unlink()
    with pytest.raises(ValueError, match=r"jump-b-.*\.npy is missing"):
        ClipDataset(copy, clips, "train")
    assert len(ClipDataset(copy, clips, "test")) == 2
