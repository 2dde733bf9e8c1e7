"""C3D's training and its descriptor against the article's own forward pass: fp32, plain NCDHW, torch's defaults.

Both ways run the paper's network, for the figures' 7 classes, each in a process of its own. Ours is what the product
does: `Trainer` with its loading, cropping and checks; the exported `describe` from stored frames of 128 x 171. Theirs
gets its batches ready made (see `_plain_c3d`). The descriptors are of the same clips by the same weights, and compared.

python -m benchmarks.describing FOLDER PRECISION times ours alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._footage import assembled, figures
from benchmarks._plain_c3d import weights_of
from tasks import cpu, params

BATCH_CLIPS = 8
WARM_UP_STEPS, STEPS, CALLS = 1, 3, 3
HEIGHT_PX, WIDTH_PX = 128, 171
MULTIPLY_ADDS = 38.5e9  # of a clip's forward pass


def _dataset(footage: Path) -> params.Dataset:
    return params.Dataset.model_validate({
        "footage": str(footage), "group": {"pattern": r"performer(?P<group>\d+)"},
        "frames": {"height_px": HEIGHT_PX, "width_px": WIDTH_PX, "gray": False},
        "clips": {"length_frames": 16, "stride_frames": 16}, "split": {"test": ["01"]},
    })  # fmt: skip


def _recipe(precision: str) -> params.Recipe:
    return params.Recipe.model_validate({
        "dataset": "figures", "architecture": "c3d", "config": {"variant": "paper"},
        "training": {
            "steps": WARM_UP_STEPS + STEPS + 1, "batch_clips": BATCH_CLIPS, "decay": "constant",
            "augment": {"crop_height_px": 112, "crop_width_px": 112},
            "optimizer": {"name": "sgd", "learning_rate": 0.003, "beta1": 0.9},
            "precision": {"32": "32-true", "bf16": "bf16-mixed"}[precision],
        },
    })  # fmt: skip


def _prepare(folder: Path) -> int:
    """Clips, the network's weights for theirs, the exported `describe` for ours. Returns the number of classes."""
    import torch
    from safetensors.torch import save_file

    import models
    from tasks.clips import ClipDataset
    from tasks.tracking.describing import save_describe

    footage = figures(folder)
    frames, clips = assembled(_dataset(footage), folder, 1)
    dataset = ClipDataset(frames, clips, "train")
    np.save(folder / "clips.npy", dataset.clips(list(range(BATCH_CLIPS))))
    torch.manual_seed(0)
    model = models.build("c3d", classes=len(dataset.labels)).eval()
    save_file(weights_of(model), folder / "weights.safetensors")
    save_describe(model, folder)
    return len(dataset.labels)


def _train(folder: Path, precision: str) -> float:
    """The fastest step of the product's trainer; the last one, with its picture, does not count."""
    import lightning_fabric

    from tasks.train.data import open_data
    from tasks.train.trainer import Listener, Trainer

    recipe = _recipe(precision)
    ends: list[float] = []
    fabric = lightning_fabric.Fabric(accelerator="cpu", devices=1, precision=recipe.training.precision)
    data = open_data(folder / "frames", folder / "clips")
    with tempfile.TemporaryDirectory() as state:
        trainer = Trainer(fabric, recipe, data, Path(state), None)
        listener = Listener(lambda *_: None, lambda *_: None, lambda *_: ends.append(time.perf_counter()))
        trainer.train(listener, save_last=False)
    steps = np.diff(ends)[WARM_UP_STEPS - 1 : -1]  # the first of all has no beginning here
    assert len(steps) == STEPS, steps
    return float(steps.min())


def _describe(folder: Path, precision: str) -> float:
    from tasks.tracking.describing import Describer

    describer = Describer(folder, cpu.settled_precision(precision))
    clips = np.load(folder / "clips.npy")
    calls = []
    for _ in range(1 + CALLS):
        start = time.perf_counter()
        found = describer(clips)
        calls.append(time.perf_counter() - start)
    np.save(folder / f"ours_{precision}.npy", found)
    return min(calls[1:])


def _apart(folder: Path, way: str) -> float:
    """How far our descriptors are from theirs, as a share of their length."""
    ours, theirs = np.load(folder / f"ours_{way}.npy"), np.load(folder / "theirs.npy")
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def _child(*command: str) -> dict[str, float]:
    """A fresh process; no setting of the allocator is handed down, so theirs has torch's and the system's defaults."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES", "THP_"))}
    done = subprocess.run(
        [sys.executable, "-m", *command], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure() -> dict[str, Any]:
    """Theirs, ours in each precision that this CPU has, theirs once more: clips a second, and the ratios."""
    half = bool(cpu.bf16_instructions())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = ["benchmarks._plain_c3d", name, str(BATCH_CLIPS), str(_prepare(folder))]
        runs = {"theirs": [_child(*plain)]}
        for precision in ("bf16", "32") if half else ("32",):
            runs[precision] = [_child("benchmarks.describing", name, precision)]
        runs["theirs"].append(_child(*plain))
        apart = {precision: _apart(folder, precision) for precision in runs if precision != "theirs"}
    best = {way: {what: min(run[what] for run in found) for what in found[0]} for way, found in runs.items()}
    parameters = {int(run["parameters"]) for found in runs.values() for run in found}
    assert len(parameters) == 1, parameters
    rates = {way: {what: BATCH_CLIPS / found[what] for what in ("training", "features")} for way, found in best.items()}
    ratios = {way: {what: rates[way][what] / rates["theirs"][what] for what in rates[way]} for way in apart}
    flops = {way: 2 * MULTIPLY_ADDS * rate["features"] / 1e9 for way, rate in rates.items()}
    hardware = ", ".join(cpu.bf16_instructions()) or "none"
    print(f"  {parameters.pop():,} parameters, {BATCH_CLIPS} clips of 3 x 16 x 112 x 112 a batch; for bf16: {hardware}")
    for what in ("training", "features"):
        cells = [f"{rates[way][what]:.2f} in {way} ({ratios[way][what]:.2f} times)" for way in ratios]
        print(f"  {what}: theirs {rates['theirs'][what]:.2f} clips/s, ours {', '.join(cells)}")
    print("  features, as GFLOP/s of a plain pass: " + ", ".join(f"{way} {rate:.0f}" for way, rate in flops.items()))
    print("  descriptors differ by " + ", ".join(f"{share:.1e} in {way}" for way, share in apart.items()))
    return {"batch_clips": BATCH_CLIPS, "seconds": runs, "clips_a_second": rates, "ratios": ratios, "apart": apart}


def main() -> None:
    folder, precision = Path(sys.argv[1]), sys.argv[2]
    cpu.keep_freed_memory()  # as `python -m tasks train` and `rushes features` do
    found = {"features": _describe(folder, precision), "training": _train(folder, precision)}
    print(json.dumps({**found, "parameters": _parameters(folder)}))


def _parameters(folder: Path) -> int:
    from safetensors import safe_open

    with safe_open(folder / "weights.safetensors", "pt") as weights:
        return sum(int(np.prod(weights.get_slice(key).get_shape())) for key in weights.keys())  # noqa: SIM118


if __name__ == "__main__":
    main()
