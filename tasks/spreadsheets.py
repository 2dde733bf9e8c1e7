"""Reading a table of ratings as people keep it: csv as any program writes it, or a sheet of an xlsx."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

BLANK = frozenset(("", "-", "nan", "na", "n/a", "none", "null"))
DELIMITERS = (",", ";", "\t")
ZIP, OLD_OFFICE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"  # how an xlsx begins, and an xls or what has a password
LOCKED = "EncryptedPackage".encode("utf-16-le")  # the stream in which the latter keeps what it hides
# What openpyxl raises where an archive, its parts, their XML, or what that says is damaged, or is no workbook's.
DAMAGED = (zipfile.BadZipFile, zlib.error, ParseError, OSError, LookupError, TypeError, ValueError, RuntimeError)

Cells = Sequence[str]


def read(path: Path, sheet: str | None, columns: tuple[str, str]) -> list[tuple[int, str, str]]:
    """The (row number, cell, cell) of two columns, of every row below the header; blank rows are left out.

    Cells are trimmed. Numbers are written with a decimal point, whatever they were in the table.

    Args:
        sheet: of an xlsx; None: the first.
        columns: their names; upper and lower case are alike.

    Raises:
        ValueError: the file is missing or no table, or has no such sheet or columns; those that it has are named.
    """
    if not path.is_file():
        raise ValueError(f"the table of ratings {path} does not exist; correct ratings.file in params.yaml")
    data = path.read_bytes()
    if data.startswith(OLD_OFFICE) and LOCKED in data:
        raise ValueError(f"{path} is protected by a password; save it without one, or as csv")
    if data.startswith(OLD_OFFICE):
        raise ValueError(f"{path} is an old Excel file (xls); save it as xlsx or csv")
    if data.startswith(ZIP):
        return _below_header(path, _sheet(path, data, sheet), columns, commas=True)
    tables = {delimiter: _csv(path, data, delimiter) for delimiter in DELIMITERS}
    fitting = [delimiter for delimiter, rows in tables.items() if _header(rows, columns) is not None]
    delimiter = fitting[0] if fitting else max(DELIMITERS, key=lambda d: len(_first(tables[d])))
    return _below_header(path, tables[delimiter], columns, commas=delimiter != ",")


def _below_header(
    path: Path, rows: Sequence[Cells], columns: tuple[str, str], commas: bool
) -> list[tuple[int, str, str]]:
    """`commas`: a number may be written with a decimal comma."""
    places = _header(rows, columns)
    if places is None:
        there = ", ".join(cell for cell in _first(rows) if cell) or "none"
        raise ValueError(
            f"{path} has no column {' or no column '.join(map(repr, columns))}; its columns are: {there}; name two of "
            "them in ratings.title and ratings.score"
        )
    header = next(number for number, row in enumerate(rows) if any(row))
    found = []
    for number, row in enumerate(rows[header + 1 :], header + 2):
        title, score = (row[place] if place < len(row) else "" for place in places)
        if commas and score.count(",") == 1 and "." not in score:
            score = score.replace(",", ".")
        if title or score:
            found.append((number, title, score))
    return found


def _header(rows: Sequence[Cells], columns: tuple[str, str]) -> tuple[int, int] | None:
    """Where the two columns stand, by the first row that is not blank."""
    names = [cell.casefold() for cell in _first(rows)]
    wanted = [column.strip().casefold() for column in columns]
    if not all(column in names for column in wanted):
        return None
    return names.index(wanted[0]), names.index(wanted[1])


def _first(rows: Sequence[Cells]) -> Cells:
    return next((row for row in rows if any(row)), [])


def _csv(path: Path, data: bytes, delimiter: str) -> list[Cells]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text (byte {error.start}); save it as csv in UTF-8, or as xlsx"
        ) from error
    try:
        return [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        ]
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as csv ({error}); save it anew as csv in UTF-8, or as xlsx") from error


def _sheet(path: Path, data: bytes, sheet: str | None) -> list[Cells]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = {found.title: found for found in book.worksheets}  # not those that are a chart
    except (InvalidFileException, *DAMAGED) as error:
        raise _unreadable(path, error) from error
    if not sheets or (sheet is not None and sheet not in sheets):
        asked = "" if sheet is None else f" {sheet!r}"
        raise ValueError(f"{path} has no sheet{asked} of cells; its sheets are: {', '.join(sheets) or 'none'}")
    chosen = sheets[sheet or next(iter(sheets))]
    try:
        chosen.reset_dimensions()  # some programs write A1, whatever there is
        rows: Iterable[Sequence[Any]] = chosen.iter_rows(values_only=True)
        return [[_text(cell) for cell in row] for row in rows]
    except DAMAGED as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path} cannot be read as xlsx ({error}); save it anew as xlsx or csv")


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # a film called 1917
    return str(cell).strip()
