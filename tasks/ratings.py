"""Ratings: a table of titles and scores, and which of its rows each file belongs to.

    Title;Score                  table, csv or xlsx
    Café Noir;7,5                row 2, as a spreadsheet counts
    Dunes (1971);8

    noir/cafe-noir-official-trailer-2.mp4  ->  Café Noir
    Dunes 1971.webm                        ->  Dunes (1971)

The rule by which they find one another is said to people in docs/ratings.md; here it is `titles`.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tasks import spreadsheets
from tasks.footage import UNRATED, Reject, Source
from tasks.params import Ratings
from tasks.titles import Titles, named

SHOWN = 3
SHOWN_FAULTS = 20
NEAR = 0.6  # of difflib: titles less alike than this are not offered


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table, and of `ratings.csv` in the cuts, the frames and the clips of a dataset."""

    row: int  # as a spreadsheet numbers it: the header is row 1
    title: str
    score: float | None  # None: left blank
    film: str  # what its film goes by: the title of the first row that means the same
    files: str  # that it rates, joined by "; "


def read(ratings: Ratings) -> list[Row]:
    """The rows of the table, not yet matched; those that are blank all over are left out.

    Raises:
        ValueError: the file is missing, no table, or lacks a column; scores that are text or out of range, rows without
            a title: all of them are named.
    """
    path = Path(ratings.file)
    cells = spreadsheets.read(path, ratings.sheet, (ratings.title, ratings.score))
    rows: list[Row] = []
    faults: list[str] = []
    for number, title, text in cells:
        score, fault = _score(text, ratings)
        if not title and text:
            fault = "it has a score and no title"
        if fault:
            faults.append(f"  row {number}, {title or 'no title'!r}: {fault}")
        elif title:
            rows.append(Row(number, title, score, "", ""))
    if faults:
        more = f"\n  and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
        raise ValueError(
            f"{path}: {len(faults)} row(s) cannot be used; correct them there, or ratings.lowest and ratings.highest "
            "in params.yaml:\n" + "\n".join(faults[:SHOWN_FAULTS]) + more
        )
    if not any(row.score is not None for row in rows):
        raise ValueError(f"{path} holds no score in its column {ratings.score!r}; fill it in")
    return rows


def apply(ratings: Ratings, sources: Sequence[Source], ruled: bool) -> tuple[list[Source], list[Row], list[Reject]]:
    """Give every source its film and its score.

    Args:
        ruled: the dataset's group rule has given the groups; otherwise a film is one.

    Returns:
        The sources that are rated, in their order; the table's rows with their files; the sources that are not, each
        with the reason.

    Raises:
        ValueError: as `read`; a film that two rows rate differently; a file that two titles match; no file that any
            does; a film that stands in two groups.
    """
    rows = read(ratings)
    titles = Titles([(row.row, row.title, row.score) for row in rows], [source.path for source in sources])
    _check_agreement(Path(ratings.file), rows, titles)
    rated: list[Source] = []
    rejects: list[Reject] = []
    files: dict[str, list[str]] = {}
    for source in sources:
        film = titles.of(source.path)
        score = titles.scores.get(film)
        if not film:
            rejects.append(Reject(source.path, UNRATED, _unnamed(source.path, titles, ratings)))
            continue
        files.setdefault(film, []).append(source.path)
        if score is None:
            rejects.append(Reject(source.path, UNRATED, f"{Path(ratings.file).name} has no score for {film!r}"))
            continue
        rated.append(dataclasses.replace(source, film=film, score=score, group=source.group if ruled else film))
    if sources and not files:
        raise ValueError(
            f"no file matches a title of {ratings.file}; its titles are {_some(row.title for row in rows)}, the files "
            f"{_some(source.path for source in sources)}; name the files after the titles, or write the files' names "
            "into the title column (the rule stands in docs/ratings.md)"
        )
    _check_groups(rated)
    films = [titles.film(row.row) for row in rows]
    matched = [
        dataclasses.replace(row, film=film, files="; ".join(files.get(film, ())))
        for row, film in zip(rows, films, strict=True)
    ]
    return rated, matched, rejects


def _score(text: str, ratings: Ratings) -> tuple[float | None, str]:
    """A cell's score, None where it is blank, and what is wrong with it."""
    if text.casefold() in spreadsheets.BLANK:
        return None, ""
    try:
        score = float(text.replace("_", "?"))  # 8_1 would be 81
    except ValueError:
        return None, f"its score is {text!r}, not a number; write one, or leave the cell blank"
    if not ratings.lowest <= score <= ratings.highest:  # false for what is infinite, too
        return None, f"its score {text} is not between {ratings.lowest:g} and {ratings.highest:g}"
    return score, ""


def _check_agreement(path: Path, rows: Sequence[Row], titles: Titles) -> None:
    first: dict[str, Row] = {}
    said = []
    for row in rows:
        if row.score is None:
            continue
        other = first.setdefault(titles.film(row.row), row)
        if other.score != row.score:
            said.append(
                f"  row {other.row}, {other.title!r}: {other.score:g}, and row {row.row}, {row.title!r}: {row.score:g}"
            )
    if said:
        raise ValueError(
            f"{path} rates {len(said)} title(s) twice, and differently; keep one row of each, or tell the films apart "
            "by their year in brackets:\n" + "\n".join(said[:SHOWN_FAULTS])
        )


def _check_groups(rated: Sequence[Source]) -> None:
    """Raise a ValueError where a group rule puts a film's files into two groups: it could stand on both sides."""
    first: dict[str, Source] = {}
    for source in rated:
        other = first.setdefault(source.film, source)
        if other.group != source.group:
            raise ValueError(
                f"{source.film!r} stands in two groups: {other.path} in {other.group} and {source.path} in "
                f"{source.group}; correct group.pattern, or set group: null, so that every film is a group"
            )


def _unnamed(path: str, titles: Titles, ratings: Ratings) -> str:
    """Why a file has no film, with the titles nearest to its name."""
    names = named(path)
    keys: Mapping[str, str] = titles.by_key
    shortest = names[-1][0] if names else ""
    near = difflib.get_close_matches(shortest, list(keys), n=SHOWN, cutoff=NEAR)
    offered = f"; the nearest: {', '.join(keys[key] for key in near)}" if near else ""
    return f"no row of {Path(ratings.file).name} has its title{offered}"


def _some(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name, _ in zip(names, range(SHOWN), strict=False))
