"""Where a registered version comes from: what the store tells, and what Git and DVC here still have of it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from flows import _cache, _dvc
from flows._workshop import git
from tasks import tracking
from tasks.tracking.explain import Told
from tasks.tracking.explain import explain as ask
from tasks.tracking.origin import CHANGES, STATE
from tasks.tracking.store import shown


def explain(root: Path, model: str) -> Told:
    """All that the store knows of a version (see `tasks.tracking.explain`), and beside it, in `about`:

    - ``code.here``: whether this repository has the commit; ``code.subject`` and ``code.date`` if so.
    - of each of ``data.paths``: ``in_cache``, whether DVC's cache here has all of it; of footage from outside
      ``dvc_file``, which versions it in Git at that commit, and whether the two agree (``dvc_file_agrees``).
    - ``rebuild``: the commands, a line each, that make the version again from nothing but the commit and the footage.

    Raises:
        ValueError, UnreachableError: see `tasks.tracking.explain`.
    """
    told = ask(model)
    about = told.about
    commit = about["code"]["commit"]
    shown = _try_git(root, "show", "--no-patch", "--format=%cI %s", f"{commit}^{{commit}}") if commit else None
    date, _, subject = (shown or "").partition(" ")
    about["code"] |= {"here": shown is not None, "subject": subject or None, "date": date or None}
    if commit and shown is None:
        about["unknown"].append(f"commit {commit} is not in this repository: git fetch --all may bring it")
    cache = _dvc.cache_dir(root)
    for entry in about["data"]["paths"]:
        entry["in_cache"] = entry["md5"] is not None and not _cache.missing(cache, entry)
        if entry["stage"] is None:
            entry |= _versioned(root, commit, entry)
    about["rebuild"] = _rebuild(root, cache, about)
    return told


def _try_git(root: Path, *arguments: str) -> str | None:
    try:
        return git(root, *arguments)
    except ValueError:
        return None


def _versioned(root: Path, commit: str | None, entry: dict[str, Any]) -> dict[str, Any]:
    """The `.dvc` file that Git has of footage from outside."""
    name = f"{entry['path']}.dvc"
    written = _try_git(root, "show", f"{commit}:./{name}") if commit else None
    if written is None:
        return {"dvc_file": None}
    return {"dvc_file": name, "dvc_file_agrees": entry["md5"] in re.findall(r"md5: (\S+)", written)}


def _rebuild(root: Path, cache: Path, about: dict[str, Any]) -> list[str]:
    """As a person would do it beside the project; nothing is taken from a cache but footage."""
    code, run = about["code"], about["run"]["run_id"]
    if code["commit"] is None:
        return []
    name = f"{root.name}-{about['recipe']}-v{about['version']}"
    below = _try_git(root, "rev-parse", "--show-prefix") or ""
    lines = [f"git worktree add --detach ../{'../' * below.count('/')}{shlex.quote(name)} {code['commit']}"]
    lines.append(f"cd ../{'../' * below.count('/')}{shlex.quote(name)}")
    if code["changes_kept"]:
        store = shlex.quote(shown(tracking.tracking_uri()))
        get = f"mlflow artifacts download --run-id {run} --artifact-path {STATE}/{CHANGES} --dst-path ."
        lines += [f"MLFLOW_TRACKING_URI={store} {get}", f"git apply {CHANGES}"]
    if below:
        lines.append(f"cd {shlex.quote(below)}")
    outside = [entry for entry in about["data"]["paths"] if entry["stage"] is None]
    if any(entry["dvc_file"] for entry in outside):
        lines.append(f"dvc cache dir --local {shlex.quote(str(cache))}")
    for entry in outside:
        if entry["dvc_file"]:
            bring = "checkout" if entry["in_cache"] else "pull"
            lines.append(f"dvc {bring} {shlex.quote(entry['dvc_file'])}")
        else:
            lines.append(f"# put the footage with hash {entry['md5']} at {entry['path']}: DVC has its hash alone")
    return [*lines, f"dvc repro --force evaluate@{about['recipe']}"]
