"""`rushes promote`, `rollback` and `models --history`, as a person uses them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.flows.conftest import ROOT, Rushes, edit_params
from tests.tasks._promoters import make_version, metrics


def test_promoted_rolled_back_and_promoted_by_hand(
    tmp_path: Path, rushes: Rushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    edit_params(tmp_path, lambda values: values["promotion"].update(least_gain=0.5))
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/data/mlflow/mlflow.db")
        for value in (30.0, 31.0, 31.25):
            make_version("gru_autoencoder", metrics(value))

    def record() -> tuple[str, bool, str]:
        found = json.loads((tmp_path / "data/registry/gru_autoencoder.json").read_text())
        return found["champion_version"], found["decision"]["promoted"], found["decision"]["reason"]

    rushes(tmp_path, "promote", "gru_autoencoder", "1")
    rushes(tmp_path, "promote", "gru_autoencoder", "2")
    said, _ = rushes(tmp_path, "promote", "gru_autoencoder", expect=3)
    assert said == (
        "version 3 with psnr_db 31.2500 is not better than champion version 2 with 31.0000 on evaluation data test-1:"
        " gain +0.2500 (+0.2500 to +0.2500, 95% over 3 groups), not more than promotion.least_gain 0.5\n"
    )
    assert record() == ("2", False, "")  # nothing was registered, so there is no challenger to tell of

    said, _ = rushes(tmp_path, "rollback", "gru_autoencoder", "--why", "green faces")
    assert (said, record()[0]) == ("version 2 was rolled back to version 1: green faces\n", "1")
    said, _ = rushes(tmp_path, "promote", "gru_autoencoder", "2", expect=3)
    assert "is promoted again by hand only: rushes promote gru_autoencoder 2 --anyway" in said
    said, _ = rushes(tmp_path, "promote", "gru_autoencoder", "2", "--anyway", "--json")
    assert (json.loads(said)["champion_version"], record()[0]) == ("2", "2")

    entries = json.loads(rushes(tmp_path, "models", "--history", "gru_autoencoder", "--json")[0])
    told = [(e["before"], e["after"], e["how"], e["done"]) for e in entries]
    assert told == [
        (None, "1", "promote", True), ("1", "2", "promote", True), ("2", "1", "rollback", True),
        ("1", "2", "by hand", True),
    ]  # fmt: skip
    shown = rushes(tmp_path, "models", "--history", "gru_autoencoder")[0]
    assert [line.split()[0] for line in shown.splitlines()] == ["version", "1", "2", "1", "2"]
    assert "now" in shown.splitlines()[-1]
    error = rushes(tmp_path, "rollback", "gru_autoencoder", "--to", "3", expect=3)[1]
    assert "cannot be rolled back to version 3: champions before version 2 were: 1 (" in error
    assert "there is no registered model rushes-unheard" in rushes(tmp_path, "rollback", "unheard", expect=3)[1]
