"""Which split each source stands in: by its group, named or drawn, or by a public split's lists. A group never stands
in two."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from tasks import split_lists
from tasks.footage import Reject, Source
from tasks.params import Split
from tasks.split_lists import Listed

SPLITS = ("train", "validation", "test")
SHOWN_NAMES = 5
SHOWN_GROUPS = 30


@dataclasses.dataclass(frozen=True)
class Division:
    """Every source in a split, or left out."""

    of: Mapping[str, str]  # train, validation or test, by the source's id
    left_out: tuple[Reject, ...] = ()  # what no list names
    lists: dict[str, Any] | None = None  # for the summary: how much of each list is there
    warnings: tuple[str, ...] = ()


def divide(split: Split, sources: Sequence[Source], rejects: Sequence[Reject] = ()) -> Division:
    """Put sources into splits.

    Args:
        rejects: footage that is there and could not be used: a list may name it.

    Raises:
        ValueError: a listed group that no source has, a group that stands in two splits, or lists that are wrong or
            that name none of the sources.
    """
    if split.test_share is not None:
        return Division({s.source: drawn(s.group, split) for s in sources})
    if split.lists is None:
        _check_groups("test", split.test, sources)
        _check_groups("validation", split.validation, sources)
        test, validation = set(split.test), set(split.validation)
        return Division({s.source: _split_of(s.group, test, validation) for s in sources})
    return _by_lists(split, split_lists.read(split.lists), sources, rejects)


def drawn(group: str, split: Split) -> str:
    """The split that a group is drawn to: by its place in 0 to 1, which its name and the seed decide."""
    digest = hashlib.sha256(f"{split.seed}/{group}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    test, validation = split.test_share or 0.0, split.validation_share or 0.0
    return "test" if place < test else "validation" if place < test + validation else "train"


def names(some: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(some) - SHOWN_NAMES} more" if len(some) > SHOWN_NAMES else ""
    return ", ".join(some[:SHOWN_NAMES]) + more


def _split_of(group: str, test: set[str], validation: set[str]) -> str:
    return "test" if group in test else "validation" if group in validation else "train"


def _check_groups(name: str, listed: Sequence[str], sources: Sequence[Source], where: str = "no source") -> None:
    there = sorted({source.group for source in sources})
    unknown = sorted(set(listed) - set(there))
    if unknown:
        some = ", ".join(there[:SHOWN_GROUPS]) + (", ..." if len(there) > SHOWN_GROUPS else "")
        raise ValueError(f"split.{name} lists group {', '.join(unknown)}, which {where} has; there are: {some}")


def _by_lists(split: Split, lists: dict[str, Listed], sources: Sequence[Source], rejects: Sequence[Reject]) -> Division:
    sides = {s.source: side for s in sources for side, listed in lists.items() if s.path in listed.lines}
    for side, listed in lists.items():
        if side not in sides.values():
            first = next(iter(listed.lines), "nothing")
            raise ValueError(
                f"{listed.file} names no source of the footage: it lists {first!r} and the first source is "
                f"{sources[0].path!r}; paths in it count from the dataset's footage folder"
            )
    _check_sides(lists, sides, sources)
    learned = [s for s in sources if sides.get(s.source) == "train"]
    _check_groups("validation", split.validation, learned, f"no source in {lists['train'].file}")
    taken = set(split.validation)
    sides |= {s.source: "validation" for s in learned if s.group in taken}
    reason = f"named by neither {lists['train'].file.name} nor {lists['test'].file.name}"
    left_out = tuple(Reject(s.path, "assemble", reason) for s in sources if s.source not in sides)
    there = {s.path for s in sources} | {r.path for r in rejects}
    missing = {side: [path for path in listed.lines if path not in there] for side, listed in lists.items()}
    said: dict[str, Any] = {"left_out": len(left_out)}
    for side, found in lists.items():
        counts = {"listed": len(found.lines), "missing": len(missing[side])}
        said[side] = {"file": str(found.file), "sha256": found.sha256} | counts
    warnings = tuple(
        f"{len(missing[side])} of {len(found.lines)} files that {found.file.name} lists do not exist: "
        f"{names(missing[side])}"
        for side, found in lists.items()
        if missing[side]
    )
    return Division(sides, left_out, said, warnings)


def _check_sides(lists: dict[str, Listed], sides: Mapping[str, str], sources: Sequence[Source]) -> None:
    """Raise a ValueError that names group and files where the lists tear a group apart."""
    first: dict[tuple[str, str], str] = {}
    for source in sources:
        if source.source in sides:
            first.setdefault((source.group, sides[source.source]), source.path)
    torn = sorted(group for group, side in first if side == "train" and (group, "test") in first)
    if torn:
        train, test = lists["train"].file, lists["test"].file
        named = "\n".join(
            f"  {group}: {first[group, 'train']} ({train.name}) and {first[group, 'test']} ({test.name})"
            for group in torn[:SHOWN_NAMES]
        )
        raise ValueError(
            f"{len(torn)} group(s) stand in both {train} and {test}; correct the lists, or group.pattern if these "
            f"files do not belong together:\n{named}"
        )
