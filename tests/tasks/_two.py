"""Trains on one or two processes. What stands outside `main` runs in each of them, as they are spawned.

python -m tests.tasks._two ROOT FOLDER DEVICES ARCHITECTURE     dies at step DIE_AT_STEP, if set
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.tasks import _kill
from tests.tasks._tiny import know_tiny, train_tiny

know_tiny()
if "DIE_AT_STEP" in os.environ:
    _kill.at_step(int(os.environ["DIE_AT_STEP"]))


def main(root: Path, folder: Path, devices: int, architecture: str) -> None:
    config = {} if architecture == "tiny_rater" else {"plain": True}
    more = _kill.TRAINING[architecture] if architecture == "tiny_rater" else {}
    train_tiny(root, folder, config, architecture, devices=devices, augment={}, **more)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
