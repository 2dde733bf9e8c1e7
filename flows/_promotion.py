"""Promotion where the clips lie: a champion that was judged on other clips than its challenger is judged on theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows import _dvc
from tasks import modelio, params, tracking
from tasks.files import read_json, sha256_of, write_json
from tasks.report import front_page

ROUNDS = 3  # the champion may change while it is judged


def promote(root: Path, recipe: str, version: str, *, anyway: bool = False) -> tracking.Decision:
    """Promote a version by the rules of params.yaml, judging what was judged on other clips first if that can be done.

    It cannot where footage becomes other clips (in shape, spacing or subclips) for one of the two: such a model is
    another product, under a recipe of its own name, or it is promoted by hand.
    """
    rules = params.load(root / "params.yaml").promotion
    for _ in range(ROUNDS):
        decision = tracking.promote(recipe, version, rules, anyway=anyway)
        if not decision.rejudge or decision.champion_version is None:
            break
        if not _judge_on_todays_clips(root, recipe, [decision.champion_version, version]):
            break
    return decision


def standing(root: Path, recipe: str) -> dict[str, Any] | None:
    """The recipe's record, where publishing again would change nothing; None where it might.

    So it is when what lies here is the champion in the registry as it is now, by weights and evaluation: whatever the
    rules, there is nothing to decide. It takes two questions to the store instead of a dozen.
    """
    noted = root / "data" / "registry" / f"{recipe}.json"
    if not noted.is_file():
        return None
    run, evaluation = (_dvc.outputs(root, f"{stage}@{recipe}")[0] for stage in ("train", "evaluate"))
    metrics, record = read_json(evaluation / "metrics.json"), tracking.registry_record(recipe)
    held, weights = record["challenger"], sha256_of(run / modelio.WEIGHTS)
    if held is None or record["champion_version"] != record["challenger_version"] or record != read_json(noted):
        return None
    judged = (metrics["weights_sha256"], metrics["evaluation_sha256"])
    same = (held["weights_sha256"], held["evaluation_sha256"]) == judged and judged[0] == weights
    return record if same else None


def write_record(root: Path, recipe: str) -> dict[str, Any]:
    """`data/registry/<recipe>.json`, which the report reads, from the registry as it is; returns it."""
    record = tracking.registry_record(recipe)
    write_json(root / "data" / "registry" / f"{recipe}.json", record)
    front_page.write(root / "data")
    return record


def _judge_on_todays_clips(root: Path, name: str, versions: list[str]) -> bool:
    """Whether all of the versions have scores on the clips that lie here, and one of them got it now."""
    from tasks import evaluate  # torch, which takes as long as all the rest of a run that finds nothing to do
    from tasks.clips import ClipDataset

    recipe = params.load(root / "params.yaml").recipe(name)
    frames, clips = (_dvc.outputs(root, f"{stage}@{recipe.dataset}")[0] for stage in ("sample", "assemble"))
    run = _dvc.outputs(root, f"train@{name}")[0]
    if not (clips / "clips.parquet").is_file() or not (run / modelio.WEIGHTS).is_file():
        return False
    today = ClipDataset(frames, clips, "test").data_sha256
    lacking = [version for version in versions if today not in tracking.judged_on(name, version)]
    loaded = {version: tracking.load(tracking.resolve(name, version)) for version in lacking}
    if not all(comparable(model, modelio.description_of(run)) for model in loaded.values()):
        return False
    for version, model in loaded.items():
        labels = list(model.labels) if model.kind == "classify" else None
        places = (model.inputs, model.outputs)
        scores = evaluate.judge_again(
            model.predict, model.kind, model.weights_sha256, recipe, frames, clips, *places, labels
        )
        tracking.add_scores(name, version, scores)
    return bool(lacking)


def comparable(model: tracking.Loaded, trained: dict[str, Any]) -> bool:
    """Whether both take the same clips of footage, are shown and answer the same frames, and tell the same classes
    apart. `trained` is the `model.json` of what was trained on today's clips."""
    from tasks import model_input

    if not model_input.alike(model.input, trained["input"]):
        return False
    if model.kind == "classify" and list(model.labels) != trained["labels"]:
        return False
    asked = [model.kind, list(model.inputs), list(model.outputs)]
    return asked == [trained[key] for key in ("kind", "inputs", "outputs")]
