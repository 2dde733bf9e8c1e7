"""The clips of an evaluation that the report shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.baselines import Answer
from tasks.evaluate.judging import Trial

EXAMPLES = 3  # clips kept for each of worst, median and best
SHOWCASE = 6  # classes shown at most, the liveliest first
SEQUENCES = 12  # sequences shown at most, in the order of their names


def examples(trial: Trial, per_clip: pd.DataFrame, kind: str, model: Answer, beside: list[Answer]) -> dict[str, Any]:
    """The clips to look at, by the model's PSNR, and some that no model had a say in.

    Returns:
        `role`: worst, median, best; showcase: a class's clip with most moving pixels; for interpolate also sequence:
        the same for a source. `rank` (0 first), `clip`, `psnr_db`; and uint8 (N, M, H, W, C) `input` (the truth),
        `output` (the model's) and `answer_<name>` of every answer in `beside`; for interpolate also `shown`, what
        all were given, (N, inputs, H, W, C).
    """
    scores = per_clip[per_clip["answer"] == model.name].reset_index(drop=True)
    chosen = _choose(scores, kind)
    numbers = np.concatenate(list(chosen.values()))
    clip = trial.test.clips(numbers)
    shown = trial.shown(clip)

    def pictures(answer: Answer) -> NDArray[np.uint8]:
        answers = [answer.predict(shown[i : i + 1]) for i in range(len(shown))]
        whole: NDArray[np.uint8] = np.rint(np.concatenate(answers).clip(0, 1) * 255).astype(np.uint8)
        return whole

    found: dict[str, Any] = {
        "role": np.array([role for role, of_role in chosen.items() for _ in of_role]),
        "rank": np.array([rank for of_role in chosen.values() for rank in range(len(of_role))]),
        "clip": scores["clip"].to_numpy()[numbers],
        "psnr_db": scores["psnr_db"].to_numpy()[numbers],
        "input": trial.truth(clip),
        "output": pictures(model),
    }
    if kind != "reconstruct":
        found["shown"] = shown
    return found | {f"answer_{answer.name}": pictures(answer) for answer in beside}


def _choose(scores: pd.DataFrame, kind: str) -> dict[str, NDArray[np.int64]]:
    """Row numbers of `scores`, one row a clip, for each role."""
    by_psnr = scores.sort_values(["psnr_db", "clip"]).index.to_numpy()
    few = min(EXAMPLES, len(by_psnr))
    middle = (len(by_psnr) - few) // 2
    chosen = {"worst": by_psnr[:few], "median": by_psnr[middle : middle + few], "best": by_psnr[::-1][:few]}
    lively = scores.sort_values(["moving_fraction", "clip"], ascending=[False, True])
    chosen["showcase"] = lively.drop_duplicates("label").index.to_numpy()[:SHOWCASE]
    if kind == "interpolate":
        chosen["sequence"] = lively.drop_duplicates("source").sort_values("source").index.to_numpy()[:SEQUENCES]
    return chosen
