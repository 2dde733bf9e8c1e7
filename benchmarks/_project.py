"""A copy of this project in another folder, in which a benchmark runs the product with parameters of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def copy_project(folder: Path) -> None:
    """Code and graph, without data and parameters; what was computed there before is kept."""
    for name in ("models", "tasks", "flows", ".dvc"):
        shutil.copytree(
            ROOT / name, folder / name, dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local"),
        )  # fmt: skip
    for name in ("dvc.yaml", "pyproject.toml", "constraints.txt", ".dvcignore"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "data" / "registry").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "data" / "registry" / ".gitignore", folder / "data" / "registry" / ".gitignore")
    if not (folder / ".git").exists():
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
