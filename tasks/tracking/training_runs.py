"""The run in the tracking store that belongs to a set of weights."""

from __future__ import annotations

import csv
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.files import sha256_of
from tasks.tracking.delivery import dataset_input
from tasks.tracking.origin import STATE, write_state
from tasks.tracking.store import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient

STATE_TAG = "rushes.state_of"  # SHA-256 of the metrics.json whose state is kept


def run_of_weights(
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
        tags = {
            "rushes.weights_sha256": weights_sha256,
            "rushes.recipe": name,
            "rushes.restored": "from the run folder",
        }
        info = client.create_run(
            experiment, tags={**tags, "rushes.data_sha256": description["data_sha256"]}, run_name=name
        ).info
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


def log_evaluation(client: MlflowClient, run_id: str, metrics: dict[str, Any]) -> None:
    """The evaluation's figures beside the training's: `test.<answer>.<metric>`, `gain.<baseline>.<metric>`."""
    from mlflow.entities import Metric, RunTag

    info = client.get_run(run_id).info
    flat: dict[str, float] = {}
    for kind, table in {"test": metrics["answers"], "gain": metrics["gains"]}.items():
        for answer, values in table.items():
            known = {k: v["value"] for k, v in values.items() if isinstance(v, dict) and v["value"] is not None}
            flat |= {f"{kind}.{answer}.{k}": v for k, v in known.items()}
    stamp = info.end_time or info.start_time  # fixed, so that doing it again adds nothing
    logged = [Metric(key, float(value), stamp, 0) for key, value in flat.items() if math.isfinite(value)]
    client.log_batch(run_id, metrics=logged, tags=[RunTag("rushes.evaluation_sha256", metrics["evaluation_sha256"])])


def keep_state(client: MlflowClient, run_id: str, lineage: dict[str, str], lock: Path, metrics: Path) -> None:
    """Keep the state that these figures come from with the run, once for the same figures: see `origin.write_state`."""
    told = sha256_of(metrics)
    if client.get_run(run_id).data.tags.get(STATE_TAG) == told:
        return
    with tempfile.TemporaryDirectory(prefix="rushes-state-") as folder:
        write_state(Path(folder), lineage, lock, metrics)
        client.log_artifacts(run_id, folder, STATE)
    client.set_tag(run_id, STATE_TAG, told)  # last: whoever sees it finds the files
