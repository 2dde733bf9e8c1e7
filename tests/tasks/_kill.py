"""Trains in processes that are killed with SIGKILL at named points, each gone on with until it ends.

One process imports everything and forks the others: each is a real process with a real death, and starts at once.

    python -m tests.tasks._kill ROOT ARCHITECTURE POINT...      prints what each ended with, as JSON
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks import modelio
from tasks.files import sha256_of
from tasks.train import checkpoints, process, trainer
from tests.tasks._deaths import die, fork
from tests.tasks._tiny import know_tiny, train_tiny


def half_written(*arguments: Any, **keywords: Any) -> None:
    """Leave half of the file that was to be written."""
    path = arguments[1]
    whole(*arguments, **keywords)
    os.truncate(path, path.stat().st_size // 2)
    die()


whole = checkpoints.save_file


def at_step(number: int, *, twin: bool = False) -> None:
    step = trainer.Trainer._step

    def stepping(self: trainer.Trainer, i: int, clip: Any) -> None:
        if i == number and twin == (self.state.name == modelio.TWIN):
            die()
        step(self, i, clip)

    trainer.Trainer._step = stepping  # type: ignore[method-assign]


def note_steps(path: Path) -> None:
    """Write down which step of which training begins."""
    step = trainer.Trainer._step

    def stepping(self: trainer.Trainer, i: int, clip: Any) -> None:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{self.state.name} {i}\n")
        step(self, i, clip)

    trainer.Trainer._step = stepping  # type: ignore[method-assign]


def at_second(name: str) -> None:
    """Die at the second call of this function of `modelio`."""
    called, calls = getattr(modelio, name), iter((False, True))

    def calling(*arguments: Any, **keywords: Any) -> Any:
        if next(calls):
            die()
        return called(*arguments, **keywords)

    setattr(modelio, name, calling)


def at_checkpoint(number: int, name: str, replacement: Callable[..., Any]) -> None:
    save = trainer.checkpoints.save

    def saving(state: Path, step: int, *rest: Any) -> None:
        if step == number:
            setattr(checkpoints, name, replacement)
        save(state, step, *rest)

    trainer.checkpoints.save = saving


POINTS: dict[str, Callable[[], None]] = {
    "nowhere": lambda: None,
    "before the first step": lambda: at_step(0),
    "between checkpoints": lambda: at_step(5),
    "in the middle of the weights of a checkpoint": lambda: at_checkpoint(6, "save_file", half_written),
    "between the weights and the record": lambda: at_checkpoint(6, "write_json", die),
    "before old checkpoints are removed": lambda: at_checkpoint(6, "_stems", die),
    "in the last step": lambda: at_step(11),
    "while the run folder is written": lambda: setattr(modelio, "write_json", die),
    "when all is written": lambda: setattr(process, "write_json", die),  # the last: the timing file
}


TWIN_POINTS: dict[str, Callable[[], None]] = {
    "between the weights and the record of the finished model": lambda: at_checkpoint(12, "write_json", die),
    "between checkpoints of the twin": lambda: at_step(5, twin=True),
    "in the last step of the twin": lambda: at_step(11, twin=True),
    "while the twin is written": lambda: at_second("write_json"),
}

TRAINING: dict[str, dict[str, Any]] = {
    # as the paper trains it; momentum is state that Adam does not have
    "tiny_classifier": {
        "optimizer": {"name": "sgd", "learning_rate": 0.05, "weight_decay": 0.01},
        "decay": "steps",
        "decay_every_steps": 5,
    },
    "tiny_rater": {"subclip_split_twin": True},
}


def one_life(root: Path, folder: Path, architecture: str) -> None:
    train_tiny(root, folder, {}, architecture, **TRAINING.get(architecture, {}))


def main(root: Path, architecture: str, points: list[str]) -> None:
    know_tiny()
    ended = {}
    for number, point in enumerate(points):
        folder = root / architecture / f"killed{number}"
        deaths = []

        def life(point: str, folder: Path = folder) -> None:
            note_steps(folder / "steps.txt")
            {**POINTS, **TWIN_POINTS}[point]()
            one_life(root, folder, architecture)

        folder.mkdir(parents=True)
        deaths.append(fork(functools.partial(life, point)))
        if deaths[0]:
            deaths.append(fork(functools.partial(life, "nowhere")))
        run = folder / "run"
        files = {str(p.relative_to(run)): sha256_of(p) for p in sorted(run.rglob("*")) if p.is_file()}
        left = sorted(p.name for p in (folder / "state" / "tiny").iterdir())
        steps = (folder / "steps.txt").read_text().splitlines()
        ended[point] = {"deaths": deaths, "files": files, "left": left, "steps": steps}
    sys.stdout.write(json.dumps(ended))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:] or list(POINTS))
