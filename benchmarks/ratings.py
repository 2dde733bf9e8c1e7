"""`make ratings`: built-in trailers of another seed than params.yaml's, judged against the formula of their ratings.

Nothing was ever chosen on these films. Trains lrcn's default as params.yaml says, and the article's network (Adam 3e-4,
batches of 10, MSE; a quarter of the steps, which take it longer) on the same clips, and says of every answer what share
of the explainable variance of the held-out films it recovers; `evaluate` cannot know that:

    explained = 1 - mean (predicted - signal)^2 / mean (signal - its mean)^2        signal: the rating without its noise

`pace_products` is what a ridge on the three measured numbers, their squares and products makes of them: it is handed
what the formula is made of, over all frames, and is the ceiling rather than a baseline.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks import assemble, cpu, evaluate, params, render, sample, subclips, train
from tasks.__main__ import workers
from tasks.metrics import INTERVAL_QUANTILES, draws

RECIPE = "lrcn"
ARTICLE = {
    "config": {"variant": "article", "loss": "mse"},
    "training": {
        "optimizer": {"name": "adam", "learning_rate": 3e-4},
        "steps": 300,
        "batch_clips": 10,
        "decay": "constant",
        "threads": 2,
    },
}
SHARED = ("seed", "log_every_steps", "checkpoint_every_steps", "sample_every_steps")
PACE = ["cuts_per_minute", "brightness", "motion"]


def explained(predicted: NDArray[np.float64], signal: NDArray[np.float64]) -> tuple[float, float, float]:
    """The share of the held-out films' signal that an answer explains, and its 95% bootstrap interval over films."""
    error = np.square(predicted - signal)

    def share(i: NDArray[np.int64]) -> float:
        return float(1.0 - error[i].mean() / signal[i].var())

    low, high = np.quantile([share(i) for i in draws(len(signal), 2000, 0)], INTERVAL_QUANTILES)
    return share(np.arange(len(signal))), float(low), float(high)


def tell(name: str, answer: str, films: pd.DataFrame, truth: pd.Series) -> None:
    """A line: the answer's MSE against the ratings, and what it explains of the signal."""
    value, low, high = explained(films["predicted"].to_numpy(), films["film"].map(truth).to_numpy())
    mse = np.square(films["predicted"] - films["score"]).mean()
    share = f"{100 * value:5.1f}% ({100 * low:.1f} to {100 * high:.1f})"
    print(f"  {name:8} {answer:14} MSE {mse:.3f}   explained {share}   {len(films)} films", flush=True)


def products(clips: Path) -> pd.DataFrame:
    """Held-out films as a ridge on pace, its squares and products predicts them."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    about = pd.read_parquet(clips / "clips.parquet").drop_duplicates("source")[["source", "film", "split", "score"]]
    pace = pd.read_csv(clips / "pace.csv").groupby("source")[PACE].mean().reset_index().merge(about)
    model = make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False), RidgeCV(np.logspace(-3, 3, 13)))
    learned, held_out = pace[pace["split"] != "test"], pace[pace["split"] == "test"]
    return held_out.assign(predicted=model.fit(learned[PACE], learned["score"]).predict(held_out[PACE]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratings", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the footage; params.yaml's is 0")
    out = Path("data/state") / f"ratings-{(seed := parser.parse_args().seed)}"
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{(out / 'mlflow.db').absolute()}")
    cpu.keep_freed_memory()
    p = params.load(Path("params.yaml"))
    recipe = p.recipe(RECIPE)
    footage, cuts, frames, clips = (out / name for name in ("footage", "cuts", "frames", "clips"))
    dataset = p.dataset(recipe.dataset)
    assert dataset.ratings is not None
    table = dataset.ratings.model_copy(update={"file": str(footage / "ratings.csv")})
    dataset = dataset.model_copy(update={"footage": str(footage), "ratings": table})
    render.run(p.rendering(recipe.dataset).model_copy(update={"seed": seed}), footage, workers())
    subclips.run(dataset, footage, cuts, workers())
    sample.run(dataset, footage, cuts, frames, workers())
    assemble.run(dataset, frames, clips)
    truth = pd.read_csv(footage / "truth.csv").set_index("title")["signal"]
    tell("", "pace_products", products(clips), truth)
    training = recipe.training.model_dump(include=set(SHARED)) | ARTICLE["training"]
    changed = {"config": ARTICLE["config"], "training": training}
    article = params.Recipe.model_validate({"dataset": recipe.dataset, "architecture": "lrcn"} | changed)
    for name, one in (("default", recipe), ("article", article)):
        run, judged = out / f"run-{name}", out / f"evaluation-{name}"
        train.run(f"lrcn_{name}", one, frames, clips, run, out / f"{name}.json", out / f"state-{name}")
        evaluate.run(f"lrcn_{name}", one, frames, clips, run, judged)
        for answer, films in pd.read_parquet(judged / "films.parquet").groupby("answer", sort=False):
            tell(name, str(answer), films, truth)


if __name__ == "__main__":
    main()
