"""A project of one tiny recipe on strips of a moving square, and nothing has run: the code and the graph of this tree,
committed but for the architecture, which Git does not know."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from tests.flows.conftest import ROOT

SIDE, FRAMES = 16, 16
PARAMS = """\
rendered: {}
datasets:
  blobs:
    footage: data/footage/blobs
    label: folder
    strip_frame_width_px: null
    ratings: null
    group: {pattern: 'p(?P<group>\\d+)', divide_by: null}  # in braces and quotes, as DVC must read it
    subclips: null
    shots: null
    frames: {height_px: 16, width_px: 16, gray: true, fit: crop, every_frames: 1}
    clips: {length_frames: 8, step_frames: 1, train_stride_frames: 4, stride_frames: 8}
    split: {test: ['2', '3'], validation: []}
    max_reject_fraction: 0.1
recipes:
  never_run:
    dataset: blobs
    architecture: conv3d_autoencoder
    config: {variant: default}
    training: {steps: 1}
    evaluation: {}
  tiny:
    dataset: blobs
    architecture: tiny_depth
    config: {kernel_depth: 3}  # this comment stays
    training: {seed: 0, steps: 3, batch_clips: 2, accelerator: cpu, threads: 1, checkpoint_every_steps: 100}
    evaluation: {batch_clips: 8, bootstrap_samples: 100, bootstrap_seed: 0}
report: {title: Rushes, strips: 1}
"""


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def _footage(folder: Path) -> None:
    """Strips of a bright square that goes right or down, of four performers."""
    for number, label in enumerate(("down", "right")):
        (folder / label).mkdir(parents=True)
        for performer in range(4):
            video = np.random.default_rng([number, performer]).integers(0, 60, (FRAMES, SIDE, SIDE), dtype=np.uint8)
            for t in range(FRAMES):
                row, column = (t * (1 - number) + performer) % 12, (t * number + performer) % 12
                video[t, row : row + 4, column : column + 4] = 250
            Image.fromarray(np.concatenate(list(video), axis=1)).save(folder / label / f"p{performer}.png")


def make(folder: Path) -> Path:
    """Make it in an empty folder."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
        kept = name.startswith(("models/", "tasks/", "data/", ".dvc", ".git")) or name == "dvc.yaml"
        if kept and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "notes.txt").write_text("first\n")
    git(folder, "init", "-q")
    for setting, value in (("user.name", "Test"), ("user.email", "test@example.org")):  # dvc exp apply asks for them
        git(folder, "config", setting, value)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "tiny")
    shutil.copy(Path(__file__).parent / "_tiny_depth.py", folder / "models" / "tiny_depth.py")  # not committed
    _footage(folder / "data/footage/blobs")
    return folder
