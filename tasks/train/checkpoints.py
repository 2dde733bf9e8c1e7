"""The resumable state of a training: checkpoints that are whole or not there, one owner, one set of settings.

state/
  settings.json            what the state belongs to: settings, data, code of the model
  step_00000200.safetensors  weights, moving average, moments; step, history and sums as JSON in its header
  step_00000200.json       written last: the SHA-256 of the file above. Without it the checkpoint does not count
  samples/                 pictures
  twin/                    checkpoints of the second training, where there is one (`tasks.train.data.open_twin`)
  trainer.lock, trainer.pid  held while a trainer runs
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from tasks import modelio
from tasks.files import read_json, replacing, sha256_of, write_json, write_text

KEPT = 2
_STEM = re.compile(r"step_\d{8}")


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint. `step` steps were done; `record` is what was saved beside the tensors."""

    path: Path
    step: int
    record: dict[str, Any]

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under `prefix.`, without it, each in memory of its own."""
        with safe_open(self.path, framework="pt") as stored:
            names = [name for name in stored.keys() if name.startswith(f"{prefix}.")]  # noqa: SIM118  not a mapping
            return {name.removeprefix(f"{prefix}."): stored.get_tensor(name).clone() for name in names}


@contextlib.contextmanager
def only_trainer(state: Path) -> Iterator[None]:
    """Hold the state folder; the lock goes when the process goes, however it ends.

    Raises:
        ValueError: another trainer holds it, as when a killed `dvc repro` has left its child running.
    """
    state.mkdir(parents=True, exist_ok=True)
    lock, owner = FileLock(state / "trainer.lock"), state / "trainer.pid"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        pid = owner.read_text(encoding="utf-8").strip() if owner.is_file() else "unknown"
        raise ValueError(
            f"process {pid} is already training in {state}; wait for it, or end it with: kill {pid}"
        ) from None
    try:
        write_text(owner, f"{os.getpid()}\n")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def claim(state: Path, settings: dict[str, Any], say: Callable[[str], None]) -> bool:
    """Make `state` belong to `settings`. False, and the old state is gone, where it belonged to others."""
    settings = json.loads(json.dumps(settings))
    path = state / "settings.json"
    if path.is_file():
        try:
            before = read_json(path)
        except ValueError:
            before = {}
        if before == settings:
            return True
        changed = sorted(k for k in {*before, *settings} if before.get(k) != settings.get(k))
        say(f"{state} is of another training ({', '.join(changed)} differ); training starts anew")
    clear(state)
    write_json(path, settings)
    return False


def clear(state: Path) -> None:
    """Remove checkpoints, samples and settings; the lock and what the tracking store has not received stay."""
    (state / "settings.json").unlink(missing_ok=True)
    for path in [*state.glob("step_*"), *state.glob(".step_*")]:
        path.unlink(missing_ok=True)
    for folder in ("samples", modelio.TWIN):
        shutil.rmtree(state / folder, ignore_errors=True)


def save(state: Path, step: int, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Write the checkpoint after `step` steps and remove all but the last two."""
    stem = f"step_{step:08d}"
    # Copies, as tied weights must not share memory in the file.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with replacing(state / f"{stem}.safetensors") as temporary:
        save_file(own, temporary, metadata={"record": json.dumps(record)})
        digest = sha256_of(temporary)
    write_json(state / f"{stem}.json", {"sha256": digest})
    for old in _stems(state)[KEPT:]:
        (state / f"{old}.json").unlink()
        (state / f"{old}.safetensors").unlink(missing_ok=True)
    for torn in state.glob(".step_*"):  # left by a process killed in the middle of a write
        torn.unlink(missing_ok=True)


def latest(state: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint whose bytes are those that were written; None if there is none."""
    for stem in _stems(state):
        path = state / f"{stem}.safetensors"
        try:
            whole = path.is_file() and sha256_of(path) == read_json(state / f"{stem}.json")["sha256"]
        except (ValueError, KeyError, TypeError):
            whole = False
        if whole:
            with safe_open(path, framework="pt") as stored:
                return Checkpoint(path, int(stem.removeprefix("step_")), json.loads(stored.metadata()["record"]))
        say(f"checkpoint {path} is damaged; going back to the one before")
        path.unlink(missing_ok=True)
        (state / f"{stem}.json").unlink(missing_ok=True)
    return None


def _stems(state: Path) -> list[str]:
    return sorted((p.stem for p in state.glob("step_*.json") if _STEM.fullmatch(p.stem)), reverse=True)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """An optimizer's moments as flat names; its settings are not state, they follow from the recipe and the step."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    flat = {f"{index}.{key}": value for index, slots in state.items() for key, value in slots.items()}
    assert all(value is None or isinstance(value, Tensor) for value in flat.values())
    return {name: value for name, value in flat.items() if value is not None}


def restore_optimizer(optimizer: Optimizer, flat: dict[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`. Moments get their parameter's memory layout: the fused kernels walk both as
    they lie in memory, and would pair wrong elements of a channels-last weight with those of a contiguous moment."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, slots in optimizer.state.items():
        for key, value in slots.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                slots[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
