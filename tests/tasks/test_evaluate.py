"""The stage `evaluate` on real stages' data, with a model whose figures follow from the clips by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tasks import evaluate, metrics, modelio
from tasks.clips import ClipDataset
from tasks.files import read_json, sha256_of, write_json
from tests.tasks import _judged, _panned


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("evaluate")
    _judged.data(place)
    _judged.train(place, "first", _judged.LEVEL, 10.0)
    _judged.judge(place, "first")
    return place


@pytest.fixture(scope="module")
def panned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that fills the gap of five frames and knows how the camera moves."""
    place = tmp_path_factory.mktemp("panned")
    _panned.data(place)
    _panned.train(place, "panned", 1.0)
    _panned.judge(place, "panned")
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
    assert found["inputs"] == found["outputs"] == list(range(8))
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
    assert list(frames.columns) == [
        "source", "clip", "frame_in_clip", "source_frame", "time_seconds", "mse", "psnr_db", "ssim", "sharpness_ratio",
    ]  # fmt: skip
    assert set(frames["sharpness_ratio"]) == {0.0}  # a flat answer has no edges
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
        assert (
            found["input"].shape
            == found["output"].shape
            == found["answer_patch_pca_chosen"].shape
            == (11, 8, 16, 16, 1)
        )
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


def test_an_interpolator_is_judged_on_the_frames_it_was_not_shown(panned: Path) -> None:
    folder = panned / "data" / "evaluation" / "panned"
    test = ClipDataset(panned / "data/frames/streets", panned / "data/clips/streets", "test")
    clip = test.clips(np.arange(len(test)))
    assert clip.shape == (12, 7, 64, 64, 3)  # 3 sequences x windows at 0, 4, 8, 12
    ends, truth = clip[:, [0, 6]] / 255.0, clip[:, 1:6] / 255.0
    share = np.arange(1, 6).reshape(5, 1, 1, 1) / 6
    faded = (1 - share) * ends[:, :1] + share * ends[:, 1:]
    moved = np.stack([_slid(ends, t) for t in range(1, 6)], axis=1)

    found = read_json(folder / "metrics.json")
    assert {key: found[key] for key in ("kind", "inputs", "outputs", "latent_floats", "groups", "clips")} == {
        "kind": "interpolate", "inputs": [0, 6], "outputs": [1, 2, 3, 4, 5], "latent_floats": None,
        "groups": sorted(_panned.TEST), "clips": 12,
    }  # fmt: skip
    assert sorted(found["answers"]) == ["cross_fade", "dis_flow", "model", "nearest_copy"]
    assert {scores["floats"] for scores in found["answers"].values()} == {None}
    table = pd.read_parquet(folder / "clips.parquet").set_index("answer")
    assert list(dict.fromkeys(table.index)) == ["model", "nearest_copy", "cross_fade", "dis_flow"]
    assert table["floats"].isna().all()
    spread = clip.max(axis=1).astype(int) - clip.min(axis=1)
    moving = _grown((spread >= 26).any(axis=-1))
    for answer, output in (("model", moved), ("cross_fade", faded)):
        of_pixel = np.square(output - truth)
        expected = {
            "mse": of_pixel.mean(axis=(1, 2, 3, 4)),
            "psnr_db": -10 * np.log10(of_pixel.mean(axis=(1, 2, 3, 4))),
            "psnr_moving_db": [-10 * np.log10(e[:, m].mean()) for e, m in zip(of_pixel, moving, strict=True)],
            "flicker": _changes_missed(ends, truth, output),
        }
        for metric, values in expected.items():
            np.testing.assert_allclose(table.loc[answer, metric], values, rtol=2e-3, err_msg=f"{answer} {metric}")
    psnr = {a: table.loc[a, "psnr_db"].to_numpy() for a in ("model", "cross_fade", "dis_flow")}
    assert (psnr["dis_flow"] > psnr["cross_fade"] + 5).all()
    gain = psnr["model"] - psnr["cross_fade"]
    by_group = [gain[test.table["group"] == g].mean() for g in _panned.TEST]
    told = found["gains"]["cross_fade"]["psnr_db"]
    assert told == pytest.approx({"value": gain.mean(), "low": min(by_group), "high": max(by_group)}, rel=1e-6)

    sources = pd.read_csv(folder / "sources.csv")
    means = table.groupby(["source", "answer"])["flicker"].mean()
    found_means = sources.set_index(["source", "answer"])["flicker"]
    np.testing.assert_allclose(found_means, means.loc[found_means.index])
    frames = pd.read_parquet(folder / "frames.parquet")
    assert frames["frame_in_clip"].tolist() == [1, 2, 3, 4, 5] * 12
    assert frames["source_frame"].tolist()[:10] == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9]
    np.testing.assert_allclose(
        frames["mse"], np.square(moved - truth).mean(axis=(2, 3, 4)).ravel(), rtol=2e-3, atol=1e-7
    )
    curve = pd.read_csv(folder / "frame_curve.csv")
    assert curve[curve["answer"] == "dis_flow"]["frame_in_clip"].tolist() == [1, 2, 3, 4, 5]


