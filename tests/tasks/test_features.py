"""Descriptors of footage of every kind, by a model whose answers are known by hand and by a real one."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from filelock import FileLock
from PIL import Image

import models
from tasks import footage, media, new_footage, sampling
from tasks.features import features
from tasks.footage import source_id
from tasks.sampling import windows
from tasks.tracking import Loaded
from tasks.tracking.describing import save_describe
from tests.conftest import MakeVideo
from tests.tasks._tiny import know_tiny

T, SIDE = 4, 16


class Levels:
    """Describes a clip by the level of its first frame, that of its last, and 1."""

    uri, recipe, kind, version, weights_sha256 = "models:/rushes-levels@champion", "levels", "classify", "3", "w" * 64

    def __init__(self, die_at_call: int | None = None, **settings: Any) -> None:
        self.input = {"height_px": SIDE, "width_px": SIDE, "fit": "crop", "gray": True, "length_frames": T, **settings}
        self.die_at_call, self.asked = die_at_call, []

    def describe(self, clip_BTHWC: np.ndarray, precision: str = "auto") -> np.ndarray:
        assert clip_BTHWC.dtype == np.uint8
        assert clip_BTHWC.shape[1:] == (T, SIDE, SIDE, 1 if self.input["gray"] else 3)
        assert precision in {"32", "bf16"}
        self.asked.append(len(clip_BTHWC))
        if len(self.asked) == self.die_at_call:
            os.kill(os.getpid(), signal.SIGKILL)
        levels_BT = clip_BTHWC.mean(axis=(2, 3, 4), dtype=np.float64)
        return np.stack([levels_BT[:, 0], levels_BT[:, -1], np.ones(len(levels_BT))], axis=1).astype(np.float32)


def unit(*rows: tuple[float, float]) -> list[float]:
    """The mean of what `Levels` says of clips with these levels, divided by its length."""
    mean = np.mean([[first, last, 1.0] for first, last in rows], axis=0)
    return (mean / np.linalg.norm(mean)).tolist()


def write_folder(folder: Path, numbers: list[int], shift: int = 0) -> Path:
    """Flat gray images, image k of level 10 k + `shift`."""
    folder.mkdir(parents=True)
    for number in numbers:
        Image.fromarray(np.full((SIDE, SIDE), 10 * number + shift, np.uint8)).save(folder / f"{number:04d}.png")
    return folder


def described(table: Path) -> np.ndarray:
    """The descriptors as docs/features.md reads them."""
    return np.stack(pd.read_parquet(table)["descriptor"])


def test_a_row_a_source_is_the_mean_of_overlapping_clips_of_length_1(tmp_path: Path) -> None:
    walk, out = write_folder(tmp_path / "walk", list(range(11))), tmp_path / "out.parquet"
    rows = features(Levels(), [walk], out, stride_frames=2, precision="32")
    assert rows == [{"source": source_id("walk"), "path": "walk", "frames": 11, "clips": 4}]
    table = pq.read_table(out)
    assert table.drop_columns("descriptor").to_pylist() == [
        {
            "path": "walk", "source": source_id("walk"), "clips": 4, "frames": 11,
            "sha256": footage.content_sha256(tmp_path, "walk", "frames"),
        }
    ]  # fmt: skip
    assert table.schema.field("descriptor").type == pa.list_(pa.float32(), 3)
    expected = unit((0, 30), (20, 50), (40, 70), (60, 90))  # frame 10 is in no whole clip
    np.testing.assert_allclose(described(out), [expected], rtol=1e-6)
    about = json.loads(table.schema.metadata[b"rushes"])
    del about["rushes"]
    assert about == {
        "model": "levels", "version": "3", "weights_sha256": "w" * 64, "input": Levels().input,
        "stride_frames": 2, "per_clip": False, "batch_clips": 8, "precision": "32",
    }  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.parquet", "out.rejects.csv", "walk"]
    assert (tmp_path / "out.rejects.csv").read_text() == "path,stage,reason\n"


def test_a_row_a_clip_says_where_it_begins_and_no_clip_crosses_a_gap(tmp_path: Path) -> None:
    walk, out = write_folder(tmp_path / "walk", [3, 4, 5, 6, 7, 8, 11, 12, 13, 14]), tmp_path / "out.parquet"
    model = Levels()
    features(model, [walk], out, stride_frames=2, per_clip=True, batch_clips=2)
    table = pd.read_parquet(out)
    assert table["first_frame"].tolist() == [3, 5, 11]
    np.testing.assert_allclose(table["first_seconds"], [0.0, 2 / 25, 8 / 25])
    assert table["clips"].tolist() == [3, 3, 3]
    np.testing.assert_allclose(described(out), [unit((30, 60)), unit((50, 80)), unit((110, 140))], rtol=1e-6)
    assert model.asked == [2, 1]


@pytest.mark.parametrize("stride", [1, 3, 4, 7])
@pytest.mark.parametrize("count", [T, 9, 20])
def test_windows_are_those_of_a_dataset(make_video: MakeVideo, tmp_path: Path, stride: int, count: int) -> None:
    make_video("film.mp4", count=count)
    out = tmp_path / "out.parquet"
    features(Levels(gray=False), [tmp_path / "film.mp4"], out, stride_frames=stride, per_clip=True, batch_clips=3)
    table = pd.read_parquet(out)
    assert table["first_frame"].tolist() == windows(count, T, 1, stride)
    np.testing.assert_allclose(table["first_seconds"], table["first_frame"] / 25, atol=1e-6)


def test_the_spacing_the_model_was_trained_with(tmp_path: Path) -> None:
    walk, out = write_folder(tmp_path / "walk", list(range(12))), tmp_path / "out.parquet"
    [row] = features(Levels(every_frames=2), [walk], out, stride_frames=2, per_clip=True)
    assert (row["frames"], row["clips"]) == (6, 2)
    assert pd.read_parquet(out)["first_frame"].tolist() == [0, 4]
    np.testing.assert_allclose(described(out), [unit((0, 60)), unit((40, 100))], rtol=1e-6)


def test_what_cannot_be_used_costs_a_row_of_the_rejects(tmp_path: Path, make_video: MakeVideo) -> None:
    whole = make_video("clips/b/film.mp4", count=9)
    write_folder(tmp_path / "clips" / "a" / "short", [1, 2, 3, 5, 6])
    (tmp_path / "clips" / "b" / "broken.mp4").write_bytes(b"\x00\x01 no video")
    out, lines = tmp_path / "features.parquet", []
    rows = features(Levels(gray=False), [tmp_path / "clips"], out, say=lines.append)
    assert [(r["path"], r["frames"], r["clips"]) for r in rows] == [("clips/b/film.mp4", len(whole), 1)]
    rejects = pd.read_csv(tmp_path / "features.rejects.csv").set_index("path")["reason"].to_dict()
    assert rejects["clips/a/short"] == "too short: 3 of the 4 frames that the model needs, at its spacing"
    assert rejects["clips/b/broken.mp4"].startswith("not a video that can be read")
    assert lines[-1] == f"2 left out; {tmp_path / 'features.rejects.csv'} says why"

    kept = out.read_bytes()
    assert features(Levels(), [tmp_path / "clips" / "a"], out) == []
    assert out.read_bytes() == kept  # nothing to put in its place
    assert not (tmp_path / "features.parquet.parts").exists()


def test_equal_content_is_computed_once(tmp_path: Path) -> None:
    one, two, other = (
        write_folder(tmp_path / name / "x", list(range(5)), shift) for name, shift in (("a", 0), ("b", 0), ("c", 1))
    )
    model, out = Levels(), tmp_path / "out.parquet"
    rows = features(model, [one, two, other], out)
    assert [row["source"] for row in rows] == [source_id("x"), f"{source_id('x')}-2", f"{source_id('x')}-3"]
    assert model.asked == [1, 1]
    np.testing.assert_allclose(described(out), [unit((0, 30)), unit((0, 30)), unit((1, 31))], rtol=1e-6)


def in_a_process_that_dies(work: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


@pytest.mark.parametrize("per_clip", [False, True])
def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, per_clip: bool) -> None:
    paths = [write_folder(tmp_path / f"s{n}", list(range(9)), n) for n in range(4)]
    settings = {"stride_frames": 1, "batch_clips": 4, "per_clip": per_clip}
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    features(Levels(), paths, whole, **settings)
    in_a_process_that_dies(lambda: features(Levels(die_at_call=6), paths, out, **settings))  # 6: the end of the third
    parts = tmp_path / "out.parquet.parts"
    done = sorted(parts.glob("[!.]*.*.parquet"))
    assert len(done) == 2
    assert not out.exists()

    other, lines = Levels(), []
    in_a_process_that_dies(lambda: features(Levels(die_at_call=3), paths, out, **settings | {"stride_frames": 2}))
    assert len(sorted(parts.glob("[!.]*.*.parquet"))) > 2  # parts of another setting are others
    whole_part = bytearray(done[0].read_bytes())
    whole_part[len(whole_part) // 2] ^= 1  # a flipped bit
    done[0].write_bytes(whole_part)
    features(other, paths, out, **settings, say=lines.append)
    assert other.asked == [4, 2] * 3  # one was whole
    assert "1 of 4 source(s) were done before, or have the content of another" in lines
    assert out.read_bytes() == whole.read_bytes()

    other.asked.clear()
    features(other, paths, out, **settings | {"stride_frames": 2})
    assert other.asked == [3] * 2  # the parts of that setting were still there
    assert not parts.exists()


def test_parts_of_other_footage_stay_for_it(tmp_path: Path) -> None:
    """Two commands with one -o: the second ends well, the first was stopped and goes on."""
    paths, out = [write_folder(tmp_path / f"s{n}", list(range(5)), n) for n in range(3)], tmp_path / "out.parquet"
    in_a_process_that_dies(lambda: features(Levels(die_at_call=2), paths[:2], out))
    features(Levels(), paths[2:], out)
    model = Levels()
    features(model, paths[:2], out)
    assert model.asked == [1]
    assert not (tmp_path / "out.parquet.parts").exists()


def test_sources_are_looked_at_one_by_one_and_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of files are hashed, also where all was done before: that takes long, and must not be silent."""
    monkeypatch.setattr("tasks.features.TELL_EVERY_SECONDS", 0.0)
    for n in range(3):
        write_folder(tmp_path / "all" / f"s{n}", list(range(5)), n)
    write_folder(tmp_path / "all" / "t", [1])
    out, happened = tmp_path / "out.parquet", []
    in_a_process_that_dies(lambda: features(Levels(die_at_call=3), [tmp_path / "all"], out, precision="32"))
    hashed = footage.Source.__init__

    def looked(self: footage.Source, *values: Any, **named: Any) -> None:
        hashed(self, *values, **named)
        happened.append(f"{self.path} looked at")

    monkeypatch.setattr(footage.Source, "__init__", looked)
    features(Levels(), [tmp_path / "all"], out, precision="32", say=happened.append)
    assert happened == [
        "a clip every 8 frames, precision 32, on the CPU",
        "all/s0 looked at", "1 source(s) so far, 1 of them done before, or with the content of another",
        "all/s1 looked at", "2 source(s) so far, 2 of them done before, or with the content of another",
        "all/s2 looked at", "all/s2: 5 frames, 1 clip(s)",
        "2 of 3 source(s) were done before, or have the content of another",
        f"1 left out; {tmp_path / 'out.rejects.csv'} says why",
    ]  # fmt: skip


