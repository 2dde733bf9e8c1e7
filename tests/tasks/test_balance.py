"""The warnings of a dataset's classes, word for word."""

from __future__ import annotations

from collections import Counter

from tasks import balance


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
