"""prefect.yaml on the server of `PREFECT_API_URL`: pools, deployments, schedules, the automation that finds dead runs.

A run whose process is gone sends no heartbeats. The automation marks it as crashed, which frees its deployment's slot:

    heartbeat    heartbeat    killed                                  Crashed
    |----- 30 s ----|-----------x - - - - - - - - - - - - - - - - - - - -|
                    '------------------ SILENT_SECONDS ------------------'
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import _leash
from flows._service.supervisor import pools

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

SILENT_SECONDS = 70  # two heartbeats, and time for a busy machine: Crashed stands within 90 s of a death
AUTOMATION = "Mark dead runs of Rushes as crashed"
TAG = "rushes"  # of every deployment in prefect.yaml
_AT_WORK = ("Pending", "Submitting", "Running", "heartbeat")  # a run may die before its first heartbeat
_AT_REST = ("Completed", "Failed", "Cancelled", "Crashed", "AwaitingRetry", "Paused", "Suspended", "Scheduled")
_MOST = 200  # what the server answers at once


def deploy(root: Path) -> None:
    """Make the server's pools, automation and deployments those of prefect.yaml.

    Schedules that the server has and the file has not are removed, with the runs that they had planned; so are the runs
    that were planned while nothing ran.

    Raises:
        ValueError: prefect.yaml is wrong; what Prefect says of it.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for pool in pools(root):
            _make_pool(client, pool, root)
        _watch_for_dead_runs(client)
        for deployment in ours(client):
            for schedule in deployment.schedules:
                client.delete_deployment_schedule(deployment.id, schedule.id)
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], cwd=root, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(f"prefect.yaml cannot be deployed: {done.stdout.strip()[-2000:]}")


def ours(client: SyncPrefectClient) -> list[DeploymentResponse]:
    """The deployments that prefect.yaml has, or once had."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    chosen = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    return client.read_deployments(deployment_filter=chosen, limit=_MOST)


def _make_pool(client: SyncPrefectClient, pool: str, root: Path) -> None:
    """A pool of processes on this machine, in the project's folder; a leash ends each run with its worker."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    template: dict[str, Any] = ProcessWorker.get_default_base_job_template()
    known = template["variables"]["properties"]
    known["command"]["default"] = shlex.join(_leash.command(sys.executable, "-m", "prefect.engine"))
    known["working_dir"]["default"] = str(root)
    wanted = WorkPoolCreate(name=pool, type="process", base_job_template=template)
    client.create_work_pool(wanted, overwrite=True)


def _watch_for_dead_runs(client: SyncPrefectClient) -> None:
    from prefect.client.schemas.objects import StateType
    from prefect.events import AutomationCore, ChangeFlowRunState, EventTrigger, Posture

    at_work, at_rest = ({f"prefect.flow-run.{event}" for event in events} for events in (_AT_WORK, _AT_REST))
    wanted = AutomationCore(
        name=AUTOMATION,
        description=f"No heartbeat for {SILENT_SECONDS} s: the run's process is gone.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            # Only those of deployments have a worker; one that somebody started by hand is theirs.
            match_related={"prefect.resource.role": "deployment"},
            after=at_work,
            expect=at_work | at_rest,
            threshold=1,
            within=timedelta(seconds=SILENT_SECONDS),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat: its process is gone.")],
    )
    found = client.read_automations_by_name(AUTOMATION)
    for automation in found[1:]:
        client.delete_automation(automation.id)
    if found:
        client.update_automation(found[0].id, wanted)
    else:
        client.create_automation(wanted)


def crash_unfinished(reason: str) -> int:
    """Mark what the server still believes to be running as crashed; only for when no process of the service is left.

    Returns:
        How many runs.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterTags,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    busy = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=busy)),
            deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG])),
            limit=_MOST,
        )
        for run in runs:
            client.set_flow_run_state(run.id, Crashed(message=reason), force=True)
    return len(runs)


def worker_answers(client: SyncPrefectClient, pool: str, since: datetime) -> bool:
    """Whether a worker of the pool has been heard of since a moment."""
    heard = [worker.last_heartbeat_time for worker in client.read_workers_for_work_pool(pool)]
    return any(moment is not None and moment >= since for moment in heard)
