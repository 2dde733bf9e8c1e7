"""Ratings: which file finds which row, and what is refused with every fault named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasks import params, ratings
from tasks.footage import Reject, Source
from tasks.params import Ratings

ROOT = Path(__file__).parent.parent.parent


def source(path: str, group: str = "") -> Source:
    return Source(path, path, "video", "0" * 64, "", group or path, 8, 8, 25.0, 9, None, 0.36)


def table(folder: Path, rows: dict[str, object], **settings: object) -> Ratings:
    """Rows in order; a score of None is a blank cell."""
    lines = [f"{title};{'' if score is None else score}" for title, score in rows.items()]
    (folder / "r.csv").write_text("\n".join(["Title;Score", *lines]) + "\n", encoding="utf-8")
    return Ratings(file=str(folder / "r.csv"), **settings)  # type: ignore[arg-type]


TITLES: dict[str, object] = {
    "Café Noir": "7,5",
    "Dunes (1971)": 8,
    "Dunes (2021)": 6,
    "Toy Box": 5,
    "Toy Box 2": 4,
    "Blade 2049": 3,
    "deep/very odd name.mp4": 2,
    "b.side.mp4": 1,
    "The Trailer": 9,
    "ШИНЕЛЬ": 5.5,
    "Seven, or 7?": 7,
    "Orbit (1999)": 6.5,
}


@pytest.mark.parametrize(
    ("path", "film"),
    [
        # 1: the path or the name, as it stands
        ("deep/very odd name.mp4", "deep/very odd name.mp4"),
        ("elsewhere/b.side.mp4", "b.side.mp4"),
        ("elsewhere/very odd name.mp4", ""),
        # 2: title and name mean the same
        ("Café Noir.mp4", "Café Noir"),
        ("x/cafe_noir.MKV", "Café Noir"),
        ("CAFE\u0301-NOIR.webm", "Café Noir"),  # the accent as a character of its own
        ("dunes.1971.mp4", "Dunes (1971)"),
        ("шинель.mp4", "ШИНЕЛЬ"),
        ("seven or 7.mp4", "Seven, or 7?"),
        ("the trailer.mp4", "The Trailer"),
        # 3: without what is said of the kind of file
        ("Cafe Noir - Official Trailer #2 (HD).mp4", "Café Noir"),
        ("cafe-noir_teaser_1080p.mp4", "Café Noir"),
        ("cafe noir tv spot 3 1280x720.mp4", "Café Noir"),
        ("Café Noir (1950) trailer.mp4", "Café Noir"),
        ("toy box trailer.mp4", "Toy Box"),
        ("toy box trailer 2.mp4", "Toy Box"),
        ("toy box 2 trailer.mp4", "Toy Box 2"),
        ("toy box 3 trailer.mp4", ""),  # the third part is another film
        ("blade 2049 trailer.mp4", "Blade 2049"),
        ("the trailer trailer.mp4", "The Trailer"),
        ("dunes (2021) trailer.mp4", "Dunes (2021)"),
        ("dunes (1984) trailer.mp4", ""),  # the table has others
        ("orbit trailer.mp4", "Orbit (1999)"),
        ("orbit (2003).mp4", ""),
        ("trailer.mp4", ""),
        ("noir.mp4", ""),
        ("???.mp4", ""),
    ],
)
def test_a_file_finds_its_film(tmp_path: Path, path: str, film: str) -> None:
    rated, _, rejects = ratings.apply(table(tmp_path, TITLES), [source(path), source("toy box.mp4")], ruled=False)
    assert [(s.path, s.film, s.group) for s in rated if s.path == path] == ([(path, film, film)] if film else [])
    assert [r.path for r in rejects] == ([] if film else [path])
    assert rated[-1].score == 5.0


def test_rows_files_and_reasons(tmp_path: Path) -> None:
    """Blank rows are no rows; a film may have two files, and stand in two rows that agree."""
    given = {"Nord": "7.5", "Süd": None, "": "", "Ost": 6, "NORD!": 7.5, "West": "n/a", "Ostern": 4, "Nirgends": 1}
    files = ["nord trailer.mp4", "x/Nord.mov", "sud.mp4", "osten.mp4", "ost.mp4", "kino.mp4"]
    rated, rows, rejects = ratings.apply(table(tmp_path, given), [source(path) for path in files], ruled=False)
    assert [(s.path, s.film, s.score, s.group) for s in rated] == [
        ("nord trailer.mp4", "Nord", 7.5, "Nord"),
        ("x/Nord.mov", "Nord", 7.5, "Nord"),
        ("ost.mp4", "Ost", 6.0, "Ost"),
    ]
    assert rows == [
        ratings.Row(2, "Nord", 7.5, "Nord", "nord trailer.mp4; x/Nord.mov"),
        ratings.Row(3, "Süd", None, "Süd", "sud.mp4"),
        ratings.Row(5, "Ost", 6.0, "Ost", "ost.mp4"),
        ratings.Row(6, "NORD!", 7.5, "Nord", "nord trailer.mp4; x/Nord.mov"),
        ratings.Row(7, "West", None, "West", ""),
        ratings.Row(8, "Ostern", 4.0, "Ostern", ""),
        ratings.Row(9, "Nirgends", 1.0, "Nirgends", ""),
    ]
    assert rejects == [
        Reject("sud.mp4", "ratings", "r.csv has no score for 'Süd'"),
        Reject("osten.mp4", "ratings", "no row of r.csv has its title; the nearest: Ostern, Ost"),
        Reject("kino.mp4", "ratings", "no row of r.csv has its title"),
    ]


def test_every_fault_of_the_table_is_named(tmp_path: Path) -> None:
    faulty = table(
        tmp_path,
        {"A": "8/10", "B": 10.5, "C": "7,5", "": 3, "D": "inf", "E": -1, "F": "NaN", "G": 10, "H": "0_8"},
        lowest=1,
        highest=10,
    )
    with pytest.raises(ValueError, match=r"r\.csv: 6 row\(s\) cannot be used; correct them") as caught:
        ratings.read(faulty)
    assert str(caught.value).splitlines()[1:] == [
        "  row 2, 'A': its score is '8/10', not a number; write one, or leave the cell blank",
        "  row 3, 'B': its score 10.5 is not between 1 and 10",
        "  row 5, 'no title': it has a score and no title",
        "  row 6, 'D': its score inf is not between 1 and 10",
        "  row 7, 'E': its score -1 is not between 1 and 10",
        "  row 10, 'H': its score is '0_8', not a number; write one, or leave the cell blank",
    ]
    with pytest.raises(ValueError, match=r"holds no score in its column 'score'; fill it in"):
        ratings.read(table(tmp_path, {"A": None, "B": "nan"}))


def test_titles_that_mean_the_same_have_to_agree(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rates 1 title\(s\) twice, and differently; keep one row") as caught:
        ratings.apply(table(tmp_path, {"Café": 7, "B": 1, "cafe!": 8, "CAFÉ": 7}), [], ruled=False)
    assert str(caught.value).splitlines()[1:] == ["  row 2, 'Café': 7, and row 4, 'cafe!': 8"]
    with pytest.raises(ValueError, match=r"dunes\.mp4 may be 'Dunes \(1971\)' or 'Dunes \(2021\)'; write the year"):
        ratings.apply(table(tmp_path, TITLES), [source("dunes.mp4")], ruled=False)


def films(folder: Path, rows: dict[str, object], paths: list[str]) -> list[str]:
    """The film of every file; all of them are rated."""
    rated, _, _ = ratings.apply(table(folder, rows), [source(path) for path in paths], ruled=False)
    assert [s.path for s in rated] == paths
    assert [s.group for s in rated] == [s.film for s in rated]
    return [s.film for s in rated]


def test_files_named_in_the_table_are_of_one_film_where_their_names_mean_one(tmp_path: Path) -> None:
    """Otherwise a film's first trailer could be trained on and its second be judged."""
    two = ["Alien trailer 1.mp4", "x/Alien trailer 2.mp4", "alien (HD).mp4", "Alien 3 trailer.mp4"]
    assert films(tmp_path, dict.fromkeys(two, 7), two) == [two[0], two[0], two[0], two[3]]
    assert films(tmp_path, {two[0]: 7, "Alien": 7, two[3]: 1}, [two[0], two[1], two[3]]) == ["Alien", "Alien", two[3]]
    with pytest.raises(ValueError, match=r"rates 1 title\(s\) twice, and differently") as caught:
        films(tmp_path, {two[0]: 7, "Toy": 1, two[2]: 8}, two[:3])
    assert str(caught.value).splitlines()[1:] == ["  row 2, 'Alien trailer 1.mp4': 7, and row 4, 'alien (HD).mp4': 8"]
    years = [
        "Dunes (1971) trailer.mp4",
        "Dunes (2021) trailer.mp4",
        "dunes teaser.mp4",
        "orbit.mp4",
        "orbit (1999).mp4",
    ]
    given = dict(zip(years, [8, 6, 5, 4, 4], strict=True))
    assert films(tmp_path, given, years) == [*years[:3], years[3], years[3]]
    assert films(tmp_path, TITLES | {years[2]: 5}, [years[2]]) == [years[2]]  # 1971 or 2021: rule 1 goes first


