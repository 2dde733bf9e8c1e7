"""Cutting thousands of files into few tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

MOST_ITEMS, MOST_BYTES = 200, 4 * 2**30
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".xz", ".txz", ".bz2", ".tbz2")  # by itself: it may be large unpacked

Item = TypeVar("Item")


def batches(items: Sequence[Item], path: Callable[[Item], str], size: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Items in their order, so many or so many bytes at a time; what may be an archive by itself."""
    batch: list[Item] = []
    reach = 0
    for item in items:
        alone = path(item).lower().endswith(ARCHIVES)
        if batch and (alone or len(batch) == MOST_ITEMS or reach + size(item) > MOST_BYTES):
            yield batch
            batch, reach = [], 0
        batch.append(item)
        reach += MOST_BYTES if alone else size(item)
    if batch:
        yield batch
