"""The stage `evaluate` on a classifier that reads its answers off the picture: every figure worked out by hand."""

from __future__ import annotations

import dataclasses
import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tasks import assemble, evaluate, modelio, params, sample, subclips
from tasks.clips import ClipDataset
from tasks.evaluate import class_examples, videos
from tasks.files import read_json, sha256_of
from tests.tasks import _classed
from tests.tasks._tiny import know_tiny

NOTHING = {"value": None, "low": None, "high": None}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("classed")
    _classed.judge(place)
    return place


def near(value: float, low: float, high: float) -> object:
    return pytest.approx({"value": value, "low": low, "high": high}, abs=1e-6)


def test_the_figures_hold_what_the_clips_say(root: Path) -> None:
    found = read_json(root / "evaluation/marks/metrics.json")
    test = ClipDataset(root / "frames/marks", root / "clips/marks", "test")
    plain = {
        "recipe": "marks", "architecture": "tiny_oracle", "variant": "", "kind": "classify", "dataset": "marks",
        "inputs": [0, 1, 2, 3], "outputs": [], "latent_floats": None, "parameters": 1, "labels": ["a", "b", "c"],
        "clips": 10, "videos": 5, "groups": ["4", "5"], "chance": 1 / 3, "descriptor_floats": 8,
        "warnings": ["1 of 3 classes has no training video."], "evaluation_sha256": test.data_sha256,
        "weights_sha256": sha256_of(root / "runs/marks/weights.safetensors"),
    }  # fmt: skip
    assert {key: found[key] for key in plain} == plain
    assert found["svm_c"] == {"descriptor_svm": 0.1, "mean_frame_svm": 0.1, "difference_energy_svm": 0.1}
    assert found["intervals"]["method"] == (
        "95% percentile bootstrap over groups, all videos of a drawn group; where all are right, or all wrong, the "
        "exact binomial limit for as many groups"
    )
    assert found["intervals"]["note"].startswith("The 95% interval rests on only 2 groups (4, 5)")

    # group 4: 2 of 2 videos, 3 of 4 clips; group 5: 1 of 3 videos, 3 of 6 clips. Two groups: the interval is their span
    model = found["answers"]["model"]
    assert model["video_accuracy"] == near(3 / 5, 1 / 3, 1)
    assert found["primary"] == {"metric": "video_accuracy", "higher_is_better": True, **model["video_accuracy"]}
    assert model["clip_accuracy"] == near(6 / 10, 1 / 2, 3 / 4)
    assert model["mean_recall"] == near((1 + 1 / 2 + 0) / 3, 1 / 3, 1)  # group 4 alone has a and b, both found
    loss = [-math.log(p) for p in (0.525, 0.85, 0.29, 0.34, 0.95)]
    assert model["log_loss"] == near(np.mean(loss), np.mean(loss[:2]), np.mean(loss[2:]))
    errors = {"clip": (2 * 0.475 + 2 * 0.05 + 0.38 + 2 * 0.26 + 3 * 0.06) / 10}
    errors["video"] = (0.42 + 0.475 + 0.61 + 0.15 + 0.05) / 5
    assert found["calibration"] == {"expected_error": pytest.approx(errors, abs=1e-6)}

    others = {
        "descriptor_svm": (8, near(4 / 5, 2 / 3, 1), near(2 / 3, 2 / 3, 1)),  # all but c, which nobody could learn
        "majority_class": (0, near(2 / 5, 1 / 3, 1 / 2), near(1 / 3, 1 / 3, 1 / 2)),  # a
        "mean_frame_svm": (64, near(4 / 5, 2 / 3, 1), near(2 / 3, 2 / 3, 1)),  # the ground tells
        "difference_energy_svm": (64, near(2 / 5, 1 / 3, 1 / 2), near(1 / 3, 1 / 3, 1 / 2)),  # nothing moves
    }
    assert set(found["answers"]) == {"model", *others}
    for answer, (floats, accuracy, recall) in others.items():
        assert found["answers"][answer] == {
            "floats": floats, "video_accuracy": accuracy, "mean_recall": recall, "clip_accuracy": NOTHING,
            "log_loss": NOTHING,
        }, answer  # fmt: skip
    assert {answer: gains["video_accuracy"] for answer, gains in found["gains"].items()} == {
        "majority_class": near(1 / 5, 0, 1 / 2),  # v2
        "mean_frame_svm": near(-1 / 5, -1 / 3, 0),  # v3
        "difference_energy_svm": near(1 / 5, 0, 1 / 2),
    }


