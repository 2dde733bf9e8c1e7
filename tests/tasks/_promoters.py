"""Versions with scores and without weights, and promoters that are processes of their own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
GROUPS = {"01": 4, "02": 2, "03": 4}


def metrics(value: float, spread: Sequence[float] = (0.5, -0.25, -0.375), **changes: Any) -> dict[str, Any]:
    """An evaluation's `metrics.json`, as far as the gate reads it; the groups' means are `value` plus `spread`."""
    groups = {name: {"mean": value + d, "count": n} for (name, n), d in zip(GROUPS.items(), spread, strict=True)}
    primary = {"metric": "psnr_db", "higher_is_better": True, "value": value, "low": value - 1, "high": value + 1}
    return {
        "evaluation_sha256": changes.pop("data", "test-1"),
        "primary": primary | changes,
        "primary_by_group": groups,
        "intervals": {"samples": 4000, "seed": 1},
    }


def client() -> Any:
    from mlflow import MlflowClient

    from tasks.tracking import tracking_uri
    from tasks.tracking.store import prepare

    prepare()
    return MlflowClient(tracking_uri(), tracking_uri())


def make_version(name: str, judged: dict[str, Any], **tags: str) -> str:
    """A version of `rushes-<name>` that was judged."""
    from tasks.tracking.judged import tag_of
    from tasks.tracking.store import connected, tracking_uri

    with connected(tracking_uri()):
        store = client()
    if not store.search_registered_models(f"name = 'rushes-{name}'"):
        store.create_registered_model(f"rushes-{name}")
    primary = judged["primary"]
    told = {f"rushes.{key}": str(primary[key]) for key in ("metric", "value", "low", "high")}
    told |= {
        "rushes.higher_is_better": str(primary["higher_is_better"]).lower(),
        "rushes.evaluation_sha256": judged["evaluation_sha256"],
        "rushes.weights_sha256": f"w{primary['value']}",
        "rushes.export_verified": "true",
    }
    version = store.create_model_version(f"rushes-{name}", "rushes:/nothing", tags=told | dict([tag_of(judged)]) | tags)
    return str(version.version)


def promote_all(uri: str, name: str, versions: Sequence[str], killed: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One process a version, all at once; what each was told. Those `killed` die (-9) as soon as it is their turn."""
    command = [sys.executable, "-m", "tests.tasks._promoters", name, ",".join(versions), ",".join(killed)]
    env = os.environ | {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _child(act: Callable[[], dict[str, Any]], start: int, out: int) -> None:
    status = 1
    try:
        os.read(start, 1)  # until all are there
        os.write(out, (json.dumps(act()) + "\n").encode())
        status = 0
    finally:  # never back into what was forked
        if status:
            traceback.print_exc()
        os._exit(status)


def _promote(name: str, version: str, killed: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from tasks import tracking
    from tasks.tracking import history

    if killed:
        history.settle = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    return asdict(tracking.promote(name, version))


def main(name: str, versions: str, killed: str) -> None:
    """Import once, then fork before anything is opened: a promoter costs little, and is a process like any other."""
    from tasks.tracking import store, turns

    store.prepare()
    __import__("mlflow")
    __import__("mlflow.store.tracking.sqlalchemy_store")
    turns.TERM_SECONDS = float(os.environ.get("TERM_SECONDS", turns.TERM_SECONDS))
    start, go = os.pipe()
    children = {}
    for version in versions.split(","):
        back, out = os.pipe()
        if not (child := os.fork()):
            os.close(go)
            _child(lambda version=version: _promote(name, version, version in killed.split(",")), start, out)
        os.close(out)
        children[child] = (version, back)
    os.close(go)
    for child, (version, back) in children.items():
        _, status = os.waitpid(child, 0)
        expected = -signal.SIGKILL if version in killed.split(",") else 0
        assert os.waitstatus_to_exitcode(status) == expected, (version, status)
        while select.select([back], [], [], 0)[0] and (told := os.read(back, 65536)):
            sys.stdout.write(told.decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
