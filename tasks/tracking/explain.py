"""What is known of a registered version: where it comes from, what it scored, who decided what about it."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import params
from tasks.files import read_json
from tasks.tracking import history, judged
from tasks.tracking.catalogue import resolve
from tasks.tracking.loaded import ADDRESS
from tasks.tracking.locked import parameters, upstream
from tasks.tracking.origin import CHANGES, LOCK, METRICS, STATE, STATE_JSON
from tasks.tracking.store import connected, tracking_uri
from tasks.tracking.versions import DESCRIBE, INTERVAL, KIND, LINEAGE, PREFIX, SIGNAL, aliased, pick

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

Leaf = float | str | bool | None
# What is told in a place of its own, or is for programs; every other tag of a version is a decision about it.
_TOLD = {
    "rushes.metric", "rushes.higher_is_better", "rushes.value", "rushes.low", "rushes.high", "rushes.labels",
    "rushes.weights_sha256", "rushes.data_sha256", "rushes.evaluation_sha256", "rushes.export_verified",
    KIND, DESCRIBE, INTERVAL, SIGNAL, *(f"rushes.{key}" for key in LINEAGE),
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What the store has of a version.

    Attributes:
        about: for people and programs: see `explain`.
        lock: the `dvc.lock` that it was registered with, parsed; None where none was kept.
        files: what was kept of its state (see `origin.write_state`), by name.
        figures: what was logged of its evaluation, by the path in `metrics.json`: `answers.model.psnr_db.value`.
    """

    about: dict[str, Any]
    lock: dict[str, Any] | None
    files: dict[str, bytes]
    figures: dict[str, Leaf]


def explain(model: str) -> Told:
    """Ask the store for all that it knows of a version.

    Args:
        model: a recipe (its champion), `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Returns:
        `about` has the keys model, version, recipe, kind, aliases, registered, description, code, data, parameters,
        run, scores, environment, decisions, and `unknown`: what the store does not say, in words.

    Raises:
        ValueError: not such an address, nothing stands there, or Rushes did not register it.
        UnreachableError: the store does not answer.
    """
    match = ADDRESS.fullmatch(resolve(model))
    if match is None:
        raise ValueError(
            f"{model!r} is not the address of a model; write models:/NAME@ALIAS, models:/NAME/VERSION, or a recipe"
        )
    full = match["name"]
    with connected(tracking_uri()) as client:
        version = pick(client, full, match["alias"], match["version"])
        if "rushes.weights_sha256" not in version.tags:
            raise ValueError(
                f"models:/{full}/{version.version} was not registered by Rushes: there is nothing to explain or replay;"
                f" MLflow knows of its run {version.run_id or 'nothing'}; rushes models lists those that have"
            )
        aliases = sorted(a for a, v in aliased(client, full).items() if v.version == version.version)
        run = _run(client, version)
        with tempfile.TemporaryDirectory(prefix="rushes-explain-") as folder:
            kept = _kept(client, run, Path(folder)) if run is not None else {}
            return _told(version, aliases, run, kept)


def _run(client: MlflowClient, version: ModelVersion) -> Run | None:
    """None where it was deleted for good."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(version.run_id) if version.run_id else None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _kept(client: MlflowClient, run: Run, folder: Path) -> dict[str, Path]:
    """The files of the run's state, by name. Versions from before there was a state have a `dvc.lock` alone."""
    there = [item.path for item in client.list_artifacts(run.info.run_id, STATE)]
    there = there or [item.path for item in client.list_artifacts(run.info.run_id) if item.path == LOCK]
    found = [Path(client.download_artifacts(run.info.run_id, path, str(folder))) for path in there]
    return {path.name: path for path in found}


def _told(version: ModelVersion, aliases: list[str], run: Run | None, kept: dict[str, Path]) -> Told:
    recipe = version.name.removeprefix(PREFIX)
    lock = params.read_yaml(kept[LOCK]) if LOCK in kept else None
    state = read_json(kept[STATE_JSON]) if STATE_JSON in kept else {}
    metrics = read_json(kept[METRICS]) if METRICS in kept else None
    changes_kept = bool(state.get("changed")) and CHANGES in kept and state["changes_left_out"] is None
    tags = {key: version.tags.get(f"rushes.{key}") for key in ("data_sha256", "evaluation_sha256", *LINEAGE)}
    tags |= {key: state[key] for key in LINEAGE if key in state}
    data = upstream(lock, f"evaluate@{recipe}") if lock is not None else []
    about = {
        "model": version.name, "version": str(version.version), "recipe": recipe,
        "kind": version.tags.get(KIND, "reconstruct"), "aliases": aliases,
        "registered": _date(version.creation_timestamp), "description": version.description or "",
        "weights_sha256": version.tags["rushes.weights_sha256"],
        "code": {
            "commit": tags["git_commit"], "dirty": {"yes": True, "no": False}.get(tags["git_dirty"] or ""),
            "changed": state.get("changed"), "changes_kept": changes_kept,
            "changes_left_out": state.get("changes_left_out"),
        },
        "data": {key: tags[key] for key in ("dvc_lock_sha256", "data_sha256", "evaluation_sha256")} | {"paths": data},
        "parameters": parameters(lock, f"evaluate@{recipe}") if lock is not None else _of_run(run),
        "run": _about_run(run, version.run_id) | {"flow_run": tags["flow_run_id"]},
        "scores": _scores(version, metrics),
        "environment": state.get("environment") or _of_training(run),
        "decisions": _decisions(version.tags),
    }  # fmt: skip
    about["unknown"] = _unknown(about, run, kept)
    figures = leaves(metrics) if metrics is not None else _of_metrics(run) | _identities(version)
    return Told(about, lock, {name: path.read_bytes() for name, path in kept.items()}, figures)


