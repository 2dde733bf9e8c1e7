"""Batches in the tracking store: the version that an address means now, and a run for what was done with it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.tracking.loaded import ADDRESS
from tasks.tracking.origin import origin
from tasks.tracking.store import connected, experiment_id, tracking_uri
from tasks.tracking.versions import CHAMPION, INTERVAL, KIND, PREFIX, SIGNAL, pick

STAGE, STATE = "rushes.stage", "rushes.batch_state"


@dataclass(frozen=True)
class Pinned:
    """One version of a registered model, as the registry told; nothing of it was brought here."""

    uri: str  # models:/NAME/VERSION
    recipe: str
    version: str
    kind: str
    weights_sha256: str
    judged: dict[str, Any] = field(default_factory=dict)  # `score`, and of a model that rates `interval` and `signal`


def pinned(model: str) -> Pinned:
    """The version that a recipe's champion, or an address, is now.

    Args:
        model: a recipe, `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Raises:
        ValueError: there is none, or it was not registered by Rushes.
        UnreachableError: the store does not answer.
    """
    match = ADDRESS.fullmatch(model)
    if match is None and model.startswith("models:"):
        raise ValueError(f"{model!r} is not the address of a model; write models:/NAME@ALIAS or models:/NAME/VERSION")
    name, alias, number = (PREFIX + model, CHAMPION, None) if match is None else match.group("name", "alias", "version")
    with connected(tracking_uri()) as client:
        version = pick(client, name, alias, number)
    weights = version.tags.get("rushes.weights_sha256")
    if weights is None:
        raise ValueError(f"{model} was not registered by Rushes: version {version.version} names no weights")
    recipe, number = name.removeprefix(PREFIX), str(version.version)
    kind = version.tags.get(KIND, "reconstruct")
    return Pinned(f"models:/{name}/{number}", recipe, number, kind, weights, _judged(version.tags))


def _judged(tags: Mapping[str, str]) -> dict[str, Any]:
    """What the version's evaluation found, in JSON: None for a figure that it has not."""
    told: dict[str, Any] = {}
    if "rushes.metric" in tags:
        figures = {key: float(tags.get(f"rushes.{key}", "nan")) for key in ("value", "low", "high")}
        known = {key: value if math.isfinite(value) else None for key, value in figures.items()}
        told["score"] = {"metric": tags["rushes.metric"], **known}
    for key, tag in (("interval", INTERVAL), ("signal", SIGNAL)):
        if tag in tags:
            told[key] = json.loads(tags[tag])
    return told


def log_batch(
    name: str,
    state: str,
    parameters: Mapping[str, str],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    artifacts: list[Path],
) -> str:
    """A finished run for what a batch has come to. Told again, the same state is the same run, with what it said first:
    whoever goes on after a kill may be another executor, and has kept what the first has done.

    Args:
        state: identity of the results.
        metrics: those that are no number are left out.
        artifacts: files to keep with the run.

    Returns:
        The run's id.

    Raises:
        UnreachableError: the store does not answer.
    """
    uri = tracking_uri()
    with connected(uri) as client:
        from mlflow.entities import Metric, Param

        experiment = experiment_id(client, uri)
        found = client.search_runs([experiment], f"tags.`{STATE}` = '{state}'", max_results=1)
        said = {*found[0].data.params, *found[0].data.metrics} if found else set[str]()
        if found:
            info = found[0].info
        else:
            own = {**origin(), **tags, STAGE: "batch", STATE: state}
            info = client.create_run(experiment, tags=own, run_name=f"batch {name}").info
        run_id = str(info.run_id)
        sure = {k: float(v) for k, v in metrics.items() if math.isfinite(v) and k not in said}
        client.log_batch(
            run_id,
            metrics=[Metric(k, v, info.start_time, 0) for k, v in sure.items()],
            params=[Param(k, v) for k, v in parameters.items() if k not in said],
        )
        for path in artifacts:
            client.log_artifact(run_id, str(path), "batch")
        client.set_terminated(run_id)
    return run_id
