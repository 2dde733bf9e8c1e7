"""A model that answers at once, for batches whose subject is the work around it; and a batch to be killed.

python -m tests.tasks._batched PROJECT      prints its worker's id, then a line a source
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np

from tasks import parallel, params
from tasks.batch.known import NAME, Known
from tasks.batch.lock import held
from tasks.batch.running import Summary, Tell, run
from tasks.batch.sources import look
from tasks.batch.working import Run
from tasks.tracking.batch_runs import Pinned

MODELS = {"steady": Pinned("models:/rushes-steady/3", "steady", "3", "reconstruct", "5" * 64)}
MODELS |= {"nan": Pinned("models:/rushes-nan/1", "nan", "1", "reconstruct", "7" * 64)}
MODELS |= {"slow": MODELS["steady"]}
MODELS |= {"hungry": Pinned("models:/rushes-hungry/1", "hungry", "1", "reconstruct", "9" * 64)}


class Steady:
    """Answers the input, somewhat darker; or NaN; or only when asked again."""

    def __init__(self, pin: Pinned, wait_seconds: float = 0.0) -> None:
        self.uri, self.recipe, self.kind, self.weights_sha256 = pin.uri, pin.recipe, pin.kind, pin.weights_sha256
        self.input = {"height_px": 8, "width_px": 8, "fit": "crop", "gray": True, "length_frames": 4}
        self.wait_seconds = wait_seconds
        self.asked = 0

    def predict(self, clip_BTHWC: np.ndarray) -> np.ndarray:
        time.sleep(self.wait_seconds)
        self.asked += 1
        if self.recipe == "hungry" and self.asked == 1:
            raise MemoryError
        answer: np.ndarray = (clip_BTHWC / 300.0).astype(np.float32)
        return answer * np.float32("nan") if self.recipe == "nan" else answer


def load(uri: str) -> Steady:
    return Steady(next(pin for pin in MODELS.values() if pin.uri == uri))


def load_slow(uri: str) -> Steady:
    return Steady(MODELS["steady"], 0.3)


def do(project: Path, model: str = "steady", workers: int = 1, retry: bool = False, tell: Tell = lambda *_: None,
       **settings: object) -> Summary:  # fmt: skip
    """A run as the flow makes it."""
    batch = params.Batch.model_validate({"footage": ["footage"], "models": ["steady"], **settings})
    home, pin = project / "data" / "batch", MODELS[model]
    with held(home, "new", pin.recipe):
        known = Known(home / "new" / NAME)
        listed = look(batch.footage, project, known)
        known.save()
        how = load_slow if model == "slow" else load
        return run(Run("new", batch, pin, home, batch.executor, workers, how, retry), listed, tell)


def main(project: Path) -> None:
    send, told = parallel._Worker.send, []

    def sending(self: parallel._Worker, item: object) -> None:
        send(self, item)
        if not told:
            told.append(item)
            print(multiprocessing.active_children()[0].pid, flush=True)

    parallel._Worker.send = sending  # type: ignore[method-assign]
    do(project, "slow", tell=lambda done, of, line: print(line, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
