"""From a trained and judged run to a version of `rushes-<recipe>`: export, check, upload, version, alias."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.files import read_json, sha256_of
from tasks.tracking import judged
from tasks.tracking.store import connected, tracking_uri
from tasks.tracking.training_runs import keep_state, log_evaluation, run_of_weights
from tasks.tracking.versions import CHALLENGER, DESCRIBE, INTERVAL, KIND, LINEAGE, PREFIX, SIGNAL, versions_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

SHOWN_LABELS = 12


@dataclass(frozen=True)
class Registered:
    version: str
    uri: str
    run_id: str


def register(name: str, run: Path, evaluation: Path, lineage: dict[str, str], lock: Path | None = None) -> Registered:
    """Make a version of `rushes-<name>` from a run and its evaluation, and give it the alias `challenger`.

    The same weights are the same version: what changes is noted on it (a new evaluation), nothing is added.

    Args:
        lineage: `git_commit`, `git_dirty`, `dvc_lock_sha256`, `flow_run_id`, as far as known.
        lock: the `dvc.lock` that `dvc_lock_sha256` is of. With it, all that a replay of the evaluation needs is kept
            with the run: see `origin.write_state`.

    Raises:
        ValueError: not trained or not evaluated yet, the evaluation is of other weights, or the export differs.
        UnreachableError: the store does not answer.
    """
    from tasks import modelio

    description = modelio.description_of(run)
    weights_sha256 = sha256_of(run / modelio.WEIGHTS)
    if not (evaluation / "metrics.json").is_file():
        raise ValueError(f"{evaluation} has no metrics.json; judge the run first: dvc repro evaluate@{name}")
    metrics = read_json(evaluation / "metrics.json")
    if metrics["weights_sha256"] != weights_sha256:
        raise ValueError(f"{evaluation} judges other weights than {run} holds; run: dvc repro evaluate@{name}")
    full, uri = PREFIX + name, tracking_uri()
    tags = _version_tags(description, metrics, weights_sha256)
    with connected(uri) as client:
        version = _version_of_weights(client, full, weights_sha256)
        if version is None:
            run_id = run_of_weights(client, uri, name, run, description, weights_sha256)
            source, exported = _upload(client, run_id, name, run, description, weights_sha256)
            _make_registered_model(client, full, name)
            tags |= {f"rushes.{key}": lineage[key] for key in LINEAGE if lineage.get(key)}
            tags |= {DESCRIBE: exported["describe"]} if exported["describe"] else {}
            words = _in_words(name, description, metrics, lineage)
            version = client.create_model_version(full, source, run_id, tags=tags, description=words)
            judged.note(client, full, version, metrics)
        else:
            judged.note(client, full, version, metrics)
            for key, value in tags.items():
                client.set_model_version_tag(full, version.version, key, value)
        number, run_id = str(version.version), str(version.run_id)
        log_evaluation(client, run_id, metrics)
        if lock is not None:
            keep_state(client, run_id, lineage, lock, evaluation / "metrics.json")
        client.set_tag(run_id, "rushes.model_version", f"{full}/{number}")
        for key in LINEAGE:
            if lineage.get(key):
                client.set_tag(run_id, f"rushes.registered_{key}", lineage[key])
        client.set_registered_model_alias(full, CHALLENGER, number)
    return Registered(number, f"models:/{full}/{number}", run_id)


def _version_tags(description: dict[str, Any], metrics: dict[str, Any], weights_sha256: str) -> dict[str, str]:
    primary = metrics["primary"]
    return {
        "rushes.weights_sha256": weights_sha256,
        "rushes.data_sha256": description["data_sha256"],
        "rushes.evaluation_sha256": metrics["evaluation_sha256"],
        "rushes.metric": primary["metric"],
        "rushes.higher_is_better": str(primary["higher_is_better"]).lower(),
        **{f"rushes.{key}": repr(_number(primary[key])) for key in ("value", "low", "high")},
        "rushes.export_verified": "true",
        KIND: description["kind"],
        **({"rushes.labels": json.dumps(description["labels"])} if description["kind"] == "classify" else {}),
        **(_of_ratings(metrics) if description["kind"] == "regress" else {}),
    }


def _of_ratings(metrics: dict[str, Any]) -> dict[str, str]:
    signal = {key: metrics["signal"][key] for key in ("found", "enough")}
    return {INTERVAL: json.dumps(metrics["conformal"]), SIGNAL: json.dumps(signal)}


def _number(figure: float | None) -> float:
    """NaN for what could not be judged."""
    return math.nan if figure is None else float(figure)


def _in_words(name: str, description: dict[str, Any], metrics: dict[str, Any], lineage: dict[str, str]) -> str:
    p = metrics["primary"]
    score = f"{p['metric']} {_number(p['value']):.2f}"
    if p["low"] is not None and p["high"] is not None:
        score += f" ({p['low']:.2f} to {p['high']:.2f}, 95% over groups)"
    judged = f"{metrics['clips']} held-out clips"
    if description["kind"] == "classify":
        labels = description["labels"]
        more = f" and {len(labels) - SHOWN_LABELS} more" if len(labels) > SHOWN_LABELS else ""
        what = f"{len(labels)} classes ({', '.join(labels[:SHOWN_LABELS])}{more})"
        judged = f"{metrics['videos']} held-out videos"
    elif description["kind"] == "regress":
        what = "ratings from {lowest:g} to {highest:g}".format(**description["ratings"])
        judged = f"{metrics['films']} held-out films"
    elif description["kind"] == "reconstruct":
        what = f"{description['latent_floats']} latent floats"
    else:
        shown, answered = (", ".join(map(str, description[key])) for key in ("inputs", "outputs"))
        what = f"frames {shown} to {answered}"
    return (
        f"{description['architecture']} trained on {description['dataset']} (recipe {name}): {score} on {judged},"
        f" {what}, {description['parameters']:,} parameters;"
        f" commit {lineage.get('git_commit', 'unknown')[:12]}."
    )


def _version_of_weights(client: MlflowClient, full: str, weights_sha256: str) -> ModelVersion | None:
    return next((v for v in versions_of(client, full) if v.tags.get("rushes.weights_sha256") == weights_sha256), None)


def _upload(
    client: MlflowClient, run_id: str, name: str, run: Path, description: dict[str, Any], weights_sha256: str
) -> tuple[str, dict[str, Any]]:
    """Export, check and upload; the artifact's address, and what the model says of itself."""
    from tasks import modelio
    from tasks.tracking import artifacts, export

    address = client.get_run(run_id).info.artifact_uri
    artifacts.require_reachable(address)
    known = ("architecture", "dataset", "kind", "latent_floats", "labels", "ratings", "input", "data_sha256")
    metadata = {key: description[key] for key in known if key in description}
    metadata |= {"recipe": name, "weights_sha256": weights_sha256}
    with tempfile.TemporaryDirectory(prefix="rushes-export-") as folder:
        exported = Path(folder) / "model"
        metadata = export.save(modelio.load_run(run), exported, metadata)
        client.log_artifacts(run_id, str(exported), "model")
    return f"{address}/model", metadata


def _make_registered_model(client: MlflowClient, full: str, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(full, {"rushes.recipe": name}, f"Recipe {name} of a Rushes project")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
