"""The tables of evaluations: of frames the means with intervals, gains, sources and the curve within a clip; of every
kind the answers as rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import classification, files, metrics, regression
from tasks.paired import by_group
from tasks.params import Evaluation

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTOR_SVM = "descriptor_svm"
OF_THE_MODEL = ("model", DESCRIPTOR_SVM)  # answers that are no baseline
HIGHER_IS_BETTER = ("psnr_db", "ssim", "psnr_moving_db", "psnr_still_db")


def summarise(per_clip: pd.DataFrame, settings: Evaluation) -> dict[str, Any]:
    """The tables of `metrics.json`: per answer a mean and interval for every metric, and the model's paired gains.

    Args:
        per_clip: one row a clip and answer, as in `clips.parquet`; the answers hold the same clips in the same order.
    """
    names = list(dict.fromkeys(per_clip["answer"]))
    parts = {answer: per_clip[per_clip["answer"] == answer] for answer in names}
    groups = list(parts["model"]["group"])

    def interval(values: Any) -> dict[str, float | None]:
        drawn = metrics.bootstrap(values, groups, samples=settings.bootstrap_samples, seed=settings.bootstrap_seed)
        return drawn.as_dict()

    gains = {}
    for answer in names[1:]:
        assert list(parts[answer]["clip"]) == list(parts["model"]["clip"])
        paired = {m: parts["model"][m].to_numpy() - parts[answer][m].to_numpy() for m in HIGHER_IS_BETTER}
        gains[answer] = {m: interval(values) for m, values in paired.items()}
    answers: dict[str, dict[str, Any]] = {
        answer: {"floats": _floats(part)} | {m: interval(part[m]) for m in metrics.METRICS}
        for answer, part in parts.items()
    }
    return {
        "clips": len(parts["model"]),
        "groups": sorted(set(groups)),
        "moving_fraction": float(parts["model"]["moving_fraction"].mean()),
        "intervals": intervals_about("clips", groups, settings),
        "primary": {"metric": "psnr_db", "higher_is_better": True, **answers["model"]["psnr_db"]},
        "primary_by_group": by_group(parts["model"]["psnr_db"], groups),
        "answers": answers,
        "gains": gains,
    }


def intervals_about(what: str, groups: Sequence[str], settings: Evaluation, *, shares: bool = False) -> dict[str, Any]:
    """How the intervals were made, and what must be said beside them."""
    unanimous = "; where all are right, or all wrong, the exact binomial limit for as many groups" if shares else ""
    return {
        "method": f"95% percentile bootstrap over groups, all {what} of a drawn group{unanimous}",
        "samples": settings.bootstrap_samples,
        "seed": settings.bootstrap_seed,
        "note": metrics.interval_note(groups),
    }


def _floats(part: pd.DataFrame) -> int | None:
    """What an answer was told about a clip; None where nothing is compressed."""
    floats = part["floats"].dropna()
    return int(floats.iloc[0]) if len(floats) else None


def source_means(per_clip: pd.DataFrame) -> pd.DataFrame:
    """Mean of every metric over a source's clips, the model's worst source first."""
    keys = ["source", "group", "label", "answer"]
    means = {m: (m, "mean") for m in metrics.METRICS}
    table = per_clip.groupby(keys, as_index=False, sort=True).agg(clips=("clip", "size"), **means)
    of_model = table[table["answer"] == "model"].set_index("source")["psnr_db"]
    ranked = table.assign(rank=table["source"].map(of_model)).sort_values(["rank", *keys], kind="stable")
    return ranked.drop(columns="rank")


def frame_curve(per_frame: dict[str, NDArray[np.float64]], places: Sequence[int]) -> pd.DataFrame:
    """Per answer and answered place in the clip: mean error over clips, and the middle half of the clips' PSNR.

    Args:
        per_frame: mean squared error of every answered frame, (clips, M), of every answer.
        places: where in the clip the M frames stand.
    """
    import pandas as pd

    parts = []
    for answer, mse in per_frame.items():
        psnr = metrics.psnr_db(mse)
        low, high = np.quantile(psnr, (0.25, 0.75), axis=0)
        scores = {"mse": mse.mean(axis=0), "psnr_db": psnr.mean(axis=0)}
        scores |= {"psnr_db_quarter": low, "psnr_db_three_quarters": high}
        parts.append(pd.DataFrame({"answer": answer, "frame_in_clip": list(places), **scores}))
    return pd.concat(parts)


def answer_rows(recipe: str, answers: dict[str, Any]) -> list[dict[str, Any]]:
    """`answers` of metrics.json, of any kind, as one flat row each, for plots: the kind's metrics; `floats` is None
    where nothing is compressed."""
    rows, known = [], dict.fromkeys([*metrics.METRICS, *classification.METRICS, *regression.METRICS])
    for answer, scores in answers.items():
        row: dict[str, Any] = {"recipe": recipe, "answer": answer, "floats": scores["floats"]}
        for metric in (m for m in known if m in scores):
            score = scores[metric]
            row |= {metric: score["value"], f"{metric}_low": score["low"], f"{metric}_high": score["high"]}
        rows.append(row)
    return rows


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Floats so that they read back exactly, LF line ends, atomically."""
    with files.replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
