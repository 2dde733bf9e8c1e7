"""Footage that belongs to no dataset, for a registered model to be used on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tasks import footage
from tasks.params import Dataset, Split

Reject = dict[str, str]  # path, stage, reason: a row of rejects.csv
REJECT_COLUMNS = ["path", "stage", "reason"]


class Registered(Protocol):
    """Which model it is (see `tracking.Loaded`)."""

    @property
    def uri(self) -> str: ...

    @property
    def recipe(self) -> str: ...

    @property
    def kind(self) -> str: ...


def sources(paths: list[Path], stage: str, rejects: list[Reject]) -> Iterator[tuple[Path, footage.Source]]:
    """Every source below the paths with the folder its own path starts at; what is none goes to `rejects`.

    Args:
        paths: videos, image strips, frame folders, MOT sequences, or folders of them.

    Raises:
        ValueError: a path does not exist.
    """
    for path in paths:
        if not path.exists():
            raise ValueError(f"{path} does not exist; name a video, an image strip, or a folder of frames or videos")
    for path in paths:
        root = path.resolve().parent
        anything = Dataset(footage=str(root), label="none", split=Split(test=("none",)))  # its split is not read
        found, refused = footage.list_sources(root, anything, only=path.resolve().name)
        rejects += [{"path": r.path, "stage": stage, "reason": r.reason} for r in refused]
        if not found and not refused:
            rejects.append({"path": path.name, "stage": stage, "reason": "holds no video, image strip or frame folder"})
        yield from ((root, source) for source in found)


def free_name(name: str, taken: set[str]) -> str:
    """The name, or the name with a number where two folders hold files of one name."""
    names = itertools.chain([name], (f"{name}-{n}" for n in itertools.count(2)))
    return next(n for n in names if n not in taken)
