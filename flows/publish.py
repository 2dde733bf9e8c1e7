"""From results on disk to the registry: register, promote where the gate allows, note it for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from flows import _dvc, _promotion
from flows._progress import progress
from tasks import params, tracking


def publish_recipe(root: Path, recipe: str) -> dict[str, Any]:
    """Register the recipe's trained model and promote it if it beats the champion on the same evaluation data.

    Doing it again for the same weights changes nothing. A version that was rolled back stays so.

    A champion that was judged on other clips (the footage or the split has changed) is judged on the new ones first,
    so that both scores are of the same clips: see `_promotion.promote`.

    Returns:
        The record written to `data/registry/<recipe>.json`, which the report reads.

    Raises:
        ValueError: the recipe is not trained or not evaluated yet.
        UnreachableError: the tracking store does not answer.
    """
    run, evaluation = (_dvc.outputs(root, f"{stage}@{recipe}")[0] for stage in ("train", "evaluate"))
    tracking.deliver_pending(root / "data" / "state")  # what a training could not tell the store at the time
    if (record := _promotion.standing(root, recipe)) is not None:
        return record
    lineage = {**tracking.lineage(), "flow_run_id": str(flow_run.id or "none")}
    registered = tracking.register(recipe, run, evaluation, lineage, root / "dvc.lock")
    _promotion.promote(root, recipe, registered.version)
    return _promotion.write_record(root, recipe)


@task(task_run_name="publish {recipe}", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def register_and_promote(root: Path, recipe: str) -> dict[str, Any]:
    """Register the recipe's model, and promote it where it beats the present champion."""
    shown = progress()
    shown.start(f"publish {recipe}")
    record = publish_recipe(root, recipe)
    shown.end(f"publish {recipe}", record["decision"]["reason"])
    create_table_artifact(
        key=f"publish-{recipe.replace('_', '-')}",
        table=[{k: record[k] for k in ("model", "challenger_version", "champion_version", "run_id", "decision")}],
        description=f"What the registry decided about `{recipe}`.",
    )
    return record


@flow(name="publish")
def publish(recipes: list[str] | None = None, project: Path | None = None) -> dict[str, dict[str, Any]]:
    """Register and promote what is trained and judged; one recipe's trouble does not keep the others.

    Args:
        recipes: keys under `recipes` in params.yaml; None: all that were judged.
        project: the project's folder; None: the working folder or the nearest one above it that is a project.

    Returns:
        The record of each recipe.

    Raises:
        ValueError: no project, no such recipe, or one that is not trained or judged yet, or whose files are not here.
    """
    root = _dvc.project_root(project)
    known = params.load(root / "params.yaml")
    recipes = judged(root, known) if recipes is None else recipes
    for name in recipes:
        known.recipe(name)  # raises before anything is done
    states = {name: register_and_promote(root, name, return_state=True) for name in dict.fromkeys(recipes)}
    return {name: state.result() for name, state in states.items()}


def judged(root: Path, known: params.Params) -> list[str]:
    """The recipes that `dvc.lock` has an evaluation of."""
    made = _dvc.hashes(root)
    return [name for name in sorted(known.recipes) if f"data/evaluation/{name}" in made]
