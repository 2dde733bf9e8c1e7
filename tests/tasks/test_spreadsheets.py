"""Tables of ratings as spreadsheets and people write them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.chart import BarChart

from tasks import spreadsheets

COLUMNS = ("Title", "Score")
ROWS = [(2, "Sintel", "7.5"), (3, "Café, noir", "8"), (5, "1917", "")]


def read(path: Path, data: bytes | str, columns: tuple[str, str] = COLUMNS) -> list[tuple[int, str, str]]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return spreadsheets.read(path, None, columns)


@pytest.mark.parametrize(
    "text",
    [
        'Title,Score\nSintel,7.5\n"Café, noir",8\n\n1917,\n',
        "Title;Score\r\nSintel;7,5\r\nCafé, noir;8\r\n\r\n1917;\r\n",
        "Title\tScore\nSintel\t7,5\nCafé, noir\t 8 \n\t\n1917\n",
        ' year ,SCORE,"title"\n2010,7.5,Sintel\n1950,8,"Café, noir"\n,,\n2019,,1917\n,"",\n',
        "\ufeffTitle;Year;Score\nSintel;2010;7.5\nCafé, noir;;8\n;;\n1917;2019;\n",
    ],
    ids=["comma", "semicolon", "tab", "other columns", "byte order mark"],
)
def test_csv_as_any_program_writes_it(tmp_path: Path, text: str) -> None:
    """Row 4 is blank, and counts, as it does on the screen."""
    assert read(tmp_path / "t.csv", text) == ROWS


def test_numbers_and_columns_of_the_users_own(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "Name,imdb\nSintel,7.5\n", ("name", "IMDB")) == [(2, "Sintel", "7.5")]
    assert read(tmp_path / "b.csv", 'Title,Score\nA,"7,5"\n') == [(2, "A", "7,5")]  # no decimal comma beside commas
    assert read(tmp_path / "c.csv", "Title;Score\nA;1.234,5\n") == [(2, "A", "1.234,5")]
    assert read(tmp_path / "d.csv", 'Title,Score\n"two\nlines",3\nB,4\n') == [(2, "two\nlines", "3"), (3, "B", "4")]


def workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.title = "notes"
    book.active.append(["nothing here"])
    sheet = book.create_sheet("films")
    for row in [["Title", None, "Score"], ["Sintel", "x", 7.5], ["Café, noir", None, "8,0"], [], [1917, None, None]]:
        sheet.append(row)
    book.save(path)
    return path


def test_xlsx(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx")
    found = spreadsheets.read(path, "films", ("title", "score"))
    assert found == [(2, "Sintel", "7.5"), (3, "Café, noir", "8.0"), (5, "1917", "")]
    assert spreadsheets.read(path.rename(tmp_path / "by content.csv"), "films", COLUMNS) == found
    with pytest.raises(ValueError, match=r"has no column 'Title' or .*; its columns are: nothing here; name two"):
        spreadsheets.read(tmp_path / "by content.csv", None, COLUMNS)
    with pytest.raises(ValueError, match=r"has no sheet 'movies' of cells; its sheets are: notes, films"):
        spreadsheets.read(tmp_path / "by content.csv", "movies", COLUMNS)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("Film;Note\nA;1\n", r"has no column 'Title' or no column 'Score'; its columns are: Film, Note; name"),
        ("", r"its columns are: none"),
        ("Title,Score\nCafé,1\n".encode("latin-1"), r"is not UTF-8 text \(byte 15\); save it as csv in UTF-8"),
        (b"PK\x03\x04 and nothing else", r"cannot be read as xlsx \(File is not a zip file\); save it anew"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"is an old Excel file \(xls\); save it as xlsx or csv"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            r"is protected by a password; save it without one, or as csv",
        ),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, data: bytes | str, said: str) -> None:
    with pytest.raises(ValueError, match=rf"t\.csv .*{said}|t\.csv {said}"):
        read(tmp_path / "t.csv", data)
    with pytest.raises(ValueError, match=r"none\.csv does not exist; correct ratings\.file"):
        spreadsheets.read(tmp_path / "none.csv", None, COLUMNS)


SHEET = "xl/worksheets/sheet1.xml"


def edited(path: Path, part: str, edit: Callable[[bytes], bytes]) -> bytes:
    """A workbook's bytes, one part of it changed."""
    changed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, edit(old.read(name)) if name == part else old.read(name))
    return changed.getvalue()


def films(path: Path, chart: bool = False) -> Path:
    book = openpyxl.Workbook()
    for row in [["Title", "Score"], ["Sintel", 7.5], ["Café, noir", 8], [], [1917]]:
        book.active.append(row)
    if chart:
        book.create_chartsheet("chart", 0).add_chart(BarChart())
    book.save(path)
    return path


def test_an_xlsx_that_begins_with_a_chart_or_states_a_wrong_size_is_read(tmp_path: Path) -> None:
    assert spreadsheets.read(films(tmp_path / "chart.xlsx", chart=True), None, COLUMNS) == ROWS
    with pytest.raises(ValueError, match=r"has no sheet 'chart' of cells; its sheets are: Sheet"):
        spreadsheets.read(tmp_path / "chart.xlsx", "chart", COLUMNS)
    small = edited(films(tmp_path / "t.xlsx"), SHEET, lambda xml: re.sub(rb'ref="A1:B5"', b'ref="A1"', xml))
    assert small != edited(tmp_path / "t.xlsx", SHEET, bytes)
    assert read(tmp_path / "small.xlsx", small) == ROWS


@pytest.mark.parametrize(
    ("part", "edit"),
    [
        (SHEET, lambda xml: xml[: len(xml) * 2 // 3]),
        (SHEET, lambda xml: xml.replace(b"<v>8</v>", b"<v>x</v>")),
        ("xl/workbook.xml", lambda xml: xml[:180]),
        ("[Content_Types].xml", lambda xml: xml.replace(b"spreadsheetml.sheet.main", b"presentationml.main")),
        ("[Content_Types].xml", lambda xml: xml[:80]),
    ],
    ids=["a sheet cut short", "a number that is none", "a book cut short", "of another program", "no list of parts"],
)
def test_an_xlsx_that_is_damaged_or_none_is_said(tmp_path: Path, part: str, edit: Callable[[bytes], bytes]) -> None:
    damaged = edited(films(tmp_path / "whole.xlsx"), part, edit)
    with pytest.raises(ValueError, match=r"t\.xlsx cannot be read as xlsx \(.+\); save it anew as xlsx or csv"):
        read(tmp_path / "t.xlsx", damaged)


def test_bytes_of_an_xlsx_that_are_lost_are_said_or_do_not_matter(tmp_path: Path) -> None:
    data, said = films(tmp_path / "whole.xlsx").read_bytes(), 0
    for at in range(4, len(data), 151):
        try:
            assert read(tmp_path / "t.xlsx", data[:at] + b"\x00\xff" * 8 + data[at + 16 :]) == ROWS
        except ValueError as error:
            said += "cannot be read as xlsx" in str(error)
    assert said > 10