def test_names_that_say_nothing_of_a_film_keep_their_files_apart(tmp_path: Path) -> None:
    plain = [
        "alien/trailer.mp4",
        "dune/trailer.mp4",
        "1.mp4",
        "trailer 1.mp4",
        "trailer 2.mp4",
        "x/720p.mp4",
        "y/720p.mp4",
    ]
    assert films(tmp_path, {path: number for number, path in enumerate(plain)}, plain) == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [("राम", "रमा"), ("がき", "かき"), ("กา", "กี"), ("שָׁלוֹם", "שׁלם"), ("ハハ", "パパ")],
    ids=["Devanagari", "kana", "Thai", "Hebrew", "katakana"],
)
def test_marks_that_are_sounds_tell_titles_apart(tmp_path: Path, one: str, other: str) -> None:
    titles: dict[str, object] = {one: 1, other: 2}
    found = films(tmp_path, titles, [f"{one}.mp4", f"{other}.mp4", f"{one} Trailer 2.mp4", f"{other}_teaser.mp4"])
    assert found == [one, other, one, other]


def test_accents_and_forms_of_a_character_do_not(tmp_path: Path) -> None:
    given: dict[str, object] = {"Ёлка": 1, "Άλφα": 2, "Ångström ❤": 3, "バナナ": 4, "한국": 5}
    paths = ["елка.mp4", "αλφα.mp4", "angstrom ❤\ufe0f.mp4", "ﾊﾞﾅﾅ.mp4", "\u1112\u1161\u11ab\u1100\u116e\u11a8.mp4"]
    assert films(tmp_path, given, paths) == list(given)


