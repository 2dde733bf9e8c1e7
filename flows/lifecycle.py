"""The whole lifecycle: every stage of the DVC graph as one Prefect task, then the registry, then the report.

    footage > subclips > sample > assemble > train > evaluate   | publish |   report
    '----------------- dvc repro <stage> ----------------------'  MLflow      dvc repro report

DVC decides what is up to date, so the tasks use no result cache of Prefect's.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from flows import _dvc
from flows._artifacts import stage_rows
from flows._progress import progress
from flows.publish import register_and_promote
from tasks import params
from tasks.exits import BAD_INPUT, DIVERGED


def _worth_retrying(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """A stage that says its input is bad, or that training diverged, would only say so again."""
    error = state.result(raise_on_failure=False)
    return not (isinstance(error, _dvc.StageFailedError) and error.exit_code in {BAD_INPUT, DIVERGED})


@task(
    task_run_name="{stage}", retries=1, retry_delay_seconds=5, retry_condition_fn=_worth_retrying, cache_policy=NO_CACHE
)
def run_stage(root: Path, stage: str, force: bool = False) -> str:
    """`dvc repro` for one stage, its lines in the task's log, a table of what it did as an artifact."""
    logger = get_run_logger()
    shown = progress()

    def say(line: str) -> None:
        logger.info(line)
        shown.line(line)

    shown.start(stage)
    try:
        output = _dvc.repro(root, stage, say, force)
    except _dvc.StageFailedError:
        shown.end(stage, "failed")
        raise
    state = "ran" if "Running stage" in output else "restored from cache" if "is cached" in output else "up to date"
    shown.end(stage, state)
    _make_table(root, stage, state)
    return state


@task(task_run_name="{stage}", cache_policy=NO_CACHE)
def keep_stage(root: Path, stage: str, has_table: bool) -> str:
    """A stage that DVC found up to date: nothing is run, and its table is made where the server has none."""
    shown = progress()
    shown.start(stage)
    shown.end(stage, "up to date")
    if not has_table:
        _make_table(root, stage, "up to date")
    return "up to date"


def _key(stage: str) -> str:
    return stage.replace("@", "-").replace("_", "-")


def _make_table(root: Path, stage: str, state: str) -> None:
    create_table_artifact(
        key=_key(stage),
        table=stage_rows(stage, _dvc.outputs(root, stage)),
        description=f"What `{stage}` did ({state}).",
    )


def _with_table(stages: Iterable[str]) -> set[str]:
    """The stages of which the server has a table."""
    keys = {_key(stage): stage for stage in stages}
    wanted = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=list(keys)))
    with get_client(sync_client=True) as client:
        found = client.read_latest_artifacts(artifact_filter=wanted, limit=200)
    return {keys[artifact.key] for artifact in found if artifact.key}


@flow(name="lifecycle")
def lifecycle(recipes: list[str] | None = None, project: Path | None = None, force: bool = False) -> dict[str, Any]:
    """Run the graph, register, promote, report.

    Args:
        recipes: keys under `recipes` in params.yaml; None: all of them.
        project: the project's folder; None: the working folder or the nearest one above it that is a project.
        force: run the stages even where nothing changed.

    Returns:
        ``{"stages": {stage: what happened}, "registry": {recipe: record}, "report": path}``.

    Raises:
        ValueError: no project, or no such recipe.
        StageFailedError: a stage failed; what follows it was not run.
    """
    root = _dvc.project_root(project)
    known = params.load(root / "params.yaml")
    chosen = list(dict.fromkeys(recipes)) if recipes is not None else sorted(known.recipes)
    planned = _dvc.plan(root, chosen)
    progress().stages(len(planned) + len(chosen))
    tables = _with_table(stage.stage for stage in planned)
    done = {}
    for stage in planned:
        # DVC is asked once what is stale: starting it for each stage costs a second. What follows a stage that runs is
        # stale in the plan too, and DVC judges it again when its turn comes. The report reads what `publish` writes.
        if stage.stage != "report":
            stale = force or stage.runs
            name = stage.stage
            done[name] = run_stage(root, name, force) if stale else keep_stage(root, name, name in tables)
    registry = {recipe: register_and_promote(root, recipe) for recipe in chosen}
    done["report"] = run_stage(root, "report", force)
    page = _dvc.outputs(root, "report")[0] / "index.html"
    get_run_logger().info(f"The report is {page}")
    return {"stages": done, "registry": registry, "report": str(page)}
