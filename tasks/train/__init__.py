"""The train stage: one recipe, from clips to a run folder. A killed run goes on where it was.

While it trains, everything stands in the state folder; the run folder appears whole, at the end.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import lightning_fabric
import torch
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.strategies.strategy import Strategy

import models
from tasks import cpu, model_input, torchrun
from tasks.exits import DivergedError
from tasks.files import sha256_of
from tasks.params import Recipe, Training
from tasks.progress import tell
from tasks.tracking.runs import RunStart
from tasks.train import checkpoints
from tasks.train.data import Data, check_answers, config_of, open_data, open_twin
from tasks.train.process import Job, work


def run(name: str, recipe: Recipe, frames: Path, clips: Path, out: Path, timing: Path, state: Path) -> None:
    """Train `recipe` on the train split and write the run folder `out` and the seconds it took, `timing`.

    With `training.subclip_split_twin`, then train a second one, the same but for its clips (`data.open_twin`).

    Args:
        name: the recipe's key; names the run in the tracking store.
        frames: frame stores.
        clips: clip manifest, and the summary that says how the footage became clips: it is noted beside the weights for
            whoever feeds the model later.
        out: run folder: `weights.safetensors`, `model.json`, `history.csv`, `samples/`, and of the second one `twin/`
            with the first two.
        timing: JSON file, the only output that holds measured time.
        state: resumable state. Emptied when the run is finished, but for what the tracking store has not received.

    Raises:
        ValueError: a setting does not fit the data or the machine, or another trainer holds `state`.
        DivergedError: the loss became NaN or infinite; `state` keeps the last good weights.
    """
    t = recipe.training
    data = open_data(frames, clips)
    described = model_input.read(clips)
    _check(t, len(data.train))
    say = functools.partial(tell, f"train {name}") if torchrun.is_first() else lambda _: None
    check_answers(recipe, data, say)
    twin = open_twin(recipe, frames, clips, say)
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
    if twin is not None:
        settings["twin"] = twin.train.data_sha256
    with _held(state, settings, [out, timing], say) as goes_on:
        key = hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()
        start = RunStart(state / "tracking", key, name, _parameters(recipe, data), data.train.data_sha256, goes_on)
        job = Job(name, recipe, described, data, twin, out, timing, state, precision, start)
        fabric = lightning_fabric.Fabric(
            accelerator=t.accelerator,
            devices=_here(t),
            num_nodes=t.devices // _here(t),
            precision=precision,
            strategy=_strategy(recipe, data),
        )
        trouble = fabric.launch(functools.partial(work, job=job))  # as an argument, Fabric would take it apart
        if trouble is not None:
            raise DivergedError(trouble)
        if torchrun.is_first():
            checkpoints.clear(state)


@contextlib.contextmanager
def _held(state: Path, settings: dict[str, Any], outs: list[Path], say: Callable[[str], None]) -> Iterator[bool]:
    """The state folder, held and made to belong to `settings`; whether a training goes on in it. Of the processes that
    torchrun started the first alone does so."""
    if not torchrun.is_first():
        yield False
        return
    with checkpoints.only_trainer(state):
        goes_on = checkpoints.claim(state, settings, say)
        for torn in itertools.chain.from_iterable(out.parent.glob(f".{out.stem}.*") for out in outs):
            shutil.rmtree(torn) if torn.is_dir() else torn.unlink()  # of a process killed while it wrote
        yield goes_on


def _here(t: Training) -> int:
    """How many of the training's processes run on this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if torchrun.started() else t.devices


def _check(t: Training, clips: int) -> None:
    if t.batch_clips % t.devices:
        raise ValueError(f"training.batch_clips is {t.batch_clips}, which {t.devices} devices cannot share evenly")
    if torchrun.started() and int(os.environ["WORLD_SIZE"]) != t.devices:
        raise ValueError(
            f"torchrun starts {os.environ['WORLD_SIZE']} processes on all machines together, and training.devices is"
            f" {t.devices}; make them equal"
        )
    if t.accelerator == "cuda" and torch.cuda.device_count() < _here(t):
        raise ValueError(
            f"training asks for {_here(t)} CUDA device(s) here, and torch {torch.__version__} sees"
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
    """Processes are spawned, unless torchrun has started them: Fabric would start this command anew, and a stage has
    effects that must happen once."""
    if recipe.training.devices == 1:
        return "auto"
    parts = models.build(recipe.architecture, **config_of(recipe, data.train)).parts
    start: Literal["popen", "spawn"] = "popen" if torchrun.started() else "spawn"
    return DDPStrategy(start_method=start, find_unused_parameters=len(parts) > 1)


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
