"""Who stands where: by lists, by groups, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import splits
from tasks.footage import Reject, Source
from tasks.params import Split, SplitLists


def source(path: str, group: str) -> Source:
    return Source(path, path, "video", "0" * 64, path.split("/")[0], group, 8, 8, 25.0, 9, None, 0.36)


SOURCES = [
    source(f"{label}/v_{label}_{group}_{clip}.avi", f"{label}_{group}")
    for label in ("Archery", "Biking")
    for group in ("g01", "g02", "g03")
    for clip in ("c01", "c02")
]


def by_lists(root: Path, train: list[str], test: list[str], validation: tuple[str, ...] = ()) -> Split:
    (root / "trainlist01.txt").write_text("".join(f"{path} 1\n" for path in train))
    (root / "testlist01.txt").write_text("".join(f"{path}\n" for path in test))
    lists = SplitLists(train=str(root / "trainlist01.txt"), test=str(root / "testlist01.txt"))
    return Split(lists=lists, validation=validation)


def paths(*groups: str) -> list[str]:
    return [s.path for s in SOURCES if s.group in groups]


def test_lists_divide_and_what_they_do_not_name_is_left_out(tmp_path: Path) -> None:
    split = by_lists(
        tmp_path,
        train=[*paths("Archery_g01", "Biking_g01", "Biking_g02"), "Archery/broken.avi", "Archery/gone.avi"],
        test=[*paths("Archery_g03", "Biking_g03"), *(f"Biking/gone{k}.avi" for k in range(7))],
        validation=("Biking_g02",),
    )
    found = splits.divide(split, SOURCES, [Reject("Archery/broken.avi", "subclips", "empty file (0 bytes)")])
    assert found.of == {
        **dict.fromkeys(paths("Archery_g01", "Biking_g01"), "train"),
        **dict.fromkeys(paths("Biking_g02"), "validation"),
        **dict.fromkeys(paths("Archery_g03", "Biking_g03"), "test"),
    }
    reason = "named by neither trainlist01.txt nor testlist01.txt"
    assert found.left_out == tuple(Reject(path, "assemble", reason) for path in paths("Archery_g02"))
    assert found.warnings == (
        "1 of 8 files that trainlist01.txt lists do not exist: Archery/gone.avi",
        "7 of 11 files that testlist01.txt lists do not exist: Biking/gone0.avi, Biking/gone1.avi, Biking/gone2.avi, "
        "Biking/gone3.avi, Biking/gone4.avi and 2 more",
    )
    assert found.lists is not None
    assert found.lists["left_out"] == 2
    assert {side: (found.lists[side]["listed"], found.lists[side]["missing"]) for side in ("train", "test")} == {
        "train": (8, 1),
        "test": (11, 7),
    }


def test_groups_do_not_cross_lists(tmp_path: Path) -> None:
    split = by_lists(tmp_path, paths("Archery_g01", "Biking_g01")[:3], paths("Biking_g01", "Biking_g02")[1:])
    with pytest.raises(ValueError, match=r"1 group\(s\) stand in both .*trainlist01\.txt and .*testlist01") as caught:
        splits.divide(split, SOURCES)
    assert str(caught.value).splitlines()[1:] == [
        "  Biking_g01: Biking/v_Biking_g01_c01.avi (trainlist01.txt) and Biking/v_Biking_g01_c02.avi (testlist01.txt)"
    ]
    split = by_lists(tmp_path, paths("Archery_g01"), paths("Biking_g01"), validation=("Biking_g01",))
    with pytest.raises(
        ValueError, match=r"group Biking_g01, which no source in .*trainlist01\.txt has; there are: Arch"
    ):
        splits.divide(split, SOURCES)


def test_a_list_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    split = by_lists(tmp_path, paths("Archery_g01"), ["UCF-101/Archery/v_Archery_g02_c01.avi"])
    with pytest.raises(ValueError, match=r"testlist01\.txt names no source .* it lists 'UCF-101/.* is 'Archery/v_"):
        splits.divide(split, SOURCES)


def test_groups_divide() -> None:
    found = splits.divide(Split(test=("Archery_g01", "Biking_g02"), validation=("Biking_g03",)), SOURCES)
    assert list(found.of.values()) == [
        "test", "test", "train", "train", "train", "train",
        "train", "train", "test", "test", "validation", "validation",
    ]  # fmt: skip
    assert (found.left_out, found.lists, found.warnings) == ((), None, ())


def test_groups_are_drawn_each_by_its_own_name() -> None:
    """Shares are met roughly; a group more or less moves no other; another seed draws others."""
    split = Split(test_share=0.25, validation_share=0.15, seed=3)
    many = {f"g{k}": splits.drawn(f"g{k}", split) for k in range(4000)}
    shares = {name: list(many.values()).count(name) / 4000 for name in splits.SPLITS}
    assert shares == pytest.approx({"train": 0.6, "validation": 0.15, "test": 0.25}, abs=0.02)
    assert [splits.drawn(f"g{k}", split) for k in range(6)] == [
        "test",
        "train",
        "validation",
        "train",
        "validation",
        "train",
    ]
    found = splits.divide(split, SOURCES)
    assert found.of == {s.source: splits.drawn(s.group, split) for s in SOURCES}
    other = Split(test_share=0.25, validation_share=0.15, seed=4)
    assert 0.4 < sum(splits.drawn(group, other) == side for group, side in many.items()) / 4000 < 0.5


def test_groups_are_drawn_or_named() -> None:
    for wrong, said in [
        ({"test_share": 0.2, "test": ("a",)}, "draws groups, and others are named"),
        ({"test_share": 0.6, "validation_share": 0.4}, "leave no group to train on"),
        ({"test": ("a",), "validation_share": 0.4}, "needs split.test_share"),
    ]:
        with pytest.raises(ValueError, match=said):
            Split(**wrong)  # type: ignore[arg-type]
