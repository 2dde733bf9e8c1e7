"""The warnings of a dataset's classes, word for word."""

from __future__ import annotations

from collections import Counter

from tasks import balance
from tasks.footage import UNRATED, Reject, Source
from tasks.params import Ratings
from tasks.ratings import Row


def row(groups: int, train: int, test: int) -> dict[str, int]:
    return {"sources": train + test, "groups": groups, "train_sources": train, "test_sources": test}


def test_warnings_name_the_classes() -> None:
    found = {f"class{k}": row(1, 1, 0) for k in range(7)} | {"jump": row(2, 0, 2), "run": row(4, 3, 1)}
    found["short"] = row(2, 0, 0)  # its videos are shorter than a clip
    known = set(found) - {"short"}
    assert balance.warnings(found, Counter({"run": 201, "class0": 21, "class1": 20}), known) == [
        "7 of 10 classes have one group only: class0, class1, class2, class3, class4 and 2 more; a class of one group "
        "cannot be both learned and judged",
        "1 of 10 classes has no clip: short; such a class is not among the classes that are told apart",
        "1 of 10 classes has no training clip: jump; videos of such a class count as wrong",
        "7 of 10 classes have no test clip: class0, class1, class2, class3, class4 and 2 more; such a class is not "
        "judged",
        "the classes are out of balance: run has 201 training clips, 10 times the 20 of class1",
    ]


def test_a_sound_dataset_has_no_warning() -> None:
    sound = {"jump": row(2, 1, 1), "run": row(3, 2, 1)}
    assert balance.warnings(sound, Counter({"run": 200, "jump": 20}), {"jump", "run"}) == []


def test_ratings_are_summed_up_and_warned_of() -> None:
    rows = [
        Row(2, "Nord", 7.5, "Nord", "a.mp4; b.mp4"),
        Row(3, "Süd", None, "Süd", "c.mp4"),
        Row(4, "West", 3.0, "West", ""),
        *(Row(5 + k, f"Ost {k}", 1.0, f"Ost {k}", "") for k in range(5)),
    ]
    sources = [Source(p, p, "video", "", "", "Nord", 8, 8, 25.0, 9, None, 1.0, "", "Nord", 7.5) for p in "ab"]
    rejects = [Reject("c.mp4", UNRATED, "no score"), Reject("a.mp4", "subclips", "subclip 3 of 3: ..."),
               Reject("d.mp4", UNRATED, "no row")]  # fmt: skip
    found = balance.ratings(Ratings(file="x/r.csv", lowest=1, highest=9), rows, sources, rejects)
    assert found == {
        "file": "x/r.csv", "lowest": 1.0, "highest": 9.0, "rows": 8, "rated_sources": 2, "films": 1,
        "unmatched_rows": ["West", "Ost 0", "Ost 1", "Ost 2", "Ost 3", "Ost 4"], "blank_rows": ["Süd"],
        "unmatched_files": ["c.mp4", "d.mp4"],
    }  # fmt: skip
    assert balance.rating_warnings(found, {"Nord": 2, "A": 1, "B": 3}) == [
        "6 of 8 rows of r.csv have no file: West, Ost 0, Ost 1, Ost 2, Ost 3 and 1 more",
        "1 of 8 rows of r.csv has no score: Süd",
        "2 of 4 files have no score in r.csv: c.mp4, d.mp4",
        "1 of 3 films has one subclip only: A",
    ]
    sound = found | {"unmatched_rows": [], "blank_rows": [], "unmatched_files": []}
    assert balance.rating_warnings(sound, {"Nord": 2}) == []
