"""Stage `evaluate`: one recipe's model and the trivial answers on the same held-out clips, in the same tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tasks import baselines, files, metrics, modelio
from tasks.clips import ClipDataset
from tasks.params import Recipe
from tasks.scores import answer_rows, frame_curve, source_means, summarise, write_csv

Predict = Callable[[baselines.Clip], baselines.Output]

FIT_CLIPS = 1024  # training clips the baselines are fitted on, evenly spaced; all 2,448 of the actions add 0.01 dB
SHOWCASE = 6  # classes shown at most, the liveliest first
EXAMPLES = 3  # clips kept for each of worst, median and best
LINEAR = "patch_pca_chosen"  # the best linear answer with as many floats as the model


def run(name: str, recipe: Recipe, frames: Path, clips: Path, run: Path, out: Path) -> None:
    """Judge the model in the folder `run` on the test split; the folder `out` is written whole or not at all.

    Writes `metrics.json`, `clips.parquet`, `frames.parquet`, `sources.csv`, and for plots `answers.csv` and
    `frame_curve.csv`, and `examples.npz` (see `_examples`). Equal inputs give equal bytes.

    Raises:
        ValueError: no test or training clip, or a model of another kind, clip shape or data set than the recipe's.
    """
    card = modelio.description_of(run)
    test = ClipDataset(frames, clips, "test")
    train = ClipDataset(frames, clips, "train")
    model = _model(name, recipe, run, card, test.shape)
    batch_clips = recipe.evaluation.batch_clips
    fitted = baselines.fit(lambda: _fit_batches(train, batch_clips), int(card["latent_floats"]))
    answers: dict[str, tuple[int, Predict]] = {"model": (int(card["latent_floats"]), model)}
    answers |= {b.name: (b.floats, b.predict) for b in fitted}
    per_clip, per_frame = _judge(test, answers, batch_clips)
    with files.replacing_folder(out) as folder:
        per_clip.to_parquet(folder / "clips.parquet", index=False)
        _frames_of(per_frame["model"], test, frames).to_parquet(folder / "frames.parquet", index=False)
        write_csv(source_means(per_clip), folder / "sources.csv")
        write_csv(frame_curve(per_frame), folder / "frame_curve.csv")
        examples: dict[str, Any] = _examples(test, per_clip, model, answers[LINEAR][1])
        np.savez(folder / "examples.npz", **examples)
        identity = {
            "recipe": name,
            "architecture": card["architecture"],
            "variant": str(card["config"].get("variant", "")),
            "kind": card["kind"],
            "dataset": recipe.dataset,
            "latent_floats": int(card["latent_floats"]),
            "parameters": int(card["parameters"]),
            "evaluation_sha256": test.data_sha256,
            "weights_sha256": files.sha256_of(run / modelio.WEIGHTS),
        }
        result = identity | summarise(per_clip, recipe.evaluation)
        files.write_json(folder / "metrics.json", result)
        write_csv(pd.DataFrame(answer_rows(name, result["answers"])), folder / "answers.csv")


def judge_again(predict: Predict, weights_sha256: str, recipe: Recipe, frames: Path, clips: Path) -> dict[str, Any]:
    """The score of an earlier model on today's test split: what the registry's gate needs of a champion that was
    judged on other clips. `predict` raises ValueError for clips of a shape it does not take."""
    test = ClipDataset(frames, clips, "test")
    per_clip, _ = _judge(test, {"model": (0, predict)}, recipe.evaluation.batch_clips)
    identity = {"evaluation_sha256": test.data_sha256, "weights_sha256": weights_sha256}
    return identity | summarise(per_clip, recipe.evaluation)


def _model(name: str, recipe: Recipe, run: Path, card: dict[str, Any], shape: tuple[int, ...]) -> Predict:
    """The trained model as a function of arrays, after checking that it belongs to this recipe and these clips."""
    if card["kind"] != "reconstruct":
        raise ValueError(
            f"recipe {name}: {run} holds a model of kind {card['kind']!r}; evaluate judges kind 'reconstruct'"
        )
    if card["architecture"] != recipe.architecture:
        raise ValueError(f"recipe {name} is {recipe.architecture}, {run} holds {card['architecture']}; train it again")
    if card["dataset"] != recipe.dataset:
        raise ValueError(
            f"recipe {name} is on dataset {recipe.dataset}, {run} was trained on {card['dataset']}; train it again"
        )
    config = card["config"]
    trained = tuple(int(config[key]) for key in ("frames", "height_px", "width_px", "channels"))
    if trained != shape:
        raise ValueError(
            f"recipe {name}: {run} takes clips of (T, H, W, C) {trained}, the test clips are {shape}; train it again"
        )
    model = modelio.load_run(run)

    def predict(clip_BTHWC: baselines.Clip) -> baselines.Output:
        with torch.inference_mode():
            output: baselines.Output = model.predict(torch.from_numpy(clip_BTHWC)).cpu().numpy()
        if not np.isfinite(output).all():
            raise ValueError(f"recipe {name}: the model in {run} answers NaN or infinite values; train it again")
        return output

    return predict


def _fit_batches(train: ClipDataset, batch_clips: int) -> Iterator[baselines.Clip]:
    chosen = np.unique(np.linspace(0, len(train) - 1, min(FIT_CLIPS, len(train))).round().astype(np.int64))
    for start in range(0, len(chosen), batch_clips):
        yield train.clips(chosen[start : start + batch_clips])


def _judge(
    test: ClipDataset, answers: dict[str, tuple[int, Predict]], batch_clips: int
) -> tuple[pd.DataFrame, dict[str, NDArray[np.float64]]]:
    """One row a clip and answer, and every answer's squared error of each frame (clips, T)."""
    about = test.table[["clip", "source", "group", "label", "first_frame", "first_seconds"]].reset_index(drop=True)
    about["group"] = about["group"].astype(str)
    rows: list[pd.DataFrame] = []
    per_frame: dict[str, list[NDArray[np.float64]]] = {answer: [] for answer in answers}
    for start in range(0, len(test), batch_clips):
        numbers = np.arange(start, min(start + batch_clips, len(test)))
        clip = test.clips(numbers)
        moving = metrics.moving_mask(clip).mean(axis=(1, 2))
        for order, (answer, (floats, predict)) in enumerate(answers.items()):
            output = predict(clip)
            per_frame[answer].append(metrics.frame_mse(clip, output))
            here = about.iloc[numbers].assign(moving_fraction=moving, answer=answer, order=order, floats=floats)
            rows.append(here.assign(**metrics.measure(clip, output)))
    table = pd.concat(rows).sort_values(["order", "clip"], kind="stable").drop(columns="order").reset_index(drop=True)
    return table, {answer: np.concatenate(parts) for answer, parts in per_frame.items()}


