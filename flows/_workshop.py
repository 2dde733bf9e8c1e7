"""A second checkout of the project beside the user's, which shares Git's objects and DVC's cache.

Whatever happens in it and whatever ends it, the user's working tree, index, `dvc.lock` and stash were never touched.
"""

from __future__ import annotations

import configparser
import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from flows import _dvc

LINKS = "reflink,hardlink,symlink,copy"  # what DVC brings is read only: nothing need be copied


def repository(root: Path) -> Path:
    """The folder of the Git repository that the project lies in.

    Raises:
        ValueError: there is none, or it has no commit.
    """
    try:
        git(root, "rev-parse", "--verify", "HEAD")
        return Path(git(root, "rev-parse", "--show-toplevel"))
    except ValueError as error:
        raise ValueError(
            f"{root} is in no Git repository with a commit, which a checkout beside it is made from; make it:"
            f" git init && git add . && git commit -m 'The project' ({error})"
        ) from error


@dataclass(frozen=True)
class Checkout:
    """A clone of the repository, the project in it (as `root` lies in its own), and the DVC cache that both share."""

    clone: Path
    project: Path
    cache: Path


@contextlib.contextmanager
def checkout(root: Path, base: Path, what: str, commit: str = "HEAD") -> Iterator[Checkout]:
    """A clone at a commit; gone when the block ends. One at a time below `base`.

    It lies in the project, on the disk of DVC's cache in most cases, so that data are linked.

    Args:
        base: a folder below `data/state`.
        what: for the message where there is another: `study`.

    Raises:
        ValueError: Git has no (such) commit, or another process has a checkout below `base`.
    """
    top = repository(root)
    clone = base / "workshop"
    base.mkdir(parents=True, exist_ok=True)
    lock = FileLock(base / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"another {what} is running in {root}; wait for it, or stop it") from None
    try:
        shutil.rmtree(clone, ignore_errors=True)  # of one that was killed
        git(top, "clone", "--quiet", "--shared", "--no-checkout", str(top), str(clone))
        git(clone, "checkout", "--quiet", "--detach", git(top, "rev-parse", commit))
        project = clone / root.relative_to(top)
        project.mkdir(parents=True, exist_ok=True)
        cache = _dvc.cache_dir(root)
        _configure(root, project, cache)
        yield Checkout(clone, project, cache)
    finally:
        shutil.rmtree(clone, ignore_errors=True)
        lock.release()


def _configure(root: Path, project: Path, cache: Path) -> None:
    """DVC's cache is the project's, and linked to; its remotes are today's; commits have an author."""
    config = configparser.ConfigParser(interpolation=None)
    config.read([root / ".dvc" / "config", root / ".dvc" / "config.local"], encoding="utf-8")
    for section in config.sections():  # the address of a remote that is a folder may be relative to where it stands
        url = config[section].get("url", "")
        if section.strip("'").startswith("remote ") and url and "://" not in url:
            config[section]["url"] = str((root / ".dvc" / url).resolve())
    config["cache"] = {"dir": str(cache), "type": LINKS}
    (project / ".dvc").mkdir(exist_ok=True)
    with (project / ".dvc" / "config.local").open("w", encoding="utf-8") as stream:
        config.write(stream)
    for setting, otherwise in (("user.name", "rushes"), ("user.email", "rushes@localhost")):
        git(project, "config", setting, git(root, "config", "--default", otherwise, "--get", setting))


def git(folder: Path, *arguments: str) -> str:
    """What Git says.

    Raises:
        ValueError: it refuses, or is not installed.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise ValueError("git is not installed") from error
    if done.returncode:
        raise ValueError(f"git {arguments[0]} failed in {folder}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()
