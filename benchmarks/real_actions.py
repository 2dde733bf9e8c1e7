"""Both autoencoders on real footage: the Weizmann strips, trained on some performers and judged on others.

python -m benchmarks.real_actions --test 5 6 --out FOLDER     (make real)

Copies the project to FOLDER, points its parameters at the footage and runs `dvc repro` there, so that what is measured
is the product itself. The recipes and their lengths stand in `benchmarks/weizmann.yaml`: about ten minutes of training
each on two cores for the default networks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks._project import copy_project
from flows._dvc import environment

ROOT = Path(__file__).parent.parent


def prepare(folder: Path, footage: Path, test: list[str], recipes: list[str]) -> None:
    """A copy of this project in `folder` with the parameters of the benchmark; what was computed there is kept."""
    copy_project(folder)
    yaml = YAML()
    yaml.preserve_quotes = True
    values = yaml.load(ROOT / "benchmarks" / "weizmann.yaml")
    values["datasets"]["weizmann"]["footage"] = str(footage)
    values["datasets"]["weizmann"]["split"]["test"] = test
    if recipes:
        values["recipes"] = {name: values["recipes"][name] for name in recipes}
    yaml.dump(values, folder / "params.yaml")


def show(folder: Path) -> None:
    """One line an answer: PSNR over all pixels, over those that move, over those that do not; seconds of training."""
    for path in sorted((folder / "data" / "evaluation").glob("*/metrics.json")):
        metrics = json.loads(path.read_text())
        timing = json.loads((folder / "data" / "timing" / f"{metrics['recipe']}.json").read_text())
        print(f"\n{metrics['recipe']}: {metrics['parameters']:,} parameters, {timing['train_seconds']:.0f} s, "
              f"{metrics['clips']} clips of performers {', '.join(metrics['groups'])}")  # fmt: skip
        for name, answer in metrics["answers"].items():
            cells = [f"{answer[key]['value']:7.2f}" for key in ("psnr_db", "psnr_moving_db", "psnr_still_db")]
            low, high = answer["psnr_db"]["low"], answer["psnr_db"]["high"]
            print(f"  {name:18}{answer['floats']:6} floats {' '.join(cells)}  ({low:.2f} to {high:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    real = os.environ.get("RUSHES_FOOTAGE")
    parser.add_argument("--footage", type=Path, default=Path(real) / "actions" if real else None, required=not real)
    parser.add_argument(
        "--test", nargs="+", default=["5", "6"], help="performers to judge on; the others are trained on"
    )
    parser.add_argument("--recipes", nargs="*", default=[], help="recipes of benchmarks/weizmann.yaml; none: all")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "real_actions")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    prepare(arguments.out.resolve(), arguments.footage.resolve(), arguments.test, arguments.recipes)
    subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=arguments.out, env=environment(), check=True)
    show(arguments.out)
    print(f"\nReport: {arguments.out / 'data' / 'report' / 'index.html'}")


if __name__ == "__main__":
    main()
