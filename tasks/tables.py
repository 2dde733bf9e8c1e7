"""The csv tables of the data stages: columns are a dataclass's fields, rows are its instances."""

from __future__ import annotations

import csv
import dataclasses
import io
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from tasks import files

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Cut:
    """A span of a source that is used: half-open, in seconds from the first frame shown."""

    source: str
    start_seconds: float
    end_seconds: float


def write(path: Path, kind: type[Any], rows: Iterable[Any]) -> None:
    """Write dataclass instances as csv, atomically: UTF-8, LF, floats in full, None as an empty cell."""
    names = [field.name for field in dataclasses.fields(kind)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        values = (getattr(row, name) for name in names)
        writer.writerow(["" if v is None else repr(v) if isinstance(v, float) else v for v in values])
    files.write_text(path, text.getvalue())


def read(path: Path, kind: type[T]) -> list[T]:
    """Read what `write` wrote.

    Raises:
        ValueError: the table is missing, or its columns or values are not those of `kind`.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist; run the stage that writes it")
    types_of = typing.get_type_hints(kind)
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames is None or list(reader.fieldnames) != list(types_of):
            raise ValueError(f"{path} has the columns {reader.fieldnames}, not {list(types_of)}; run its stage again")
        try:
            return [kind(**{name: _value(cell, types_of[name]) for name, cell in row.items()}) for row in reader]
        except ValueError as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}; run its stage again") from error


def _value(cell: str, kind: Any) -> Any:
    if isinstance(kind, types.UnionType):
        if cell == "":
            return None
        kind = next(t for t in typing.get_args(kind) if t is not type(None))
    return kind(cell)
