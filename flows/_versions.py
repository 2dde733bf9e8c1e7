"""The version of a footage folder: `dvc add`, a commit of its `.dvc` file alone, `dvc push`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from flows import _dvc
from tasks import params

_BUSY = ("Unable to acquire lock", "is busy, it is being blocked", "index.lock")


class VersionError(RuntimeError):
    """DVC or Git failed, or is in use; it may be worth trying again."""


def require_own(root: Path, footage: str, name: str) -> None:
    """Raise a ValueError where files cannot be put into a folder and versioned there.

    Args:
        footage: below `root`.
        name: the inbox's, for the message.
    """
    folder = Path(footage)
    for stage, out in _stage_outputs(root):
        if out == folder or out in folder.parents or folder in out.parents:
            raise ValueError(
                f"inboxes.{name}.footage is {footage}, but the stage {stage} writes {out} and would remove what is put"
                " there; name a folder that no stage writes, such as data/footage/new"
            )
    there = root / footage
    if (root / f"{footage}.dvc").is_file() and not (there.exists() and any(there.iterdir())):  # or a disk not mounted
        raise ValueError(
            f"{footage} is versioned, but not here: adding to it now would make a version without what it holds;"
            f" bring it back first: dvc pull {footage}.dvc"
        )


def _stage_outputs(root: Path) -> list[tuple[str, Path]]:
    """What the stages of dvc.yaml write, by the stage's name."""
    values = params.read_yaml(root / "params.yaml")
    outputs: list[tuple[str, Path]] = []
    for stage, definition in (params.read_yaml(root / "dvc.yaml").get("stages") or {}).items():
        keys: list[Any] = [None]
        if found := re.fullmatch(r"\$\{(\w+)\}", str(definition.get("foreach", ""))):
            keys = list(values.get(found[1]) or [])
        for out in definition.get("do", definition).get("outs", []):
            path = next(iter(out)) if isinstance(out, dict) else out
            for key in keys:
                shown = stage if key is None else f"{stage}@{key}"
                outputs.append((shown, Path(path if key is None else path.replace("${key}", str(key)))))
    return outputs


def add(root: Path, footage: str) -> str:
    """`dvc add` the folder; return the version's hash.

    Raises:
        VersionError: DVC failed, or another DVC command is at work on it.
    """
    _run(root, [sys.executable, "-m", "dvc", "add", "--quiet", footage])
    recorded: str = params.read_yaml(root / f"{footage}.dvc")["outs"][0]["md5"]
    return recorded


def commit(root: Path, footage: str, message: str) -> str:
    """Commit the folder's `.dvc` file, and the line of `.gitignore` that DVC writes; nothing else, staged or not.

    Returns:
        What was done, for people.

    Raises:
        VersionError: Git failed.
    """
    if _git(root, "rev-parse", "--is-inside-work-tree", check=False) != "true":
        return "not committed: the project is no Git repository"
    paths = [f"{footage}.dvc"]
    ignore = (Path(footage).parent / ".gitignore").as_posix()
    if (root / ignore).is_file():
        before = _git(root, "show", f"HEAD:./{ignore}", check=False)
        added = (root / ignore).read_text(encoding="utf-8").strip()
        if added == f"{before}\n/{Path(footage).name}".strip():  # the line that DVC wrote, and no other change
            paths.append(ignore)
    if not _git(root, "status", "--porcelain", "--", *paths):
        return "nothing to commit"
    _git(root, "add", "--intent-to-add", "--", *paths)  # --only knows tracked files alone
    known = all(_git(root, "config", f"user.{key}", check=False) for key in ("name", "email"))
    who = [] if known else ["-c", "user.name=rushes", "-c", "user.email=rushes@localhost"]
    # Nobody is there for a passphrase, and hooks for people's code need not pass for a line of data.
    options = ["--quiet", "--no-verify", "--no-gpg-sign", "--message", message]
    _git(root, *who, "commit", *options, "--only", "--", *paths)
    return f"committed as {_git(root, 'rev-parse', '--short', 'HEAD')}"


def push(root: Path, footage: str) -> str:
    """`dvc push` the folder's version to the default remote; return what was done, for people.

    Raises:
        VersionError: the remote cannot be reached, or refuses.
    """
    from dvc.config import Config

    remote = Config(dvc_dir=str(root / ".dvc")).get("core", {}).get("remote")
    if not remote:
        return "not pushed: no default remote is configured"
    _run(root, [sys.executable, "-m", "dvc", "push", "--quiet", f"{footage}.dvc"])
    return f"pushed to {remote}"


def _git(root: Path, *arguments: str, check: bool = True) -> str:
    return _run(root, ["git", *arguments], check=check)


def _run(root: Path, command: list[str], *, check: bool = True) -> str:
    """The output of a command, trimmed; where it fails an empty one, or with `check` a VersionError."""
    environment = {**_dvc.environment(), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, start_new_session=os.name == "posix",
        )  # fmt: skip
    except FileNotFoundError as error:
        if check:
            raise VersionError(f"{command[0]} is not installed") from error
        return ""
    if done.returncode == 0:
        return done.stdout.strip()
    if not check:
        return ""
    said = (done.stderr or done.stdout).strip()[-1500:]
    name = " ".join(
        "dvc" if part == "dvc" else part for part in command if part not in (sys.executable, "-m", "--quiet")
    )
    busy = "another command is at work; " if any(sign in said for sign in _BUSY) else ""
    raise VersionError(f"{busy}{name} failed: {said}")
