"""Where a result comes from: commit, graph lock, environment."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tasks.files import sha256_of
from tasks.tracking.store import project_folder


def lineage() -> dict[str, str]:
    """The state that results stand on: `git_commit`, `git_dirty` (does the tree differ from it, `dvc.lock` aside, which
    every stage rewrites), `dvc_lock_sha256`; what is not there is left out."""
    project = project_folder()
    changed = _git(project, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock")
    found = {"git_dirty": "yes" if changed else "no"}
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


def _git(project: Path, *arguments: str) -> str:
    """What git says, or nothing where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=project, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
