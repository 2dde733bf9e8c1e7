"""Studies: one recipe trained again and again with one thing changed, every training a DVC experiment.

    footage > ... > assemble | experiment, experiment, ... | summary              | report
    in the workspace         | beside it, see `_study`     | data/studies/*.json  | dvc repro report

An experiment that is there already, under the same name with the same code, parameters and data, is taken as it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import networkx as nx
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows import _dvc, _study, _workshop
from flows._progress import progress
from flows._study import Changes, Results, Workshop
from flows.lifecycle import run_stage
from tasks import files, params, studies
from tasks.exits import BAD_INPUT, DIVERGED
from tasks.params import Params
from tasks.studies import Depth, Experiment, Unjudged

KERNEL_DEPTH = "kernel-depth"


class ExperimentsFailedError(RuntimeError):
    """Trainings of a study ended for another reason than bad input or divergence; the others are summed up.

    Attributes:
        result: what the flow would have returned.
    """

    exit_code = 1

    def __init__(self, failed: list[str], result: dict[str, Any]) -> None:
        super().__init__("; ".join(failed) + "; the others are in the report, and the same command tries again")
        self.result = result


def has_kernel_depth(architecture: str) -> bool:
    """Does it classify, and can its kernels be given another extent in time?"""
    import models

    if architecture not in models.names():
        return False
    module = importlib.import_module(f"models.{architecture}")
    return module.Model.kind == "classify" and any(f.name == "kernel_depth" for f in fields(module.Config))


def choose_recipe(known: Params, recipe: str | None) -> str:
    """The recipe of that name, or the only one that can be studied.

    Raises:
        ValueError: it cannot be studied, or there are none, or several to choose from.
    """
    able = [name for name, r in known.recipes.items() if has_kernel_depth(r.architecture)]
    if recipe is None:
        if len(able) != 1:
            which = f"one of {', '.join(able)}: rushes study {KERNEL_DEPTH} {able[0]}" if able else "none has it"
            raise ValueError(f"name a recipe of an architecture with the setting kernel_depth; {which}")
        return able[0]
    architecture = known.recipe(recipe).architecture
    if recipe not in able:
        raise ValueError(
            f"recipes.{recipe} is of the architecture {architecture}, which does not classify or has no setting"
            f" kernel_depth; recipes that can be studied: {', '.join(able) or 'none'}"
        )
    return recipe


@task(task_run_name="{experiment.experiment}", retries=0, cache_policy=NO_CACHE)
def run_experiment(shop: Workshop, recipe: str, experiment: Experiment, changes: Changes) -> Results | Unjudged:
    """Train and judge; the results, or why there are none.

    Raises:
        StageFailedError: something is wrong with the project or its settings.
    """
    logger, shown, name = get_run_logger(), progress(), experiment.experiment

    def say(line: str) -> None:
        logger.info(line)
        shown.line(line)

    shown.start(name)
    try:
        commit = shop.run(recipe, experiment, changes, say)
    except _dvc.StageFailedError as error:
        if error.exit_code == BAD_INPUT:
            shown.end(name, "failed")
            raise
        gone = Unjudged("diverged" if error.exit_code == DIVERGED else "failed", error.reason)
        shown.end(name, f"{gone.how}: {gone.why}")
        logger.warning(f"{name} {gone.how}: {gone.why}")
        return gone
    found = _study.results(shop.root, recipe, commit)
    assert found is not None
    shown.end(name, f"video accuracy {found.metrics['primary']['value']:.1%}")
    return found


@flow(name="study")
def kernel_depth(
    recipe: str | None = None,
    depths: list[Depth] | None = None,
    seeds: int = 3,
    steps: int | None = None,
    project: Path | None = None,
) -> dict[str, Any]:
    """Train a recipe with every depth and seed, sum up, report (Tran et al. 2015, section 3.2).

    Args:
        recipe: a key under `recipes`; None: the only one whose architecture has a setting kernel_depth.
        depths: None: all that `tasks.studies` knows.
        seeds: trainings of each depth, with the seeds 0 to `seeds` - 1.
        steps: of each training; None: the recipe's own.
        project: the project's folder; None: the working folder or the nearest one above it that is a project.

    Returns:
        ``{"study": the JSON's content, "ran": names, "taken": names, "report": path of the page}``.

    Raises:
        ValueError: no project, no Git commit, a recipe that cannot be studied.
        StageFailedError: a stage of the data failed, or an experiment for bad input.
        ExperimentsFailedError: an experiment failed otherwise. All were tried, and the report is made.
    """
    root = _dvc.project_root(project)
    known = params.load(root / "params.yaml")
    recipe = choose_recipe(known, recipe)
    _workshop.repository(root)
    if seeds < 1:
        raise ValueError(f"--seeds is {seeds}; it must be 1 or more")
    depths = list(depths or studies.KERNEL_DEPTHS)
    shown, data_stages = progress(), _data_stages(root, recipe)
    shown.stages(len(data_stages))
    for stage in data_stages:
        run_stage(root, stage)

    shown.stages(1)
    shown.start("plan")
    changes = _experiments(root, recipe, depths, seeds, steps)
    outcomes: dict[Experiment, Results | Unjudged] = _known(root, recipe, changes)
    to_run = [experiment for experiment in changes if experiment not in outcomes]
    shown.stages(len(to_run))
    shown.end("plan", f"{len(changes)} experiments: {len(to_run)} to run, {len(outcomes)} taken from before")

    def sum_up() -> dict[str, Any]:
        in_order = sorted(outcomes, key=lambda experiment: (depths.index(experiment.depth), experiment.seed))
        summary = _summary(known, recipe, depths, seeds, steps, {e: outcomes[e] for e in in_order})
        files.write_json(studies.kernel_depth_file(root / "data", recipe), summary)
        return summary

    if to_run:
        if "data/report" not in _dvc.hashes(root):  # dvc exp apply removes what its experiment does not know
            _report(root)
        with _study.workshop(root, recipe) as shop:
            for experiment in to_run:
                outcomes[experiment] = run_experiment(shop, recipe, experiment, changes[experiment])
                sum_up()  # at once: whatever ends the study, what it found is kept
    summary = sum_up()
    page = _report(root) / studies.kernel_depth_page(recipe)
    get_run_logger().info(f"The study is {page}")
    names = [experiment.experiment for experiment in to_run]
    result = {"study": summary, "ran": names, "taken": len(changes) - len(names), "report": str(page)}
    failed = [f"{row['experiment']} failed: {row['failed']}" for row in summary["experiments"] if row["failed"]]
    if failed:
        raise ExperimentsFailedError(failed, result)
    return result


def _report(root: Path) -> Path:
    progress().stages(1)
    _dvc.make_room(root, "report")
    run_stage(root, "report")
    return _dvc.outputs(root, "report")[0]


def _data_stages(root: Path, recipe: str) -> list[str]:
    """What a training of the recipe needs, in the order it runs."""
    dag = _dvc.graph(root)
    before = nx.ancestors(dag, f"train@{recipe}")
    return [stage for stage in nx.lexicographical_topological_sort(dag) if stage in before]


def _experiments(
    root: Path, recipe: str, depths: list[Depth], seeds: int, steps: int | None
) -> dict[Experiment, Changes]:
    key, found = _study.keys(root, recipe), {}
    for seed in range(seeds):  # the seeds one after the other: a study that is stopped has something of every depth
        for depth in depths:
            changes = Changes({"kernel_depth": depth}, {"seed": seed} | ({"steps": steps} if steps else {}))
            name = f"{recipe}-{KERNEL_DEPTH}-{depth}-seed-{seed}"
            found[Experiment(depth, seed, name, key(changes))] = changes
    return found


def _known(root: Path, recipe: str, experiments: Iterable[Experiment]) -> dict[Experiment, Results | Unjudged]:
    """What needs no computing again: what DVC has, and what was seen to diverge. What failed is tried again."""
    experiments = list(experiments)
    found: dict[Experiment, Results | Unjudged] = {}
    for experiment, commit in _study.finished(root, experiments).items():
        if (results := _study.results(root, recipe, commit)) is not None:
            found[experiment] = results
    before = studies.kernel_depth_file(root / "data", recipe)
    rows = files.read_json(before)["experiments"] if before.is_file() else []
    said = {(row["experiment"], row["key"]): Unjudged("diverged", row["diverged"]) for row in rows if row["diverged"]}
    return found | {e: said[e.experiment, e.key] for e in experiments if (e.experiment, e.key) in said}


def _summary(
    known: Params,
    name: str,
    depths: list[Depth],
    seeds: int,
    steps: int | None,
    outcomes: dict[Experiment, Results | Unjudged],
) -> dict[str, Any]:
    recipe = known.recipes[name]
    judged = [found for found in outcomes.values() if isinstance(found, Results)]
    rows = [
        studies.unjudged(experiment, found)
        if isinstance(found, Unjudged)
        else studies.scored(experiment, found.commit, found.metrics, found.videos, found.timing)
        for experiment, found in outcomes.items()
    ]
    about = {
        "study": KERNEL_DEPTH, "recipe": name, "dataset": recipe.dataset, "steps": steps or recipe.training.steps,
        "chance": judged[0].metrics["chance"] if judged else None, "depths": depths, "seeds": list(range(seeds)),
    }  # fmt: skip
    groups = studies.groups_of(judged[0].videos) if judged else {}
    own = recipe.config.get("kernel_depth")
    return studies.summarise(about, rows, groups, own if isinstance(own, int | str) else None, recipe.evaluation)
