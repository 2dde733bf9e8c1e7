"""A batch of drawn videos: one worker, two, Ray, and a look that finds nothing new.

All by one network with the weights it begins with, as its answers do not matter here. Every way makes the same
results, each in a process of its own, from its start to its end: most of a small batch is getting ready.

python -m benchmarks.batches PROJECT EXECUTOR WORKERS brings the project's batch up to date.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tasks import files, params

VIDEOS, SECONDS, HEIGHT_PX, WIDTH_PX, RATE = 12, 16.0, 240, 320, 25
WAYS: dict[str, tuple[str, int]] = {
    "1 worker": ("local", 1), "2 workers": ("local", 2), "Ray, 2 actors": ("ray", 2),
}  # fmt: skip


class _Rebuilding:
    """A reconstructing network as a batch wants it (see `tracking.Loaded`), without a registry."""

    uri, recipe, version, kind, weights_sha256 = "models:/rushes-begun/1", "begun", "1", "reconstruct", "0" * 64

    def __init__(self) -> None:
        import torch

        import models

        self.judged: dict[str, Any] = {}
        torch.manual_seed(0)
        self.network = models.build("gru_autoencoder").eval()
        c = self.network.config
        self.input = {"height_px": c.height_px, "width_px": c.width_px, "fit": "crop", "gray": c.channels == 1}
        self.input |= {"length_frames": c.frames}

    def predict(self, clip_BTHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        with torch.no_grad():
            answer: NDArray[np.float32] = self.network.predict(torch.from_numpy(clip_BTHWC)).numpy()
        return answer


def _load(uri: str) -> _Rebuilding:
    return _Rebuilding()


def batch(project: Path, executor: str, workers: int) -> None:
    """What the flow does for one model, without the flow."""
    from tasks.batch.known import NAME, Known
    from tasks.batch.lock import held
    from tasks.batch.running import run
    from tasks.batch.sources import look
    from tasks.batch.working import Executor, Run

    home, model = project / "data" / "batch", _load("")
    settings = params.Batch(footage=("footage",), models=(model.recipe,))
    with held(home, "new", model.recipe):
        known = Known(home / "new" / NAME)
        listed = look(settings.footage, project, known)
        known.save()
        summary = run(Run("new", settings, model, home, cast(Executor, executor), workers, _load), listed)
    assert summary.done + summary.kept == VIDEOS, summary


def _draw(folder: Path) -> None:
    from tasks import media

    folder.mkdir()
    for number in range(VIDEOS):
        rng = np.random.default_rng(number)
        wide = rng.integers(0, 256, (HEIGHT_PX // 16, 2 * WIDTH_PX // 16, 3), np.uint8).repeat(16, 0).repeat(16, 1)
        moving = (np.roll(wide, -k, 1)[:, :WIDTH_PX] for k in range(int(SECONDS * RATE)))
        media.encode_video(moving, folder / f"{number:03d}.mp4", frames_per_second=RATE)


def _seconds(project: Path, executor: str, workers: int) -> float:
    command = [sys.executable, "-m", "benchmarks.batches", str(project), executor, str(workers)]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment | {"OMP_NUM_THREADS": "1"})
    return time.perf_counter() - start


def measure() -> dict[str, Any]:
    """Seconds, and of one worker's how often each is faster."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        _draw(project / "footage")
        results = project / "data" / "batch" / "new" / "begun"
        seconds: dict[str, float] = {}
        hashes = []
        for name, (executor, workers) in WAYS.items():
            shutil.rmtree(results, ignore_errors=True)
            seconds[name] = _seconds(project, executor, workers)
            hashes.append(files.sha256_of(results / "v1" / "results.csv"))
        assert len(set(hashes)) == 1, "the ways differ in what they make"
        seconds["nothing new"] = _seconds(project, "local", 1)
        for name, took in seconds.items():
            ratio = seconds["1 worker"] / took
            print(f"  {name:14s} {took:7.1f} s   {ratio:5.2f} times as fast as 1 worker, {VIDEOS / took:6.2f} videos/s")
    return {"videos": VIDEOS, "frames": int(VIDEOS * SECONDS * RATE), "seconds": seconds}


if __name__ == "__main__":
    batch(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
