"""`parallel.stream` on a Ray cluster, through Ray Data: actors that prepare once, answers as they come.

Every node needs this environment, and the project's folder under the same path. Ray is an extra: `rushes[ray]`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic

from tasks.parallel import WANT_OF_MEMORY, Answer, Fault, Item, Result, Setup, WorkerError

ADDRESS = "RAY_ADDRESS"
_OBJECT_STORE_BYTES = 128 * 2**20  # what passes through it are names and counts


def stream(setup: Setup[Item, Result], items: Sequence[Item], workers: int | None) -> Iterator[Answer[Item, Result]]:
    """As `parallel.stream`, on the cluster that `RAY_ADDRESS` names, or on one started here, which ends with the
    iterator.

    Args:
        workers: actors, of one CPU each; None: one for every CPU of the cluster, or of this machine.

    Raises:
        ValueError: Ray is not installed.
        WorkerError: an actor could not be made ready, or the cluster went away.
    """
    if not items:
        return
    with _cluster(workers):
        import ray
        from ray.data import ActorPoolStrategy, DataContext

        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # an actor that died is told below, by its item
        context = DataContext.get_current()
        context.max_errored_blocks = -1  # of one item each: an actor that died costs its item, not the rest
        context.enable_progress_bars = False
        actor: Any = _Actor  # Ray's hints know functions alone
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        actors = min(workers or int(resources["CPU"]), len(items))
        rows = [{"index": i, "item": pickle.dumps(item)} for i, item in enumerate(items)]
        answers = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            actor,
            fn_constructor_args=(setup,),
            compute=ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
            num_cpus=1,
            ray_remote_args_fn=lambda: {"max_task_retries": 0},  # Ray would try what kills its actor for ever
        )
        missing = dict(enumerate(items))
        try:
            for row in answers.iter_rows():
                result, fault = pickle.loads(row["answer"])
                yield Answer(missing.pop(row["index"]), result, fault)
        except ray.exceptions.RayError as error:
            raise WorkerError(f"the Ray cluster gave up: {error}") from error
    for item in missing.values():
        yield Answer(item, died=f"Ray, which lost its actor{WANT_OF_MEMORY}")


@contextlib.contextmanager
def _cluster(workers: int | None) -> Iterator[None]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody asked for a phone call home
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what it will be one day, and is warned of
    try:
        import ray
    except ImportError as error:
        raise ValueError("executor ray needs Ray, which is not installed: pip install 'rushes[ray]'") from error

    address = os.environ.get(ADDRESS)
    own: dict[str, Any] = {"num_cpus": workers, "object_store_memory": _OBJECT_STORE_BYTES, "include_dashboard": False}
    with contextlib.redirect_stdout(sys.stderr):  # Ray prints; standard output is for results
        try:
            settings = {} if address else own
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **settings)
        except (ConnectionError, RuntimeError) as error:
            raise WorkerError(f"no Ray cluster answers at {address or 'this machine'}: {error}") from error
        try:
            yield
        finally:
            ray.shutdown()


class _Actor(Generic[Item, Result]):
    """What Ray keeps alive on a node; Ray gives it a row at a time."""

    def __init__(self, setup: Setup[Item, Result]) -> None:
        self.work: Callable[[Item], Result] = setup()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: tuple[Result | None, Fault | None] = self.work(pickle.loads(row["item"])), None
        except Exception as error:  # noqa: BLE001  it is the answer, and told as one
            answer = None, Fault.of(error)
        return {"index": row["index"], "answer": pickle.dumps(answer)}