def _slid(ends: np.ndarray, t: int) -> np.ndarray:
    """What a pan of a pixel a frame makes of the frames 0 and 6 at frame t, each edge repeated: (B, H, W, C)."""
    columns = np.arange(ends.shape[3])
    first = ends[:, 0][:, :, np.minimum(columns + t, columns[-1])]
    second = ends[:, 1][:, :, np.maximum(columns - (6 - t), 0)]
    return (1 - t / 6) * first + t / 6 * second


def _changes_missed(ends: np.ndarray, truth: np.ndarray, output: np.ndarray) -> np.ndarray:
    whole, answered = (np.concatenate([ends[:, :1], x, ends[:, 1:]], axis=1) for x in (truth, output))
    return np.abs(np.diff(answered, axis=1) - np.diff(whole, axis=1)).mean(axis=(1, 2, 3, 4))


def _grown(mask: np.ndarray) -> np.ndarray:
    import cv2

    return np.stack([cv2.dilate(m.astype(np.uint8), np.ones((3, 3))) > 0 for m in mask])


def test_the_examples_of_an_interpolator_hold_what_it_was_shown_and_one_clip_a_sequence(panned: Path) -> None:
    folder = panned / "data" / "evaluation" / "panned"
    table = pd.read_parquet(folder / "clips.parquet")
    model = table[table["answer"] == "model"].set_index("clip")
    test = ClipDataset(panned / "data/frames/streets", panned / "data/clips/streets", "test")
    with np.load(folder / "examples.npz", allow_pickle=False) as found:
        assert set(found.files) == {
            "role", "rank", "clip", "psnr_db", "input", "output", "shown", "answer_cross_fade", "answer_dis_flow",
        }  # fmt: skip
        lively = found["clip"][found["role"] == "sequence"]
        assert model.loc[lively, "source"].tolist() == sorted(model["source"].unique())
        most = model.groupby("source")["moving_fraction"].max().sort_index()
        np.testing.assert_array_equal(model.loc[lively, "moving_fraction"], most)
        row = test.table.set_index("clip").index.get_indexer(found["clip"])
        clip = test.clips(row)
        np.testing.assert_array_equal(found["shown"], clip[:, [0, 6]])
        np.testing.assert_array_equal(found["input"], clip[:, 1:6])
        middle = clip[:, [0, 6]].mean(axis=1)
        np.testing.assert_allclose(found["answer_cross_fade"][:, 2], middle, atol=0.51)
        error = np.square((found["answer_dis_flow"] - found["input"].astype(float)) / 255).mean(axis=(1, 2, 3, 4))
        dis = table[table["answer"] == "dis_flow"].set_index("clip").loc[found["clip"], "mse"]
        np.testing.assert_allclose(error, dis, rtol=0.05, atol=1e-5)


@pytest.mark.parametrize("name", ["first", "panned"])
def test_a_model_that_is_judged_again_scores_the_same(name: str, root: Path, panned: Path) -> None:
    place, dataset = (root, "blobs") if name == "first" else (panned, "streets")
    recipe = (
        _judged.settings(place).recipes[name]
        if name == "first"
        else _panned.settings(place, {name: _panned.RECIPE}).recipes[name]
    )
    folder = place / "data"
    model = modelio.load_run(folder / "runs" / name)

    def predict(shown_BNHWC: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model.predict(torch.from_numpy(shown_BNHWC)).numpy()

    places = {} if name == "first" else {"inputs": [0, 6], "outputs": [1, 2, 3, 4, 5]}
    frames, clips = folder / "frames" / dataset, folder / "clips" / dataset
    again = evaluate.judge_again(predict, model.kind, "w", recipe, frames, clips, **places)
    found = read_json(folder / "evaluation" / name / "metrics.json")
    assert again["primary"] == found["primary"]
    assert again["answers"]["model"] == found["answers"]["model"] | {"floats": None}
    assert (again["evaluation_sha256"], again["weights_sha256"]) == (found["evaluation_sha256"], "w")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("kind", "caption", "evaluate judges kind 'reconstruct' or 'interpolate' or 'classify' or 'regress'"),
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


def test_clips_that_are_filled_up_are_not_judged_as_footage(root: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(root / "data/clips/blobs/clips.parquet")
    table.loc[table.index[table["split"] == "test"][-1], "length"] = 5
    table.to_parquet(tmp_path / "clips.parquet", index=False)
    where = [root / "data" / folder for folder in ("frames/blobs", "runs/first")]
    with pytest.raises(ValueError, match="dataset blobs has clips of 5 to 8 frames, and tiny_autoencoder takes clips"):
        evaluate.run("first", _judged.settings(root).recipes["first"], where[0], tmp_path, where[1], tmp_path / "out")
    assert not (tmp_path / "out").exists()
