"""The stage `evaluate` on real stages' data, with a model whose figures follow from the clips by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks import metrics
from tasks.clips import ClipDataset
from tasks.files import read_json, sha256_of, write_json
from tests.tasks import _judged


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("evaluate")
    _judged.data(place)
    _judged.train(place, "first", _judged.LEVEL, 10.0)
    _judged.judge(place, "first")
    return place


def test_the_tables_hold_what_the_clips_say(root: Path) -> None:
    folder = root / "data" / "evaluation" / "first"
    test = ClipDataset(root / "data/frames/blobs", root / "data/clips/blobs", "test")
    clip = test.clips(np.arange(len(test)))
    assert clip.shape == (12, 8, 16, 16, 1)  # 2 classes x 2 performers x 24 / 8
    of_frame = np.square(clip / 255.0 - _judged.LEVEL).mean(axis=(2, 3, 4))
    found = read_json(folder / "metrics.json")
    assert {key: found[key] for key in ("recipe", "architecture", "kind", "dataset", "clips", "groups")} == {
        "recipe": "first", "architecture": "tiny_autoencoder", "kind": "reconstruct", "dataset": "blobs", "clips": 12,
        "groups": ["3", "4"],
    }  # fmt: skip
    assert found["evaluation_sha256"] == test.data_sha256
    assert found["weights_sha256"] == sha256_of(root / "data/runs/first/weights.safetensors")

    psnr = metrics.psnr_db(of_frame.mean(axis=1))
    by_group = [psnr[test.table["group"] == g].mean() for g in ("3", "4")]
    expected = {"value": psnr.mean(), "low": min(by_group), "high": max(by_group)}  # two groups: their means
    assert {k: found["primary"][k] for k in expected} == pytest.approx(expected, rel=1e-6)
    assert found["answers"]["model"]["psnr_db"] == pytest.approx(expected, rel=1e-6)
    assert found["intervals"]["note"].startswith("The 95% interval rests on only 2 groups (3, 4)")

    clips = pd.read_parquet(folder / "clips.parquet")
    assert list(dict.fromkeys(clips["answer"])) == [
        "model", "train_mean_frame", "clip_mean_frame", "frame_pca", "patch_pca", "patch_pca_chosen",
    ]  # fmt: skip
    np.testing.assert_allclose(clips[clips["answer"] == "model"]["psnr_db"], psnr, rtol=1e-6)
    mean = np.square(clip / 255.0 - (clip / 255.0).mean(axis=1, keepdims=True)).mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(clips[clips["answer"] == "clip_mean_frame"]["mse"], mean, rtol=1e-5)
    gain = psnr - clips[clips["answer"] == "clip_mean_frame"]["psnr_db"].to_numpy()
    by_group = [gain[test.table["group"] == g].mean() for g in ("3", "4")]
    expected = {"value": gain.mean(), "low": min(by_group), "high": max(by_group)}
    assert found["gains"]["clip_mean_frame"]["psnr_db"] == pytest.approx(expected, rel=1e-5)
    floats = {answer: scores["floats"] for answer, scores in found["answers"].items()}
    assert floats["model"] == found["latent_floats"] == 4 * 8 * 16 * 16 // 4
    assert floats["clip_mean_frame"] == 256
    assert all(n <= found["latent_floats"] for n in floats.values())

    frames = pd.read_parquet(folder / "frames.parquet")
    assert list(frames.columns) == ["source", "clip", "frame_in_clip", "source_frame", "time_seconds", "mse", "psnr_db"]
    np.testing.assert_allclose(frames["mse"], of_frame.ravel(), rtol=1e-5)
    first = frames[frames["source"] == test.table["source"][0]]
    assert first["source_frame"].tolist() == list(range(24))
    np.testing.assert_allclose(first["time_seconds"], np.arange(24) / 25)


def test_tables_for_people_and_plots_agree_with_the_clips(root: Path) -> None:
    folder = root / "data" / "evaluation" / "first"
    clips = pd.read_parquet(folder / "clips.parquet")
    sources = pd.read_csv(folder / "sources.csv", dtype={"group": str})
    means = clips.groupby(["source", "answer"])["psnr_db"].mean()
    assert len(sources) == len(means) == 4 * 6
    np.testing.assert_allclose(sources["psnr_db"], means[list(zip(sources["source"], sources["answer"], strict=True))])
    of_model = sources[sources["answer"] == "model"]["psnr_db"]
    assert of_model.is_monotonic_increasing  # worst first
    answers = pd.read_csv(folder / "answers.csv").set_index("answer")
    found = read_json(folder / "metrics.json")["answers"]
    assert {a: answers["psnr_moving_db_high"][a] for a in answers.index} == pytest.approx(
        {a: found[a]["psnr_moving_db"]["high"] for a in found}
    )
    curve = pd.read_csv(folder / "frame_curve.csv")
    frames = pd.read_parquet(folder / "frames.parquet")
    np.testing.assert_allclose(
        curve[curve["answer"] == "model"]["mse"], frames.groupby("frame_in_clip")["mse"].mean(), rtol=1e-9
    )


def test_the_examples_are_worst_median_best_and_one_a_class(root: Path) -> None:
    folder = root / "data" / "evaluation" / "first"
    clips = pd.read_parquet(folder / "clips.parquet")
    model = clips[clips["answer"] == "model"].sort_values(["psnr_db", "clip"])["clip"].tolist()
    with np.load(folder / "examples.npz", allow_pickle=False) as found:
        by_role = {role: found["clip"][found["role"] == role].tolist() for role in dict.fromkeys(found["role"])}
        assert found["input"].shape == found["output"].shape == found["linear"].shape == (11, 8, 16, 16, 1)
        assert set(found["output"].ravel()) == {128}
    assert {k: v for k, v in by_role.items() if k != "showcase"} == {
        "worst": model[:3], "median": model[4:7], "best": model[::-1][:3],
    }  # fmt: skip
    shown = clips[(clips["answer"] == "model") & clips["clip"].isin(by_role["showcase"])]
    assert sorted(shown["label"]) == sorted(_judged.CLASSES)


def test_equal_inputs_give_equal_bytes(root: Path, tmp_path: Path) -> None:
    first, again = root / "data" / "evaluation" / "first", _judged.judge(root, "first", tmp_path / "again")
    names = sorted(p.name for p in first.iterdir())
    assert names == [
        "answers.csv", "clips.parquet", "examples.npz", "frame_curve.csv", "frames.parquet", "metrics.json",
        "sources.csv",
    ]  # fmt: skip
    assert [n for n in names if (first / n).read_bytes() != (again / n).read_bytes()] == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("kind", "classify", "evaluate judges kind 'reconstruct'"),
        ("dataset", "other", "was trained on other; train it again"),
        ("architecture", "other", "is tiny_autoencoder, .* holds other"),
        (
            "config",
            {"frames": 4, "height_px": 16, "width_px": 16, "channels": 1},
            r"\(4, 16, 16, 1\), the test clips are \(8,",
        ),
    ],
)
def test_a_run_that_does_not_belong_is_refused(
    root: Path, tmp_path: Path, key: str, value: object, message: str
) -> None:
    card = root / "data" / "runs" / "first" / "model.json"
    kept = card.read_text()
    try:
        write_json(card, json.loads(kept) | {key: value})
        with pytest.raises(ValueError, match=message):
            _judged.judge(root, "first", tmp_path / "out")
    finally:
        card.write_text(kept)
    assert not (tmp_path / "out").exists()
