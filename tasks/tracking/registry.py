"""The registry: one registered model a recipe, a version for each set of weights, `challenger` and `champion`.

    register   export, check, version, alias challenger
    promote    champion <- challenger, if its score on the same evaluation data is better
    load       a version as a function of clips
"""

from __future__ import annotations

import csv
import math
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.files import read_json, sha256_of
from tasks.tracking.delivery import dataset_input
from tasks.tracking.store import connected, experiment_id, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PREFIX = "rushes-"
CHAMPION, CHALLENGER = "champion", "challenger"
_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
_LINEAGE = ("git_commit", "git_dirty", "dvc_lock_sha256", "flow_run_id")


@dataclass(frozen=True)
class Registered:
    version: str
    uri: str
    run_id: str


@dataclass(frozen=True)
class Decision:
    """What the gate said. `promoted`: the alias moved in this call. `rejudge`: the champion's score is on other data."""

    promoted: bool
    reason: str
    version: str
    champion_version: str | None
    metric: str
    value: float
    champion_value: float | None = None
    rejudge: bool = False


@dataclass(frozen=True)
class Loaded:
    """A registered model. `input`: how footage must be read for it (gray, fit, every_frames, height_px, width_px, length_frames)."""

    uri: str
    recipe: str
    version: str
    input: dict[str, Any]
    model: Any

    def predict(self, clip_BTHWC: np.ndarray) -> np.ndarray:
        """uint8 (B, T, H, W, C), 0 to 255, to float32 (B, T, H, W, C), 0 to 1."""
        i = self.input
        shape = (i["length_frames"], i["height_px"], i["width_px"], 1 if i["gray"] else 3)
        if clip_BTHWC.dtype != np.uint8 or clip_BTHWC.shape[1:] != shape:
            raise ValueError(f"{self.uri} takes uint8 clips (B, {', '.join(map(str, shape))}); got {clip_BTHWC.dtype} {clip_BTHWC.shape}")
        answer: np.ndarray = self.model.predict(clip_BTHWC)
        return answer


def register(name: str, run: Path, evaluation: Path, lineage: dict[str, str]) -> Registered:
    """Make a version of `rushes-<name>` from a run and its evaluation, and give it the alias `challenger`.

    The same weights are the same version: what changes is noted on it (a new evaluation), nothing is added.

    Args:
        lineage: `git_commit`, `git_dirty`, `dvc_lock_sha256`, `flow_run_id`, as far as known.

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
            run_id = _run_of_weights(client, uri, name, run, description, weights_sha256)
            source = _upload(client, run_id, name, run, description, weights_sha256)
            _make_registered_model(client, full, name)
            tags |= {f"rushes.{key}": lineage[key] for key in _LINEAGE if lineage.get(key)}
            words = _in_words(name, description, metrics, lineage)
            version = client.create_model_version(full, source, run_id, tags=tags, description=words)
        else:
            for key, value in tags.items():
                client.set_model_version_tag(full, version.version, key, value)
        number, run_id = str(version.version), str(version.run_id)
        _log_evaluation(client, run_id, metrics)
        client.set_tag(run_id, "rushes.model_version", f"{full}/{number}")
        for key in _LINEAGE:
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
        **{f"rushes.{key}": repr(float(primary[key])) for key in ("value", "low", "high")},
        "rushes.export_verified": "true",
    }


def _in_words(name: str, description: dict[str, Any], metrics: dict[str, Any], lineage: dict[str, str]) -> str:
    p = metrics["primary"]
    return (
        f"{description['architecture']} trained on {description['dataset']} (recipe {name}): {p['metric']} {p['value']:.2f}"
        f" ({p['low']:.2f} to {p['high']:.2f}, 95% over groups) on {metrics['clips']} held-out clips, {description['latent_floats']}"
        f" latent floats, {description['parameters']:,} parameters; commit {lineage.get('git_commit', 'unknown')[:12]}."
    )


def _version_of_weights(client: MlflowClient, full: str, weights_sha256: str) -> ModelVersion | None:
    return next((v for v in _versions(client, full) if v.tags.get("rushes.weights_sha256") == weights_sha256), None)


def _versions(client: MlflowClient, full: str) -> list[ModelVersion]:
    """Newest first."""
    found = client.search_model_versions(f"name = '{full}'", max_results=1000)
    return sorted(found, key=lambda v: int(v.version), reverse=True)


def _run_of_weights(
    client: MlflowClient, uri: str, name: str, run: Path, description: dict[str, Any], weights_sha256: str
) -> str:
    """The training run that made these weights; if the store never saw it (the run folder came from a cache), one made
    from the run folder."""
    from mlflow.entities import Metric, Param

    experiment = experiment_id(client, uri)
    where = f"tags.`rushes.weights_sha256` = '{weights_sha256}' and tags.`rushes.recipe` = '{name}'"
    found = client.search_runs([experiment], where, order_by=["attributes.start_time DESC"], max_results=1)
    if found and "rushes.restored" not in found[0].data.tags:
        return str(found[0].info.run_id)
    if found:
        info = found[0].info  # was made here, perhaps not to the end: tell it all again, which doubles nothing
    else:
        tags = {"rushes.weights_sha256": weights_sha256, "rushes.recipe": name, "rushes.restored": "from the run folder"}
        info = client.create_run(experiment, tags={**tags, "rushes.data_sha256": description["data_sha256"]}, run_name=name).info
    run_id, metrics = str(info.run_id), []
    with (run / "history.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            step = int(row.pop("step"))
            metrics += [Metric(k, float(v), info.start_time, step) for k, v in row.items() if v]
    for start in range(0, len(metrics), 500):
        client.log_batch(run_id, metrics=metrics[start : start + 500])
    flat = {f"training.{key}": str(value) for key, value in description["training"].items()}
    flat |= {f"config.{key}": str(value) for key, value in description["config"].items()}
    flat |= {key: str(description[key]) for key in ("architecture", "dataset")}
    client.log_batch(run_id, params=[Param(k, v) for k, v in flat.items()])
    client.log_inputs(run_id, [dataset_input(description["dataset"], description["data_sha256"])])
    client.set_terminated(run_id)
    return run_id


def _upload(
    client: MlflowClient, run_id: str, name: str, run: Path, description: dict[str, Any], weights_sha256: str
) -> str:
    """Export, check and upload; the artifact's address."""
    from tasks import modelio
    from tasks.tracking import export

    known = ("architecture", "dataset", "kind", "latent_floats", "labels", "input", "data_sha256")
    metadata = {key: description[key] for key in known} | {"recipe": name, "weights_sha256": weights_sha256}
    with tempfile.TemporaryDirectory(prefix="rushes-export-") as folder:
        exported = Path(folder) / "model"
        export.save(modelio.load_run(run), exported, metadata)
        client.log_artifacts(run_id, str(exported), "model")
    return f"{client.get_run(run_id).info.artifact_uri}/model"


