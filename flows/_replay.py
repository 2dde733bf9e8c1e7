"""Evaluating a registered version again, in the state that it was registered in, beside the user's workspace.

    commit + changes.patch + dvc.lock  -->  checkout  -->  dvc repro --single-item --force evaluate@RECIPE
    (Git, and what the run kept)            frames, clips and weights linked from DVC's cache (or fetched into it)

Each thing is held against the hash that `dvc.lock` has of it before anything runs, so that a figure that comes out
different is a finding about the environment, and not about another input.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flows import _cache, _dvc
from flows._workshop import checkout, git
from tasks import params
from tasks.files import read_json
from tasks.tracking.explain import Leaf, Told, leaves
from tasks.tracking.origin import CHANGES, LOCK, environment

TOLERANCE = 1e-5  # relative: what float32 sums in another order leave
SHOWN = 8


class NotReplayableError(ValueError):
    """The state of a version cannot be had again; says why, and what would mend it."""


def replay(root: Path, told: Told, tolerance: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Evaluate the version again and compare every figure with the one that was logged.

    Returns:
        ``{"outcome": "equal" | "within tolerance" | "different", "figures", "equal", "close", "different": counts,
        "differences": [{"figure", "logged", "now", "relative"}], "environment": [what differs now], "tolerance",
        "seconds"}``.

    Raises:
        NotReplayableError: see there.
        StageFailedError: the evaluation failed.
    """
    began, stage = time.monotonic(), f"evaluate@{told.about['recipe']}"
    entry = _recorded(root, told, stage)
    others = environment_differences(told.about["environment"], environment())
    for other in others:
        say(f"another environment than then: {other}")
    where = root / "data" / "state" / "replays"
    with _told_to_end(), checkout(root, where, "replay", told.about["code"]["commit"]) as beside:
        project = beside.project
        _restore(beside.clone, project, told)
        _require_code(project, told, entry)
        _bring(project, beside.cache, entry, say)
        _dvc.repro(project, stage, say, force=True, commit=False)
        now = leaves(read_json(project / entry["outs"][0]["path"] / "metrics.json"))
    if "lineage.json" not in told.files:  # only what MLflow's own metrics hold was logged
        now = {key: now[key] for key in told.figures if key in now}
    seconds = round(time.monotonic() - began, 1)
    return compare(told.figures, now, tolerance) | {"environment": others, "seconds": seconds}


def _recorded(root: Path, told: Told, stage: str) -> dict[str, Any]:
    """What `dvc.lock` had of the evaluation."""
    model = f"models:/{told.about['model']}/{told.about['version']}"
    commit = told.about["code"]["commit"]
    if told.lock is None or commit is None:
        raise NotReplayableError(f"{model} cannot be replayed: {'; '.join(told.about['unknown'])}")
    if stage not in told.lock["stages"]:
        raise NotReplayableError(f"{model} cannot be replayed: its dvc.lock has no stage {stage}")
    try:
        git(root, "cat-file", "-e", f"{commit}^{{commit}}")
    except ValueError:
        raise NotReplayableError(
            f"{model} cannot be replayed: its commit {commit} is not in this repository; bring it with: git fetch --all"
            " (or git fetch --unshallow), or from the clone that it was made in"
        ) from None
    found: dict[str, Any] = told.lock["stages"][stage]
    return found


@contextlib.contextmanager
def _told_to_end() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that the checkout is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _restore(clone: Path, project: Path, told: Told) -> None:
    if told.about["code"]["changes_kept"]:
        patch = clone / ".git" / CHANGES
        patch.write_bytes(told.files[CHANGES])
        try:
            git(clone, "apply", "--binary", "--whitespace=nowarn", str(patch))
        except ValueError as error:
            raise NotReplayableError(
                f"the changes that were kept with the run do not fit its commit: {error}"
            ) from error
    (project / LOCK).write_bytes(told.files[LOCK])
    (project / "data").mkdir(exist_ok=True)


