"""Who is champion: the gate between a version and the present champion, and the words it leaves on both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.tracking.store import connected, tracking_uri
from tasks.tracking.versions import CHAMPION, PREFIX, aliased, version_numbered

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class Decision:
    """What the gate said.

    `promoted`: the alias moved in this call. `rejudge`: the champion's score is on other evaluation data.
    """

    promoted: bool
    reason: str
    version: str
    champion_version: str | None
    metric: str
    value: float
    champion_value: float | None = None
    rejudge: bool = False


def promote(name: str, version: str, champion_metrics: Mapping[str, Any] | None = None) -> Decision:
    """Make `version` the champion if its primary metric beats the present champion's on the same evaluation data.

    The first version needs a finite score only. Both versions get a tag that says why, in words and figures. The alias
    moves last; of two calls at once the later wins.

    Args:
        champion_metrics: `metrics.json` of the champion judged again, on the evaluation data of `version`.

    Raises:
        ValueError: no such model or version, or `champion_metrics` is of other data or other weights.
    """
    full = PREFIX + name
    with connected(tracking_uri()) as client:
        challenger = version_numbered(client, full, version)
        champion = aliased(client, full).get(CHAMPION)
        decision = _decide(challenger, champion, champion_metrics)
        outcome = "true" if decision.promoted or decision.champion_version == decision.version else "false"
        if champion is None or champion.version != challenger.version:
            client.set_model_version_tag(full, challenger.version, "rushes.promoted", outcome)
            client.set_model_version_tag(full, challenger.version, "rushes.promotion", decision.reason)
            if champion is not None:
                client.set_model_version_tag(full, champion.version, f"rushes.challenged_by_{version}", decision.reason)
        if decision.promoted:
            client.set_registered_model_alias(full, CHAMPION, challenger.version)
    return decision


def _decide(challenger: ModelVersion, champion: ModelVersion | None, again: Mapping[str, Any] | None) -> Decision:
    """The gate, without effects."""
    tags, number = challenger.tags, str(challenger.version)
    metric, value, data = tags["rushes.metric"], float(tags["rushes.value"]), tags["rushes.evaluation_sha256"]
    if not math.isfinite(value):
        held = None if champion is None else str(champion.version)
        return Decision(False, f"version {number} has no finite {metric} ({value})", number, held, metric, value)
    if champion is None:
        reason = f"version {number} is the first champion: {metric} {value:.4f}, export verified"
        return Decision(True, reason, number, number, metric, value)
    held = str(champion.version)
    if held == number:
        return Decision(
            False, tags.get("rushes.promotion", f"version {number} is the champion"), number, number, metric, value
        )
    old, old_data = float(champion.tags["rushes.value"]), champion.tags["rushes.evaluation_sha256"]
    if again is not None and old_data != data:
        if again["evaluation_sha256"] != data or again["weights_sha256"] != champion.tags["rushes.weights_sha256"]:
            raise ValueError(
                f"the new score of champion version {held} is not of its weights on version {number}'s evaluation data"
            )
        old, old_data = float(again["primary"]["value"]), data
    challenging = f"version {number} with {metric} {value:.4f}"
    holding = f"champion version {held} with {old:.4f}"
    if old_data != data or champion.tags["rushes.metric"] != metric:
        reason = (
            f"{challenging} and {holding} were judged on different evaluation data ({data[:12]} and {old_data[:12]}):"
            " judge the champion on the new data first"
        )
        return Decision(False, reason, number, held, metric, value, old, rejudge=True)
    better = value > old if tags["rushes.higher_is_better"] == "true" else value < old
    words = "is better than" if better else "is not better than"
    reason = f"{challenging} {words} {holding} on evaluation data {data[:12]}"
    return Decision(better, reason, number, number if better else held, metric, value, old)
