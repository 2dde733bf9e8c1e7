"""One step of the graph by itself, for whoever wants it now: `prefect deployment run step/sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect import flow

from flows import _dvc
from flows._progress import progress
from flows.lifecycle import run_stage

Step = Literal["footage", "subclips", "sample", "assemble", "train", "evaluate", "report"]


@flow(name="step", flow_run_name="{step}")
def step(
    step: Step, names: list[str] | None = None, force: bool = False, project: Path | None = None
) -> dict[str, str]:
    """Run one step, as `dvc repro --single-item` does: what stands before it is taken as it is.

    Args:
        names: datasets, or recipes of `train` and `evaluate`; None: all that the graph has.
        project: the project's folder; None: the working folder or the nearest one above it that is a project.
        force: run it even where nothing changed.

    Returns:
        What happened, by stage.

    Raises:
        ValueError: no project, or the graph has no such stage.
        StageFailedError: a stage failed; those after it were not run.
    """
    root = _dvc.project_root(project)
    stages = [stage for stage in _dvc.stages_for(root) if stage.split("@")[0] == step]
    if names is not None:
        known = [stage.partition("@")[2] for stage in stages]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise ValueError(
                f"the graph has no {step} of {', '.join(unknown) or 'nothing'}; it has: {', '.join(known) or step}"
            )
        stages = [f"{step}@{name}" for name in known if name in names]
    progress().stages(len(stages))
    return {stage: run_stage(root, stage, force) for stage in stages}
