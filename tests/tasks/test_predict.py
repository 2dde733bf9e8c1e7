"""Trailers of known brightness, rated by a model that knows it; and the clips it is shown, against the data set's."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tasks import assemble, model_input, new_footage, predict, sample, serving, subclips
from tasks.clips import ClipDataset
from tasks.evaluate import rating_tables
from tasks.footage import source_id
from tasks.params import Dataset
from tests.conftest import true_frames
from tests.tasks._rated import DARKEST, DATASET, LEVELS, SIDE, T, rater

RULES = Dataset(**{**DATASET, "footage": "films"})
CODECS = {"webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"})}
H264 = ("libx264", {"crf": "12", "g": "12", "bf": "2"})


def write_film(path: Path, frames: np.ndarray, times: Sequence[int] | None = None) -> None:
    """uint8 (N, H, W, 3), in the container that the suffix says, at 25 frames a second or at `times` in 1/1000 s."""
    import av

    codec, options = CODECS.get(path.suffix[1:], H264)
    base = Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        stream.options, stream.codec_context.time_base = options, base
        for k, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = (times[k] if times else 40 * k), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def lit(*scores: tuple[float, int]) -> np.ndarray:
    """Two frames of another brightness, then so many frames as bright as each score asks for."""
    levels = [200.0, 200.0] + [DARKEST + LEVELS * score for score, count in scores for _ in range(count)]
    return np.stack([np.full((32, 32, 3), min(255, round(level)), np.uint8) for level in levels])


class Rater:
    """The rater of the tests' films, as if it was registered."""

    uri, recipe, kind, score_range = "models:/rushes-rated@champion", "rated", "regress", (0.0, 10.0)
    inputs = tuple(range(T))

    def __init__(self, interval: dict[str, Any] | None = None, signal: bool | None = True, enough: bool = True) -> None:
        self.input, self.interval, self.signal = model_input.describe(RULES, T), interval, None
        if signal is not None:
            self.signal = {"found": signal, "enough": enough}
        self.model, self.asked = rater(), []

    def predict(self, clip_BTHWC: np.ndarray) -> np.ndarray:
        assert clip_BTHWC.dtype == np.uint8
        assert clip_BTHWC.shape[1:] == (T, SIDE, SIDE, 1)
        self.asked.append(len(clip_BTHWC))
        with torch.no_grad():
            answer: np.ndarray = self.model.predict(torch.from_numpy(clip_BTHWC)).numpy()
        return answer


def test_a_rating_is_the_mean_over_the_subclips(tmp_path: Path) -> None:
    folder, out, said = tmp_path / "films", tmp_path / "ratings.csv", []
    folder.mkdir()
    write_film(folder / "a.mp4", lit((3.0, 10), (5.0, 10), (8.5, 12)))
    write_film(folder / "b.flv", lit((6.0, 10), (8.0, 7)))  # 7 frames of 10: a shorter clip
    write_film(folder / "c.webm", lit((4.0, 5)))  # half a subclip
    uneven = [0, 40, *range(80, 480, 20), *range(480, 880, 40), *range(880, 1280, 80)]
    write_film(folder / "d.mov", lit((2.0, 20), (8.0, 10), (5.0, 5)), uneven)  # two clips, one, and one of 3 frames
    write_film(folder / "e.mkv", np.full((32, 32, 32, 3), 255, np.uint8))  # brighter than the scale goes
    (folder / "f.mp4").write_text("not a film")
    model = Rater({"level": 0.8, "half_width": 1.25, "films": 9})
    rows = predict.predict(model, [folder], out, named=[Path("films")], batch_clips=3, say=said.append)

    assert {row["path"]: row["rating"] for row in rows} == pytest.approx(
        {"films/a.mp4": 5.5, "films/b.flv": 7.0, "films/d.mov": 5.0, "films/e.mkv": 10.0}, abs=0.08
    )
    a, b, d, e = rows
    assert [s.pop("rating") for s in a["subclips"]] == pytest.approx([3.0, 5.0, 8.5], abs=0.08)
    assert a["subclips"] == [
        {"start_seconds": 0.08, "end_seconds": 0.48},
        {"start_seconds": 0.48, "end_seconds": 0.88},
        {"start_seconds": 0.88, "end_seconds": 1.28},
    ]
    assert [s["rating"] for s in b["subclips"]] == pytest.approx([6.0, 8.0], abs=0.08)
    assert b["subclips"][1]["end_seconds"] == pytest.approx(0.76)
    assert [s["rating"] for s in d["subclips"]] == pytest.approx([2.0, 8.0, 5.0], abs=0.08)
    assert [row["frames"] for row in rows] == [15, 9, 10 + 5 + 3, 15]
    assert (a["low"], a["high"]) == (a["rating"] - 1.25, a["rating"] + 1.25)
    assert (e["low"], e["rating"], e["high"]) == (8.75, 10.0, 10.0)
    assert model.asked == [3, 2, 3, 1, 3]

    table = pd.read_csv(out)
    assert table.to_dict("records") == [predict.brief(row) for row in rows]
    assert table["subclips"].tolist() == [3, 2, 3, 3]
    rejects = pd.read_csv(tmp_path / "ratings.rejects.csv")
    assert rejects["stage"].eq("predict").all()
    assert rejects.set_index("path")["reason"].to_dict() == {
        "films/b.flv": "subclip 3 of 3: begins at 0.88 s, the source ends at 0.76 s",
        "films/c.webm": "lasts 0.28 s, too short for any subclip; subclip 1 of 3: 0.20 s of 0.4 s are there, half or"
        " less",
        "films/f.mp4": rejects["reason"].iloc[2],
    }
    assert "not a video" in rejects["reason"].iloc[2]
    assert said[0] == "80% of films like the 9 it was judged on lie within 1.25 of their rating"
    assert said[1].startswith("films/a.mp4: 5.5")
    assert said[1].endswith(", from 3 subclip(s)")
    assert said[-1] == f"films/f.mp4: {rejects['reason'].iloc[2]}"


