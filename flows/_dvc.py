"""The graph, asked of DVC through its public commands alone. DVC decides what is up to date."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx

from flows import _leash
from tasks import locks, params
from tasks.exits import BAD_INPUT

# What DVC says after every stage to people who type it themselves.
_HINTS = (
    "To track the changes", "git add", "To enable auto staging", "dvc config", "Use `dvc push`", "Updating lock",
    "Ran experiment", "Experiment results have been applied", "WARNING: No file hash info",
)  # fmt: skip

FOOTAGE_STAGES = ("footage", "subclips", "sample")

_LAST_WORDS = re.compile(r"error: |[\w.]*(Error|Exception|Exit)(: |$)")  # of a stage: its message, or its traceback's


class StageFailedError(RuntimeError):
    """`dvc repro` failed on a stage; `reason` says why in a line. `exit_code` is the stage's own (`tasks.exits`) or,
    for a negative one, 128 and the signal that ended it. Given None, DVC itself failed, which is bad input."""

    def __init__(self, stage: str, exit_code: int | None, output: str) -> None:
        super().__init__(
            f"stage {stage} failed" + (f" (exit code {exit_code})" if exit_code is not None else "") + f":\n{output}"
        )
        self.stage = stage
        code = BAD_INPUT if exit_code is None else exit_code  # DVC says what is wrong with the project
        self.exit_code = 128 - code if code < 0 else code
        said = [line for line in output.splitlines() if _LAST_WORDS.match(line)]
        self.reason = said[-1].removeprefix("error: ") if said else _ended(self.exit_code)


def _ended(exit_code: int) -> str:
    if exit_code - 128 not in set(signal.Signals):
        return f"it ended with exit code {exit_code}"
    name = signal.Signals(exit_code - 128).name
    return f"it was ended by {name}" + ("; the machine may have run out of memory" if name == "SIGKILL" else "")


@dataclass(frozen=True)
class Planned:
    """A stage of the graph, whether `dvc repro` would run it, and why."""

    stage: str
    runs: bool
    reasons: tuple[str, ...]


def project_root(start: Path | None = None) -> Path:
    """The folder with `dvc.yaml` and `params.yaml`, at `start` (the working folder) or above it.

    Raises:
        ValueError: there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in [here, *here.parents]:
        if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
            return folder
    raise ValueError(
        f"{here} is not inside a Rushes project: no folder from there up holds dvc.yaml and params.yaml; change to one"
    )


def graph(root: Path) -> nx.DiGraph:
    """The stages as a directed graph, an edge from each stage to those that read what it writes.

    Footage that is versioned by a `.dvc` file of its own is no stage.
    """
    edges = re.findall(r'"([^"]+)"(?:\s*->\s*"([^"]+)")?', _dvc(root, "dag", "--dot"))
    dag = nx.DiGraph()
    for source, target in edges:
        dag.add_node(source)
        if target:
            dag.add_edge(source, target)
    dag.remove_nodes_from([node for node in dag if node.endswith(".dvc")])
    return dag


def stages_for(root: Path, recipes: Iterable[str] | None = None) -> list[str]:
    """The stages that the recipes need, in the order they run; the report comes last. None: the whole graph.

    Raises:
        ValueError: a recipe that `params.yaml` does not have.
    """
    return _order(root, graph(root), recipes)


def _order(root: Path, dag: nx.DiGraph, recipes: Iterable[str] | None) -> list[str]:
    order = list(nx.lexicographical_topological_sort(dag))
    if recipes is None:
        return order
    known = params.load(root / "params.yaml")
    wanted: set[str] = set()
    for recipe in recipes:
        known.recipe(recipe)
        target = f"evaluate@{recipe}"
        wanted |= {target, *nx.ancestors(dag, target)}
    return [stage for stage in order if stage in wanted or stage == "report"]


def plan(root: Path, recipes: Iterable[str] | None = None) -> list[Planned]:
    """Which stages would run, and why: what DVC finds changed, and all that follows from it."""
    with ThreadPoolExecutor(1) as beside:  # a second each
        drawn = beside.submit(graph, root)
        changed: dict[str, Any] = json.loads(_dvc(root, "status", "--json") or "{}")
        dag = drawn.result()
    runs: set[str] = set()
    planned = []
    for stage in _order(root, dag, recipes):
        reasons = list(_reasons(changed.get(stage, [])))
        reasons += [f"{before} runs first" for before in sorted(dag.predecessors(stage)) if before in runs]
        if reasons:
            runs.add(stage)
        planned.append(Planned(stage, bool(reasons), tuple(reasons)))
    return planned


def _reasons(changes: list[Any]) -> Iterable[str]:
    for change in changes:
        if isinstance(change, str):  # "changed command", "always changed"
            yield change
            continue
        for what, entries in change.items():
            for path, state in entries.items():
                if isinstance(state, dict):  # params.yaml: {key: state}
                    yield from (f"{key} {value}" for key, value in sorted(state.items()))
                else:
                    yield f"{path} {state}" + (" (output)" if what == "changed outs" else "")


