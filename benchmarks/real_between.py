"""pix2pix on real footage: pedestrians and films, judged on a sequence that was left out.

python -m benchmarks.real_between --test vtest ADL-Rundle-6 --out FOLDER     (make between)

For each sequence a copy of the project with its own parameters (`benchmarks/mot.yaml`) stands in FOLDER, and
`dvc repro` runs there, so that what is measured is the product itself. At the end one table over all the sequences that
FOLDER holds, with an interval over them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks._project import copy_project
from flows._dvc import environment
from tasks import files, metrics

ROOT = Path(__file__).parent.parent
SEQUENCES = {  # name: path below the real footage, distance between the windows that are judged, and the multiple of 16
    # nearest to its own shape at 144 px height, so that it is judged whole; the others are cut to that shape
    "ADL-Rundle-6": ("mot/ADL-Rundle-6", 1, 256),
    "vtest": ("mot/vtest.avi", 12, 192),
    "Crossing": ("mot/otb_Crossing/img", 3, 208),
    "Big-Buck-Bunny": ("trailers/big_buck_bunny_60s.mp4", 18, 256),
    "Sintel": ("trailers/sintel_trailer_480x204.mp4", 18, 336),
}
TRAINED_ON_ALWAYS = ("trailers/chrome_imaginary_forces.mp4", "trailers/trip_to_the_moon_trailer.mp4")
SHOWN = ("psnr_db", "psnr_moving_db", "psnr_still_db", "ssim", "sharpness_ratio", "flicker")


def footage(real: Path, folder: Path) -> None:
    """The sequences copied below one folder, beside each other, each whole or not at all."""
    for path in [*(path for path, *_ in SEQUENCES.values()), *TRAINED_ON_ALWAYS]:
        if (folder / path).exists():
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if (real / path).is_dir():
            with files.replacing_folder(folder / path) as whole:
                shutil.copytree(real / path, whole, ignore=shutil.ignore_patterns("_orig"), dirs_exist_ok=True)
        else:
            with files.replacing(folder / path) as whole:
                shutil.copy(real / path, whole)


def prepare(folder: Path, real: Path, test: str, recipes: list[str], steps: int | None, threads: int) -> None:
    """A copy of this project in `folder` that leaves out `test`; what was computed there is kept."""
    copy_project(folder)
    footage(real, folder / "footage")
    values = YAML(typ="safe").load(ROOT / "benchmarks" / "mot.yaml")
    path, stride, width_px = SEQUENCES[test]
    values["datasets"]["real"]["split"]["test"] = [path]
    values["datasets"]["real"]["clips"]["stride_frames"] = stride
    values["datasets"]["real"]["frames"]["width_px"] = width_px
    unknown = sorted(set(recipes) - set(values["recipes"]))
    if unknown:
        raise ValueError(
            f"benchmarks/mot.yaml has no recipe {', '.join(unknown)}; it has: {', '.join(values['recipes'])}"
        )
    values["recipes"] = {name: r for name, r in values["recipes"].items() if not recipes or name in recipes}
    for recipe in values["recipes"].values():
        recipe["training"] = recipe["training"] | {"threads": threads} | ({} if steps is None else {"steps": steps})
    with (folder / "params.yaml").open("w") as stream:
        YAML(typ="safe").dump(values, stream)


def collect(out: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """recipe -> sequence -> metrics.json, of every sequence that FOLDER holds."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for path in sorted(out.glob("*/data/evaluation/*/metrics.json")):
        result = json.loads(path.read_text())
        timing = path.parents[2] / "timing" / f"{result['recipe']}.json"
        found.setdefault(result["recipe"], {})[path.parents[3].name] = result | {
            "seconds": json.loads(timing.read_text())["train_seconds"]
        }
    return found


def show(out: Path) -> None:
    """A table a recipe: PSNR of every answer on every sequence, and the mean gains with an interval over sequences."""
    for recipe, sequences in collect(out).items():
        first = next(iter(sequences.values()))
        answers = ["model", *(a for a in first["answers"] if a != "model")]
        seconds = ", ".join(f"{s['seconds']:.0f}" for s in sequences.values())
        print(f"\n{recipe}: {first['parameters']:,} parameters, trained for {seconds} s")
        print(f"  {'PSNR, dB':16}" + "".join(f"{a:>14}" for a in answers) + f"{'clips':>8}")
        for name, result in sequences.items():
            cells = "".join(f"{result['answers'][a]['psnr_db']['value']:14.2f}" for a in answers)
            print(f"  {name:16}{cells}{result['clips']:8}")
        for metric in SHOWN:
            values = {a: [s["answers"][a][metric]["value"] for s in sequences.values()] for a in answers}
            print(f"  mean {metric:15}" + "".join(f"{_mean(values[a]):14.4g}" for a in answers))
        for answer in answers[1:]:
            gains = [
                s["answers"]["model"]["psnr_db"]["value"] - s["answers"][answer]["psnr_db"]["value"]
                for s in sequences.values()
            ]
            drawn = metrics.bootstrap(gains, list(sequences), samples=10_000, seed=0)
            print(
                f"  gain over {answer}: {drawn.value:+.2f} dB ({drawn.low:+.2f} to {drawn.high:+.2f}, 95% over"
                f" {len(gains)} sequences), least {min(gains):+.2f}"
            )


def _mean(values: list[float | None]) -> float:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    real = os.environ.get("RUSHES_FOOTAGE")
    parser.add_argument("--footage", type=Path, default=Path(real) if real else None, required=not real)
    parser.add_argument("--test", nargs="*", default=list(SEQUENCES), choices=list(SEQUENCES), help="one at a time")
    parser.add_argument("--recipes", nargs="*", default=[], help="recipes of benchmarks/mot.yaml; none: all")
    parser.add_argument("--steps", type=int, help="in place of those of benchmarks/mot.yaml")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "rushes-between")
    parser.add_argument("--show", action="store_true", help="only the table of what is there")
    a = parser.parse_args()
    for test in [] if a.show else a.test:
        folder = (a.out / test).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, a.footage.resolve(), test, a.recipes, a.steps, a.threads)
        subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=folder, env=environment(), check=True)
    show(a.out)


if __name__ == "__main__":
    main()