def test_another_model_does_not_take_the_parts(tmp_path: Path) -> None:
    paths, out = [write_folder(tmp_path / f"s{n}", list(range(5)), n) for n in range(2)], tmp_path / "out.parquet"
    in_a_process_that_dies(lambda: features(Levels(die_at_call=2), paths, out))
    model = Levels()
    model.weights_sha256 = "v" * 64
    features(model, paths, out)
    assert model.asked == [1, 1]


def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    walk = write_folder(tmp_path / "walk", list(range(5)))
    before = sorted(tmp_path.iterdir())
    for settings, message in (
        ({"out": tmp_path}, r"is a folder; name a file to be written, such as .*features\.parquet"),
        ({"out": tmp_path / "a.csv"}, r"a\.csv does not end in \.parquet; name .*a\.parquet"),
        ({"stride_frames": 0}, "stride_frames is 0; it must be 1 or more"),
        ({"batch_clips": -1}, "batch_clips is -1; it must be 1 or more"),
        ({"precision": "16"}, "precision is '16'; it must be one of auto, 32, bf16"),
        ({"paths": [tmp_path / "nowhere"]}, "nowhere does not exist"),
    ):
        with pytest.raises(ValueError, match=message):
            features(Levels(), **{"paths": [walk], "out": tmp_path / "a.parquet"} | settings)
    assert sorted(tmp_path.iterdir()) == before
    parts = tmp_path / "a.parquet.parts"
    parts.mkdir()
    with FileLock(parts / "lock"), pytest.raises(ValueError, match=r"another process fills .*a\.parquet\.parts"):
        features(Levels(), [walk], tmp_path / "a.parquet")


