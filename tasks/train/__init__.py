"""The train stage: one recipe, from clips to a run folder. A killed run goes on where it was.

While it trains, everything stands in the state folder; the run folder appears whole, at the end.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import hashlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any, Literal

import lightning_fabric
import torch
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.strategies.strategy import Strategy

import models
from tasks import cpu, modelio
from tasks.exits import DivergedError
from tasks.files import replacing, replacing_folder, sha256_of, write_json
from tasks.params import Frames, Recipe, Training
from tasks.progress import Progress, tell
from tasks.tracking.runs import RunLogger, RunStart
from tasks.train import checkpoints
from tasks.train.data import Data, check_classes, config_of, open_data
from tasks.train.trainer import Listener, Row, Trainer


@dataclasses.dataclass(frozen=True)
class Job:
    """What every process of one training is given."""

    name: str
    recipe: Recipe
    sampled: Frames
    data: Data
    out: Path
    timing: Path
    state: Path
    run: RunStart


def run(
    name: str, recipe: Recipe, sampled: Frames, frames: Path, clips: Path, out: Path, timing: Path, state: Path
) -> None:
    """Train `recipe` on the train split and write the run folder `out` and the seconds it took, `timing`.

    Args:
        name: the recipe's key; names the run in the tracking store.
        sampled: how the frames were stored, noted beside the weights for whoever feeds the model later.
        frames: frame stores.
        clips: clip manifest.
        out: run folder: `weights.safetensors`, `model.json`, `history.csv`, `samples/`.
        timing: JSON file, the only output that holds measured time.
        state: resumable state. Emptied when the run is finished, but for what the tracking store has not received.

    Raises:
        ValueError: a setting does not fit the data or the machine, or another trainer holds `state`.
        DivergedError: the loss became NaN or infinite; `state` keeps the last good weights.
    """
    t = recipe.training
    data = open_data(frames, clips)
    _check(t, len(data.train))
    say = functools.partial(tell, f"train {name}")
    check_classes(recipe, data.train, say)
    settings = {
        "architecture": recipe.architecture,
        "config": config_of(recipe, data.train),
        "training": t.model_dump(),
        "data": data.train.data_sha256,
        "code": _code_sha256(recipe.architecture),
        "torch": torch.__version__,
        "precision": (precision := precision_of(t)),
    }
    if models.kind_of(recipe.architecture) == "classify":
        settings["labels"] = data.train.labels  # their order is that of the answers
    with checkpoints.only_trainer(state):
        goes_on = checkpoints.claim(state, settings, say)
        key = hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()
        start = RunStart(state / "tracking", key, name, _parameters(recipe, data), data.train.data_sha256, goes_on)
        for torn in [*out.parent.glob(f".{out.name}.*"), *timing.parent.glob(f".{timing.stem}.*")]:
            shutil.rmtree(torn) if torn.is_dir() else torn.unlink()  # of a process killed while it wrote
        job = Job(name, recipe, sampled, data, out, timing, state, start)
        fabric = lightning_fabric.Fabric(
            accelerator=t.accelerator, devices=t.devices, precision=precision, strategy=_strategy(recipe, data)
        )
        trouble = fabric.launch(functools.partial(_work, job=job))  # as an argument, Fabric would take it apart
        if trouble is not None:
            raise DivergedError(trouble)
        checkpoints.clear(state)


def _check(t: Training, clips: int) -> None:
    if t.batch_clips % t.devices:
        raise ValueError(f"training.batch_clips is {t.batch_clips}, which {t.devices} devices cannot share evenly")
    if t.accelerator == "cuda" and torch.cuda.device_count() < t.devices:
        raise ValueError(
            f"training asks for {t.devices} CUDA device(s), and torch {torch.__version__} sees"
            f" {torch.cuda.device_count()}; set training.accelerator to cpu or auto"
        )
    assert clips > 0


def precision_of(t: Training) -> Literal["32-true", "bf16-mixed"]:
    """`training.precision`; `auto` as what it means on this machine."""
    if t.precision != "auto":
        return t.precision
    if t.accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if cpu.bf16_instructions() else "32-true"


def _strategy(recipe: Recipe, data: Data) -> Strategy | str:
    """Processes are spawned, not this command started anew: a stage has effects that must happen once."""
    if recipe.training.devices == 1:
        return "auto"
    parts = models.build(recipe.architecture, **config_of(recipe, data.train)).parts
    return DDPStrategy(start_method="spawn", find_unused_parameters=len(parts) > 1)


def _code_sha256(architecture: str) -> str:
    """The code that decides the weights: the architecture's, the parts it shares, the loop's and what it is fed."""
    found = importlib.util.find_spec(f"models.{architecture}")
    assert found is not None
    assert found.origin is not None
    here, there = Path(__file__).parent, Path(models.__path__[0])
    loop = [here / f"{name}.py" for name in ("trainer", "optimise", "augment", "batches", "data")]
    digests = [sha256_of(path) for path in [Path(found.origin), *sorted(there.glob("_*.py")), *loop]]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _parameters(recipe: Recipe, data: Data) -> dict[str, str]:
    """What the tracking store lists as the run's parameters."""
    flat: dict[str, Any] = {
        "dataset": recipe.dataset,
        "architecture": recipe.architecture,
        "train_clips": len(data.train),
    }
    flat |= {f"config.{k}": v for k, v in config_of(recipe, data.train).items()}
    for key, value in recipe.training.model_dump().items():
        nested = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"training.{key}.{k}".rstrip("."): v for k, v in nested}
    return {key: str(value) for key, value in flat.items()}