def test_the_tables_of_videos_and_clips(root: Path) -> None:
    folder = root / "evaluation" / "marks"
    table = pd.read_parquet(folder / "videos.parquet")
    assert list(table.columns) == [
        "source", "group", "label", "answer", "clips", "predicted", "confidence", "correct",
    ]  # fmt: skip
    said = {answer: "".join(part["predicted"]) for answer, part in table.groupby("answer", sort=False)}
    assert {answer: said.pop(answer) for answer in ("model", "majority_class", "difference_energy_svm")} == {
        "model": "ababa", "majority_class": "aaaaa", "difference_energy_svm": "aaaaa",
    }  # fmt: skip
    assert {answer: (p[:3], p[4:]) for answer, p in said.items()} == dict.fromkeys(
        ["descriptor_svm", "mean_frame_svm"], ("abb", "a")
    )
    model = table[table["answer"] == "model"]
    np.testing.assert_allclose(model["confidence"], [0.525, 0.85, 0.61, 0.42, 0.95], atol=1e-6)
    assert model["correct"].tolist() == [True, True, False, False, True]
    assert table[table["answer"] != "model"]["confidence"].isna().all()
    assert model["clips"].tolist() == [2] * 5

    clips = pd.read_parquet(folder / "clips.parquet")
    assert list(clips.columns) == [
        "clip", "source", "group", "label", "first_frame", "first_seconds", "answer", "predicted", "confidence",
        "correct", "probabilities",
    ]  # fmt: skip
    expected = np.array([clip for video in _classed.TEST for clip in video.clips]) / 100
    np.testing.assert_allclose(np.stack(clips["probabilities"]), expected, atol=1e-6)
    assert "".join(clips["predicted"]) == "abbbaacbaa"
    assert clips["correct"].tolist() == [True, False, True, True, False, False, True, False, True, True]
    assert clips["first_frame"].tolist() == [0, 4] * 5

    sources = pd.read_csv(folder / "sources.csv", dtype={"group": str})
    assert list(sources.columns) == [
        "source", "group", "label", "answer", "clips", "predicted", "correct", "confidence",
    ]  # fmt: skip
    assert list(dict.fromkeys(sources["source"])) == ["v3", "v4", "v1", "v2", "v5"]  # by the chance of the truth
    assert len(sources) == 5 * 5


def test_the_tables_of_classes(root: Path) -> None:
    def text(name: str) -> str:
        table = pd.read_csv(root / "evaluation/marks" / name)
        return table.round(6).to_csv(index=False, lineterminator="\n")

    rows = "a,a,2,3 a,b,0,1 a,c,0,0 b,a,1,2 b,b,1,2 b,c,0,0 c,a,0,0 c,b,1,1 c,c,0,1".replace(" ", "\n")
    assert text("confusion.csv") == f"label,predicted,videos,clips\n{rows}\n"
    assert text("recalls.csv") == (
        "label,videos,recall,low,high,precision\n"
        "a,2,1.0,0.158114,1.0,0.666667\n"
        "b,2,0.5,0.0,1.0,0.5\n"
        "c,1,0.0,,,\n"  # one group: no interval; never called: no precision
    )  # fmt: skip
    bins = {
        "clip": {4: (2, 0.475, 0.0), 5: (2, 0.55, 0.5), 6: (1, 0.62, 1.0), 7: (2, 0.76, 0.5), 9: (3, 0.94, 1.0)},
        "video": {4: (1, 0.42, 0.0), 5: (1, 0.525, 1.0), 6: (1, 0.61, 0.0), 8: (1, 0.85, 1.0), 9: (1, 0.95, 1.0)},
    }
    lines = [
        f"{level},{k / 10},{(k + 1) / 10},{','.join(map(str, found.get(k, (0, '', ''))))}\n"
        for level, found in bins.items()
        for k in range(10)
    ]
    assert text("calibration.csv") == "level,low,high,count,confidence,accuracy\n" + "".join(lines)
    answers = pd.read_csv(root / "evaluation/marks/answers.csv").set_index("answer")
    assert answers["video_accuracy"].to_dict() == {
        "model": 0.6, "descriptor_svm": 0.8, "majority_class": 0.4, "mean_frame_svm": 0.8, "difference_energy_svm": 0.4,
    }  # fmt: skip


