"""Titles and names of files, and when they mean the same film: the rule of docs/ratings.md."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

# What the end of a file's name may say of its kind, and not of its film.
KINDS = frozenset(("trailer", "teaser", "official", "theatrical", "promo", "tv", "spot", "hd", "uhd", "4k"))
SIZE = re.compile(r"\d{3,4}(p|x\d{3,4})")  # 1080p, 1280x720
YEAR = re.compile(r"[(\[]\s*((?:18|19|20)\d\d)\s*[)\]]")
ACCENTED = ("LATIN ", "GREEK ", "CYRILLIC ")  # whose marks are left off; of other letters a mark may be a vowel


class Titles:
    """A table of ratings, by all that its titles may be looked up by.

    A film goes by the title of its first row; where titles and names of files stand for one film, by the first title.

    Args:
        rows: number, title and score of each.
        paths: of the sources; a row that holds one, or its last part, is about that file, and no title.
    """

    def __init__(self, rows: Sequence[tuple[int, str, float | None]], paths: Sequence[str]) -> None:
        self.scores: dict[str, float | None] = {}
        self.by_path: dict[str, str] = {}
        self.by_key: dict[str, str] = {}
        self.by_yearless: dict[str, list[str]] = {}
        self._film_of: dict[int, str] = {}
        there = {*paths, *(_name(path) for path in paths)}
        of_files = {number: _as_path(title) for number, title, _ in rows if _as_path(title) in there}
        for number, title, _ in rows:
            if number not in of_files:
                self._add_title(number, title)
        by_name: dict[tuple[str, str], str] = {}
        shortest = _shortest(of_files.values())
        for number, title, _ in rows:
            if number in of_files:
                path = of_files[number]
                meant = self._meant(path)
                film = meant[0] if len(meant) == 1 else by_name.setdefault(shortest[path], title)
                self._film_of[number] = self.by_path[path] = film
        for number, _, score in rows:
            if self.scores.get(self.film(number)) is None:
                self.scores[self.film(number)] = score

    def film(self, row: int) -> str:
        """The film of a row."""
        return self._film_of[row]

    def of(self, path: str) -> str:
        """The film of a file, by the first rule that finds one; empty: none does."""
        exact = self.by_path.get(path) or self.by_path.get(_name(path))
        if exact:
            return exact
        films = self._meant(path)
        if len(films) > 1:
            raise ValueError(f"{path} may be {' or '.join(map(repr, films))}; write the year into the file's name")
        return films[0] if films else ""

    def _add_title(self, row: int, title: str) -> None:
        key = _key(title)
        film = self.by_key.setdefault(key, title) if key else title
        self._film_of[row] = film
        yearless = _key(YEAR.sub("", title)) if YEAR.search(title) else ""
        if yearless and film not in self.by_yearless.setdefault(yearless, []):
            self.by_yearless[yearless].append(film)

    def _meant(self, path: str) -> list[str]:
        """The films whose titles a file's name may mean; more than one: they differ by their year."""
        names = named(path)
        for key, _ in names:
            if key in self.by_key:
                return [self.by_key[key]]
        for key, year in names:
            if key in self.by_yearless and not (year or YEAR.search(_stem(path))):
                return self.by_yearless[key]
        return []


def _shortest(paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    """What stays of files' names, and their year: those of which as much stays are of one film. One without a year goes
    with the only year that others have; one that says nothing of a film but a number, or of what kind it is, stands for
    itself."""
    found = {path: (named(path) or [("", "")])[-1] for path in paths}
    years: dict[str, set[str]] = {}
    for key, year in found.values():
        years.setdefault(key, set()).update({year} - {""})
    return {
        path: (path, "")
        if key in KINDS or SIZE.fullmatch(key) or not any(c.isalpha() for c in key)
        else (key, year or (min(years[key]) if len(years[key]) == 1 else ""))
        for path, (key, year) in found.items()
    }


def _as_path(title: str) -> str:
    return title.replace("\\", "/").removeprefix("./")


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _stem(path: str) -> str:
    return Path(_name(path)).stem or _name(path)


def named(path: str) -> list[tuple[str, str]]:
    """What a file's name may say its film is: as it stands, then without one word after another that says of what kind
    the file is. Each with the year that was taken off, if one was."""
    stem = _stem(path)
    plain = "".join(c if _counts(c) or c in "()[]" else " " for c in _plain(stem))
    words = re.findall(rf"{YEAR.pattern}|([^\s()\[\]]+)", plain)
    found = [(_key(stem), "")] if _key(stem) else []
    year = ""
    while len(words) > 1:
        last_year, last = words[-1]
        numbered = last.isdecimal() and len(last) == 1 and words[-2][1] in KINDS  # "trailer 2", not "Toy Story 2"
        if not (last in KINDS or SIZE.fullmatch(last) or numbered or last_year):
            break
        year = year or last_year
        words.pop()
        found.append(("".join(a or b for a, b in words), year))
    return found


def _plain(text: str) -> str:
    """Without accents, and without the difference between upper and lower case."""
    kept: list[str] = []
    marks_count = False  # those behind the last character that is none
    for c in unicodedata.normalize("NFKD", text):
        mark = unicodedata.category(c).startswith("M")
        if not mark:
            marks_count = c.isalpha() and not unicodedata.name(c, "").startswith(ACCENTED)
        if not mark or marks_count:
            kept.append(c)
    return unicodedata.normalize("NFC", "".join(kept).casefold())


def _key(text: str) -> str:
    """The letters and digits of a title, in one form: titles of one key are one title."""
    return "".join(c for c in _plain(text) if _counts(c))


def _counts(c: str) -> bool:
    """Whether a character of `_plain` is a letter, a digit, or a mark that belongs to a letter."""
    return unicodedata.category(c)[0] in "LMN"
