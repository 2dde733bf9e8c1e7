"""The training loop, the same for every architecture.

    batch i <- (seed, i)
    for each part that is active: zero, loss, backward, clip, step, while the other parts stand still
    moving average
    now and then: row of the history, picture, checkpoint

Nothing random outlives a step and the learning rate follows from the step's number, so that weights, moments, moving
average and the number of the step are all there is to save: a run continued from a checkpoint takes the same path, on
a CPU to the last bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning_fabric
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import models
from models import VideoModel
from models._sequence import lengths
from tasks.exits import DivergedError
from tasks.params import Recipe
from tasks.train import checkpoints, samples
from tasks.train.augment import augment, check, sizes_taken
from tasks.train.batches import Batch, ahead, alike, balanced_indices, batch_indices, evenly_spaced, reader, step_seed
from tasks.train.checkpoints import Checkpoint
from tasks.train.data import Data, config_of
from tasks.train.means import Means
from tasks.train.optimise import learning, learning_rate, make_optimizer, moving_average

INITIALISE_BYTES = 256 * 2**20  # training clips shown to `initialise`, evenly spaced over the split
Row = dict[str, float]


@dataclass(frozen=True)
class Listener:
    """Who hears of a row of the history (completed steps, values), of a picture, and of steps going by.

    Without one for pictures, none is made, and nothing is measured on the validation split.
    """

    row: Callable[[int, Row], None]
    picture: Callable[[Path], None] | None
    step: Callable[[int, str], None]


class _Loss(nn.Module):
    """A model's loss as a forward pass: precision and DDP act on calls of a module only."""

    def __init__(self, model: VideoModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, part: str, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        done = torch.full((), progress, dtype=torch.float64)  # on the CPU: reading it waits for nothing
        return self.model.loss({**batch, "progress": done}, part)


class Trainer:
    """One training on one process of one or more. Rank 0 alone writes.

    After `train`, `kept` is the model to keep, `rows` the history and `segments` the seconds spent: one entry for each
    (re)start, up to the last checkpoint that counted.
    """

    segments: list[dict[str, float]]

    def __init__(
        self, fabric: lightning_fabric.Fabric, recipe: Recipe, data: Data, state: Path, resume: Checkpoint | None
    ) -> None:
        self.clock = time.monotonic()
        self.fabric, self.data, self.state, self.t = fabric, data, state, recipe.training
        if self.t.threads:
            torch.set_num_threads(self.t.threads)
        if fabric.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        torch.manual_seed(self.t.seed)
        model = models.build(recipe.architecture, **config_of(recipe, data.train))
        for part in set(self.t.learning_rate_of) - set(model.parts):
            raise ValueError(
                f"training.learning_rate_of names {part!r}, which {recipe.architecture} does not have; its parts are: "
                + ", ".join(model.parts)
            )
        check(self.t.augment, data.train.shape, sizes_taken(model, data.train.shape))
        if resume is None:
            budget = max(1, INITIALISE_BYTES // math.prod(data.train.shape))
            model.initialise(torch.from_numpy(data.train.clips(evenly_spaced(len(data.train), budget))))
        else:
            model.load_state_dict(resume.tensors("model"))
        optimizers = [make_optimizer(self.t, list(model.parameters_of(part))) for part in model.parts]
        self.loss, *wrapped = fabric.setup(_Loss(model), *optimizers)
        self.model, self.optimizers = model.train(), dict(zip(model.parts, wrapped, strict=True))
        self.bare = dict(zip(model.parts, optimizers, strict=True))
        self.average = moving_average(model, self.t.ema_decay) if self.t.ema_decay else None
        if self.average is not None:
            self.average.eval().requires_grad_(False)
        self.alike = alike(data.train.table, self.t.balance)
        self._restore(resume)

    def _restore(self, resume: Checkpoint | None) -> None:
        record: dict[str, Any] = {"rows": [], "segments": [], "means": {}} if resume is None else resume.record
        self.first = 0 if resume is None else resume.step
        self.rows: list[Row] = record["rows"]
        self.earlier: list[dict[str, float]] = record["segments"]
        self.means = Means(self.fabric.device, record["means"])
        if resume is not None:
            for part, optimizer in self.bare.items():
                checkpoints.restore_optimizer(optimizer, resume.tensors(f"optimizer.{part}"))
            if self.average is not None:
                self.average.load_state_dict(resume.tensors("average"))

    @property
    def kept(self) -> VideoModel:
        """The weights that are kept: the moving average where there is one, else the last."""
        kept = self.model if self.average is None else self.average.module
        assert isinstance(kept, VideoModel)
        return kept

    def _spent(self, done: int) -> list[dict[str, float]]:
        """Seconds spent, one entry for each (re)start."""
        return [*self.earlier, {"first_step": self.first, "last_step": done, "seconds": time.monotonic() - self.clock}]

    def train(self, listener: Listener, *, save_last: bool) -> None:
        """Run the steps that are left, if any.

        Args:
            save_last: also write a checkpoint after the last step, where more is to be done before the state can go.

        Raises:
            DivergedError: the loss or a gradient is NaN or infinite; the last checkpoint holds the last good weights.
        """
        if self.first == self.t.steps:
            self.segments = self.earlier
            return
        t, fabric = self.t, self.fabric
        fetch, _ = reader(self.data.train, self.data.frames, fabric.device)
        mine = slice(fabric.global_rank, None, fabric.world_size)
        batches = ahead(fetch, lambda i: self._chosen(i)[mine], range(self.first, t.steps))
        if not self.earlier:  # else it is there, and another process may be reading it
            self._save(0)
        for step, batch in zip(range(self.first, t.steps), batches, strict=True):
            self._step(step, {k: v.to(fabric.device, non_blocking=True) for k, v in batch.items()})
            done = step + 1
            sample = done % t.sample_every_steps == 0 or done == t.steps
            if sample or done % t.log_every_steps == 0:
                self._row(done, sample, listener)
            if save_last if done == t.steps else done % t.checkpoint_every_steps == 0:
                self._save(done)
            listener.step(done, f"loss {self.rows[-1]['loss']:.5g}" if self.rows else "")
        self.segments = self._spent(t.steps)

    def _chosen(self, step: int) -> NDArray[np.int64]:
        """Which training clips step `step` sees, on all processes together."""
        t = self.t
        if self.alike is None:
            return batch_indices(t.seed, step, t.batch_clips, len(self.data.train))
        return balanced_indices(t.seed, step, t.batch_clips, self.alike)

    def _step(self, step: int, batch: Batch) -> None:
        torch.manual_seed(step_seed(self.t.seed, step, self.fabric.global_rank))
        length_B = lengths(batch["clip"]) if self.model.kind == "regress" else None
        batch = {**batch, "clip": augment(batch["clip"], self.t.augment, length_B)}
        parts = self.model.active_parts(step / self.t.steps)
        assert self.model.parts[0] in parts  # whose loss is `loss` in every row of the history
        for part in parts:
            with learning(self.model, part):
                self._step_of(part, step, batch)
        if self.average is not None:
            self.average.update_parameters(self.model)

    def _step_of(self, part: str, step: int, batch: Batch) -> None:
        optimizer = self.optimizers[part]
        for group in optimizer.param_groups:
            group["lr"] = self.t.learning_rate_of.get(part) or learning_rate(self.t, step)
        optimizer.zero_grad(set_to_none=True)
        loss, scalars = self.loss(batch, part, step / self.t.steps)
        self.fabric.backward(loss)
        limit = self.t.gradient_clip_norm or math.inf  # of the optimizer's own parameters
        norm = self.fabric.clip_gradients(self.loss, optimizer, max_norm=limit, error_if_nonfinite=False)
        assert norm is not None
        if self.fabric.device.type == "cpu":  # on an accelerator this would wait for the device: checked at rows
            self._finite(step + 1, float(loss.detach()) + float(norm))
        optimizer.step()
        suffix = "" if part == self.model.parts[0] else f"_{part}"
        for name, value in {f"loss{suffix}": loss, f"gradient_norm{suffix}": norm, **scalars}.items():
            self.means.add(name, value)

    def _finite(self, done: int, value: float) -> None:
        if math.isfinite(value):
            return
        kept = checkpoints.latest(self.state, lambda _: None)
        raise DivergedError(
            f"the loss or a gradient became {value} at step {done} of {self.t.steps}. The last good weights are in "
            f"{kept.path if kept else 'no checkpoint'}. Lower training.optimizer.learning_rate, set "
            "training.gradient_clip_norm, or use precision 32-true, and train again"
        )

    def _mean_over_ranks(self, value: Tensor) -> float:
        mean = self.fabric.all_reduce(value, reduce_op="mean")
        assert isinstance(mean, Tensor)
        return float(mean)

    def _row(self, done: int, sample: bool, listener: Listener) -> None:
        means = self.means.take(self._mean_over_ranks)
        self._finite(done, sum(v for name, v in means.items() if name.startswith(("loss", "gradient_norm"))))
        row: Row = {"loss": means.pop("loss"), **dict(sorted(means.items()))}
        row["learning_rate"] = learning_rate(self.t, done - 1)
        if sample and listener.picture is not None:
            row |= self._look(done, listener.picture)
        self.rows.append({"step": done, **row})
        listener.row(done, row)

    def _look(self, done: int, show: Callable[[Path], None]) -> Row:
        """Write a picture of what the kept model makes of a few clips; measure it on the validation split."""
        path = self.state / "samples" / f"step_{done:08d}.png"
        found = samples.look(path, self.kept.eval(), self.data, self.t.batch_clips)
        self.model.train()
        show(path)
        return found

    def _save(self, done: int) -> None:
        means = self.means.record(self._mean_over_ranks)
        self._finite(done, sum(means["sums"].values()))
        if not self.fabric.is_global_zero:
            return
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for part, optimizer in self.bare.items():
            tensors |= {f"optimizer.{part}.{k}": v for k, v in checkpoints.optimizer_tensors(optimizer).items()}
        if self.average is not None:
            tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        record = {"rows": self.rows, "means": means, "segments": self._spent(done)}
        checkpoints.save(self.state, done, tensors, record)
