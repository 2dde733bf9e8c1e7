"""Public split lists: what they say, and every line that says something wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import split_lists
from tasks.params import SplitLists


def lists(root: Path, train: str, test: str, classes: str | None = "1 Archery\n2 Baby Crawling\n") -> SplitLists:
    for name, text in (("train", train), ("test", test), ("classes", classes)):
        if text is not None:
            (root / f"{name}.txt").write_bytes(text.encode())
    where = None if classes is None else str(root / "classes.txt")
    return SplitLists(train=str(root / "train.txt"), test=str(root / "test.txt"), classes=where)


def test_lines_are_read_as_they_are_published(tmp_path: Path) -> None:
    found = split_lists.read(
        lists(
            tmp_path,
            train="\ufeffArchery/v_Archery_g08_c01.avi 1\r\n\r\nBaby Crawling/two words 7.avi 02\r\n",
            test="Archery/v_Archery_g01_c01.avi\n./ucf/Archery/v_Archery_g01_c02.avi 1\n\n  \n",
            classes="1 Archery\r\n02 Baby Crawling\r\n",
        )
    )
    assert {side: (one.file.name, one.lines) for side, one in found.items()} == {
        "train": ("train.txt", {"Archery/v_Archery_g08_c01.avi": 1, "Baby Crawling/two words 7.avi": 3}),
        "test": ("test.txt", {"Archery/v_Archery_g01_c01.avi": 1, "ucf/Archery/v_Archery_g01_c02.avi": 2}),
    }


def test_every_wrong_line_is_named(tmp_path: Path) -> None:
    train = "Archery/a.avi 1\nArchery/b.avi 2\nArchery/c.avi\nArchery/d.avi 9\nArchery/e.avi one\nf.avi 1\n"
    test = "Archery/g.avi\nArchery/a.avi\nBiking/h.avi\n../Archery/i.avi\n"
    classes = "1 Archery\nArchery 1\n2 Baby Crawling\n2 Biking\n"
    with pytest.raises(ValueError, match=r"split\.lists: 10 line\(s\) are wrong") as caught:
        split_lists.read(lists(tmp_path, train, test, classes))
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines()[1:] == [
        "  classes.txt, line 2: 'Archery 1' is not '<class number> <class folder>', as in '1 Archery'",
        "  classes.txt, line 4: '2 Biking': an earlier line has this number or this folder",
        "  train.txt, line 2: 'Archery/b.avi': class number 2 is 'Baby Crawling' and its folder is 'Archery', which "
        "is 1",
        "  train.txt, line 3: 'Archery/c.avi' is not '<class>/<video> <class number>', the path below the footage "
        "folder",
        "  train.txt, line 4: 'Archery/d.avi': class number 9 is not in split.lists.classes, which has 2 classes",
        "  train.txt, line 5: 'Archery/e.avi one' is not '<class>/<video> <class number>', the path below the footage "
        "folder",
        "  train.txt, line 6: 'f.avi 1' is not '<class>/<video> <class number>', the path below the footage folder",
        "  test.txt, line 3: 'Biking/h.avi': its folder 'Biking' is no class of split.lists.classes",
        "  test.txt, line 4: '../Archery/i.avi' is not '<class>/<video>', the path below the footage folder",
        "  test.txt, line 2: 'Archery/a.avi' stands in train.txt, line 1 too; keep it in one list",
    ]
    many = "".join(f"Archery/{k}.avi 3\n" for k in range(30))
    with pytest.raises(ValueError, match=r"30 line\(s\) are wrong") as caught:
        split_lists.read(lists(tmp_path, many, "Archery/x.avi\n"))
    assert len(str(caught.value).splitlines()) == 12
    assert str(caught.value).endswith("\n  and 20 more")


def test_numbers_are_unchecked_without_classes_and_files_have_to_be_text(tmp_path: Path) -> None:
    given = lists(tmp_path, "Archery/a.avi 5\n", "Archery/b.avi\n", classes=None)
    assert split_lists.read(given)["train"].lines == {"Archery/a.avi": 1}
    (tmp_path / "test.txt").write_bytes(b"Archery/\xff.avi\n")
    with pytest.raises(ValueError, match=r"test\.txt is no UTF-8 text \(invalid start byte at byte 8\)"):
        split_lists.read(given)
    (tmp_path / "test.txt").unlink()
    with pytest.raises(ValueError, match=r"the split list .*test\.txt does not exist; correct split\.lists"):
        split_lists.read(given)
