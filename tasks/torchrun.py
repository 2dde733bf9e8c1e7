"""Training on several machines: the stage `train`, started anew by torchrun on each of them.

    machine 0   RUSHES_TORCHRUN="--nnodes 2 --nproc-per-node 4 --rdzv-endpoint m0:29400 --rdzv-backend c10d"  dvc repro
    machine 1   the same variable, and the command that `dvc repro` runs: python -m tasks train NAME ...

The project lies on a disk that all of them see; `training.devices` is the number of processes on all of them together.
"""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from collections.abc import Callable

VARIABLE = "RUSHES_TORCHRUN"


def wanted() -> bool:
    """Whether this process is to start torchrun: it was asked for, and did not start this one already."""
    return bool(os.environ.get(VARIABLE)) and not started()


def started() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_first() -> bool:
    """Whether this is the process that writes; always, without torchrun."""
    return not started() or os.environ["RANK"] == "0"


def start(arguments: list[str]) -> int:
    """Run `python -m tasks ARGUMENTS` in as many processes as `RUSHES_TORCHRUN` says, and return their exit code.

    Raises:
        ValueError: torchrun does not know what stands in the variable.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import get_args_parser, run

    launch: Callable[[Namespace], None] = run
    told = os.environ[VARIABLE]
    try:
        parsed = get_args_parser().parse_args([*shlex.split(told), "-m", "tasks", *arguments])
    except (SystemExit, ValueError) as error:  # an unknown option, a quote that is not closed
        raise ValueError(f"{VARIABLE} is {told!r}; it takes the options of torchrun (torchrun --help)") from error
    try:
        launch(parsed)
    except ChildFailedError as failed:
        codes = [failure.exitcode for failure in failed.failures.values()]
        return next((code for code in codes if code > 0), 128 + abs(codes[0]))  # a process that was ended is negative
    return 0