def test_few_dimensions_and_places_of_the_videos(root: Path) -> None:
    table = pd.read_csv(root / "evaluation/marks/compactness.csv")
    assert table[["features", "dimensions", "video_accuracy"]].to_csv(index=False) == (
        "features,dimensions,video_accuracy\ndescriptor,1,0.8\nraw_pixels,1,0.8\n"  # a and b differ in one direction
    )
    places = pd.read_csv(root / "evaluation/marks/tsne.csv")
    assert list(places.columns) == ["source", "group", "label", "predicted", "correct", "x", "y"]
    assert places["source"].tolist() == ["v1", "v2", "v3", "v4", "v5"]
    for axis in ("x", "y"):
        assert (places[axis].min(), places[axis].max()) == (0.0, 1.0)


def test_the_examples_are_the_surest_and_what_they_depend_on(root: Path) -> None:
    test = ClipDataset(root / "frames/marks", root / "clips/marks", "test")
    with np.load(root / "evaluation/marks/examples.npz", allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive.files}
    told = zip(*(found[k].tolist() for k in ("role", "source", "label", "predicted")), strict=True)
    assert list(told) == [
        ("right", "v5", "a", "a"), ("right", "v2", "b", "b"), ("right", "v4", "c", "c"),
        ("wrong", "v3", "b", "a"), ("wrong", "v4", "c", "b"), ("wrong", "v1", "a", "b"),
    ]  # fmt: skip
    np.testing.assert_allclose(found["confidence"], [0.98, 0.92, 0.58, 0.74, 0.52, 0.47], atol=1e-6)
    rows = test.table.set_index("clip").index.get_indexer(found["clip"])
    np.testing.assert_array_equal(found["frames"], test.clips(rows))
    np.testing.assert_array_equal(found["saliency_over_time"], np.tile(np.float32([1, 0, 0, 0]), (6, 1)))
    expected = np.zeros((6, 4, 8, 8), np.uint8)
    expected[:, 0, 0, :3] = [  # |gradient| of log(p_k): (1 - p_k) / v_k at the class's own mark, 1 / sum at the others
        [round(255 * 2 / 98), 255, 255],
        [255, round(255 * 8 / 92), 255],
        [255, 255, round(255 * 42 / 58)],
        [round(255 * 26 / 74), 255, 255],
        [255, round(255 * 48 / 52), 255],
        [round(255 * 47 / 53), 255, round(255 * 47 / 53)],
    ]
    np.testing.assert_array_equal(found["saliency"], expected)
    assert found["thumbnail_source"].tolist() == ["v1", "v2", "v3", "v4", "v5"]
    np.testing.assert_array_equal(found["thumbnail"], np.stack([_classed.pixels(v)[6] for v in _classed.TEST]))


def test_equal_inputs_give_equal_bytes(root: Path, tmp_path: Path) -> None:
    first, again = root / "evaluation" / "marks", _classed.judge(tmp_path)
    names = sorted(p.name for p in first.iterdir())
    assert names == [
        "answers.csv", "calibration.csv", "clips.parquet", "compactness.csv", "confusion.csv", "examples.npz",
        "metrics.json", "recalls.csv", "sources.csv", "tsne.csv", "videos.parquet",
    ]  # fmt: skip
    assert [n for n in names if (first / n).read_bytes() != (again / n).read_bytes()] == []


def test_an_architecture_without_descriptor_and_logits_is_judged_without_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for method in ("describe", "logits"):
        monkeypatch.delattr(_oracle(), method)
    folder = _classed.judge(tmp_path, [*_classed.TRAIN, *_classed.TEST[:4]])  # and four videos: too few for a scatter
    found = read_json(folder / "metrics.json")
    assert found["descriptor_floats"] is None
    assert list(found["answers"]) == ["difference_energy_svm", "majority_class", "mean_frame_svm", "model"]
    assert pd.read_csv(folder / "compactness.csv")["features"].tolist() == ["raw_pixels"]
    assert (folder / "tsne.csv").read_text() == "source,group,label,predicted,correct,x,y\n"
    with np.load(folder / "examples.npz", allow_pickle=False) as archive:
        assert {"saliency", "saliency_over_time"} & set(archive.files) == set()