def test_a_model_that_answers_nan_is_no_answer(tmp_path: Path) -> None:
    class Broken(Levels):
        def describe(self, clip_BTHWC: np.ndarray, precision: str = "auto") -> np.ndarray:
            return super().describe(clip_BTHWC, precision) * np.float32("nan")

    walk = write_folder(tmp_path / "walk", list(range(5)))
    with pytest.raises(ValueError, match="describes a clip with NaN or infinite values"):
        features(Broken(), [walk], tmp_path / "a.parquet")
    assert not (tmp_path / "a.parquet").exists()


def test_a_film_is_read_no_further_ahead_than_a_few_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, stride, batch = 200, 2, 3
    write_folder(tmp_path / "walk", list(range(10)))
    read = 0

    def long(*_: Any, sampler: sampling.SpanSampler, **__: Any) -> Iterator[tuple[int, float, media.Frame]]:
        nonlocal read
        for read in range(1, count + 1):
            assert sampler(read / 25)
            yield read - 1, read / 25, np.zeros((SIDE, SIDE, 3), np.uint8)

    monkeypatch.setattr(footage, "open_frames", long)
    threads = threading.active_count()

    class Slow(Levels):
        def describe(self, clip_BTHWC: np.ndarray, precision: str = "auto") -> np.ndarray:
            answer = super().describe(clip_BTHWC, precision)
            assert read <= T + stride * batch * (len(self.asked) + 3)
            return answer

    [row] = features(Slow(), [tmp_path / "walk"], tmp_path / "a.parquet", stride_frames=stride, batch_clips=batch)
    assert (row["frames"], row["clips"], read) == (count, 99, count)  # each frame decoded once
    assert threading.active_count() == threads


