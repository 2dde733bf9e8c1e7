"""`rushes batch`: one model without a champion, one that works; one MLflow run for what was done, none for nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.flows.conftest import ROOT, Rushes
from tests.tasks._registered import register
from tests.tasks.test_batch import write_strip

PARAMS = """\
datasets: {}
recipes: {}
rendered: {}
report: {title: Tiny, strips: 1}
batches:
  new: {footage: [data/footage/new, data/footage/away], models: [MODELS]}
"""


def test_a_batch_from_the_command_line(
    tmp_path: Path, rushes: Rushes, prefect: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from prefect.client.orchestration import get_client

    store = f"sqlite:///{tmp_path}/data/mlflow/mlflow.db"
    monkeypatch.setenv("RUSHES_WORKERS", "1")
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        register(tmp_path, "rebuild")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS.replace("MODELS", "default, rebuild"))
    for name, frames in {"a": 12, "b": 9}.items():
        write_strip(tmp_path / "data" / "footage" / "new" / f"{name}.png", frames, frames)
    (tmp_path / "data" / "footage" / "new" / "bad.mp4").write_bytes(b"\x00\x01not a video")

    _, said = rushes(tmp_path, "batch", "new", expect=3)
    assert "data/footage/away does not exist; results of what was there are kept" in said
    assert "error: everything else is done, but\n  batch new: default: there is no registered model" in said
    folder = tmp_path / "data" / "batch" / "new" / "rebuild" / "v1"
    table = pd.read_csv(folder / "results.csv")
    assert table["path"].tolist() == ["data/footage/new/a.png", "data/footage/new/b.png"]
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != "known.json"}

    (tmp_path / "params.yaml").write_text(PARAMS.replace("MODELS", "rebuild"))
    (folder / "tracked.json").unlink()  # as if it had been killed before that; whoever goes on may be another executor
    rows = json.loads(rushes(tmp_path, "batch", "--executor", "ray", "--json")[0])
    page = "data/batch/new/rebuild/v1/index.html"
    counts = {"sources": 3, "done": 0, "kept": 2, "rejected": 1, "removed": 0, "later": 0}
    assert rows == [{"batch": "new", "model": "models:/rushes-rebuild/1", **counts, "page": page}]
    now = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != "known.json"}
    assert [path.name for path in now if now[path] != written[path]] == ["tracked.json"]
    with get_client(sync_client=True) as server:
        assert sorted(flow_run.name for flow_run in server.read_flow_runs()) == ["batch all", "batch new"]

    client = MlflowClient(tracking_uri=store, registry_uri=store)
    experiment = client.get_experiment_by_name("rushes")
    assert experiment is not None
    told = client.search_runs([experiment.experiment_id], "tags.`rushes.stage` = 'batch'")
    assert [r.data.metrics for r in told] == [
        {"sources": 3, "done": 2, "kept": 0, "rejected": 1, "mean_psnr_db": pytest.approx(table["psnr_db"].mean())}
    ]
    assert told[0].data.params["model"] == "models:/rushes-rebuild/1"
    kept = {artifact.path for artifact in client.list_artifacts(told[0].info.run_id, "batch")}
    assert kept == {"batch/results.csv", "batch/rejects.csv", "batch/index.html"}
