"""Experiments beside the user's workspace: a second checkout in which DVC runs them, and their results from its cache.

`dvc exp run` in the workspace would put its results in place of the user's, and `--temp` takes the workspace apart
for a moment (it stashes what is not committed), copies the frames for every experiment and does not see a `dvc.lock`
that is not committed. A clone that shares Git's objects and DVC's cache has none of that: whatever ends it, the
workspace was never touched. What comes back is a commit in `refs/exps`, as DVC itself makes one.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import _dvc
from flows._workshop import checkout, git
from tasks import params, tracking
from tasks.files import sha256_of, write_text
from tasks.studies import Experiment

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("train", "evaluate")  # what an experiment runs
FILES = ("dvc.yaml", "dvc.lock", "params.yaml", ".dvcignore", ".dvc/config")  # whether committed or not


@dataclass(frozen=True)
class Changes:
    """What an experiment changes in its recipe; the key of a setting with its value."""

    config: Mapping[str, Any]
    training: Mapping[str, Any]

    def apply(self, recipe: Any) -> None:
        recipe.setdefault("config", {}).update(self.config)
        recipe.setdefault("training", {}).update(self.training)


@dataclass(frozen=True)
class Results:
    """What a finished experiment left: its commit, metrics.json, videos.parquet, the training's seconds."""

    commit: str
    metrics: dict[str, Any]
    videos: pd.DataFrame
    timing: dict[str, Any]


def keys(root: Path, recipe: str) -> Callable[[Changes], str]:
    """The SHA-256 of all that an experiment's result follows from: stages, code, parameters, frames and clips."""
    values = params.read_yaml(root / "params.yaml")
    of_data = _dvc.hashes(root)
    depends: dict[str, str | None] = {}
    stages = []
    for stage in STAGES:
        written, deps = _dvc.definition(root, stage, recipe)
        stages.append(written)
        depends |= {dep: sha256_of(root / dep) if (root / dep).is_file() else of_data.get(dep) for dep in deps}
    depends.pop(f"data/runs/{recipe}", None)  # what the experiment itself writes

    def key(changes: Changes) -> str:
        changed = copy.deepcopy(values["recipes"][recipe])
        changes.apply(changed)
        all_of_it = [stages, changed, values["datasets"][changed["dataset"]]["frames"], depends]
        return hashlib.sha256(json.dumps(all_of_it, sort_keys=True).encode()).hexdigest()

    return key


def finished(root: Path, experiments: Iterable[Experiment]) -> dict[Experiment, str]:
    """The commits of those that DVC has, made by a study under the same name with the same key."""
    listed = git(root, "for-each-ref", "refs/exps", "--format=%(objectname) %(contents:subject)")
    commits = {subject: commit for commit, _, subject in (line.partition(" ") for line in listed.splitlines())}
    return {e: commits[_subject(e)] for e in experiments if _subject(e) in commits}


def _subject(experiment: Experiment) -> str:
    return f"{experiment.experiment} {experiment.key}"


def results(root: Path, recipe: str, commit: str) -> Results | None:
    """Of a finished experiment, as DVC's cache has them; None where they are no longer there."""
    import pandas as pd
    from dvc.api import DVCFileSystem

    there, evaluation = DVCFileSystem(str(root), rev=commit), f"data/evaluation/{recipe}"
    try:
        return Results(
            commit,
            json.loads(there.read_text(f"{evaluation}/metrics.json")),
            pd.read_parquet(io.BytesIO(there.read_bytes(f"{evaluation}/videos.parquet"))),
            json.loads(there.read_text(f"data/timing/{recipe}.json")),
        )
    except FileNotFoundError:
        return None


@dataclass(frozen=True)
class Workshop:
    """The second checkout; `project` lies in it as `root` does in its repository."""

    root: Path
    clone: Path
    project: Path
    params: str  # params.yaml as it was when the study began: the user may go on working

    def run(self, recipe: str, experiment: Experiment, changes: Changes, say: Callable[[str], None]) -> str:
        """Train and judge under these changes; returns the commit that DVC lists in the user's repository.

        Raises:
            StageFailedError: a stage failed; there is no experiment then.
            ValueError: the project was edited between the plan and the checkout.
        """
        write_text(self.project / "params.yaml", _edited(self.params, recipe, changes))
        if keys(self.project, recipe)(changes) != experiment.key:
            raise ValueError("the project was edited while the study began; run it again")
        git(self.project, "add", "--all")  # a file that is not committed yet is part of what is tried
        with contextlib.chdir(self.root):  # the trainings are listed where the user's are
            env = {"MLFLOW_TRACKING_URI": tracking.tracking_uri()}
        stages = [f"{stage}@{recipe}" for stage in STAGES]
        _dvc.experiment(self.project, experiment.experiment, stages, _subject(experiment), say, env)
        head = git(self.clone, "rev-parse", "HEAD")
        ref = f"refs/exps/{head[:2]}/{head[2:]}/{experiment.experiment}"
        fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        git(self.root, *fetch, str(self.clone), f"+{ref}:{ref}")
        return git(self.root, "rev-parse", ref)


@contextlib.contextmanager
def workshop(root: Path, recipe: str) -> Iterator[Workshop]:
    """A checkout of the project as it is now, what is not committed included; gone when the block ends.

    It lies in the project, on the disk of DVC's cache in most cases, so that the frames are linked. The trainings'
    checkpoints outlive it: one that was interrupted goes on.

    Raises:
        ValueError: Git has no commit, or another study runs in the project.
    """
    base = root / "data" / "state" / "studies"
    states = base / "states"
    states.mkdir(parents=True, exist_ok=True)
    with checkout(root, base, "study") as beside:
        project = beside.project
        _copy_changes(root, project, recipe)
        (project / "data").mkdir(exist_ok=True)
        (project / "data" / "state").symlink_to(states)
        yield Workshop(root, beside.clone, project, (project / "params.yaml").read_text(encoding="utf-8"))


def _copy_changes(root: Path, project: Path, recipe: str) -> None:
    """What differs from the commit, and what the stages need, whether Git knows it or not."""
    changed = git(root, "diff", "--name-only", "--relative", "-z", "HEAD").split("\0")
    code = [dep for stage in STAGES for dep in _dvc.definition(root, stage, recipe)[1]]
    for name in {*filter(None, changed), *FILES, *(dep for dep in code if (root / dep).is_file())}:
        if (root / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, project / name)
        else:
            (project / name).unlink(missing_ok=True)


def _edited(written: str, recipe: str, changes: Changes) -> str:
    """Not `dvc exp run --set-param`: it takes the quotes away, without which a pattern in braces is not YAML to DVC."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    values = yaml.load(written)
    changes.apply(values["recipes"][recipe])
    text = io.StringIO()
    yaml.dump(values, text)
    return text.getvalue()
