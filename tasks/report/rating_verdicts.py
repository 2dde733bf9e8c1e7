"""What the figures say of a model that rates, in sentences: whether there is a signal at all, what a split by subclip
would have claimed, and whether its answers shrink to the mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import metrics, regression
from tasks.report.kinds import R2, RATING, RATING_MSE
from tasks.report.verdicts import Outcome, gain_told, outcome, undecided

if TYPE_CHECKING:
    from tasks.params import Evaluation

QUESTION = "Is there a signal?"
FEWEST_FILMS = 3  # below, a slope says nothing
NEARLY_ALL = 0.995  # of the variance; what rounds to all of it is not all of it
LEAST_SPREAD = 1e-12  # of a draw's ratings, summed squares; less is one film drawn again and again
NO_TWIN = "no twin was trained (training.subclip_split_twin)"


def signal(result: dict[str, Any]) -> tuple[Outcome, str]:
    """Whether the model rates unseen films better than the training mean does. `result` is an evaluation's
    metrics.json."""
    found, groups, name = result["signal"], len(result["groups"]), result["recipe"]
    gain = found["gain"]
    state = outcome(gain, groups)
    told, by = gain_told(gain, RATING_MSE, groups), RATING_MSE.gap(abs(gain["value"]))
    told = f"{told}; sign-flip test p = {found['p']:.2g}"
    if found["found"]:
        said = f"Yes: the MSE of {name} is {by} below that of the training mean ({told})."
        return "better", f"{said} {_explained(result)}"
    mean = "telling every film the mean rating of the training films would"
    if not found["enough"]:
        few = f"{groups} group{'s' * (groups != 1)} of them {'was' if groups == 1 else 'were'} judged"
        few = f"{few}, at least {regression.FEWEST_TO_TELL} are needed: {RATING_MSE.gap(gain['value'], sign=True)}"
        said = f"Too few films to tell whether {name} rates unseen films better than {mean}: {few} ({told})."
        return "open", f"{said} {_explained(result)}"
    if state == "worse":
        said = f"No signal: {name} rates unseen films worse than {mean}, by {by} of MSE ({told})."
    else:
        why = undecided(gain, RATING_MSE, groups)
        if state == "better":
            why = f"{RATING_MSE.gap(gain['value'], sign=True)}, which chance alone brings about too often"
        said = f"No signal: {name} is not shown to rate unseen films better than {mean}: {why} ({told})."
    return "worse", f"{said} {_explained(result)}"


def _explained(result: dict[str, Any]) -> str:
    """R², and what it means here."""
    share = result["answers"]["model"][R2.key]["value"]
    if share is None:
        return "There is no R²: the ratings of these films are all equal."
    if share <= 0:
        return f"R² is {R2.number(share)}: the mean of these very films would score better, or as well."
    told = f"{share:.0%}" if share < NEARLY_ALL else "more than 99%"
    return f"R² is {R2.number(share)}: {told} of the variance of these films' ratings is explained."


def claim(result: dict[str, Any], twin_asked: bool) -> str:
    """The honest score, and beside it what a split by subclip would have claimed.

    Args:
        twin_asked: whether the training was told to make the twin that the claim comes from.
    """
    by_film, by_subclip = result["answers"]["model"][RATING_MSE.key], result["by_subclip"]
    honest = f"By film: MSE {RATING_MSE.told(by_film['value'])}."
    if by_subclip is None:
        why = "no film has two subclips to be divided" if twin_asked else NO_TWIN
        return f"{honest} What a split by subclip would have claimed is not known: {why}."
    claimed, own = by_subclip[RATING_MSE.key], by_subclip["honest"][RATING_MSE.key]
    said = f"{honest} A split by subclip would have claimed {RATING_MSE.told(claimed['value'])}"
    if min(by_subclip["films"], len(result["groups"])) >= regression.FEWEST_TO_TELL:
        if claimed["high"] < own["low"]:
            return f"{said}: other subclips of the same films are then trained on, and knowing the film is enough."
        if claimed["low"] > own["high"]:
            return f"{said}: here it would not have flattered."
        spans = f"{RATING_MSE.span(claimed)}, by film and subclip by subclip {RATING_MSE.span(own)}"
        why = f"the 95% intervals overlap ({spans})"
    else:
        why = "there are too few films"
    return f"{said}; that it would have flattered is not shown: {why}."


def slope(score: Any, predicted: Any, groups: Sequence[str], settings: Evaluation) -> dict[str, float] | None:
    """How far the predicted rating moves as the true one moves by a point: the slope of the least squares line, and
    its 95% interval over draws of whole groups. None where too few films or groups, or only one rating, are there."""
    x, y = np.asarray(score, np.float64), np.asarray(predicted, np.float64)
    if len(x) < FEWEST_FILMS or len(set(groups)) < metrics.FEWEST_GROUPS or np.ptp(x) == 0:
        return None

    def of(drawn: NDArray[np.int64]) -> float:
        apart = x[drawn] - x[drawn].mean()
        spread = float(apart @ apart)
        return float(apart @ y[drawn]) / spread if spread > LEAST_SPREAD else math.nan

    drawn = {"samples": settings.bootstrap_samples, "seed": settings.bootstrap_seed}
    found = regression.bootstrap_statistic(of, groups, **drawn)
    if found.value is None or found.low is None or found.high is None:
        return None
    return {"value": found.value, "low": found.low, "high": found.high}


def shrinkage(found: dict[str, float] | None) -> str:
    """Whether high ratings are told too low and low ones too high. `found` is what `slope` returns."""
    if found is None:
        return "Too few films, or ratings too much alike, to say whether the answers shrink to the mean."
    by = RATING.told(found["value"])
    told = f"(95% interval {RATING.span(found)})"
    if found["high"] < 1:
        return (
            f"It shrinks to the mean: where the true rating rises by 1 point the answer rises by {by} {told}; high"
            " ratings are told too low and low ones too high."
            if found["low"] > 0
            else f"It all but tells the mean: where the true rating rises by 1 point the answer moves by {by} {told}."
        )
    if found["low"] > 1:
        return f"It exaggerates: where the true rating rises by 1 point the answer rises by {by} {told}."
    return f"Not shown to shrink to the mean: where the true rating rises by 1 point the answer moves by {by} {told}."