def test_what_runs_ahead_ends_with_who_reads_it() -> None:
    def three() -> Any:
        yield from range(3)
        raise KeyError("end")

    taken = new_footage.ahead(three(), 2)
    assert [next(taken) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="end"):
        next(taken)
    threads, endless = threading.active_count(), new_footage.ahead((n for n in iter(int, 1)), 2)
    next(endless)
    endless.close()
    assert threading.active_count() == threads


def test_a_real_model_describes_a_film_as_it_does_clips(tmp_path: Path, make_video: MakeVideo) -> None:
    know_tiny()
    torch.manual_seed(0)
    model = models.build("tiny_classifier", classes=3, height_px=24, width_px=32, channels=3).eval()
    save_describe(model, tmp_path)
    input_ = {"gray": False, "fit": "crop", "height_px": 24, "width_px": 32, "length_frames": 4, "every_frames": 1}
    loaded = Loaded(
        "models:/rushes-tiny/1",
        "tiny",
        "1",
        "classify",
        input_,
        (0, 1, 2, 3),
        (),
        False,
        tmp_path,
        True,
        ("a", "b", "c"),
    )
    frames = make_video("film.mp4", count=13)
    small = np.stack([media.resize(frame, 24, 32, "crop", False) for frame in frames])
    clips = np.stack([small[first : first + 4] for first in windows(13, 4, 1, 2)])
    with torch.no_grad():
        expected = model.describe(torch.from_numpy(clips)).numpy()
    for precision, tolerance in (("32", 1e-5), ("bf16", 0.02)):  # as docs/features.md says
        out = tmp_path / f"{precision}.parquet"
        features(loaded, [tmp_path / "film.mp4"], out, stride_frames=2, batch_clips=2, precision=precision)
        mean = expected.mean(axis=0)
        assert np.linalg.norm(described(out)[0] - mean / np.linalg.norm(mean)) < tolerance


def test_real_clips_are_described(footage: Path, tmp_path: Path) -> None:
    model, out = Levels(gray=False), tmp_path / "out.parquet"
    model.describe = lambda clip_BTHWC, precision: np.ones((len(clip_BTHWC), 5), np.float32)  # type: ignore[method-assign]
    folder = min(p for p in (footage / "clips").iterdir() if p.is_dir())
    rows = features(model, [folder], out)
    assert len(rows) == len([p for p in folder.iterdir() if p.is_file()])
    for row, path in zip(rows, sorted(folder.iterdir()), strict=True):
        decoded = sum(1 for _ in media.read_frames(path))
        assert (row["frames"], row["clips"]) == (decoded, len(windows(decoded, T, 1, 8)))
    np.testing.assert_allclose(described(out), np.full((len(rows), 5), 5**-0.5), rtol=1e-6)
