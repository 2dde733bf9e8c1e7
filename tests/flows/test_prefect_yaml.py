"""prefect.yaml fits the flows that it deploys."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.flows import load_flow_from_entrypoint

from flows._service.supervisor import pools
from flows.steps import Step
from tasks import params

ROOT = Path(__file__).parent.parent.parent
WRITTEN = params.read_yaml(ROOT / "prefect.yaml")
DEPLOYMENTS: dict[str, dict[str, Any]] = {each["name"]: each for each in WRITTEN["deployments"]}


def test_every_flow_and_every_step_has_a_deployment() -> None:
    assert list(DEPLOYMENTS) == ["lifecycle", "ingest", "batch", "publish", *get_args(Step)]
    assert {n for n, d in DEPLOYMENTS.items() if d["work_pool"]["name"] == "gpu"} == {"lifecycle", "train"}
    assert pools(ROOT) == ["gpu", "rushes"]
    assert {step: DEPLOYMENTS[step]["parameters"]["step"] for step in get_args(Step)} == {
        step: step for step in get_args(Step)
    }


def test_what_is_scheduled() -> None:
    found = {name: [s["cron"] for s in each.get("schedules", [])] for name, each in DEPLOYMENTS.items()}
    assert {name: crons for name, crons in found.items() if crons} == {
        "lifecycle": ["0 2 * * *"], "ingest": ["0 * * * *"], "batch": ["10 * * * *"],
    }  # fmt: skip


@pytest.mark.parametrize("name", list(DEPLOYMENTS))
def test_a_deployment_fits_its_flow(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    each = DEPLOYMENTS[name]
    flow = load_flow_from_entrypoint(each["entrypoint"], use_placeholder_flow=False)
    assert set(each["parameters"]) == set(flow.parameters.properties)
    flow.validate_parameters(each["parameters"])
    assert each["enforce_parameter_schema"] is True
    assert each["concurrency_limit"]["limit"] == 1
    assert each["concurrency_limit"]["collision_strategy"] == ("CANCEL_NEW" if each.get("schedules") else "ENQUEUE")
    assert "rushes" in each["tags"]  # by it the service knows its own
    assert each["description"]


def test_prefect_reads_it_and_no_path_of_a_machine_stands_in_it() -> None:
    model = PrefectYamlModel.model_validate(WRITTEN)
    assert [each.name for each in model.deployments] == list(DEPLOYMENTS)
    assert model.pull is None
    assert str(ROOT) not in (ROOT / "prefect.yaml").read_text()