def _require_code(project: Path, told: Told, entry: Mapping[str, Any]) -> None:
    """The evaluation's code and parameters are those that `dvc.lock` has the hashes and values of."""
    others = [
        dep["path"] for dep in entry["deps"]
        if not dep["path"].startswith("data/") and not _cache.is_whole(project / dep["path"], dep["md5"])
    ]  # fmt: skip
    for name, written in entry.get("params", {}).items():
        values = params.read_yaml(project / name) if (project / name).is_file() else {}
        others += [f"{key} in {name}" for key, value in written.items() if _at(values, key) != value]
    if others:
        code = told.about["code"]
        why = "; ".join(told.about["unknown"]) if code["dirty"] else "dvc.lock was made in another state of the tree"
        raise NotReplayableError(
            f"commit {code['commit']} is not what was evaluated: {', '.join(others[:SHOWN])}"
            f"{' and others' if len(others) > SHOWN else ''} differ from what dvc.lock records ({why})"
        )


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _bring(project: Path, cache: Path, entry: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """The data that the evaluation reads, from DVC's cache, else from its remote; whole, or not at all."""
    data = [dep for dep in entry["deps"] if dep["path"].startswith("data/")]
    paths = [dep["path"] for dep in data]
    lacking = [path for dep in data for path in _cache.missing(cache, dep)]
    if lacking:
        _fetch(project, cache, data, lacking, say)
    hurt = [(path, place) for dep in data for path, place in _cache.damaged(cache, dep)]
    if hurt:
        named = "; ".join(f"{path} ({place})" for path, place in hurt[:SHOWN])
        raise NotReplayableError(
            f"DVC's cache is damaged: {len(hurt)} of its files have other bytes than their hash says: {named}; remove"
            " them (rm), and they are fetched from the remote; where there is none, run the stage that made them again:"
            " dvc repro --force"
        )
    if refused := _dvc.bring(project, "checkout", paths):
        raise NotReplayableError(refused)


def _fetch(
    project: Path, cache: Path, data: list[dict[str, Any]], lacking: list[str], say: Callable[[str], None]
) -> None:
    named = ", ".join(lacking[:SHOWN]) + (f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else "")
    if not _dvc.remotes(project):
        raise NotReplayableError(
            f"not in DVC's cache any more: {named}; and the project has no remote to fetch it from. Name the one that"
            " has it: dvc remote add --default NAME URL; or make it again: rushes explain says how, under Rebuild"
        )
    say(f"fetching from DVC's remote: {named}")
    refused = _dvc.bring(project, "fetch", [dep["path"] for dep in data])
    lacking = [path for dep in data for path in _cache.missing(cache, dep)]
    if lacking:
        raise NotReplayableError(
            f"neither DVC's cache nor its remote has {', '.join(lacking[:SHOWN])}; push it from where it is: dvc push"
            + (f" ({refused})" if refused else "")
        )


def environment_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of the environment is not as it was: `torch 2.12.0 then, 2.13.0 now`."""
    flat_then = {**then, **then.get("packages", {})}
    flat_now = {**now, **now["packages"]}
    told = [key for key in flat_then if key != "packages" and flat_then[key] != flat_now.get(key)]
    return [f"{key} {flat_then[key]} then, {flat_now.get(key, 'not installed')} now" for key in told]


def compare(logged: Mapping[str, Leaf], now: Mapping[str, Leaf], tolerance: float) -> dict[str, Any]:
    """Figure by figure. Numbers are close where they differ by at most `tolerance` of the larger; all else is equal or
    different, and so is what only one of both has."""
    close, differences = 0, []
    for figure in sorted(logged.keys() | now.keys()):
        a, b = (side.get(figure, "not there") for side in (logged, now))
        if a == b:
            continue
        relative = None
        if isinstance(a, int | float) and isinstance(b, int | float):
            relative = abs(a - b) / max(abs(a), abs(b))
            close += relative <= tolerance
        differences.append({"figure": figure, "logged": a, "now": b, "relative": relative})
    count = len(logged.keys() | now.keys())
    apart = len(differences) - close
    outcome = "different" if apart else "within tolerance" if close else "equal"
    return {
        "outcome": outcome, "figures": count, "equal": count - len(differences), "close": close, "different": apart,
        "differences": sorted(differences, key=lambda row: -(math.inf if row["relative"] is None else row["relative"])),
        "tolerance": tolerance,
    }  # fmt: skip
