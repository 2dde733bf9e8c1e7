"""New footage from the inboxes: found, opened, moved in, versioned. See docs/ingest.md.

    list > fetch (URLs) > take, a batch a task > dvc add > commit > dvc push

The work is `tasks.ingest`; here are its retries, its tasks and its table. What fails is done by the next run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from flows import _dvc, _versions
from flows._artifacts import MOST_ROWS
from tasks import locks, params
from tasks.exits import UnreachableError
from tasks.ingest import Desk, RemoteFile, Row, Unit, is_url
from tasks.ingest.batches import batches
from tasks.ingest.books import shown
from tasks.ingest.desk import WAIT_SECONDS
from tasks.ingest.fetching import News, dealt_with, fetch, missing, news
from tasks.report import front_page

P = ParamSpec("P")
R = TypeVar("R")
STATES = ("taken", "already there", "refused", "waiting", "not fetched")


def _network(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Only bad luck is tried again: an address or a key that is wrong stays wrong."""
    return isinstance(state.result(raise_on_failure=False), (UnreachableError, _versions.VersionError))


def _retried(name: str, retries: int) -> Callable[[Callable[P, R]], Task[P, R]]:
    decorate: Callable[[Callable[P, R]], Task[P, R]] = task(
        task_run_name=name, retries=retries, retry_delay_seconds=exponential_backoff(2), retry_jitter_factor=0.3,
        retry_condition_fn=_network, cache_policy=NO_CACHE,
    )  # fmt: skip
    return decorate


@_retried("list {what}", 4)
def list_news(desk: Desk, what: str) -> News:
    """What is behind the URL that is not known yet."""
    from tasks.ingest import remote

    return news(desk, remote.list_files(desk.setting.inbox))


@_retried("fetch {what}", 4)
def fetch_batch(desk: Desk, files: list[RemoteFile], what: str) -> list[Row]:
    """Files from behind the URL to this machine."""
    return fetch(desk, files)


@task(task_run_name="take {what}", cache_policy=NO_CACHE)
def take_batch(desk: Desk, units: list[Unit], versions: dict[str, str], what: str) -> tuple[list[Row], str]:
    """Open units and move what is footage in; with the second answer filled, who was in the way."""
    try:
        return desk.take(units, versions), ""
    except locks.BusyError as error:
        rows = [Row(shown(unit.path), "waiting", reason=str(error)) for unit in units]
        return rows, str(error)


@_retried("version {what}", 3)
def version(desk: Desk, what: str) -> list[str]:
    """`dvc add` and the commit of the `.dvc` file, as far as they are owed; say what was done."""
    said = []
    if "add" in desk.owed():
        if desk.footage.is_dir():
            with locks.footage(desk.project, WAIT_SECONDS):
                said.append(f"version {_versions.add(desk.project, what)[:8]} of {what}")
        desk.paid("add")
    if "commit" in desk.owed():
        if desk.setting.commit and desk.footage.is_dir():
            said.append(_versions.commit(desk.project, what, f"{what}: new footage from the inbox {desk.name}"))
        desk.paid("commit")
    return said


@_retried("push {what}", 2)
def push(desk: Desk, what: str) -> list[str]:
    """`dvc push`, if it is owed and wanted; say what was done."""
    said = [_versions.push(desk.project, what)] if desk.setting.push else []
    desk.paid("push")
    return said


@flow(name="ingest")
def ingest(inbox: str | None = None, project: Path | None = None) -> dict[str, Any]:
    """Take new footage from inboxes into their footage folders, and make a version of each folder that changed.

    Args:
        inbox: a key under `inboxes` in params.yaml; None: all of them.
        project: the project's folder; None: the working folder or the nearest one above it that is a project.

    Returns:
        By inbox: how many files and folders were taken, already there, refused, are waiting, or could not be fetched;
        `files`, a row for each; `said`, what was done with the version, or who was in the way.

    Raises:
        ValueError: no project, no such inbox, or a setting that cannot be.
        UnreachableError: an inbox cannot be reached. The other inboxes were served before.
        OSError: an inbox cannot be read, or a disk is full. The other inboxes were served before.
    """
    root = _dvc.project_root(project)
    known = params.load(root / "params.yaml")
    desks = [Desk(root, name, known.inbox(name)) for name in ([inbox] if inbox else sorted(known.inboxes))]
    results: dict[str, Any] = {}
    failed: list[ValueError | UnreachableError | OSError] = []
    for desk in desks:
        try:
            results[desk.name] = _serve(desk)
        except (ValueError, UnreachableError, OSError) as error:
            get_run_logger().error(f"{desk.name}: {error}")
            failed.append(error)
    if failed:
        raise failed[0]
    return results


