"""What each process of a training does: the model's steps, those of its twin, and, in the first of them, the files.

model   step 0 ... last    kept in the state folder as a checkpoint of its own, so that
twin    step 0 ... last    one that is killed here does not train the model again
run folder, timing
"""

from __future__ import annotations

import contextlib
import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning_fabric
import torch

from models import VideoModel
from tasks import modelio
from tasks.exits import DivergedError
from tasks.files import replacing, replacing_folder, write_json
from tasks.params import Recipe
from tasks.progress import Progress
from tasks.tracking.runs import RunLogger, RunStart
from tasks.train import checkpoints
from tasks.train.data import Data
from tasks.train.trainer import Listener, Row, Trainer


@dataclass(frozen=True)
class Job:
    """What every process of one training is given."""

    name: str
    recipe: Recipe
    described: dict[str, Any]  # what `tasks.model_input` read of the data set
    data: Data
    twin: Data | None
    out: Path
    timing: Path
    state: Path
    precision: str
    run: RunStart


@dataclass(frozen=True)
class Trained:
    """What a training leaves: the model, on the CPU, its history, and the seconds of each (re)start."""

    model: VideoModel
    rows: list[Row]
    segments: list[dict[str, float]]

    @property
    def seconds(self) -> float:
        """Of all (re)starts together."""
        return sum(segment["seconds"] for segment in self.segments)


def work(fabric: lightning_fabric.Fabric, job: Job) -> str | None:
    """One process of the training. Returns what went wrong, if the model's loss stopped being a number."""
    if not fabric.is_global_zero:
        return _silent(fabric, job)
    with RunLogger(job.run) as logger:
        try:
            model = _model(fabric, job, logger)
        except DivergedError as error:
            logger.finish("FAILED", {"rushes.stopped": str(error)})
            return str(error)
        twin = None if job.twin is None else _twin(fabric, job)
        weights_sha256 = _write(fabric, job, model, twin)
        logger.log_file(job.out / modelio.HISTORY, "")
        logger.finish("FINISHED", {"rushes.weights_sha256": weights_sha256})
    return None


def _silent(fabric: lightning_fabric.Fabric, job: Job) -> str | None:
    """The other processes: they compute, rank 0 speaks and writes."""
    nobody = Listener(lambda *_: None, None, lambda *_: None)
    try:
        _train(fabric, job, lambda _: nobody)
    except DivergedError as error:
        return str(error)
    if job.twin is not None:
        with contextlib.suppress(DivergedError):
            _train(fabric, job, lambda _: nobody, twin=True)
    return None


def _model(fabric: lightning_fabric.Fabric, job: Job, logger: RunLogger) -> Trained:
    with Progress(f"train {job.name}", job.recipe.training.steps) as progress:

        def begin(trainer: Trainer) -> Listener:
            _begin(progress, trainer)
            logger.log_parameters(_facts(trainer, job.precision))
            return Listener(logger.log_metrics, lambda path: logger.log_file(path, "samples"), progress.to)

        return _train(fabric, job, begin, progress.say)


def _twin(fabric: lightning_fabric.Fabric, job: Job) -> Trained | None:
    """Told to the terminal alone. None where its loss stopped being a number: the model is no worse for it."""
    with Progress(f"train {job.name}, its twin split by subclip", job.recipe.training.steps) as progress:

        def begin(trainer: Trainer) -> Listener:
            _begin(progress, trainer)
            return Listener(lambda *_: None, None, progress.to)

        try:
            return _train(fabric, job, begin, progress.say, twin=True)
        except DivergedError as error:
            progress.say(f"{error}. The run is kept without its twin")
            return None


def _begin(progress: Progress, trainer: Trainer) -> None:
    if trainer.first == trainer.t.steps:
        progress.say("trained before it was interrupted")
    elif trainer.earlier:
        progress.say(f"going on from step {trainer.first}")
    progress.begin(trainer.first)


def _train(
    fabric: lightning_fabric.Fabric,
    job: Job,
    begin: Callable[[Trainer], Listener],
    say: Callable[[str], None] = lambda _: None,
    *,
    twin: bool = False,
) -> Trained:
    """Train the model, or its twin, from where it was left. Nothing on the device outlives this."""
    data, state = (job.twin, job.state / modelio.TWIN) if twin else (job.data, job.state)
    assert data is not None
    first = checkpoints.latest(state, say) if fabric.is_global_zero else None
    path = fabric.broadcast(None if first is None else first.path)  # rank 0 has removed what is damaged
    mine = first if fabric.is_global_zero or path is None else checkpoints.latest(state, say)
    trainer = Trainer(fabric, job.recipe, data, state, mine)
    trainer.train(begin(trainer), save_last=job.twin is not None and not twin)
    trainer.kept.zero_grad(set_to_none=True)
    return Trained(trainer.kept.cpu(), trainer.rows, trainer.segments)


def _facts(trainer: Trainer, precision: str) -> dict[str, str]:
    model = trainer.model
    latent = {} if model.latent_floats is None else {"model.latent_floats": str(model.latent_floats)}
    return {
        "model.parameters": str(sum(p.numel() for p in model.parameters())),
        **latent,
        "device": _device(trainer.fabric),
        "precision": precision,
        "threads": str(torch.get_num_threads()),
    }


def _device(fabric: lightning_fabric.Fabric) -> str:
    return torch.cuda.get_device_name(fabric.device) if fabric.device.type == "cuda" else fabric.device.type


def _write(fabric: lightning_fabric.Fabric, job: Job, model: Trained, twin: Trained | None) -> str:
    """The run folder and the timing file. Returns the SHA-256 of the model's weights."""
    t = job.recipe.training
    with replacing_folder(job.out) as folder:
        weights_sha256 = modelio.save_run(folder, model.model, _description(job, job.data))
        _write_history(folder / modelio.HISTORY, model.rows)
        shutil.copytree(job.state / "samples", folder / modelio.SAMPLES)
        if twin is not None and job.twin is not None:
            (folder / modelio.TWIN).mkdir()
            modelio.save_run(folder / modelio.TWIN, twin.model, _description(job, job.twin))
    timing = {
        "train_seconds": model.seconds,
        "twin_seconds": None if twin is None else twin.seconds,
        "steps": t.steps,
        "steps_per_second": t.steps / model.seconds,
        "device": _device(fabric),
        "devices": t.devices,
        "threads": torch.get_num_threads(),
        "precision": job.precision,
        "segments": model.segments,
    }
    write_json(job.timing, timing)
    return weights_sha256


def _description(job: Job, data: Data) -> dict[str, Any]:
    """What `model.json` says beside the model's own facts."""
    return {
        "architecture": job.recipe.architecture,
        "dataset": job.recipe.dataset,
        "data_sha256": data.train.data_sha256,
        "training": job.recipe.training.model_dump(),
        "labels": data.train.labels,
        **job.described,
    }


def _write_history(path: Path, rows: list[Row]) -> None:
    """CSV, a line a row, floats exact, empty where a column was not measured at that step."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
