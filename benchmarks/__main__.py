"""`make bench`: every figure is a ratio of two ways measured in one run on one machine.

python -m benchmarks [assembly] [subclips] [training] [describing] [orchestration] [batches] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

import torch

from benchmarks import assembly, batches, describing, orchestration, subclips, training

BENCHMARKS = {
    "assembly": assembly.measure,
    "subclips": subclips.measure,
    "training": training.measure,
    "describing": describing.measure,
    "orchestration": orchestration.measure,
    "batches": batches.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", nargs="*", help=f"of {', '.join(BENCHMARKS)}; none: all")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    arguments = parser.parse_args()
    unknown = set(arguments.which) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    figures = {}
    for name in arguments.which or BENCHMARKS:
        print(f"\n{name}: {(sys.modules[BENCHMARKS[name].__module__].__doc__ or '').splitlines()[0]}")
        figures[name] = BENCHMARKS[name]()
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
