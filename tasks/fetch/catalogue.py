"""What is known of the public sets: where they are, what they weigh, what their terms are, how they are read."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from tasks.params import Dataset, read_yaml
from tasks.params.section import Count, Section

SETS = Path(__file__).with_name("sets.yaml")
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Archive(Section):
    """One file to be fetched. `bytes` and `sha256` are exact, and `known_by` says by whom; `about_bytes` is a guess."""

    url: Annotated[str, Field(pattern="^https?://")]
    bytes: Count | None = None
    about_bytes: Count | None = None
    sha256: Sha256 | None = None
    known_by: str = ""
    below: str = ""  # the folder of the set that it is unpacked to; empty: the set's own
    moves: tuple[tuple[str, str], ...] = ()  # of its members: pattern and replacement, the first that matches

    @model_validator(mode="after")
    def _has_a_size(self) -> Archive:
        assert (self.bytes is None) != (self.about_bytes is None), f"{self.url}: bytes or about_bytes"
        assert bool(self.known_by) == (self.bytes is not None), f"{self.url}: known_by belongs to bytes"
        return self

    @property
    def file(self) -> str:
        return PurePosixPath(self.url).name

    @property
    def expected_bytes(self) -> int:
        return self.bytes or self.about_bytes or 0

    def place(self, member: str) -> str:
        """Where a member goes, below the set's folder."""
        for pattern, replacement in self.moves:
            moved, times = re.subn(pattern, replacement, member, count=1)
            if times:
                member = moved
                break
        return f"{self.below}/{member}" if self.below else member


class PublicSet(Section):
    """A public set. `dataset` is its section for params.yaml, in which `{folder}` stands for where the set lies."""

    name: str
    title: str
    what: str
    page: str
    licence: str
    cite: str
    unpacked_bytes: Count  # about
    archives: Annotated[tuple[Archive, ...], Field(min_length=1)]
    dataset: str

    @field_validator("dataset")
    @classmethod
    def _is_a_dataset(cls, text: str) -> str:
        dataset_of(text, "data/footage/any")
        return text

    @property
    def expected_bytes(self) -> int:
        return sum(archive.expected_bytes for archive in self.archives)

    def section(self, folder: str) -> str:
        """The set's entry under `datasets` of params.yaml."""
        lines = self.dataset.replace("{folder}", folder).splitlines()
        return "\n".join([f"  {self.name}:", *(f"    {line}" for line in lines)]) + "\n"


def dataset_of(text: str, folder: str) -> Dataset:
    """The section of a set that lies in `folder`, checked against the schema."""
    from ruamel.yaml import YAML

    return Dataset.model_validate(YAML(typ="safe", pure=True).load(text.replace("{folder}", folder)))


def sets() -> dict[str, PublicSet]:
    """Every set by its name.

    Raises:
        ValueError: the file is not as it should be.
    """
    try:
        return {name: PublicSet(name=name, **values) for name, values in _read(SETS).items()}
    except ValidationError as error:
        raise ValueError(f"{SETS}: {error}") from error


def find(name: str) -> PublicSet:
    """The set of this name.

    Raises:
        ValueError: there is none; those that are there are named.
    """
    known = sets()
    if name not in known:
        raise ValueError(f"no public set is called {name!r}; known are: {', '.join(known)}")
    return known[name]


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = read_yaml(path)
    return values
