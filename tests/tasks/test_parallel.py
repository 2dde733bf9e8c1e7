"""The map over sources: order, names of what failed, a worker that dies."""

from __future__ import annotations

import os

import pytest

from tasks import parallel


def slow_square(value: int) -> tuple[int, int]:
    import time

    time.sleep(0.02 * (5 - value))  # later items finish first
    return value * value, os.getpid()


def picky(value: str) -> str:
    if value == "bad.mp4":
        raise ValueError("no video stream")
    return value


def deadly(value: str) -> str:
    if value == "crash.mp4":
        os._exit(139)
    return value


def test_results_come_in_the_order_of_the_items() -> None:
    results = parallel.map_sources(slow_square, range(5), 2)
    assert [square for square, _ in results] == [0, 1, 4, 9, 16]
    assert os.getpid() not in {pid for _, pid in results}
    assert {pid for _, pid in parallel.map_sources(slow_square, range(5), 1)} == {os.getpid()}
    assert parallel.map_sources(slow_square, [], 4) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_names_its_item(workers: int) -> None:
    with pytest.raises(parallel.WorkerError, match=r"^<bad\.mp4>: ValueError: no video stream$") as caught:
        parallel.map_sources(picky, ["a.mp4", "bad.mp4", "c.mp4"], workers, name=lambda item: f"<{item}>")
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_dead_worker_names_its_item() -> None:
    with pytest.raises(parallel.WorkerError, match=r"^crash\.mp4: its worker process died"):
        parallel.map_sources(deadly, ["a.mp4", "b.mp4", "crash.mp4", "d.mp4"], 2)


class Counting:
    """Prepared once a worker; says how many items its worker has had."""

    def __init__(self) -> None:
        self.had = 0

    def __call__(self, value: str) -> tuple[str, int]:
        self.had += 1
        return deadly(picky(value)), self.had


def unready() -> Counting:
    raise ValueError("no weights")


def test_a_stream_answers_for_every_item_whatever_becomes_of_it() -> None:
    items = ["a.mp4", "bad.mp4", "crash.mp4", "b.mp4"]
    answers = list(parallel.stream(Counting, items, 1))
    assert [answer.item for answer in answers] == items
    assert [answer.result for answer in answers] == [("a.mp4", 1), None, None, ("b.mp4", 1)]  # a new worker after death
    assert [str(answer.fault or "") for answer in answers] == ["", "ValueError: no video stream", "", ""]
    assert [answer.died for answer in answers] == ["", "", "exit code 139", ""]
    assert sorted(answer.item for answer in parallel.stream(Counting, items, 3)) == sorted(items)
    assert list(parallel.stream(Counting, [], 2)) == []


def test_a_stream_whose_workers_cannot_be_made_ready_ends() -> None:
    with pytest.raises(parallel.WorkerError, match=r"^a worker could not be made ready: ValueError: no weights"):
        list(parallel.stream(unready, ["a.mp4"], 2))
