"""From results on disk to the registry: register, promote where the gate allows, note it for the report."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from flows import _dvc
from tasks import evaluate, params, tracking
from tasks.files import sha256_of, write_json


def publish_recipe(root: Path, recipe: str) -> dict[str, Any]:
    """Register the recipe's trained model and promote it if it beats the champion on the same evaluation data.

    Doing it again for the same weights changes nothing.

    A champion that was judged on other clips (the footage or the split has changed) is judged again on the new ones
    first, so that both scores are of the same clips.

    Returns:
        The record written to `data/registry/<recipe>.json`, which the report reads.

    Raises:
        ValueError: the recipe is not trained or not evaluated yet, or its champion takes clips of another shape.
        UnreachableError: the tracking store does not answer.
    """
    run, evaluation = (_dvc.outputs(root, f"{stage}@{recipe}")[0] for stage in ("train", "evaluate"))
    tracking.deliver_pending(root / "data" / "state")  # what a training could not tell the store at the time
    registered = tracking.register(recipe, run, evaluation, lineage(root))
    if tracking.promote(recipe, registered.version).rejudge:
        tracking.promote(recipe, registered.version, _champion_today(root, recipe))
    record = tracking.registry_record(recipe)
    write_json(root / "data" / "registry" / f"{recipe}.json", record)
    return record


def _champion_today(root: Path, name: str) -> dict[str, Any]:
    """The champion's score on the clips that its challenger was judged on."""
    recipe = params.load(root / "params.yaml").recipe(name)
    frames, clips = (_dvc.outputs(root, f"{stage}@{recipe.dataset}")[0] for stage in ("sample", "assemble"))
    champion = tracking.load(tracking.resolve(name))
    weights_sha256 = tracking.registry_record(name)["champion"]["weights_sha256"]
    return evaluate.judge_again(champion.predict, weights_sha256, recipe, frames, clips)


def lineage(root: Path) -> dict[str, str]:
    """Where the present results come from: git commit (and whether the tree differs from it), `dvc.lock`, flow run."""
    from prefect.runtime import flow_run

    commit = _git(root, "rev-parse", "HEAD") or "none"
    dirty = "yes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "no"
    found = {"git_commit": commit, "git_dirty": dirty, "dvc_lock_sha256": sha256_of(root / "dvc.lock")}
    return {**found, "flow_run_id": str(flow_run.id or "none")}


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=60)
    return done.stdout.strip() if done.returncode == 0 else ""