def _frames_of(mse: NDArray[np.float64], test: ClipDataset, frames: Path) -> pd.DataFrame:
    """One row a test frame, with the number and time it has in its source."""
    t = test.shape[0]
    clip = test.table.loc[test.table.index.repeat(t)].reset_index(drop=True)
    table = clip[["source", "clip"]].assign(frame_in_clip=np.tile(np.arange(t), len(mse)))
    table["row"] = clip["first_row"] + table["frame_in_clip"] * clip["step"]
    index = pd.read_parquet(frames / "index.parquet", columns=["source", "row", "source_frame", "time_seconds"])
    table = table.merge(index, on=["source", "row"], how="left", validate="many_to_one").drop(columns="row")
    return table.assign(mse=mse.reshape(-1), psnr_db=metrics.psnr_db(mse).reshape(-1))


def _examples(test: ClipDataset, per_clip: pd.DataFrame, model: Predict, linear: Predict) -> dict[str, NDArray[Any]]:
    """The clips to look at, by the model's PSNR, and one of each class that no model had a say in.

    Returns:
        `role` (worst, median, best, showcase: the class's clip with most moving pixels), `rank` (0 first), `clip`,
        `psnr_db`, and uint8 (N, T, H, W, C) `input`, `output`, `linear` (the best linear answer's).
    """
    scores = per_clip[per_clip["answer"] == "model"].reset_index(drop=True)
    by_psnr = scores.sort_values(["psnr_db", "clip"]).index.to_numpy()
    few = min(EXAMPLES, len(by_psnr))
    middle = (len(by_psnr) - few) // 2
    chosen = {"worst": by_psnr[:few], "median": by_psnr[middle : middle + few], "best": by_psnr[::-1][:few]}
    lively = scores.sort_values(["moving_fraction", "clip"], ascending=[False, True]).drop_duplicates("label")
    chosen["showcase"] = lively.index.to_numpy()[:SHOWCASE]
    role = np.array([r for r, numbers in chosen.items() for _ in numbers])
    rank = np.array([i for numbers in chosen.values() for i in range(len(numbers))])
    numbers = np.concatenate(list(chosen.values()))
    clip = test.clips(numbers)

    def pictures(predict: Predict) -> NDArray[np.uint8]:
        answers = [predict(clip[i : i + 1]) for i in range(len(clip))]
        whole: NDArray[np.uint8] = np.rint(np.concatenate(answers).clip(0, 1) * 255).astype(np.uint8)
        return whole

    about = {
        "role": role,
        "rank": rank,
        "clip": scores["clip"].to_numpy()[numbers],
        "psnr_db": scores["psnr_db"].to_numpy()[numbers],
    }
    return about | {"input": clip, "output": pictures(model), "linear": pictures(linear)}