def _unknown(about: dict[str, Any], run: Run | None, kept: dict[str, Path]) -> list[str]:
    code, found = about["code"], []
    if run is None:
        found.append(f"run {about['run']['run_id']} is no longer in the store, and what was kept with it is gone")
    elif LOCK not in kept:
        found.append("no dvc.lock was kept with the run: which data it saw is known by hashes of its clips alone")
    elif STATE_JSON not in kept:
        found.append("it is from before the evaluation and the working tree's changes were kept with the run")
    if code["commit"] is None:
        found.append("it was not made in a Git repository: the commit is not known")
    elif code["dirty"] and not code["changes_kept"]:
        why = code["changes_left_out"] or "they were not kept"
        found.append(f"the working tree differed from the commit, and its changes are not here: {why}")
    return found


def _about_run(run: Run | None, run_id: str | None) -> dict[str, Any]:
    if run is None:
        return {"run_id": run_id, "name": None, "status": "gone", "started": None, "ended": None}
    info = run.info
    dates = {"started": _date(info.start_time), "ended": _date(info.end_time)}
    return {"run_id": info.run_id, "name": info.run_name, "status": info.status, **dates}


def _decisions(tags: dict[str, str]) -> dict[str, Any]:
    """`history`: when it became champion or ceased to be, by whom and why, oldest first; and what else stands on it."""
    others = {
        key.removeprefix("rushes."): value for key, value in sorted(tags.items())
        if key.startswith("rushes.") and key not in _TOLD and not key.startswith((history.KEY, judged.KEY))
    }  # fmt: skip
    moves = sorted((key for key in tags if key.startswith(history.KEY)), key=history.order)
    return {"history": [json.loads(tags[key]) for key in moves], **others}


def _date(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def _scores(version: ModelVersion, metrics: dict[str, Any] | None) -> dict[str, Any]:
    """The primary score of every answer, the model's first; gains over the baselines."""
    tags = version.tags
    primary = {key: float(tags[f"rushes.{key}"]) for key in ("value", "low", "high")}
    metric = tags["rushes.metric"]
    found: dict[str, Any] = {
        "metric": metric,
        "higher_is_better": tags["rushes.higher_is_better"] == "true",
        **{key: value if value == value else None for key, value in primary.items()},  # NaN is not JSON
    }
    if metrics is not None:
        answers = {name: values[metric] for name, values in metrics["answers"].items() if metric in values}
        gains = {name: values[metric] for name, values in metrics["gains"].items() if metric in values}
        found |= {"answers": answers, "gains": gains}
    return found


def _of_run(run: Run | None) -> dict[str, Any]:
    return {} if run is None else dict(sorted(run.data.params.items()))


def _of_training(run: Run | None) -> dict[str, Any]:
    """What the training noted, for versions from before the evaluation's environment was kept."""
    tags = {} if run is None else run.data.tags
    known = ("torch", "lightning-fabric", "numpy")
    packages = {name: tags[f"rushes.{name}"] for name in known if f"rushes.{name}" in tags}
    found = {key: tags[f"rushes.{key}"] for key in ("python", "platform") if f"rushes.{key}" in tags}
    return {**found, "packages": packages} if found else {}


def _of_metrics(run: Run | None) -> dict[str, Leaf]:
    """The evaluation's figures from the run's own metrics, under the names that `metrics.json` has for them."""
    places = {"test": "answers", "gain": "gains"}
    found: dict[str, Leaf] = {}
    for key, value in ({} if run is None else run.data.metrics).items():
        if match := re.fullmatch(r"(test|gain)\.([^.]+)\.([^.]+)", key):
            found[f"{places[match[1]]}.{match[2]}.{match[3]}.value"] = value
    return found


def _identities(version: ModelVersion) -> dict[str, Leaf]:
    return {key: version.tags[f"rushes.{key}"] for key in ("weights_sha256", "evaluation_sha256")}


def leaves(value: Any, path: str = "") -> dict[str, Leaf]:
    """Every number, text, truth value and null of a JSON value, by its path: keys and places with dots."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, below in inner for k, v in leaves(below, f"{path}.{key}" if path else str(key)).items()}
    return {path: value}
