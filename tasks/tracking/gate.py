"""May a version take the champion's place? The rules, without effects; `promotion` acts on what they say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.metrics import FEWEST_GROUPS, Interval
from tasks.params import Promotion
from tasks.tracking.judged import Score, judged_on, score_on

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from tasks.tracking.history import Entry


@dataclass(frozen=True)
class Decision:
    """What the gate said, and what came of it.

    Attributes:
        promoted: the alias moved in this call.
        champion_version: the champion after it.
        rejudge: the champion, or the version, was not judged on the other's evaluation data.
        gain, gain_low, gain_high: how much better than the champion, in the unit of the metric, positive is better;
            the 95% interval is paired over groups, None where it cannot be made.
    """

    promoted: bool
    reason: str
    version: str
    champion_version: str | None
    metric: str
    value: float
    champion_value: float | None = None
    rejudge: bool = False
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None

    def figures(self) -> dict[str, Any]:
        """For the record."""
        names = ("metric", "value", "champion_value", "gain", "gain_low", "gain_high")
        known = {name: getattr(self, name) for name in names}
        return {k: v for k, v in known.items() if v is not None and not (isinstance(v, float) and math.isnan(v))}


def decide(
    client: MlflowClient,
    challenger: ModelVersion,
    champion: ModelVersion | None,
    rules: Promotion,
    rolled_back: Mapping[str, Entry],
) -> Decision:
    """The gate. It reads scores, nothing else.

    Args:
        rolled_back: versions that were champion and were rolled back, with when and why.
    """
    number, held = str(challenger.version), None if champion is None else str(champion.version)
    data = _common_data(challenger, champion)
    score = score_on(client, challenger, data or challenger.tags["rushes.evaluation_sha256"])
    assert score is not None
    no = Decision(False, "", number, held, score.metric, score.value)
    if held == number:
        gated = challenger.tags.get("rushes.promoted") == "true"  # else it was made champion by other means
        return replace(no, reason=challenger.tags["rushes.promotion"] if gated else f"version {number} is the champion")
    if (reason := _unfit(challenger, score)) is not None:
        return replace(no, reason=reason)
    if number in rolled_back:
        back = rolled_back[number]
        reason = (
            f"version {number} was rolled back on {back.at} by {back.by} and is promoted again by hand only: rushes"
            f" promote {challenger.name.removeprefix('rushes-')} {number} --anyway"
        )
        return replace(no, reason=reason)
    if champion is None:
        reason = f"version {number} is the first champion: {score.metric} {score.value:.4f}, export verified"
        return replace(no, promoted=True, champion_version=number, reason=reason)
    old = None if data is None else score_on(client, champion, data)
    if old is None or old.metric != score.metric:
        return _not_comparable(no, challenger, champion, score)
    return _compared(no, score, old, rules)


def _common_data(challenger: ModelVersion, champion: ModelVersion | None) -> str | None:
    """The evaluation data that both were judged on: the challenger's latest if it can be, else the champion's."""
    theirs = judged_on(challenger)
    if champion is None:
        return theirs[0]
    both = [data for data in [*theirs[:1], *judged_on(champion)] if data in theirs and data in judged_on(champion)]
    return both[0] if both else None


def _unfit(version: ModelVersion, score: Score) -> str | None:
    """Why it cannot be champion whoever else is; None if it can."""
    number, metric = version.version, score.metric
    if not math.isfinite(score.value):
        return f"version {number} has no finite {metric} ({score.value})"
    enough = score.groups is None or len(score.groups) >= FEWEST_GROUPS
    if enough and not (math.isfinite(score.low) and math.isfinite(score.high)):
        return (
            f"version {number} has {metric} {score.value:.4f} without a finite interval ({score.low} to {score.high})"
        )
    if version.tags.get("rushes.export_verified") != "true":
        return f"version {number} has {metric} {score.value:.4f}, but its export was not verified against its weights"
    return None


def _not_comparable(no: Decision, challenger: ModelVersion, champion: ModelVersion, score: Score) -> Decision:
    metric, value = champion.tags["rushes.metric"], float(champion.tags["rushes.value"])
    both = (
        f"version {no.version} with {score.metric} {score.value:.4f} and champion version {champion.version} with"
        f" {metric} {value:.4f} were"
    )
    if metric != score.metric:
        return replace(no, champion_value=value, reason=f"{both} not judged by the same metric")
    one, other = (v.tags["rushes.evaluation_sha256"] for v in (challenger, champion))
    reason = (
        f"{both} judged on different evaluation data ({one[:12]} and {other[:12]}): rushes promote judges both on"
        " today's clips if both take the same ones; else it is for a person to decide (--anyway)"
    )
    return replace(no, reason=reason, champion_value=value, rejudge=True)


def _compared(no: Decision, score: Score, old: Score, rules: Promotion) -> Decision:
    gain, interval = score.gain_over(old), score.interval_over(old)
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    told = replace(no, champion_value=old.value, gain=gain, gain_low=low, gain_high=high)
    shown = f"gain {gain:+.4f}{_of_groups(interval, score)}"
    about = f"on evaluation data {score.data[:12]}: {shown}"
    challenging = f"version {no.version} with {score.metric} {score.value:.4f}"
    holding = f"champion version {no.champion_version} with {old.value:.4f}"
    if not gain > rules.least_gain:  # also where the champion's is NaN: that is for a person to settle
        least = f", not more than promotion.least_gain {rules.least_gain:g}" if gain > 0 else ""
        return replace(told, reason=f"{challenging} is not better than {holding} {about}{least}")
    if rules.certain and (low is None or not low > rules.least_gain):
        why = "no interval of the gain over groups can be made" if low is None else "the interval does not lie above"
        least = "" if low is None else f" promotion.least_gain {rules.least_gain:g} as a whole"
        reason = f"{challenging} is not certain to be better than {holding} {about}; {why}{least} (promotion.certain)"
        return replace(told, reason=reason)
    reason = f"{challenging} is better than {holding} {about}"
    return replace(told, promoted=True, champion_version=no.version, reason=reason)


def _of_groups(interval: Interval | None, score: Score) -> str:
    if interval is None or score.groups is None:
        return ""
    return f" ({interval.low:+.4f} to {interval.high:+.4f}, 95% over {len(score.groups)} groups)"
