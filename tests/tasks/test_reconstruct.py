"""Footage of every kind through a model whose errors are known by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks import media
from tasks import reconstruct as module
from tasks.footage import source_id
from tasks.reconstruct import reconstruct

T, SIDE = 4, 16
HUNDREDTHS_IN_TEN_FRAMES = [0, 1, 2, 3, 0, 1, 2, 3, 2, 3]  # the last window is frames 6 to 9, and 6 and 7 had an answer


class OffByPlace:
    """Answers the input, made brighter by 0.01 for every frame that stands before it in the window."""

    uri, recipe = "models:/rushes-off@champion", "off"

    def __init__(self, kind: str = "reconstruct", **settings: Any) -> None:
        self.kind = kind
        self.input = {"height_px": SIDE, "width_px": SIDE, "fit": "crop", "gray": True, "length_frames": T, **settings}

    def predict(self, clip_BTHWC: np.ndarray) -> np.ndarray:
        assert clip_BTHWC.dtype == np.uint8
        assert clip_BTHWC.shape[1:] == (T, SIDE, SIDE, 1 if self.input["gray"] else 3)
        places = np.arange(T).reshape(1, T, 1, 1, 1)
        answer: np.ndarray = (clip_BTHWC / 255.0 + 0.01 * places).astype(np.float32)
        return answer


def pictures(frames: int) -> np.ndarray:
    """Gray frames, frame k of level 10 k but for a white corner."""
    video = np.zeros((frames, SIDE, SIDE), np.uint8) + 10 * np.arange(frames, dtype=np.uint8)[:, None, None]
    video[:, :4, :4] = 220
    return video


def write_folder(folder: Path, frames: int) -> Path:
    folder.mkdir(parents=True)
    for number, frame in enumerate(pictures(frames)):
        Image.fromarray(frame).save(folder / f"{number:04d}.png")
    return folder


def write_strip(path: Path, frames: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(pictures(frames)), axis=1)).save(path)
    return path


def test_every_frame_of_a_folder_is_answered_once(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "walk", 10)
    out = tmp_path / "out"
    rows = reconstruct(OffByPlace(), [folder], out, batch_windows=2)
    name = source_id("walk")
    errors = pd.read_csv(out / f"{name}.errors.csv")
    expected = (np.array(HUNDREDTHS_IN_TEN_FRAMES) / 100) ** 2
    assert errors["frame"].tolist() == errors["source_frame"].tolist() == list(range(10))
    np.testing.assert_allclose(errors["time_seconds"], np.arange(10) / 25)
    assert errors["place"].tolist() == HUNDREDTHS_IN_TEN_FRAMES  # which is how much this model errs there
    np.testing.assert_allclose(errors["mse"], expected, atol=1e-8)
    np.testing.assert_allclose(errors["psnr_db"], -10 * np.log10(np.maximum(expected, 1e-10)), atol=1e-3)
    assert rows == [
        {
            "source": name, "path": "walk", "frames": 10, "mse": pytest.approx(expected.mean()),
            "psnr_db": pytest.approx(-10 * np.log10(expected.mean())), "worst_frame": rows[0]["worst_frame"],
            "worst_time_seconds": rows[0]["worst_frame"] / 25, "worst_mse": pytest.approx(0.03**2, abs=1e-8),
        }
    ]  # fmt: skip
    assert rows[0]["worst_frame"] in {3, 7, 9}
    assert pd.read_csv(out / "results.csv").to_dict("records") == rows
    assert (out / "rejects.csv").read_text() == "path,stage,reason\n"

    shown = np.stack([frame for _, _, frame in media.read_frames(out / f"{name}.mp4")])
    assert shown.shape == (10, 192, 3 * 192 + 8, 3)  # twelvefold, three panels, two lines of 4 px
    np.testing.assert_allclose(shown[:, 100, 100].mean(axis=1), 10 * np.arange(10), atol=4)  # the input
    brighter = 10 * np.arange(10) + 2.55 * np.array(HUNDREDTHS_IN_TEN_FRAMES)
    np.testing.assert_allclose(shown[:, 100, 300].mean(axis=1), brighter, atol=4)  # the reconstruction


def test_all_kinds_of_footage_and_a_bad_file_costs_one_row(tmp_path: Path) -> None:
    footage = tmp_path / "footage"
    write_folder(footage / "a" / "frames", 5)
    write_strip(footage / "b" / "strip.png", 6)
    write_strip(footage / "b" / "short.png", 3)
    colour = np.repeat(pictures(9)[..., None], 3, axis=-1)
    media.encode_video(colour, footage / "c" / "film.mp4", frames_per_second=10)
    (footage / "c" / "<script>.mp4").write_bytes(b"\x00\x01not a video")
    rows = reconstruct(OffByPlace(), [footage], tmp_path / "out")
    assert [(r["path"], r["frames"]) for r in rows] == [
        ("footage/a/frames", 5),
        ("footage/b/strip.png", 6),
        ("footage/c/film.mp4", 9),
    ]
    rejects = pd.read_csv(tmp_path / "out" / "rejects.csv").set_index("path")["reason"]
    assert sorted(rejects.index) == ["footage/b/short.png", "footage/c/<script>.mp4"]
    assert rejects["footage/b/short.png"] == "too short: 3 of the 4 frames that the model needs, at its spacing"
    names = {f"{r['source']}{suffix}" for r in rows for suffix in (".mp4", ".errors.csv")}
    assert {p.name for p in (tmp_path / "out").iterdir()} == names | {"results.csv", "rejects.csv"}


def test_single_files_and_files_of_one_name(tmp_path: Path) -> None:
    one, other = write_strip(tmp_path / "one" / "x.png", 4), write_strip(tmp_path / "other" / "x.png", 5)
    write_strip(tmp_path / "one" / "not_asked_for.png", 4)
    (tmp_path / "empty").mkdir()
    rows = reconstruct(OffByPlace(), [one, other, tmp_path / "empty"], tmp_path / "out")
    assert [(r["source"], r["frames"]) for r in rows] == [(source_id("x.png"), 4), (f"{source_id('x.png')}-2", 5)]
    assert (tmp_path / "out" / "rejects.csv").read_text() == (
        'path,stage,reason\nempty,reconstruct,"holds no video, image strip or frame folder"\n'
    )
    with pytest.raises(ValueError, match=r"nowhere does not exist"):
        reconstruct(OffByPlace(), [tmp_path / "nowhere"], tmp_path / "out")


def test_a_model_of_another_kind_is_refused_with_what_to_do(tmp_path: Path) -> None:
    strip = write_strip(tmp_path / "x.png", 4)
    fix = "models:/rushes-off@champion is of kind 'interpolate', not 'reconstruct'; use: rushes interpolate FOOTAGE"
    with pytest.raises(ValueError, match=f"^{fix} --model off$"):
        reconstruct(OffByPlace("interpolate"), [strip], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("spacing", [{"every_frames": 2}, {"every_frames": 1, "frames_per_second": 12.5}])
def test_the_spacing_and_colour_the_model_was_trained_with(tmp_path: Path, spacing: dict[str, Any]) -> None:
    strip = write_strip(tmp_path / "x.png", 11)
    rows = reconstruct(OffByPlace(gray=False, **spacing), [strip], tmp_path / "out")
    errors = pd.read_csv(tmp_path / "out" / f"{rows[0]['source']}.errors.csv")
    assert errors["source_frame"].tolist() == [0, 2, 4, 6, 8, 10]
    np.testing.assert_allclose(errors["mse"], (np.array([0, 1, 2, 3, 2, 3]) / 100) ** 2, atol=1e-8)
    assert media.probe(tmp_path / "out" / f"{rows[0]['source']}.mp4").frames_per_second == 12.5


def test_equal_footage_gives_equal_bytes(tmp_path: Path) -> None:
    strip = write_strip(tmp_path / "x.png", 7)
    for out in ("first", "second"):
        reconstruct(OffByPlace(), [strip], tmp_path / out, batch_windows=1 if out == "first" else 8)
    written = sorted(p.name for p in (tmp_path / "first").iterdir())
    assert len(written) == 4
    assert all((tmp_path / "first" / n).read_bytes() == (tmp_path / "second" / n).read_bytes() for n in written)


def test_a_long_source_is_read_no_further_than_needed() -> None:
    read = 0

    def endless() -> Iterator[module._Taken]:
        nonlocal read
        for read in itertools.count(1):
            yield module._Taken(read, 0.0, np.zeros((SIDE, SIDE, 1), np.uint8))

    answers = module._answers(OffByPlace(), endless(), batch_windows=3)
    for number in range(1, 100):
        next(answers)
        assert read <= number + 3 * T
