"""What a `dvc.lock` tells of a stage: the data on the way to it, and the parameters."""

from __future__ import annotations

from typing import Any


def upstream(lock: dict[str, Any], stage: str) -> list[dict[str, Any]]:
    """What a stage was made from and what it made, as `dvc.lock` has it, from the footage on.

    Each with path, stage (that made it; None: it came from outside), md5, bytes and files (None: one file).
    """
    return [
        {"path": item["path"], "stage": made_by, "md5": item.get("md5"), "bytes": item.get("size"),
         "files": item.get("nfiles")}
        for made_by, item in _walk(lock, stage, set())
    ]  # fmt: skip


def _walk(lock: dict[str, Any], stage: str, seen: set[str]) -> list[tuple[str | None, dict[str, Any]]]:
    stages = lock["stages"]
    makers = {out["path"]: name for name, entry in stages.items() for out in entry.get("outs", [])}
    found: list[tuple[str | None, dict[str, Any]]] = []
    for dep in stages.get(stage, {}).get("deps", []):
        if dep["path"] in seen:
            continue
        if dep["path"] in makers:
            found += _walk(lock, makers[dep["path"]], seen)
        elif dep["path"].startswith("data/") or dep.get("nfiles") is not None:  # code is told by the commit
            seen.add(dep["path"])
            found.append((None, dep))
    for out in stages.get(stage, {}).get("outs", []):
        if out["path"] not in seen:
            seen.add(out["path"])
            found.append((stage, out))
    return found


def parameters(lock: dict[str, Any], stage: str) -> dict[str, Any]:
    """The parameters of a stage and of all before it, by their path in `params.yaml`: `recipes.gru.training.steps`."""
    stages = {made_by for made_by, _ in _walk(lock, stage, set()) if made_by is not None}
    values: dict[str, Any] = {}
    for name in stages:
        for written in lock["stages"][name].get("params", {}).values():
            values |= {k: v for key, value in written.items() for k, v in _settings(value, key).items()}
    return dict(sorted(values.items()))


def _settings(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {k: v for key, below in value.items() for k, v in _settings(below, f"{path}.{key}").items()}
    return {path: value}
