"""`rushes status`: what runs, where, what comes next, how the last runs ended."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows._service import processes
from flows._service.places import Places, environment, listening
from flows._service.supervisor import Supervisor, log_of

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

LAST_RUNS = 10


def status(root: Path) -> dict[str, Any]:
    """The service of a project: `{"up", "prefect", "mlflow", "parts", "next", "last", "strays"}`.

    Of `rushes serve` there are neither parts nor an MLflow server.

    `strays` are processes that were left behind; `rushes down` ends them.
    """
    places = Places(root)
    addresses, supervisor = places.addresses(), Supervisor(places)
    kept = supervisor.answers()
    if addresses is None or not (kept or listening(addresses.prefect_port)):
        left = [processes.described(process) for process in processes.of_service(root)]
        return {"up": False, "prefect": None, "mlflow": None, "parts": [], "next": [], "last": [], "strays": left}
    parts = [
        {
            "part": name,
            "state": str(part["statename"]).lower(),
            "process": int(part["pid"]) or None,
            "since": _time(datetime.fromtimestamp(int(part["start"]), UTC)),
            "log": log_of(places, name),
        }
        for name, part in (supervisor.parts() if kept else {}).items()
    ]
    mlflow = addresses.mlflow if addresses.mlflow_port else None
    found = {"up": True, "prefect": addresses.prefect, "mlflow": mlflow, "parts": parts, "strays": []}
    if not listening(addresses.prefect_port):
        return {**found, "next": [], "last": []}
    os.environ.update(environment(places, addresses))  # before Prefect is imported
    return {**found, **_runs()}


def _runs() -> dict[str, list[dict[str, str]]]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    from flows._service.deployments import ours

    with get_client(sync_client=True) as client:
        deployments = {deployment.id: deployment.name for deployment in ours(client)}
        coming = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])))
        planned = client.read_flow_runs(flow_run_filter=coming, sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC)
        over = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=[StateType.SCHEDULED])))
        last = client.read_flow_runs(flow_run_filter=over, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=LAST_RUNS)
    following: dict[str, FlowRun] = {}
    for run in planned:  # the soonest of each
        if run.deployment_id in deployments:
            following.setdefault(deployments[run.deployment_id], run)
    return {
        "next": [
            {"deployment": name, "at": _time(run.next_scheduled_start_time), "run": run.name}
            for name, run in following.items()
        ],
        "last": [
            {
                "run": run.name,
                "deployment": deployments.get(run.deployment_id, "-") if run.deployment_id else "-",
                "state": run.state_name or "-",
                "began": _time(run.start_time or run.expected_start_time),
                "seconds": f"{run.total_run_time.total_seconds():.0f}",
                "message": (run.state.message if run.state else None) or "",
            }
            for run in last
        ],
    }


def _time(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if moment else "-"
