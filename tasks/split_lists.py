"""A public split as files, in UCF-101's form: which videos are learned from, which are judged.

trainlist01.txt   ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1     path below the footage folder, class number
testlist01.txt    ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi       path; a class number may follow
classInd.txt      1 ApplyEyeMakeup                                  class number, class folder
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from tasks.params import SplitLists

SHOWN_FAULTS = 10
ENTRY = re.compile(r"(?P<path>\S.*?)(?:\s+(?P<number>\d+))?")
CLASS = re.compile(r"(?P<number>\d+)\s+(?P<label>\S.*)")


@dataclasses.dataclass(frozen=True)
class Listed:
    """One list: its file, the identity of its bytes, and the line on which each path stands, from 1."""

    file: Path
    sha256: str
    lines: dict[str, int]


def read(lists: SplitLists) -> dict[str, Listed]:
    """The lists `train` and `test`.

    Raises:
        ValueError: a file is missing or is no text; or lines are wrong, each named with its file and number: not in the
            form above, a class number that contradicts the class folder or that `classes` does not know, a path that
            stands in both lists.
    """
    faults: list[str] = []
    numbers = None if lists.classes is None else _read_classes(Path(lists.classes), faults)
    found = {
        "train": _read_list(Path(lists.train), True, numbers, faults),
        "test": _read_list(Path(lists.test), False, numbers, faults),
    }
    train, test = found["train"], found["test"]
    for path, line in test.lines.items():
        if path in train.lines:
            other = f"{train.file}, line {train.lines[path]}"
            faults.append(f"{test.file}, line {line}: {path!r} stands in {other} too; keep it in one list")
    if faults:
        more = [f"and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
        named = "\n".join(f"  {fault}" for fault in faults[:SHOWN_FAULTS] + more)
        raise ValueError(f"split.lists: {len(faults)} line(s) are wrong\n{named}")
    return found


def _read_classes(file: Path, faults: list[str]) -> dict[str, str]:
    """The number of each class folder."""
    numbers: dict[str, str] = {}
    for line, text in _lines(_bytes(file), file):
        match = CLASS.fullmatch(text)
        if match is None:
            faults.append(f"{file}, line {line}: {text!r} is not '<class number> <class folder>', as in '1 Archery'")
            continue
        number, label = str(int(match["number"])), match["label"]
        if number in numbers.values() or label in numbers:
            faults.append(f"{file}, line {line}: {text!r}: an earlier line has this number or this folder")
            continue
        numbers[label] = number
    return numbers


def _read_list(file: Path, numbered: bool, numbers: dict[str, str] | None, faults: list[str]) -> Listed:
    content = _bytes(file)
    lines: dict[str, int] = {}
    form = "'<class>/<video> <class number>'" if numbered else "'<class>/<video>'"
    for line, text in _lines(content, file):
        match = ENTRY.fullmatch(text)
        assert match is not None, text
        path = match["path"].removeprefix("./")
        parts = path.split("/")
        if len(parts) < 2 or not all(parts) or ".." in parts or (numbered and match["number"] is None):
            faults.append(f"{file}, line {line}: {text!r} is not {form}, the path below the footage folder")
            continue
        fault = _class_fault(parts[-2], match["number"], numbers)
        if fault:
            faults.append(f"{file}, line {line}: {path!r}: {fault}")
        lines.setdefault(path, line)
    return Listed(file, hashlib.sha256(content).hexdigest(), lines)


def _class_fault(label: str, number: str | None, numbers: dict[str, str] | None) -> str:
    """What is wrong with the class of a line; empty where nothing is."""
    if numbers is None:
        return ""
    known = {n: name for name, n in numbers.items()}
    number = None if number is None else str(int(number))
    if number is not None and number not in known:
        return f"class number {number} is not in split.lists.classes, which has {len(numbers)} classes"
    if label not in numbers:
        return f"its folder {label!r} is no class of split.lists.classes"
    if number is not None and numbers[label] != number:
        return f"class number {number} is {known[number]!r} and its folder is {label!r}, which is {numbers[label]}"
    return ""


def _bytes(file: Path) -> bytes:
    if not file.is_file():
        raise ValueError(f"the split list {file} does not exist; correct split.lists in params.yaml")
    return file.read_bytes()


def _lines(content: bytes, file: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers; whatever ends them."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the split list {file} is no UTF-8 text ({error.reason} at byte {error.start})") from error
    for line, found in enumerate(text.splitlines(), start=1):
        if found.strip():
            yield line, found.strip()