def test_where_nothing_matches_both_sides_are_shown(tmp_path: Path) -> None:
    files = [source(f"{k}.mp4") for k in range(7)]
    with pytest.raises(
        ValueError, match=r"its titles are 'A', 'B', 'C', the files '0\.mp4', '1\.mp4', '2\.mp4'; name the files"
    ):
        ratings.apply(table(tmp_path, {"A": 1, "B": 2, "C": 3, "D": 4}), files, ruled=False)


def test_a_film_may_not_stand_in_two_groups(tmp_path: Path) -> None:
    given = table(tmp_path, {"A": 1, "B": 2})
    together = [source("x/a.mp4", "x"), source("x/a trailer.mp4", "x"), source("y/b.mp4", "y")]
    rated, _, _ = ratings.apply(given, together, ruled=True)
    assert [s.group for s in rated] == ["x", "x", "y"]
    with pytest.raises(ValueError, match=r"'A' stands in two groups: x/a\.mp4 in x and y/a trailer\.mp4 in y; correct"):
        ratings.apply(given, [*together, source("y/a trailer.mp4", "y")], ruled=True)


def test_the_example_of_the_docs_is_sound(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "ratings.md").read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    (tmp_path / "params.yaml").write_text(f"rendered: {{}}\nreport: {{}}\n{example[1]}", encoding="utf-8")
    films = params.load(tmp_path / "params.yaml").datasets["films"]
    assert films.ratings == Ratings(file="trailers/ratings.xlsx", title="Title", score="Score")
    assert films.split.test_share == 0.25
