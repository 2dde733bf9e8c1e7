"""C3D on real actions: the Weizmann strips, judged on a performer that was left out, each in turn; and a few clips of
UCF-101, HMDB-51 and Kinetics, too few to learn from, end to end.

python -m benchmarks.real_classes --test 0 1 clips --out FOLDER     (make classes)

For each a copy of the project with its own parameters (`benchmarks/classes.yaml`) stands in FOLDER, and
`dvc repro` runs there, so that what is measured is the product itself. At the end one table over all the performers
that FOLDER holds, with an interval over them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from benchmarks._project import copy_project
from flows._dvc import environment
from tasks import metrics

ROOT = Path(__file__).parent.parent
PERFORMERS = [str(k) for k in range(7)]
CLIPS = "clips"


def prepare(folder: Path, real: Path, test: str, steps: int | None, threads: int) -> None:
    """A copy of this project in `folder` that leaves out the performer `test`, or with the clips; what was computed
    there is kept."""
    copy_project(folder)
    values = YAML(typ="safe").load(ROOT / "benchmarks" / "classes.yaml")
    name, other = ("clips", "weizmann") if test == CLIPS else ("weizmann", "clips")
    del values["datasets"][other]
    values["recipes"] = {key: recipe for key, recipe in values["recipes"].items() if recipe["dataset"] == name}
    dataset = values["datasets"][name]
    dataset["footage"] = str(real / dataset["footage"])
    if test != CLIPS:
        dataset["split"]["test"] = [test]
    for recipe in values["recipes"].values():
        recipe["training"] |= {"threads": threads} | ({} if steps is None else {"steps": steps})
    with (folder / "params.yaml").open("w") as stream:
        YAML(typ="safe").dump(values, stream)


def results(out: Path) -> dict[str, dict[str, Any]]:
    """performer, or clips -> metrics.json, seconds of training, and its held-out videos with every answer."""
    found = {}
    for path in sorted(out.glob("*/data/evaluation/*/metrics.json")):
        timing = json.loads((path.parents[2] / "timing" / f"{path.parent.name}.json").read_text())
        more = {"seconds": timing["train_seconds"], "videos": pd.read_parquet(path.parent / "videos.parquet")}
        found[path.parents[3].name] = json.loads(path.read_text()) | more
    return found


def show(out: Path) -> None:
    """One line a performer, and all held-out videos together with an interval over performers; the clips."""
    found = results(out)
    clips = found.pop(CLIPS, None)
    if found:
        _show_performers(found)
    if clips is not None:
        print(f"\nclips, trained for {clips['seconds']:.0f} s: {clips['videos']['source'].nunique()} held-out videos")
        for name, answer in clips["answers"].items():
            score = answer["video_accuracy"]
            print(f"  {name:24}{score['value']:7.1%} ({score['low']:.1%} to {score['high']:.1%})")
        for warning in clips["warnings"]:
            print(f"  {warning}")


def _show_performers(found: dict[str, dict[str, Any]]) -> None:
    answers = list(next(iter(found.values()))["answers"])
    answers.sort(key=lambda name: (name != "model", name != "descriptor_svm", name))
    print(f"\n{'performer':12}" + "".join(f"{a:>24}" for a in answers) + f"{'model, clips':>16}{'trained, s':>12}")
    for name, fold in found.items():
        right = fold["videos"].groupby("answer")["correct"].agg(["sum", "size"])
        cells = "".join(f"{right.loc[a, 'sum']:>20} / {right.loc[a, 'size']}" for a in answers)
        clip = fold["answers"]["model"]["clip_accuracy"]["value"]
        print(f"{name:12}{cells}{clip:16.1%}{fold['seconds']:12.0f}")
    videos = pd.concat([fold["videos"] for fold in found.values()])
    for answer in answers:
        part = videos[videos["answer"] == answer]
        drawn = metrics.bootstrap_share(part["correct"].astype(float), part["group"].tolist(), samples=10_000, seed=0)
        print(
            f"  {answer:24}{drawn.value:7.1%} of {len(part)} videos ({drawn.low:.1%} to {drawn.high:.1%}, 95% over"
            f" {part['group'].nunique()} performers)"
        )
    wrong = videos[(videos["answer"] == "model") & ~videos["correct"].astype(bool)]
    for row in wrong.itertuples():
        print(f"  wrong: {row.source}: {row.label} taken for {row.predicted}")
    mean = float(np.mean([fold["answers"]["model"]["clip_accuracy"]["value"] for fold in found.values()]))
    print(f"  the model's mean clip accuracy over performers: {mean:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    real = os.environ.get("RUSHES_FOOTAGE")
    parser.add_argument("--footage", type=Path, default=Path(real) if real else None, required=not real)
    parser.add_argument("--test", nargs="*", default=[*PERFORMERS, CLIPS], choices=[*PERFORMERS, CLIPS])
    parser.add_argument("--steps", type=int, help="in place of those of benchmarks/classes.yaml")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "rushes-classes")
    parser.add_argument("--show", action="store_true", help="only the table of what is there")
    a = parser.parse_args()
    for test in [] if a.show else a.test:
        folder = (a.out / test).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, a.footage.resolve(), test, a.steps, a.threads)
        subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=folder, env=environment(), check=True)
    show(a.out)


if __name__ == "__main__":
    main()