def test_trailers_are_called_as_they_were_named(tmp_path: Path) -> None:
    files = [tmp_path / place / name for place in ("a", "b/c") for name in ("trailer.mp4", "text.mp4")]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not a film")
    for path in files[::2]:
        write_film(path, lit((3.0, 10)))
    said: list[str] = []
    named, out = [Path("a/trailer.mp4"), Path("../b"), Path()], tmp_path / "ratings.csv"
    paths = [files[0], tmp_path / "b", tmp_path / "b/c"]
    rows = predict.predict(Rater(), paths, out, named=named, say=said.append)
    films = ["a/trailer.mp4", "../b/c/trailer.mp4", "trailer.mp4"]
    assert [row["path"] for row in rows] == pd.read_csv(out)["path"].tolist() == films
    assert [line.split(":")[0] for line in said if "from 1 subclip(s)" in line] == films
    rejects = pd.read_csv(tmp_path / "ratings.rejects.csv")["path"]
    assert set(rejects) - set(films) == {"../b/c/text.mp4", "text.mp4"}
    model = Rater()
    with pytest.raises(ValueError, match="not there does not exist"):
        predict.predict(model, [*paths, tmp_path / "not there"])
    assert model.asked == []


@pytest.mark.parametrize(
    ("signal", "enough", "start"),
    [
        (None, True, "not known whether there is a signal: this version does not say whether it was shown"),
        (False, False, "too few films to tell whether there is a signal: it was not shown"),
        (False, True, "no signal: it was not shown"),
    ],
)
def test_what_a_rating_is_not_worth_is_said_first(
    tmp_path: Path, signal: bool | None, enough: bool, start: str
) -> None:
    write_film(tmp_path / "a.mp4", lit((3.0, 10)))
    said: list[str] = []
    [row] = predict.predict(Rater(None, signal, enough), [tmp_path / "a.mp4"], say=said.append)
    assert (row["low"], row["high"]) == (None, None)
    assert said[:2] == [
        f"{start} to rate films never trained on better than the training films' mean does",
        "no interval: too few films were judged that were never trained on",
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4"]


def test_a_subclip_that_gives_no_clip_is_told(tmp_path: Path) -> None:
    times = [*range(0, 480, 40), *range(480, 880, 160), *range(880, 1280, 40)]  # every other frame counts
    write_film(tmp_path / "a.mp4", lit((3.0, 10), (9.0, 3), (5.0, 10)), times)
    said: list[str] = []
    [row] = predict.predict(Rater(), [tmp_path / "a.mp4"], tmp_path / "r.csv", say=said.append)
    assert row["rating"] == pytest.approx(4.0, abs=0.08)
    assert [s["start_seconds"] for s in row["subclips"]] == [0.08, 0.88]
    rejects = pd.read_csv(tmp_path / "r.rejects.csv")
    assert rejects["reason"].tolist() == ["subclip 2 of 3: 2 of the 3 frames a clip needs"]
    assert said[-1].endswith("a.mp4: subclip 2 of 3: 2 of the 3 frames a clip needs")


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is a folder; name a file to be written, such as .*ratings\.csv"):
        predict.predict(Rater(), [tmp_path], tmp_path)
    with pytest.raises(ValueError, match=r"x\.xlsx does not end in \.csv; name .*x\.csv"):
        predict.predict(Rater(), [tmp_path], tmp_path / "x.xlsx")
    other = Rater()
    other.kind = "classify"
    with pytest.raises(ValueError, match="is of kind 'classify', not 'regress'; use: rushes features rated FOOTAGE"):
        predict.predict(other, [tmp_path])
    with pytest.raises(ValueError, match="is of kind 'regress', not 'reconstruct'; use: rushes predict rated TRAILER"):
        new_footage.require_kind(Rater(), "reconstruct")
    write_film(tmp_path / "a.mp4", lit((3.0, 10)))
    broken = Rater()
    broken.model.last.weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"rates a clip of .*a\.mp4 with NaN or infinity; train it again"):
        predict.predict(broken, [tmp_path / "a.mp4"])
    (tmp_path / "text.mp4").write_text("not a film")
    with pytest.raises(ValueError, match=r"text\.mp4: holds text, not a video"):
        serving.clips_of(Rater(), tmp_path / "text.mp4")


