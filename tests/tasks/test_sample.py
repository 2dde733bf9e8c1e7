"""Stage sample: what a store holds, what is kept, what a kill leaves, and that the bytes depend on nothing else."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks import media, sample, subclips, tables
from tasks.params import Dataset, Frames, Shots, Split, Subclips
from tasks.stores import StoredSource
from tests.conftest import true_frames, write_video
from tests.tasks._images import picture, truncate, write_images
from tests.tasks.test_shots import film

SMALL = Frames(height_px=24, width_px=32, gray=False, fit="stretch")


def rules(**settings: object) -> Dataset:
    return Dataset(footage="x", split=Split(test=("1",)), **({"frames": SMALL} | settings))  # type: ignore[arg-type]


def films(folder: Path, count: int, frames: int = 12) -> None:
    (folder / "run").mkdir(parents=True)
    for number in range(count):
        write_video(folder / "run" / f"{number}.mkv", true_frames(frames, seed=number))


def sampled(root: Path, dataset: Dataset, workers: int = 1) -> list[str]:
    """Run both stages on root/footage; the sources that were decoded."""
    subclips.run(dataset, root / "footage", root / "cuts")
    before = {p.name: p.stat().st_mtime_ns for p in (root / "frames").glob("*.npy")}
    sample.run(dataset, root / "footage", root / "cuts", root / "frames", workers)
    after = {p.name: p.stat().st_mtime_ns for p in (root / "frames").glob("*.npy")}
    return sorted(name.split("-mkv")[0] for name in after if after[name] != before.get(name))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_store_holds_the_spans_frames(tmp_path: Path) -> None:
    (tmp_path / "footage" / "run").mkdir(parents=True)
    truth = write_video(tmp_path / "footage" / "run" / "a.mkv", true_frames(50))
    frames = Frames(height_px=24, width_px=32, gray=False, fit="stretch", every_frames=4)
    sampled(tmp_path, rules(frames=frames, subclips=Subclips(count=2, seconds=0.5, start_seconds=0.4)))
    (row,) = tables.read(tmp_path / "frames" / "sources.csv", StoredSource)
    index = pd.read_parquet(tmp_path / "frames" / "index.parquet")
    numbers = [10, 14, 18, 22, 23, 27, 31]
    assert index.to_dict("list") == {
        "source": [row.source] * 7,
        "span": [0, 0, 0, 0, 1, 1, 1],
        "row": list(range(7)),
        "source_frame": numbers,
        "time_seconds": [n / 25 for n in numbers],
    }
    store = np.load(tmp_path / "frames" / f"{row.source}.npy")
    np.testing.assert_array_equal(store, [media.resize(truth[n], 24, 32, "stretch", False) for n in numbers])
    assert (row.stored_frames, row.frames, store.shape, store.dtype) == (7, 50, (7, 24, 32, 3), np.uint8)


def test_gaps_and_shots_begin_new_spans(tmp_path: Path) -> None:
    """Frame 4 is missing, 8 has another size, 11 does not decode; the film is cut before its frame 3."""
    images = tmp_path / "footage" / "seq" / "img1"
    write_images(images, [2, 3, 5, 6, 7, 9, 10, 11, 12], "{}.png")
    write_images(images, [8], "{}.png", width_px=64)
    truncate(images / "11.png")
    (tmp_path / "footage" / "seq" / "seqinfo.ini").write_text("[Sequence]\nframeRate=10\nseqLength=11\n")
    (tmp_path / "footage" / "run").mkdir()
    write_video(tmp_path / "footage" / "run" / "a.mkv", film([3, 4]))
    frames = Frames(height_px=10, width_px=20, gray=False, fit="stretch")
    sampled(tmp_path, rules(frames=frames, label="none", shots=Shots(threshold=0.2)))
    film_row, row = tables.read(tmp_path / "frames" / "sources.csv", StoredSource)
    index = pd.read_parquet(tmp_path / "frames" / "index.parquet").set_index("source")
    assert index.loc[film_row.source].values.tolist() == [
        [span, k, k, k / 25] for k, span in enumerate([0, 0, 0, 1, 1, 1, 1])
    ]
    assert index.loc[row.source].values.tolist() == [
        [0, 0, 2, 0.0], [0, 1, 3, 0.1],
        [1, 2, 5, 0.3], [1, 3, 6, 0.4], [1, 4, 7, 0.5],
        [2, 5, 9, 0.7], [2, 6, 10, 0.8],
        [3, 7, 12, 1.0],
    ]  # fmt: skip
    store = np.load(tmp_path / "frames" / f"{row.source}.npy")
    np.testing.assert_array_equal(store, [picture(n) for n in (2, 3, 5, 6, 7, 9, 10, 12)])
    assert (row.frames, row.stored_frames, row.claimed_frames, row.duration_seconds) == (8, 8, 11, 1.1)
    assert row.note.startswith(
        "numbered from 2; 1 frame missing: 4; left out: 8.png (64 x 10 px); not decodable: 11.png ("
    )
    assert row.note.endswith(row.damage)
    tables_then = bytes_of(tmp_path / "frames")
    assert sampled(tmp_path, rules(frames=frames, label="none", shots=Shots(threshold=0.2))) == []
    assert bytes_of(tmp_path / "frames") == tables_then


def test_one_new_file_decodes_one_file(tmp_path: Path) -> None:
    films(tmp_path / "footage", 5)
    assert sampled(tmp_path, rules()) == ["run-0", "run-1", "run-2", "run-3", "run-4"]
    assert sampled(tmp_path, rules()) == []
    write_video(tmp_path / "footage" / "run" / "new.mkv", true_frames(9, seed=9))
    assert sampled(tmp_path, rules()) == ["run-new"]
    write_video(tmp_path / "footage" / "run" / "2.mkv", true_frames(12, seed=50))
    assert sampled(tmp_path, rules()) == ["run-2"]


def test_a_store_that_is_not_right_is_made_again(tmp_path: Path) -> None:
    films(tmp_path / "footage", 3)
    sampled(tmp_path, rules())
    whole = bytes_of(tmp_path / "frames")
    store = next((tmp_path / "frames").glob("run-1-*.npy"))
    data = bytearray(store.read_bytes())
    data[-1] ^= 1
    store.write_bytes(data)
    next((tmp_path / "frames").glob("run-2-*.npy")).unlink()
    (tmp_path / "frames" / "stale.npy").write_bytes(b"x")
    assert sampled(tmp_path, rules()) == ["run-1", "run-2"]
    assert bytes_of(tmp_path / "frames") == whole
    assert sampled(tmp_path, rules(label="none")) == []  # the class says nothing about the frames
    assert sampled(tmp_path, rules(frames=SMALL.model_copy(update={"gray": True}))) == ["run-0", "run-1", "run-2"]
    (tmp_path / "footage" / "run" / "0.mkv").unlink()
    sampled(tmp_path, rules(frames=SMALL.model_copy(update={"gray": True})))
    assert list((tmp_path / "frames").glob("run-0-*")) == []


def test_bytes_do_not_depend_on_workers_or_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "PARALLEL_BYTES", 0)
    films(tmp_path / "a" / "footage", 4)
    (tmp_path / "b" / "footage" / "run").mkdir(parents=True)
    for path in sorted((tmp_path / "a" / "footage" / "run").iterdir(), reverse=True):
        shutil.copy(path, tmp_path / "b" / "footage" / "run")
    sampled(tmp_path / "a", rules(), workers=1)
    sampled(tmp_path / "b", rules(), workers=2)
    assert bytes_of(tmp_path / "a" / "frames") == bytes_of(tmp_path / "b" / "frames")
    assert bytes_of(tmp_path / "a" / "cuts") == bytes_of(tmp_path / "b" / "cuts")


def test_a_killed_run_goes_on_with_what_it_finished(tmp_path: Path) -> None:
    films(tmp_path / "footage", 6, frames=200)
    subclips.run(rules(), tmp_path / "footage", tmp_path / "cuts")
    program = (
        "from pathlib import Path; from tasks import sample; from tasks.params import *\n"
        f"d = Dataset.model_validate({rules().model_dump()!r})\n"
        f"r = Path({str(tmp_path)!r}); sample.run(d, r / 'footage', r / 'cuts', r / 'frames', 1)"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 60
    while not list((tmp_path / "frames").glob("run-1-*.json")) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = sorted(p.stem.split("-mkv")[0] for p in (tmp_path / "frames").glob("run-*.json"))
    assert left[:2] == ["run-0", "run-1"]
    for path in (tmp_path / "frames").glob("run-*.npy"):
        assert np.load(path).shape == (200, 24, 32, 3)
    assert not (tmp_path / "frames" / "sources.csv").exists()
    decoded = sampled(tmp_path, rules())
    assert not set(decoded) & set(left)
    resumed = bytes_of(tmp_path / "frames")
    shutil.rmtree(tmp_path / "frames")
    sampled(tmp_path, rules())
    assert bytes_of(tmp_path / "frames") == resumed


def test_damage_is_a_reject_and_the_run_goes_on(tmp_path: Path) -> None:
    films(tmp_path / "footage", 2)
    write_video(tmp_path / "footage" / "run" / "hurt.mp4", true_frames(60, 96, 128), lossless=False)
    data = bytearray((tmp_path / "footage" / "run" / "hurt.mp4").read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 200] = bytes(200)
    (tmp_path / "footage" / "run" / "hurt.mp4").write_bytes(data)
    sampled(tmp_path, rules(max_reject_fraction=0.5))
    (line,) = (tmp_path / "frames" / "rejects.csv").read_text().splitlines()[1:]
    assert line.startswith('run/hurt.mp4,sample,"damaged: ')
    assert len(tables.read(tmp_path / "frames" / "sources.csv", StoredSource)) == 2
    assert len(list((tmp_path / "frames").glob("*.npy"))) == 2
    with pytest.raises(ValueError, match=r"1 of 3 sources .* were rejected(?s:.*)run/hurt\.mp4: damaged"):
        sampled(tmp_path, rules())


def test_footage_that_changed_since_the_listing_is_an_error(tmp_path: Path) -> None:
    films(tmp_path / "footage", 2)
    subclips.run(rules(), tmp_path / "footage", tmp_path / "cuts")
    write_video(tmp_path / "footage" / "run" / "1.mkv", true_frames(5, seed=77))
    with pytest.raises(ValueError, match=r"run/1\.mkv: ValueError: the footage changed since stage subclips"):
        sample.run(rules(), tmp_path / "footage", tmp_path / "cuts", tmp_path / "frames", 1)
