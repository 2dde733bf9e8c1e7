"""A version's scores, one an evaluation: what the gate compares, in one tag each, so that it is never read half."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.files import write_json
from tasks.metrics import Interval
from tasks.paired import paired_gain

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

KEY = "rushes.judged_on."
LARGEST = 30_000  # characters of groups in a tag; more are a file of the version's run
FILE = "judged_on"  # its folder
FIGURES = ("value", "low", "high")


@dataclass(frozen=True)
class Score:
    """The primary metric of one version on one evaluation's data; NaN for what it has no figure for.

    `groups`: as `scores.by_group` gives them; None for versions older than these.
    """

    metric: str
    higher_is_better: bool
    value: float
    low: float
    high: float
    data: str
    groups: dict[str, dict[str, float]] | None
    samples: int = 2000
    seed: int = 0

    def gain_over(self, other: Score) -> float:
        return self.value - other.value if self.higher_is_better else other.value - self.value

    def interval_over(self, other: Score) -> Interval | None:
        """Of the gain, paired by group; None where it cannot be made."""
        if self.groups is None or other.groups is None:
            return None
        drawn = {"samples": self.samples, "seed": self.seed}
        return paired_gain(self.groups, other.groups, higher=self.higher_is_better, **drawn)


def tag_of(metrics: Mapping[str, Any], groups: bool = True) -> tuple[str, str]:
    """The tag that holds an evaluation's `metrics.json`; without its groups where a file has them."""
    primary, drawn = metrics["primary"], metrics.get("intervals") or {}
    told = {name: primary[name] for name in ("metric", "higher_is_better")}
    told |= {name: primary[name] for name in FIGURES}
    told |= {name: drawn[name] for name in ("samples", "seed") if name in drawn}
    held = metrics.get("primary_by_group")
    told |= {"groups": (held if groups else f"{FILE}/{_file(metrics)}") if held is not None else None}
    return f"{KEY}{metrics['evaluation_sha256']}", json.dumps(told)


def note(client: MlflowClient, full: str, version: ModelVersion, metrics: Mapping[str, Any]) -> None:
    """Keep an evaluation's scores with the version that it judged.

    Raises:
        ValueError: it judged other weights.
    """
    if metrics["weights_sha256"] != version.tags["rushes.weights_sha256"]:
        raise ValueError(f"these scores are not of the weights of version {version.version} of {full}")
    key, told = tag_of(metrics)
    if len(told) > LARGEST:
        with tempfile.TemporaryDirectory(prefix="rushes-scores-") as folder:
            path = Path(folder) / _file(metrics)
            write_json(path, metrics["primary_by_group"])
            client.log_artifact(str(version.run_id), str(path), FILE)
        key, told = tag_of(metrics, groups=False)
    client.set_model_version_tag(full, str(version.version), key, told)


def judged_on(version: ModelVersion) -> list[str]:
    """The evaluation data that there are scores on, the version's own first."""
    if "rushes.evaluation_sha256" not in version.tags:
        raise ValueError(f"version {version.version} of {version.name} has no scores: it was not registered by rushes")
    noted = sorted(key.removeprefix(KEY) for key in version.tags if key.startswith(KEY))
    return list(dict.fromkeys([version.tags["rushes.evaluation_sha256"], *noted]))


def score_on(client: MlflowClient, version: ModelVersion, data: str) -> Score | None:
    """The version's score on one evaluation's data, or None: it was not judged on it."""
    tags = version.tags
    if (told := tags.get(KEY + data)) is not None:
        found = _with_groups(client, version, json.loads(told))
        return Score(**found | {name: math.nan if found[name] is None else found[name] for name in FIGURES}, data=data)
    if tags.get("rushes.evaluation_sha256") != data:
        return None
    value, low, high = (float(tags.get(f"rushes.{name}", math.nan)) for name in FIGURES)
    return Score(tags["rushes.metric"], tags["rushes.higher_is_better"] == "true", value, low, high, data, None)


def _with_groups(client: MlflowClient, version: ModelVersion, told: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(told["groups"], str):
        return told
    with tempfile.TemporaryDirectory(prefix="rushes-scores-") as folder:
        path = client.download_artifacts(str(version.run_id), told["groups"], folder)
        return told | {"groups": json.loads(Path(path).read_text(encoding="utf-8"))}


def _file(metrics: Mapping[str, Any]) -> str:
    return f"{metrics['evaluation_sha256']}.json"
