"""From results on disk to the registry: register, promote where the gate allows, note it for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect.runtime import flow_run

from flows import _dvc
from tasks import evaluate, model_input, modelio, params, tracking
from tasks.files import write_json


def publish_recipe(root: Path, recipe: str) -> dict[str, Any]:
    """Register the recipe's trained model and promote it if it beats the champion on the same evaluation data.

    Doing it again for the same weights changes nothing.

    A champion that was judged on other clips (the footage or the split has changed) is judged again on the new ones
    first, so that both scores are of the same clips. One for which footage becomes other clips (in shape, spacing or
    subclips) stays champion: such a model is another product, under a recipe of its own name, or the alias is moved by
    hand.

    Returns:
        The record written to `data/registry/<recipe>.json`, which the report reads.

    Raises:
        ValueError: the recipe is not trained or not evaluated yet.
        UnreachableError: the tracking store does not answer.
    """
    run, evaluation = (_dvc.outputs(root, f"{stage}@{recipe}")[0] for stage in ("train", "evaluate"))
    tracking.deliver_pending(root / "data" / "state")  # what a training could not tell the store at the time
    lineage = {**tracking.lineage(), "flow_run_id": str(flow_run.id or "none")}
    registered = tracking.register(recipe, run, evaluation, lineage, root / "dvc.lock")
    if tracking.promote(recipe, registered.version).rejudge and (again := _champion_today(root, recipe)) is not None:
        tracking.promote(recipe, registered.version, again)
    record = tracking.registry_record(recipe) | {"run_id": registered.run_id}
    write_json(root / "data" / "registry" / f"{recipe}.json", record)
    return record


def _champion_today(root: Path, name: str) -> dict[str, Any] | None:
    """The champion's score on the clips its challenger was judged on; None where those are not for it."""
    recipe = params.load(root / "params.yaml").recipe(name)
    frames, clips = (_dvc.outputs(root, f"{stage}@{recipe.dataset}")[0] for stage in ("sample", "assemble"))
    challenger = modelio.description_of(_dvc.outputs(root, f"train@{name}")[0])
    champion = tracking.load(tracking.resolve(name))
    if not _comparable(champion, challenger):
        return None
    return evaluate.judge_again(
        champion.predict,
        champion.kind,
        tracking.registry_record(name)["champion"]["weights_sha256"],
        recipe,
        frames,
        clips,
        champion.inputs,
        champion.outputs,
        list(champion.labels) if champion.kind == "classify" else None,
    )


def _comparable(champion: tracking.Loaded, challenger: dict[str, Any]) -> bool:
    """Whether both take the same clips of footage, are shown and answer the same frames, and tell the same classes
    apart. `challenger` is its `model.json`."""
    if not model_input.alike(champion.input, challenger["input"]):
        return False
    if champion.kind == "classify" and list(champion.labels) != challenger["labels"]:
        return False
    asked = [champion.kind, list(champion.inputs), list(champion.outputs)]
    return asked == [challenger[key] for key in ("kind", "inputs", "outputs")]
