"""Where a result comes from: commit and what differs from it, graph lock, environment."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from tasks.files import sha256_of, write_json
from tasks.tracking.store import project_folder

# The state of a version, kept with its run below this folder: what a replay needs, and Git and DVC do not have.
STATE = "lineage"
STATE_JSON, LOCK, METRICS, CHANGES = "lineage.json", "dvc.lock", "metrics.json", "changes.patch"
LARGEST_CHANGES_BYTES = 20 * 2**20


def lineage() -> dict[str, str]:
    """The state that results stand on: `git_commit`, `git_dirty` (does the tree differ from it: see `uncommitted`),
    `dvc_lock_sha256`; what is not there is left out."""
    project = project_folder()
    found = {"git_dirty": "yes" if uncommitted(project) else "no"}
    if commit := _git(project, "rev-parse", "HEAD"):
        found["git_commit"] = commit
    if (project / "dvc.lock").is_file():
        found["dvc_lock_sha256"] = sha256_of(project / "dvc.lock")
    return found


def origin() -> dict[str, str]:
    """Tags of a run: git commit (and whether the tree differs from it), `dvc.lock`, constraints, Python, machine."""
    state = lineage()
    tags = {
        "mlflow.source.name": "rushes",
        "mlflow.source.type": "LOCAL",
        **{f"rushes.{key}": value for key, value in state.items()},
        "rushes.python": sys.version.split()[0],
        "rushes.platform": platform.platform(),
        **{f"rushes.{package}": version(package) for package in ("torch", "lightning-fabric", "numpy")},
    }
    if "git_commit" in state:
        tags["mlflow.source.git.commit"] = state["git_commit"]
    if (constraints := project_folder() / "constraints.txt").is_file():
        tags["rushes.constraints_sha256"] = sha256_of(constraints)
    return tags


def write_state(folder: Path, lineage: dict[str, str], lock: Path, metrics: Path) -> None:
    """Write what a replay of an evaluation needs into an empty folder.

    lineage.json   `lineage`, the environment, the files that differ from the commit (`changed`; null in
                   `changes_left_out`, or why there is no patch of them)
    changes.patch  what differs, for `git apply` in the top folder; only where something does
    dvc.lock, metrics.json: as they are; the working tree's are soon rewritten
    """
    project = project_folder()
    changed = uncommitted(project)
    left_out = _write_changes(project, changed, folder / CHANGES)
    shutil.copyfile(lock, folder / LOCK)
    shutil.copyfile(metrics, folder / METRICS)
    state = {**lineage, "changed": changed, "changes_left_out": left_out, "environment": environment()}
    write_json(folder / STATE_JSON, state)


def environment() -> dict[str, Any]:
    """Python, the packages that Rushes asks for, and what of the machine can change the last digits."""
    import torch

    try:
        asked = [line for line in requires("rushes") or [] if "extra ==" not in line]
    except PackageNotFoundError:  # run from a copy of the repository, not installed
        asked = ["torch", "numpy"]
    packages = {}
    for name in (re.split(r"[^\w.-]", line)[0] for line in asked):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed"
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "python": platform.python_version(), "packages": packages, "platform": platform.platform(),
        "machine": platform.machine(), "cpu": torch.backends.cpu.get_cpu_capability(), "cores": os.cpu_count(),
        "threads": torch.get_num_threads(), "gpu": gpu,
    }  # fmt: skip


def uncommitted(project: Path) -> list[str]:
    """The project's files that differ from the commit, `dvc.lock` aside, which every stage rewrites; and those that Git
    does not know though a stage read them. Sorted, relative to the project."""
    changed = _git(project, "diff", "--name-only", "--no-renames", "--relative", "-z", "HEAD", "--", ".", f":!{LOCK}")
    unknown = _git(project, "ls-files", "--others", "--exclude-standard", "-z")
    read = (project / LOCK).read_text(encoding="utf-8") if (project / LOCK).is_file() else ""
    deps = set(re.findall(r"^ *- path: (.+)$", read, flags=re.MULTILINE))
    return sorted({*filter(None, changed.split("\0"))} | ({*unknown.split("\0")} & deps))


def _write_changes(project: Path, changed: list[str], patch: Path) -> str | None:
    """A patch of these files; why there is none, if so. Git's index and objects stay as they are."""
    if not changed:
        return None
    held = sum((project / name).stat().st_size for name in changed if (project / name).is_file())
    if held > LARGEST_CHANGES_BYTES:
        return f"they hold {held / 2**20:.0f} MiB; {LARGEST_CHANGES_BYTES / 2**20:.0f} are kept at most"
    with tempfile.TemporaryDirectory(prefix="rushes-changes-") as folder:
        objects = (project / _git(project, "rev-parse", "--git-path", "objects")).resolve()
        own = {"GIT_INDEX_FILE": f"{folder}/index", "GIT_OBJECT_DIRECTORY": f"{folder}/objects"}
        Path(own["GIT_OBJECT_DIRECTORY"]).mkdir()
        env = {**os.environ, **own, "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects)}
        said = b""
        for command, fed in (
            (["read-tree", "HEAD"], b""),
            (["add", "--force", "--all", "--pathspec-from-file=-", "--pathspec-file-nul"], "\0".join(changed).encode()),
            (["diff", "--cached", "--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff",
              "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "HEAD"], b""),
        ):  # fmt: skip
            command = ["git", "-c", "core.quotePath=true", "--literal-pathspecs", *command]
            done = subprocess.run(command, cwd=project, env=env, input=fed, capture_output=True, timeout=60)
            if done.returncode:
                return f"git {command[4]} refused: {done.stderr.decode(errors='replace').strip():.300}"
            said = done.stdout
    patch.write_bytes(said)
    return None


def _git(project: Path, *arguments: str) -> str:
    """What git says, or nothing where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=project, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