def _oracle() -> type:
    know_tiny()
    return importlib.import_module("models.tiny_oracle").Model  # type: ignore[no-any-return]


def test_a_champion_that_is_judged_again_scores_the_same(root: Path) -> None:
    model = modelio.load_run(root / "runs/marks")

    def predict(clip_BTHWC: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model.predict(torch.from_numpy(clip_BTHWC)).numpy()

    where = (_classed.RECIPE, root / "frames/marks", root / "clips/marks")
    again = evaluate.judge_again(predict, "classify", "w", *where, labels=["a", "b", "c"])
    found = read_json(root / "evaluation/marks/metrics.json")
    assert again["answers"] == {"model": found["answers"]["model"]}
    assert again["gains"] == {}
    assert {key: again[key] for key in ("primary", "evaluation_sha256", "labels", "calibration")} == {
        key: found[key] for key in ("primary", "evaluation_sha256", "labels", "calibration")
    }
    message = r"the earlier model tells the classes \(3: b, a, c\) apart, the clips have \(3: a, b, c\)"
    with pytest.raises(ValueError, match=message):
        evaluate.judge_again(predict, "classify", "w", *where, labels=["b", "a", "c"])
    with pytest.raises(ValueError, match=r"the earlier model answers \(3, 2\) for 3 clips of 3 classes"):
        evaluate.judge_again(lambda clip: predict(clip)[:, :2], "classify", "w", *where, labels=["a", "b", "c"])


def _changed(which: list[_classed.Video], **changes: object) -> list[_classed.Video]:
    return [dataclasses.replace(video, **changes) for video in which]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("clips", "labels", "message"),
    [
        ([*_classed.TRAIN, *_classed.TEST], ["a", "b", "d"], r"\(3: a, b, d\) apart, the clips have \(3: a, b, c\)"),
        (_classed.TRAIN, ["a", "b"], "has no clip of split 'test'"),
        (_changed([_classed.TRAIN[0], _classed.TEST[0]], label="a"), ["a"], r"all of one class \(a\); sort the foot"),
        ([_classed.TRAIN[0], *_classed.TEST], ["a", "b", "c"], "the training videos are all of one class"),
        (
            [*_classed.TRAIN, *_changed(_classed.TEST, clips=((0, 0, 0), (0, 0, 0)))],
            ["a", "b", "c"],
            "recipe marks: the model in .* answers NaN or infinite values; train it again",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused(
    tmp_path: Path, clips: list[_classed.Video], labels: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _classed.judge(tmp_path, clips, labels)
    assert not (tmp_path / "evaluation").is_dir() or not any((tmp_path / "evaluation").iterdir())


def _descriptor(clip_BTHWC: np.ndarray) -> dict[str, np.ndarray]:
    """3, 0 of a video's first clip and 0, 4 of its second."""
    first = (clip_BTHWC[:, 0, 1].max(axis=(1, 2)) == 200)[:, None]
    return {"descriptor": np.where(first, [[3.0, 0.0]], [[0.0, 4.0]])}


def _both(clip_BTHWC: np.ndarray) -> dict[str, np.ndarray]:
    return {"probabilities": np.full((len(clip_BTHWC), 2), 0.5), **_descriptor(clip_BTHWC)}


def test_a_descriptor_is_averaged_over_the_video_and_then_made_a_unit_vector(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videos, "DESCRIPTOR_STRIDE_FRAMES", _classed.T)
    test = ClipDataset(root / "frames/marks", root / "clips/marks", "test")
    seen, _ = videos.of_test(test, _both, _descriptor, 3)
    np.testing.assert_allclose(seen.means["descriptor"], [[1.5, 2.0]] * 5)
    np.testing.assert_allclose(videos.described(seen).means["descriptor"], [[0.6, 0.8]] * 5)


SPACED: dict[str, object] = {
    "footage": "films", "group": {"pattern": r"(?P<group>\d)"}, "max_reject_fraction": 0.5,
    "subclips": {"count": 2, "seconds": 2.0, "start_seconds": 0.0},
    "frames": {"height_px": 8, "width_px": 8, "gray": True, "every_frames": 1},
    "clips": {"length_frames": 3, "step_frames": 2, "train_stride_frames": 5, "stride_frames": 12},
    "split": {"test": ["2"]},
}  # fmt: skip


def test_all_videos_are_described_by_the_clips_that_rushes_features_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two spans of 50 frames, clips of three frames two apart: one every 16 stored frames, each read once."""
    for number, name in enumerate(["a/film1.png", "b/film2.png"]):
        (tmp_path / "films" / name).parent.mkdir(parents=True)
        strip = np.random.default_rng(number).integers(0, 256, (8, 800), dtype=np.uint8)
        strip[0, ::8] = 2 * np.arange(100)  # a frame's first pixel tells which it is
        Image.fromarray(strip).save(tmp_path / "films" / name)
    dataset = params.parse({"datasets": {"films": SPACED}, "recipes": {}}, tmp_path / "params.yaml").datasets["films"]
    cuts, frames, clips = (tmp_path / name for name in ("cuts", "frames", "clips"))
    subclips.run(dataset, tmp_path / "films", cuts)
    sample.run(dataset, tmp_path / "films", cuts, frames, 1)
    assemble.run(dataset, frames, clips)
    asked: dict[str, list[int]] = {"named": [], "described": []}

    def about(clip_BTHWC: np.ndarray) -> dict[str, np.ndarray]:
        asked["described"] += (clip_BTHWC[:, 0, 0, 0, 0] // 2).tolist()
        assert (np.diff(clip_BTHWC[:, :, 0, 0, 0].astype(int), axis=1) == 4).all()
        return {"first": clip_BTHWC[:, :1, 0, 0, 0] / 2.0}

    def answer(clip_BTHWC: np.ndarray) -> dict[str, np.ndarray]:
        values = about(clip_BTHWC)
        asked["named"] += [asked["described"].pop() for _ in clip_BTHWC][::-1]
        return values | {"probabilities": np.ones((len(clip_BTHWC), 1)) * values["first"]}

    windows = [0, 16, 32, 50, 66, 82]
    learned = videos.of_training(ClipDataset(frames, clips, "train"), about, 4)
    assert asked == {"named": [], "described": windows}
    assert (learned.clips.tolist(), learned.means["first"].tolist()) == ([6], [[np.mean(windows)]])
    asked["described"].clear()
    seen, probabilities = videos.of_test(ClipDataset(frames, clips, "test"), answer, about, 4)
    manifest = [0, 12, 24, 36, 50, 62, 74, 86]
    assert asked == {"named": manifest, "described": [16, 32, 66, 82]}
    assert probabilities[:, 0].tolist() == manifest
    assert seen.clips.tolist() == [8]
    assert {name: mean.tolist() for name, mean in seen.means.items()} == {
        "probabilities": [[np.mean(manifest)]], "first": [[np.mean(windows)]],
    }  # fmt: skip


def test_a_model_that_answers_and_describes_at_once_is_asked_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(model: Any, clip_BTHWC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(len(clip_BTHWC))
        return predict(model, clip_BTHWC), model.describe(clip_BTHWC)

    asked: list[int] = []
    predict = _oracle().predict  # type: ignore[attr-defined]
    monkeypatch.setattr(_oracle(), "answer_and_describe", at_once, raising=False)
    monkeypatch.setattr(_oracle(), "predict", None)
    folder = _classed.judge(tmp_path)
    assert asked == [3, 3, 3, 1]
    assert (folder / "metrics.json").read_bytes() == (root / "evaluation/marks/metrics.json").read_bytes()


def test_dead_features_have_no_components_and_no_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_oracle(), "describe", lambda _, clip_BTHWC: torch.zeros(len(clip_BTHWC), 8))
    folder = _classed.judge(tmp_path)
    assert pd.read_csv(folder / "compactness.csv")["features"].tolist() == ["raw_pixels"]
    assert (folder / "tsne.csv").read_text() == "source,group,label,predicted,correct,x,y\n"
    assert read_json(folder / "metrics.json")["answers"]["descriptor_svm"]["video_accuracy"]["value"] == 0.4  # all a


def test_more_videos_than_pictures_show_the_wrong_ones_and_the_surest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(class_examples, "THUMBNAILS", 4)
    folder = _classed.judge(tmp_path)
    with np.load(folder / "examples.npz", allow_pickle=False) as archive:
        assert archive["thumbnail_source"].tolist() == ["v2", "v3", "v4", "v5"]  # v3, v4 wrong; v5 is a surer a than v1
        expected = np.stack([_classed.pixels(v)[6] for v in _classed.TEST[1:]])
        np.testing.assert_array_equal(archive["thumbnail"], expected)