def repro(root: Path, stage: str, say: Callable[[str], None], force: bool = False, commit: bool = True) -> str:
    """Run one stage exactly as `dvc repro --single-item` does, its lines given to `say` as they come; return them.

    Args:
        commit: put what it wrote into DVC's cache.

    Raises:
        StageFailedError: the stage or DVC failed.
    """
    options = [*(["--force"] if force else []), *([] if commit else ["--no-commit"])]
    command = ["repro", "--single-item", *options, stage]
    if stage.split("@")[0] not in FOOTAGE_STAGES:
        return _run(root, command, stage, say, environment())
    # DVC records the folder as it is in the end: nothing may come in that the stage has not seen.
    with locks.footage(root, waiting=lambda: say("waiting for an ingest, or for another stage on the footage")):
        return _run(root, command, stage, say, environment())


def bring(root: Path, how: str, paths: Iterable[str]) -> str | None:
    """`dvc fetch` or `dvc checkout` of outputs that `dvc.lock` names. None if it went well, else what DVC says."""
    try:
        _dvc(root, how, "--quiet", *paths)
    except ValueError as error:
        return str(error)
    return None


def remotes(root: Path) -> list[str]:
    """The names of the project's remotes."""
    return [line.split()[0] for line in _dvc(root, "remote", "list").splitlines() if line.strip()]


def experiment(
    root: Path, name: str, stages: Iterable[str], message: str, say: Callable[[str], None], env: dict[str, str]
) -> str:
    """Run these stages alone as the DVC experiment `name`, with the files of `root` as they are; return its lines.

    Args:
        message: of the commit that the experiment becomes.
        env: variables beside those of `environment`.

    Raises:
        StageFailedError: a stage or DVC failed; there is no experiment then.
    """
    command = ["exp", "run", "--single-item", "--name", name, "--message", message, *stages]
    return _run(root, command, name, say, environment() | env)


def _run(root: Path, arguments: list[str], what: str, say: Callable[[str], None], env: dict[str, str]) -> str:
    """DVC leaves its child running when it is killed, and a second run would then write beside it: so all of it is on a
    leash and ends with us, whatever ends us."""
    lines: list[str] = []
    with subprocess.Popen(
        _leash.command(sys.executable, "-m", "dvc", *arguments), cwd=root, env=env, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip())
                if line.strip() and not line.strip().startswith(_HINTS):
                    say(line.rstrip())
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()  # a leash ends what it holds
    output = "\n".join(lines)
    if code:
        exited = re.search(r"exited with (-?\d+)", output)
        raise StageFailedError(what, int(exited[1]) if exited else None, "\n".join(lines[-15:]))
    return output


def outputs(root: Path, stage: str) -> list[Path]:
    """The paths that a stage has written, as `dvc.lock` records them.

    Raises:
        ValueError: the stage has not run yet.
    """
    recorded = _locked(root)
    if stage not in recorded:
        raise ValueError(f"{stage} has not run yet; run it first: rushes run, or dvc repro {stage}")
    found = [root / out["path"] for out in recorded[stage]["outs"]]
    missing = [str(path) for path in found if not path.exists()]
    if missing:
        raise ValueError(
            f"{', '.join(missing)} is not here; make it with rushes run, or bring it back with dvc checkout"
        )
    return found


def _locked(root: Path) -> dict[str, Any]:
    """The stages that `dvc.lock` records, by name."""
    lock = root / "dvc.lock"
    if not lock.is_file():
        return {}
    held = lock.stat()
    return _read_lock(lock, held.st_ino, held.st_mtime_ns, held.st_size)


@functools.lru_cache(maxsize=1)
def _read_lock(lock: Path, inode: int, changed_nanoseconds: int, size_bytes: int) -> dict[str, Any]:
    """Read once for each state of the file, and by libyaml, every scalar as text: where there are many stages the
    loader of people's files, which knows numbers from text, takes seconds."""
    from ruamel.yaml import YAML

    with lock.open(encoding="utf-8") as stream:
        return dict((YAML(typ="base", pure=False).load(stream) or {}).get("stages", {}))


def environment() -> dict[str, str]:
    """The environment that DVC is started in."""
    # dvc.yaml says `python`: it must be this one, whether or not its environment was activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true", "PYTHONUNBUFFERED": "1"}


def _dvc(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, env=environment(), capture_output=True, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(f"dvc {' '.join(arguments)} failed in {root}: {done.stderr.strip()[-1500:]}")
    return done.stdout


def cache_dir(root: Path) -> Path:
    """Where DVC keeps the bytes of what the stages wrote."""
    return Path(_dvc(root, "cache", "dir").strip())


def definition(root: Path, stage: str, recipe: str) -> tuple[dict[str, Any], list[str]]:
    """What dvc.yaml says of a stage of every recipe (`train`, `evaluate`), and its dependencies for one of them."""
    written: dict[str, Any] = params.read_yaml(root / "dvc.yaml")["stages"][stage]["do"]
    chosen = params.load(root / "params.yaml").recipe(recipe)
    names = {"key": recipe, "item.dataset": chosen.dataset, "item.architecture": chosen.architecture}
    return written, [re.sub(r"\$\{([\w.]+)\}", lambda found: names[found[1]], dep) for dep in written["deps"]]


def hashes(root: Path) -> dict[str, str]:
    """The hash of every output that dvc.lock records, by its path."""
    return {
        out["path"]: out["md5"] for stage in _locked(root).values() for out in stage.get("outs", []) if "md5" in out
    }


def make_room(root: Path, stage: str) -> None:
    """Empty folders for those of a stage's dependencies that nothing has written yet, which DVC would miss."""
    for dep in params.read_yaml(root / "dvc.yaml")["stages"][stage]["deps"]:
        if dep.startswith("data/"):
            (root / dep).mkdir(parents=True, exist_ok=True)