def _work(fabric: lightning_fabric.Fabric, job: Job) -> str | None:
    """One process of the training. Returns what went wrong, if the loss stopped being a number."""
    if not fabric.is_global_zero:
        return _silent(fabric, job)
    t = job.recipe.training
    with RunLogger(job.run) as logger, Progress(f"train {job.name}", t.steps) as progress:
        checkpoint = checkpoints.latest(job.state, progress.say)
        fabric.broadcast(None if checkpoint is None else checkpoint.path)
        trainer = Trainer(fabric, job.recipe, job.data, job.state, checkpoint)
        if checkpoint is not None:
            progress.say(f"going on from step {trainer.first}")
        progress.begin(trainer.first)
        logger.log_parameters(_facts(trainer))
        listener = Listener(logger.log_metrics, lambda path: logger.log_file(path, "samples"), progress.to)
        try:
            trainer.train(listener)
        except DivergedError as error:
            logger.finish("FAILED", {"rushes.stopped": str(error)})
            return str(error)
        weights_sha256 = _write(job, trainer)
        logger.log_file(job.out / modelio.HISTORY, "")
        logger.finish("FINISHED", {"rushes.weights_sha256": weights_sha256})
    return None


def _silent(fabric: lightning_fabric.Fabric, job: Job) -> str | None:
    """The other processes: they compute, rank 0 speaks and writes."""
    path = fabric.broadcast(None)
    checkpoint = None if path is None else checkpoints.latest(job.state, lambda _: None)
    trainer = Trainer(fabric, job.recipe, job.data, job.state, checkpoint)
    try:
        trainer.train(Listener(lambda *_: None, lambda *_: None, lambda *_: None))
    except DivergedError as error:
        return str(error)
    return None


def _facts(trainer: Trainer) -> dict[str, str]:
    model = trainer.model
    latent = {} if model.latent_floats is None else {"model.latent_floats": str(model.latent_floats)}
    return {
        "model.parameters": str(sum(p.numel() for p in model.parameters())),
        **latent,
        "device": _device(trainer),
        "precision": precision_of(trainer.t),
        "threads": str(torch.get_num_threads()),
    }


def _device(trainer: Trainer) -> str:
    device = trainer.fabric.device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _write(job: Job, trainer: Trainer) -> str:
    """The run folder and the timing file. Returns the SHA-256 of the weights."""
    t, data = job.recipe.training, job.data.train
    frames, height_px, width_px, _ = data.shape
    spacing_frames = job.sampled.every_frames * int(data.table["step"].iloc[0])
    description = {
        "architecture": job.recipe.architecture,
        "dataset": job.recipe.dataset,
        "data_sha256": data.data_sha256,
        "training": t.model_dump(),
        "labels": data.labels,
        "input": {
            "gray": job.sampled.gray,
            "fit": job.sampled.fit,
            "every_frames": spacing_frames,
            "height_px": height_px,
            "width_px": width_px,
            "length_frames": frames,
        },
    }
    with replacing_folder(job.out) as folder:
        weights_sha256 = modelio.save_run(folder, trainer.kept, description)
        write_history(folder / modelio.HISTORY, trainer.rows)
        shutil.copytree(job.state / "samples", folder / modelio.SAMPLES)
    segments = trainer.segments(t.steps)
    seconds = sum(segment["seconds"] for segment in segments)
    timing = {
        "train_seconds": seconds,
        "steps": t.steps,
        "steps_per_second": t.steps / seconds,
        "device": _device(trainer),
        "devices": t.devices,
        "threads": torch.get_num_threads(),
        "precision": precision_of(t),
        "segments": segments,
    }
    write_json(job.timing, timing)
    return weights_sha256


def write_history(path: Path, rows: list[Row]) -> None:
    """CSV, a line a row, floats exact, empty where a column was not measured at that step."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