def _serve(desk: Desk) -> dict[str, Any]:
    """One inbox."""
    logger = get_run_logger()
    desk.check()
    _versions.require_own(desk.project, desk.setting.footage, desk.name)
    rows: list[Row] = []
    said: list[str] = []
    try:
        with desk.alone():
            desk.tidy()
            rows, said = _take_all(desk)
            said += _version(desk)
    except locks.BusyError as error:
        said.append(str(error))
    for row in rows[:MOST_ROWS]:
        logger.info(
            f"{row.file}: {row.state}{f', {row.to}' if row.to else ''}{f' ({row.reason})' if row.reason else ''}"
        )
    if len(rows) > MOST_ROWS:
        logger.info(f"and {len(rows) - MOST_ROWS} more")
    for line in said:
        logger.info(f"{desk.name}: {line}")
    counts = Counter(row.state for row in rows)
    _table(desk, rows)
    if counts.total() > counts["waiting"]:
        front_page.write(desk.project / "data")
    return {
        "inbox": desk.setting.inbox, "footage": desk.setting.footage,
        **{state.replace(" ", "_"): counts[state] for state in STATES},  # type: ignore[index]
        "bytes": sum(row.bytes for row in rows if row.state == "taken"),
        "files": [asdict(row) for row in rows], "said": said,
    }  # fmt: skip


def _take_all(desk: Desk) -> tuple[list[Row], list[str]]:
    """Fetch what is behind a URL, then take what has arrived, batch by batch."""
    found, rows = _fetch_all(desk) if is_url(desk.setting.inbox) else (News(), [])
    absent = missing(desk, found.files)
    arrived = desk.arrived([*found.held, *absent]) if desk.inbox.is_dir() else None
    versions = {file.path: file.version for file in found.files}
    waiting = {*found.held, *absent, *(arrived.waiting if arrived else [])}
    said = ""
    for batch in batches(arrived.units if arrived else [], lambda unit: unit.path, lambda unit: unit.bytes):
        if not said:
            done, said = take_batch(desk, batch, versions, _named([unit.path for unit in batch]))
            rows += done
            waiting |= {row.file for row in done if row.state == "waiting"}
        else:
            waiting |= {unit.path for unit in batch}
    left = {shown(path) for path in waiting} - {row.file for row in rows} - {""}
    rows += [Row(name, "waiting", reason="still being copied") for name in sorted(left)]
    dealt_with(desk, [file for file in found.files if file.path not in absent], waiting)
    return rows, [said] if said else []


def _fetch_all(desk: Desk) -> tuple[News, list[Row]]:
    """What is new behind the URL, and the rows of what cannot be had; a server that fails is a row a file."""
    found: News = list_news(desk, desk.setting.inbox)
    rows = list(found.rows)
    for batch in batches(found.files, lambda file: file.path, lambda file: file.bytes or 0):
        state = fetch_batch(desk, batch, _named([file.path for file in batch]), return_state=True)
        if state.is_completed():
            rows += state.result()
            continue
        error = state.result(raise_on_failure=False)
        if not isinstance(error, UnreachableError):
            assert isinstance(error, BaseException), error
            raise error
        told = {row.file for row in rows}
        lost = [name for name in map(shown, missing(desk, batch)) if name not in told]
        rows += [Row(path, "not fetched", reason=str(error)) for path in lost]
    return found, rows


def _version(desk: Desk) -> list[str]:
    """What is owed to the footage folder's version, also by a run before; a failure is said, and owed on."""
    said: list[str] = []
    for step in (version, push):
        if not desk.owed():
            break
        state = step(desk, desk.setting.footage, return_state=True)
        if state.is_completed():
            said += state.result()
            continue
        error = state.result(raise_on_failure=False)
        if not isinstance(error, (_versions.VersionError, locks.BusyError)):
            assert isinstance(error, BaseException), error
            raise error
        said.append(f"{error}; the next run tries it again")
        break
    return said


def _named(paths: list[str]) -> str:
    first = shown(paths[0])  # a server takes no bytes that are no text
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"


def _table(desk: Desk, rows: list[Row]) -> None:
    """A table of what became of each file; none where nothing happened, or there would be one every hour."""
    if all(row.state == "waiting" for row in rows):
        return
    ordered = sorted(rows, key=lambda row: (row.state == "waiting", row.state == "already there", row.file))
    shown = ordered[:MOST_ROWS]
    if len(rows) > MOST_ROWS:
        shown.append(replace(ordered[-1], file=f"… and {len(rows) - MOST_ROWS} more in {desk.name}/ledger.jsonl"))
    create_table_artifact(
        key=f"ingest-{desk.name.replace('_', '-')}",
        table=[asdict(row) for row in shown],
        description=f"What arrived in {desk.setting.inbox}, and what became of it.",
    )
