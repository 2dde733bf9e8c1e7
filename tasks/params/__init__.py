"""The schema of `params.yaml`: every number, its unit in its name, its range, and what reads it.

One loader for all (YAML 1.2, as DVC reads it: ``1e-4`` is a number and ``no`` is text). Unknown keys are errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError, model_validator

from tasks.params.datasets import Clips, Dataset, Frames, GroupRule, Ratings, Shots, Split, SplitLists, Subclips
from tasks.params.operations import Batch, Inbox, Promotion
from tasks.params.recipes import Augment, Evaluation, Optimizer, Recipe, Training
from tasks.params.rendered import Rendered, RenderedActions, RenderedDirections, RenderedStreets, RenderedTrailers
from tasks.params.section import Name, Section

__all__ = [
    "Augment",
    "Batch",
    "Clips",
    "Dataset",
    "Evaluation",
    "Frames",
    "GroupRule",
    "Inbox",
    "Optimizer",
    "Params",
    "Promotion",
    "Ratings",
    "Recipe",
    "Rendered",
    "RenderedActions",
    "RenderedDirections",
    "RenderedStreets",
    "RenderedTrailers",
    "Report",
    "Shots",
    "Split",
    "SplitLists",
    "Subclips",
    "Training",
    "load",
    "parse",
    "read_yaml",
]

T = TypeVar("T")
OPERATIONS = {"inboxes", "batches", "promotion"}  # no stage of dvc.yaml depends on them


class Report(Section):
    title: str = "Rushes"
    strips: Annotated[int, Field(ge=1, le=3)] = 1  # clips shown for each of worst, median, best


class Params(Section):
    rendered: dict[Name, Rendered] = {}
    datasets: dict[Name, Dataset]
    recipes: dict[Name, Recipe]
    report: Report = Report()
    inboxes: dict[Name, Inbox] = {}
    batches: dict[Name, Batch] = {}
    promotion: Promotion = Promotion()

    @model_validator(mode="after")
    def _references(self) -> Params:
        for name, recipe in self.recipes.items():
            if recipe.dataset not in self.datasets:
                have = ", ".join(sorted(self.datasets)) or "none"
                raise ValueError(
                    f"recipes.{name}.dataset is {recipe.dataset!r}, which is not under datasets (there: {have})"
                )
        return self

    def dataset(self, name: str) -> Dataset:
        return _pick(self.datasets, name, "datasets")

    def recipe(self, name: str) -> Recipe:
        return _pick(self.recipes, name, "recipes")

    def rendering(self, name: str) -> Rendered:
        return _pick(self.rendered, name, "rendered")

    def inbox(self, name: str) -> Inbox:
        return _pick(self.inboxes, name, "inboxes")

    def batch(self, name: str) -> Batch:
        return _pick(self.batches, name, "batches")


def _pick(section: dict[str, T], name: str, where: str) -> T:
    if name not in section:
        raise ValueError(f"params.yaml has no {where}.{name}; it has: {', '.join(sorted(section)) or 'none'}")
    return section[name]


def load(path: Path) -> Params:
    """Read and check `params.yaml`.

    Raises:
        ValueError: the file is missing, is not YAML, or holds a value out of range; every fault is listed with its key.
            Or a key is left out that `dvc.yaml` depends on: DVC refuses those, so what they would be is said.
    """
    found = parse(read_yaml(path), path)
    absent = [f"  {line}" for line in _absent(found)]
    if absent:
        raise ValueError(
            f"{path} leaves out what dvc.yaml depends on; add (these are the defaults):\n" + "\n".join(absent)
        )
    return found


def _absent(found: Params) -> Iterator[str]:
    """The keys of each level that dvc.yaml names which were not written, as they could be written."""
    parts: list[tuple[str, Section]] = [("", found)]
    parts += [(f"datasets.{name}.", dataset) for name, dataset in found.datasets.items()]
    parts += [(f"recipes.{name}.", recipe) for name, recipe in found.recipes.items()]
    for where, part in parts:
        for key in type(part).model_fields:
            if key not in part.model_fields_set and not (part is found and key in OPERATIONS):
                value = part.model_dump(mode="json", include={key})[key]
                yield f"{where}{key}: {json.dumps(value)}"


def parse(values: Any, path: Path) -> Params:
    """Check values that were read from `path`."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        faults = [
            f"  {'.'.join(map(str, e['loc'])) or '(top)'}: {e['msg']} (got {e['input']!r:.80})" for e in error.errors()
        ]
        raise ValueError(f"{path} has {len(faults)} fault(s):\n" + "\n".join(faults)) from error


def read_yaml(path: Path) -> Any:
    """YAML 1.2 as plain values."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if not path.is_file():
        raise ValueError(f"{path} does not exist; run inside a Rushes project (a folder with dvc.yaml and params.yaml)")
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from error