class Bright(Rater):
    """Rates a clip by what its frames hold, however long it is."""

    def __init__(self, input_: dict[str, Any]) -> None:
        super().__init__()
        self.input = input_

    @staticmethod
    def rates(clip_BTHWC: np.ndarray) -> np.ndarray:
        rates: np.ndarray = clip_BTHWC.mean(axis=(1, 2, 3, 4)) / 26
        return rates

    def predict(self, clip_BTHWC: np.ndarray) -> np.ndarray:
        return self.rates(clip_BTHWC)


TWO = {"count": 2, "seconds": 1.2, "start_seconds": 0.3}
SETTINGS = {
    "every third frame": {
        "subclips": TWO,
        "frames": {"every_frames": 3},
        "clips": {"length_frames": 9, "least_frames": 2},
    },
    "by time": {
        "subclips": TWO,
        "frames": {"frames_per_second": 7.0},
        "clips": {"length_frames": 9, "least_frames": 3},
    },
    "at key frames": {"subclips": TWO | {"snap": "keyframe"}, "frames": {"every_frames": 2}},
    "at shots": {"subclips": TWO | {"snap": "shot"}, "shots": {"threshold": 0.3, "split": False}},
    "within shots": {"subclips": TWO, "shots": {"threshold": 0.3}, "clips": {"least_frames": 2, "stride_frames": 3}},
    "whole, apart": {"frames": {"every_frames": 2}, "clips": {"step_frames": 3, "stride_frames": 6}},
    "whole": {"clips": {"stride_frames": 4}},
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films with a cut at a time of their own, in several containers; one at a variable rate, one short."""
    folder = tmp_path_factory.mktemp("films")
    uneven = np.cumsum(np.random.default_rng(0).integers(15, 90, 70)).tolist()
    for number, name in enumerate(("a.mp4", "b.mp4", "c.flv", "d.webm", "e.mov", "short.mkv")):
        frames = true_frames(58 if name == "short.mkv" else 70, seed=number)
        frames[20 + 3 * number :] = 255 - frames[20 + 3 * number :, ::-1]
        write_film(folder / name, frames, uneven if name == "b.mp4" else None)
    return folder


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_clips_are_byte_for_byte_those_of_the_data_set(films: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    rules = {name: dict(settings.get(name, {})) for name in ("frames", "clips")}
    rules["frames"] |= {"height_px": 24, "width_px": 40, "gray": False}
    rules["clips"] = {"length_frames": 6, "stride_frames": 6} | rules["clips"]
    held_out = sorted(p.name for p in films.iterdir())[1:]
    dataset = Dataset(footage=str(films), label="none", split={"test": held_out}, **{**settings, **rules})
    cuts, frames, clips = tmp_path / "cuts", tmp_path / "frames", tmp_path / "clips"
    subclips.run(dataset, films, cuts)
    sample.run(dataset, films, cuts, frames, 1)
    assemble.run(dataset, frames, clips)
    test = ClipDataset(frames, clips, "test")
    lengths = set()
    for name in held_out:
        mine = np.flatnonzero(test.table["source"] == source_id(name))
        assert len(mine)
        lengths |= set(test.table["length"].iloc[mine])
        found = serving.clips_of(Bright(model_input.read(clips)["input"]), films / name).clips
        np.testing.assert_array_equal(found, test.clips(mine), err_msg=name)
        assert found.any(axis=(2, 3, 4)).sum() == test.table["length"].iloc[mine].sum()  # the rest is filled up
    test.table["film"] = test.table["source"]
    judged = rating_tables.of_films(test, Bright.rates(test.clips(range(len(test)))))
    told = predict.predict(Bright(model_input.read(clips)["input"]), [films / name for name in held_out])
    assert [row["rating"] for row in told] == pytest.approx(judged["predicted"].tolist(), abs=1e-6)
    assert (len(lengths) > 1) == (dataset.clips.least_frames is not None)