def _make_registered_model(client: MlflowClient, full: str, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(full, {"rushes.recipe": name}, f"Recipe {name} of a Rushes project")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _log_evaluation(client: MlflowClient, run_id: str, metrics: dict[str, Any]) -> None:
    """The evaluation's figures beside the training's: `test.<answer>.<metric>`, `gain.<baseline>.<metric>`."""
    from mlflow.entities import Metric, RunTag

    info = client.get_run(run_id).info
    flat: dict[str, float] = {}
    for kind, table in {"test": metrics["answers"], "gain": metrics["gains"]}.items():
        for answer, values in table.items():
            flat |= {f"{kind}.{answer}.{k}": v["value"] for k, v in values.items() if isinstance(v, dict)}
    stamp = info.end_time or info.start_time  # fixed, so that doing it again adds nothing
    logged = [Metric(key, float(value), stamp, 0) for key, value in flat.items() if math.isfinite(value)]
    client.log_batch(run_id, metrics=logged, tags=[RunTag("rushes.evaluation_sha256", metrics["evaluation_sha256"])])


def promote(name: str, version: str, champion_metrics: Mapping[str, Any] | None = None) -> Decision:
    """Make `version` the champion if its primary metric is better than the present champion's on the same evaluation data.

    The first version needs a finite score only. Both versions get a tag that says why, in words and figures. The alias
    moves last; of two calls at once the later wins.

    Args:
        champion_metrics: `metrics.json` of the champion judged again, on the evaluation data of `version`.

    Raises:
        ValueError: no such model or version, or `champion_metrics` is of other data or other weights.
    """
    full = PREFIX + name
    with connected(tracking_uri()) as client:
        challenger = _get(client, full, version)
        champion = _champion(client, full)
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
        return Decision(False, tags.get("rushes.promotion", f"version {number} is the champion"), number, number, metric, value)
    old, old_data = float(champion.tags["rushes.value"]), champion.tags["rushes.evaluation_sha256"]
    if again is not None and old_data != data:
        if again["evaluation_sha256"] != data or again["weights_sha256"] != champion.tags["rushes.weights_sha256"]:
            raise ValueError(f"the new score of champion version {held} is not of its weights on version {number}'s evaluation data")
        old, old_data = float(again["primary"]["value"]), data
    if old_data != data or champion.tags["rushes.metric"] != metric:
        reason = (
            f"version {number} ({metric} {value:.4f}) and champion version {held} ({champion.tags['rushes.metric']} {old:.4f}) were"
            f" judged on different evaluation data ({data[:12]} and {old_data[:12]}): judge the champion on the new data first"
        )
        return Decision(False, reason, number, held, metric, value, old, rejudge=True)
    better = value > old if tags["rushes.higher_is_better"] == "true" else value < old
    words = "is better than" if better else "is not better than"
    reason = f"version {number} with {metric} {value:.4f} {words} champion version {held} with {old:.4f} on evaluation data {data[:12]}"
    return Decision(better, reason, number, number if better else held, metric, value, old)


def _get(client: MlflowClient, full: str, version: str) -> ModelVersion:
    found = next((v for v in _versions(client, full) if str(v.version) == str(version)), None)
    if found is None:
        raise ValueError(f"there is no version {version} of {full}; rushes models lists what there is")
    return found


def _champion(client: MlflowClient, full: str) -> ModelVersion | None:
    return _aliased(client, full).get(CHAMPION)


def _aliased(client: MlflowClient, full: str) -> dict[str, ModelVersion]:
    versions = {str(v.version): v for v in _versions(client, full)}
    if not versions:
        return {}
    aliases = client.get_registered_model(full).aliases
    return {alias: versions[str(number)] for alias, number in aliases.items() if str(number) in versions}


def registry_record(name: str) -> dict[str, Any]:
    """What the report says of a recipe's registry: no time in it, so that equal states give equal bytes."""
    full = PREFIX + name
    with connected(tracking_uri()) as client:
        aliased = _aliased(client, full)
    champion, challenger = aliased.get(CHAMPION), aliased.get(CHALLENGER)
    decided = challenger.tags if challenger is not None else {}
    return {
        "recipe": name,
        "model": full,
        "champion_version": None if champion is None else str(champion.version),
        "challenger_version": None if challenger is None else str(challenger.version),
        "champion": _score(champion),
        "challenger": _score(challenger),
        "decision": {"promoted": decided.get("rushes.promoted") == "true", "reason": decided.get("rushes.promotion", "")},
    }


def _score(version: ModelVersion | None) -> dict[str, Any] | None:
    if version is None:
        return None
    tags = version.tags
    figures = {key: _finite(tags.get(f"rushes.{key}")) for key in ("value", "low", "high")}
    known = ("metric", "evaluation_sha256", "weights_sha256", "data_sha256", *_LINEAGE)
    return {**figures, **{key: tags.get(f"rushes.{key}") for key in known}}


def _finite(text: str | None) -> float | None:
    value = math.nan if text is None else float(text)
    return value if math.isfinite(value) else None


def list_models() -> list[dict[str, Any]]:
    """Every version of every recipe, newest first within a recipe: aliases, score, lineage, the gate's words."""
    with connected(tracking_uri()) as client:
        listed = []
        for model in sorted(client.search_registered_models(f"name LIKE '{PREFIX}%'", max_results=1000), key=lambda m: m.name):
            for version in _versions(client, model.name):
                aliases = sorted(a for a, number in model.aliases.items() if str(number) == str(version.version))
                created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds")
                listed.append({
                    "model": model.name, "recipe": model.name.removeprefix(PREFIX), "version": str(version.version),
                    "aliases": aliases, **(_score(version) or {}), "reason": version.tags.get("rushes.promotion", ""),
                    "description": version.description or "", "run_id": version.run_id, "created": created,
                })  # fmt: skip
    return listed


def resolve(model: str) -> str:
    """The address of a model: `models:/...` as it stands, a recipe's name as its champion.

    Raises:
        ValueError: no such model, or it has no champion yet.
    """
    if model.startswith("models:"):
        return model
    with connected(tracking_uri()) as client:
        _pick(client, PREFIX + model, CHAMPION, None)
    return f"models:/{PREFIX}{model}@{CHAMPION}"


def _pick(client: MlflowClient, full: str, alias: str | None, number: str | None) -> ModelVersion:
    versions = _versions(client, full)
    if not versions:
        known = sorted(m.name for m in client.search_registered_models(max_results=1000))
        raise ValueError(
            f"there is no registered model {full}; there are: {', '.join(known) or 'none'}. Make one with: rushes run"
            f" {full.removeprefix(PREFIX)}"
        )
    if alias is None:
        assert number is not None
        return _get(client, full, number)
    found = _aliased(client, full).get(alias)
    if found is None:
        raise ValueError(f"{full} has no {alias}; name one of its {len(versions)} version(s) as models:/{full}/{versions[0].version}")
    return found


def load(uri: str) -> Loaded:
    """Load a registered model onto the CPU. No code of this repository and no pickle is used.

    Args:
        uri: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Raises:
        ValueError: not such an address, or nothing stands there.
        UnreachableError: the store does not answer.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise ValueError(f"{uri!r} is not the address of a model; write models:/NAME@ALIAS, models:/NAME/VERSION, or a recipe")
    store = tracking_uri()
    with connected(store) as client:
        import mlflow.artifacts
        import mlflow.pyfunc

        version = _pick(client, match["name"], match["alias"], match["version"])
        address = client.get_model_version_download_uri(version.name, version.version)
        with tempfile.TemporaryDirectory(prefix="rushes-model-") as folder:
            path = mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=folder, tracking_uri=store)
            model = mlflow.pyfunc.load_model(path, model_config={"device": "cpu"})
    own = (model.metadata.metadata or {}).get("rushes")
    if own is None:
        raise ValueError(f"{uri} was not registered by Rushes: its MLmodel says nothing of how footage is read for it")
    return Loaded(uri, own["recipe"], str(version.version), own["input"], model)
