"""Registered models over new footage: what is done and right is kept, the rest is made, the page says how it went.

resolve each alias once > look at the footage > one model after the other > tables, page, one MLflow run a model
   version, recorded        by content             sources fanned out        only where something changed
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run
from prefect.tasks import Task

from flows import _batch_artifacts, _dvc
from flows._progress import progress
from tasks import params
from tasks.exits import BAD_INPUT, UnreachableError

if TYPE_CHECKING:
    from tasks.batch.running import Summary
    from tasks.batch.sources import Listing
    from tasks.batch.working import Run
    from tasks.tracking.batch_runs import Pinned

HOME = Path("data/batch")


class BatchFailedError(RuntimeError):
    """A model could not be used, or failed on a source for no fault of the source; what else there was is done."""

    def __init__(self, reasons: list[str], exit_code: int) -> None:
        super().__init__("\n".join(["everything else is done, but", *(f"  {reason}" for reason in reasons)]))
        self.exit_code = exit_code


def _run_name() -> str:
    return f"batch {flow_run.parameters['name'] or 'all'}"


@flow(name="batch", flow_run_name=_run_name)
def batch(
    name: str | None = None,
    project: Path | None = None,
    executor: Literal["local", "ray"] | None = None,
    retry: bool = False,
) -> list[dict[str, Any]]:
    """Bring the results of a batch up to date with its footage and its models.

    Args:
        name: of `batches` in params.yaml; None: all.
        project: the project's folder; None: the working folder or the nearest one above it that is a project.
        executor: None: what params.yaml says.
        retry: what was rejected is tried again, although neither its bytes, the model nor the settings have changed.

    Returns:
        A row a model: batch, model, its version, how many sources, done now, kept from before, rejected, removed, the
        page; and `busy`, where another process is at work and nothing was done.

    Raises:
        ValueError: no project, or no such batch.
        BatchFailedError: a model has no champion or is of no use, or failed where the source is not to blame (a NaN, a
            fault of Rushes): everything else was done before, and is kept.
        UnreachableError: the tracking store does not answer.
    """
    root = _dvc.project_root(project)
    known = params.load(root / "params.yaml")
    names = list(known.batches) if name is None else [name]
    chosen = {each: known.batch(each) for each in names}
    rows: list[dict[str, Any]] = []
    failed: list[_Failed] = []
    with contextlib.chdir(root):  # where the tracking store is looked for
        for each, settings in chosen.items():
            own = settings if executor is None else settings.model_copy(update={"executor": executor})
            done, wrong = _batch(root, each, own, retry)
            rows += done
            failed += wrong
    if failed:
        code = BAD_INPUT if not any(each.fault for each in failed) else 1
        raise BatchFailedError([each.reason for each in failed], code)
    return rows


@dataclasses.dataclass(frozen=True)
class _Failed:
    """What could not be done; `fault`: for no reason that whoever set up the batch could mend."""

    reason: str
    fault: bool = False


def _batch(root: Path, name: str, settings: params.Batch, retry: bool) -> tuple[list[dict[str, Any]], list[_Failed]]:
    """Every model of one batch: a row each, and what went wrong."""
    from tasks.batch.known import NAME, Known
    from tasks.batch.lock import BusyError, held
    from tasks.batch.sources import look

    logger, home = get_run_logger(), root / HOME
    found, failed = _pinned(name, settings.models)
    rows = []
    with contextlib.ExitStack() as locks:
        try:
            for recipe in sorted({model.recipe for model in found}):
                locks.enter_context(held(home, name, recipe))
        except BusyError as error:
            logger.warning(str(error))
            progress().line(str(error))
            return [{"batch": name, "model": model.uri, "busy": str(error)} for model in found], failed
        known = Known(home / name / NAME)
        try:
            listed = look(settings.footage, root, known)
        except ValueError as error:
            return [], [*failed, _Failed(f"batch {name}: {error}")]
        if found:
            known.save()
        for place, reason in listed.absent.items():
            said = f"batch {name}: {place} {reason}; results of what was there are kept"
            logger.warning(said)
            progress().line(said)
        progress().stages(len(found))
        for model in found:
            summary = _used(_run(root, name, settings, model, retry), listed, failed)
            if summary is not None:
                rows.append(_row(summary, root))
    return rows, failed


def _pinned(name: str, models: tuple[str, ...]) -> tuple[list[Pinned], list[_Failed]]:
    """The versions that are used from here on, each once; and what there is no version of."""
    found: dict[str, Pinned] = {}
    failed = []
    for model in models:
        try:
            version = resolve(model)
            found.setdefault(version.uri, version)
        except ValueError as error:
            failed.append(_Failed(f"batch {name}: {model}: {error}"))
    return list(found.values()), failed


def _worth_retrying(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), UnreachableError)


@task(
    task_run_name="resolve {model}", retries=2, retry_delay_seconds=10, retry_condition_fn=_worth_retrying,
    cache_policy=NO_CACHE,
)  # fmt: skip
def resolve(model: str) -> Pinned:
    """The version that the address is now."""
    from tasks.tracking.batch_runs import pinned

    return pinned(model)


def _run(root: Path, name: str, settings: params.Batch, model: Pinned, retry: bool) -> Run:
    import os

    from tasks import tracking
    from tasks.__main__ import workers
    from tasks.batch.working import Run

    cluster = settings.executor == "ray" and "RAY_ADDRESS" in os.environ and "RUSHES_WORKERS" not in os.environ
    count = settings.workers or (None if cluster else workers())
    return Run(name, settings, model, root / HOME, settings.executor, count, tracking.load, retry)


def _used(run: Run, listed: Listing, failed: list[_Failed]) -> Summary | None:
    """One model; what goes wrong with it does not keep the next one from its work."""
    from tasks.parallel import WorkerError

    try:
        summary: Summary = use(run.name, run.model.recipe, _Work(run, listed))
    except (ValueError, WorkerError) as error:
        fault = isinstance(error, WorkerError)
        failed.append(_Failed(f"batch {run.name}: {run.model.uri}: {'fault: ' * fault}{error}", fault))
        progress().end(f"{run.name}: {run.model.recipe} version {run.model.version}", "failed")
        return None
    failed += [_Failed(f"batch {run.name}: {run.model.uri}: fault on {said}", True) for said in summary.faults]
    return summary


class _Work:
    """What a task is given whole: Prefect looks into lists and dataclasses, which takes long where they are long."""

    def __init__(self, run: Run, listed: Listing) -> None:
        self.run, self.listed = run, listed


@task(task_run_name="{batch}: {recipe}", cache_policy=NO_CACHE)
def use(batch: str, recipe: str, work: _Work) -> Summary:
    """Bring the results of one model up to date; say how it goes, and what came of it."""
    from tasks.batch.running import run
    from tasks.report import front_page

    logger, shown = get_run_logger(), progress()
    what = f"{batch}: {recipe} version {work.run.model.version}"
    shown.start(what)
    with _batch_artifacts.telling(f"batch-{batch}-{recipe}", what) as bar:

        def tell(done: int, of: int, line: str) -> None:
            logger.info(f"{done} of {of}: {line}")
            shown.line(f"{done} of {of}: {line}")
            bar.to(done, of)

        summary = run(work.run, work.listed, tell)
    for line in summary.later:
        logger.warning(f"left for the next run: {line}")
    if summary.changed:
        _batch_artifacts.write(summary, recipe)
        front_page.write(work.run.home.parent)
    _tracked(work.run, summary)
    shown.end(what, f"{summary.done} done, {summary.kept} kept, {summary.rejected} rejected")
    return summary


def _tracked(run: Run, summary: Summary) -> None:
    """One MLflow run for what the tables now say; none where that was told before."""
    from tasks.batch import tracked

    if not tracked.due(summary):
        return
    from tasks.tracking.batch_runs import log_batch

    parameters, metrics, tags, paths = tracked.story(run, summary)
    tags["rushes.flow_run_id"] = str(flow_run.id or "none")
    tracked.note(summary, log_batch(run.name, summary.state, parameters, metrics, tags, paths))


def _row(summary: Summary, root: Path) -> dict[str, Any]:
    page = summary.folder / "index.html"
    return {
        "batch": summary.batch, "model": summary.model, "sources": summary.sources, "done": summary.done,
        "kept": summary.kept, "rejected": summary.rejected, "removed": summary.removed, "later": len(summary.later),
        "page": str(page.relative_to(root)) if page.is_file() else "",
    }  # fmt: skip
