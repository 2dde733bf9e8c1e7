"""Where a result comes from: commit, graph lock, environment."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tasks.files import sha256_of
from tasks.tracking.store import project_folder


def origin() -> dict[str, str]:
    """Tags of a run: git commit (and whether the tree differs from it), `dvc.lock`, constraints, Python, machine."""
    project = project_folder()
    tags = {
        "mlflow.source.name": "rushes",
        "mlflow.source.type": "LOCAL",
        "rushes.git_dirty": "yes" if _git(project, "status", "--porcelain", "--untracked-files=no") else "no",
        "rushes.python": sys.version.split()[0],
        "rushes.platform": platform.platform(),
        **{f"rushes.{package}": version(package) for package in ("torch", "lightning-fabric", "numpy")},
    }
    if commit := _git(project, "rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = tags["rushes.git_commit"] = commit
    for name, tag in {"dvc.lock": "rushes.dvc_lock_sha256", "constraints.txt": "rushes.constraints_sha256"}.items():
        if (project / name).is_file():
            tags[tag] = sha256_of(project / name)
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
