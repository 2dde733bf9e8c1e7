"""`make ratings`: the built-in trailers, judged against the formula of their ratings, which `evaluate` does not know.

Trains lrcn's default as params.yaml says, and the article's network by the article's settings on the same clips, and
says for every answer what share of the explainable variance of the held-out films it recovers:

    explained = 1 - mean (predicted - signal)^2 / mean (signal - its mean)^2        signal: the rating without its noise
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks import cpu, evaluate, params, train
from tasks.metrics import INTERVAL_QUANTILES, draws

RECIPE = "lrcn"
ARTICLE = {
    "config": {"variant": "article", "loss": "mse"},
    "training": {
        "optimizer": {"name": "adam", "learning_rate": 3e-4},
        "batch_clips": 10,
        "decay": "constant",
        "threads": 2,
    },
}
SHARED = ("seed", "steps", "log_every_steps", "checkpoint_every_steps", "sample_every_steps")


def explained(films: pd.DataFrame, truth: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """The share that every answer explains of the held-out films' signal, and its 95% bootstrap interval over films."""
    signal = films["film"].map(truth.set_index("title")["signal"])
    shares = {}
    for answer, rows in films.groupby("answer", sort=False):
        wanted: NDArray[np.float64] = signal[rows.index].to_numpy()
        error = np.square(rows["predicted"].to_numpy() - wanted)

        def share(
            i: NDArray[np.int64], error: NDArray[np.float64] = error, wanted: NDArray[np.float64] = wanted
        ) -> float:
            return float(1.0 - error[i].mean() / wanted[i].var())

        drawn = [share(i) for i in draws(len(rows), 2000, 0)]
        low, high = np.quantile(drawn, INTERVAL_QUANTILES)
        shares[str(answer)] = share(np.arange(len(rows))), float(low), float(high)
    return shares


def report(name: str, evaluation: Path, truth: pd.DataFrame) -> None:
    films = pd.read_parquet(evaluation / "films.parquet")
    for answer, (value, low, high) in explained(films, truth).items():
        mse = np.square(films[films["answer"] == answer]["error"]).mean()
        span = f"{100 * low:.1f} to {100 * high:.1f}"
        print(f"  {name:8} {answer:14} MSE {mse:.3f}   explained {100 * value:5.1f}% ({span})")


def main() -> None:
    subprocess.run([sys.executable, "-m", "dvc", "repro", f"evaluate@{RECIPE}"], check=True)
    cpu.keep_freed_memory()
    p = params.load(Path("params.yaml"))
    recipe = p.recipe(RECIPE)
    dataset = p.dataset(recipe.dataset)
    footage, data, out = Path(dataset.footage), Path("data"), Path("data/state/article")
    truth = pd.read_csv(footage / "truth.csv")
    report("default", data / "evaluation" / RECIPE, truth)
    training = recipe.training.model_dump(include=set(SHARED)) | ARTICLE["training"]
    article = params.Recipe.model_validate(
        {"dataset": recipe.dataset, "architecture": "lrcn", "config": ARTICLE["config"], "training": training}
    )
    frames, clips = data / "frames" / recipe.dataset, data / "clips" / recipe.dataset
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{(out / 'mlflow.db').absolute()}")
    out.mkdir(parents=True, exist_ok=True)
    train.run("lrcn_article", article, dataset, frames, clips, out / "run", out / "timing.json", out / "state")
    evaluate.run("lrcn_article", article, frames, clips, out / "run", out / "evaluation")
    report("article", out / "evaluation", truth)


if __name__ == "__main__":
    main()
