"""`python -m tasks <stage>`: read `params.yaml`, call one function. What DVC types; people type `rushes`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tasks import params
from tasks.exits import exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tasks", description="One stage of dvc.yaml.")
    stages = parser.add_subparsers(dest="stage", required=True)
    for stage, folders in {
        "footage": [],
        "subclips": [],
        "sample": ["cuts"],
        "assemble": ["frames"],
        "train": ["frames", "clips", "state", "timing"],
        "evaluate": ["frames", "clips", "run"],
    }.items():
        command = stages.add_parser(stage)
        command.add_argument("name", help="the key in params.yaml")
        for folder in [*folders, "out"]:
            command.add_argument(f"--{folder}", type=Path, required=True)
    report = stages.add_parser("report")
    report.add_argument("--data", type=Path, required=True)
    report.add_argument("--out", type=Path, required=True)
    return parser


def workers() -> int:
    """Local processes for the work over sources: `RUSHES_WORKERS`, or the cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    text = os.environ.get("RUSHES_WORKERS") or str(cores)
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"RUSHES_WORKERS is {text!r}; set it to a whole number of processes, 1 or more, or unset it")
    return int(text)


def run_stage(a: argparse.Namespace) -> None:
    """Run one stage in the project folder that is the working folder."""
    p = params.load(Path("params.yaml"))
    match a.stage:
        case "footage":
            from tasks import render

            render.run(p.rendering(a.name), a.out, workers())
        case "subclips":
            from tasks import subclips

            subclips.run(p.dataset(a.name), Path(p.dataset(a.name).footage), a.out, workers())
        case "sample":
            from tasks import sample

            sample.run(p.dataset(a.name), Path(p.dataset(a.name).footage), a.cuts, a.out, workers())
        case "assemble":
            from tasks import assemble

            assemble.run(p.dataset(a.name), a.frames, a.out)
        case "train":
            from tasks import torchrun

            if torchrun.wanted():
                sys.exit(torchrun.start(sys.argv[1:]))
            from tasks import cpu, train

            cpu.keep_freed_memory()
            train.run(a.name, p.recipe(a.name), a.frames, a.clips, a.out, a.timing, a.state)
        case "evaluate":
            from tasks import cpu, evaluate

            cpu.keep_freed_memory()
            evaluate.run(a.name, p.recipe(a.name), a.frames, a.clips, a.run, a.out)
        case "report":
            from tasks import report

            report.run(p, a.data, a.out)


def main() -> None:
    try:
        run_stage(_parser().parse_args())
    except (ValueError, RuntimeError, OSError) as error:
        code = exit_code(error)
        if code is None:
            raise
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(code) from error


if __name__ == "__main__":
    main()
