"""The folder of an evaluation of as many films as one likes, of kind ``regress``, without footage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks import regression
from tasks.baselines import FilmAnswer
from tasks.evaluate.rating_tables import Judgement, figures
from tasks.files import write_json
from tasks.params import Evaluation
from tasks.scores import write_csv

CLIPS, T, H, W = 3, 6, 36, 64
SETTINGS = Evaluation(bootstrap_samples=500)
LONG = "A Very Long Title of a Film That Goes On and On, Part Two: The Return of the Endless Subtitle & <i>Friends</i>"


@dataclass(frozen=True)
class Clips:
    """What of a `ClipDataset` the tables read."""

    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)


def title(number: int) -> str:
    return LONG if number == 0 else f"Film {number:03d}"


def judged(films: int, sees: float, noise: float = 0.3) -> tuple[pd.DataFrame, Judgement]:
    """Ratings about 7 and a model that answers `sees` of their distance from 7, give or take `noise`."""
    rng = np.random.default_rng(0)
    score = np.clip(np.round(rng.normal(7.0, 1.2, films), 1), 0, 10)
    table = pd.DataFrame({"film": np.repeat([title(n) for n in range(films)], CLIPS), "score": np.repeat(score, CLIPS)})
    table = table.assign(source=[f"trailers/{n // CLIPS:03d}.mp4" for n in range(len(table))])
    table = table.assign(clip=range(len(table)), group=table["film"], span=np.tile(range(CLIPS), films))
    table = table.assign(first_frame=0, first_seconds=np.tile([10.0, 40.0, 70.0], films), length=T - 2)
    predicted = 7.0 + sees * (table["score"].to_numpy() - 7.0) + rng.normal(0.0, noise, len(table))
    mean = FilmAnswer("training_mean", 0, np.full(films, 6.9))
    ordered = score[np.argsort([title(n) for n in range(films)])]
    others = [mean, FilmAnswer("frames_ridge", 192, 0.3 * ordered + 4.9), FilmAnswer("pace_ridge", 3, ordered + 1.0)]
    return table, Judgement(Clips(table), predicted, others)  # type: ignore[arg-type]


def evaluation(folder: Path, films: int, sees: float, *, twin: bool = True, thumbnails: int = 200) -> dict[str, Any]:
    """Write it, as `evaluate` leaves it; returns its metrics.json."""
    table, found = judged(films, sees)
    of_films, of_clips = found.film_table(), found.clip_table()
    folder.mkdir(parents=True)
    of_films.to_parquet(folder / "films.parquet", index=False)
    of_clips.to_parquet(folder / "clips.parquet", index=False)
    write_csv(found.source_table(), folder / "sources.csv")
    model = of_films[of_films["answer"] == "model"]
    np.savez(folder / "examples.npz", **_examples(model, thumbnails))
    result = found.summary(SETTINGS)
    honest = figures(of_clips, SETTINGS) | {"subclips": len(table), "films": films}
    nearer = of_clips["score"] + 0.3 * (of_clips["predicted"] - of_clips["score"])
    claimed = figures(of_clips, SETTINGS, nearer.to_numpy()) | {"subclips": films, "films": films}
    result |= {
        "signal": found.signal(SETTINGS),
        "by_subclip": claimed | {"honest": honest} if twin else None,
        "conformal": regression.conformal(model["error"].to_numpy()),
        "ratings": {"lowest": 0.0, "highest": 10.0},
        "warnings": [],
    }
    identity = {
        "recipe": folder.name, "architecture": "lrcn", "variant": "default", "kind": "regress", "dataset": "trailers",
        "inputs": list(range(T)), "outputs": [], "latent_floats": None, "parameters": 1_234_567,
        "evaluation_sha256": f"e{films}", "weights_sha256": "w",
    }  # fmt: skip
    write_json(folder / "metrics.json", identity | result)
    return identity | result


def _examples(model: pd.DataFrame, thumbnails: int) -> dict[str, Any]:
    ranked = model.assign(wrong=-model["error"].abs()).sort_values("wrong", kind="stable")
    right = min(2, len(ranked) // 2)
    wrong = min(6, len(ranked) - right)
    chosen = pd.concat([ranked.head(wrong), ranked.tail(right)])
    rng, named = np.random.default_rng(1), sorted(ranked["film"].head(thumbnails))
    frames = np.kron(rng.integers(40, 220, (len(chosen), T, 3, 4, 3)), np.ones((1, 1, H // 3, W // 4, 1)))
    frames[:, T - 2 :] = 0
    small = np.kron(rng.integers(40, 220, (len(named), 3, 4, 3)), np.ones((1, H // 3, W // 4, 1)))
    return {
        "role": np.array(["wrong"] * wrong + ["right"] * right, np.str_),
        "film": chosen["film"].to_numpy(np.str_),
        "source": chosen["source"].to_numpy(np.str_),
        "score": chosen["score"].to_numpy(np.float64),
        "predicted": chosen["predicted"].to_numpy(np.float64),
        "frames": frames.astype(np.uint8),
        "length": np.full(len(chosen), T - 2),
        "thumbnail_film": np.array(named, np.str_),
        "thumbnail": small.astype(np.uint8),
    }
