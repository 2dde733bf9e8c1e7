"""`rushes up`: everything starts, or nothing is left running."""

from __future__ import annotations

import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from flows._service import processes, stop
from flows._service.places import LOOPBACK, Addresses, Places, environment
from flows._service.supervisor import SERVERS, Supervisor, configure, last_lines, launch, log_of, pools, worker_of

PATIENCE_SECONDS = 180.0  # a first start makes two databases, on a busy machine
_DEAD = {"BACKOFF", "FATAL", "EXITED", "UNKNOWN"}


def up(root: Path, addresses: Addresses, say: Callable[[str], None]) -> Places:
    """Start the servers, deploy prefect.yaml, start the workers, and return when all of it answers.

    Raises:
        ValueError: it is up already, a port is taken, a part does not start (its last lines are in the message).
    """
    places = Places(root)
    _refuse(root)
    pools(root)
    places.make()
    with places.alone():
        if running := processes.of_service(root):
            known = places.addresses()
            if known is not None and Supervisor(places).answers():
                raise ValueError(
                    f"it runs already: Prefect {known.prefect}, MLflow {known.mlflow}; end it: rushes down"
                )
            raise ValueError(
                f"{len(running)} processes are left of a service that did not end well, the first is"
                f" {processes.described(running[0])}; end them: rushes down"
            )
        free(addresses.prefect_port, "Prefect server", "--prefect-port")
        free(addresses.mlflow_port, "MLflow server", "--mlflow-port")
        try:
            _start(places, addresses, say)
        except BaseException:
            stop.end(places, lambda line: None)
            raise
    return places


def _refuse(root: Path) -> None:
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"):
        if name in os.environ:
            raise ValueError(
                f"{name} is set to {os.environ[name]}, and rushes up starts servers of its own; unset it, or leave"
                " rushes up and use what it names: rushes serve"
            )


def free(port: int, what: str, option: str) -> None:
    """Raise `ValueError` where a port of the loopback is taken."""
    with socket.socket() as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind((LOOPBACK, port))
        except OSError as error:
            raise ValueError(
                f"port {port} for the {what} is taken ({error.strerror}); name another: {option}"
            ) from error


def _start(places: Places, addresses: Addresses, say: Callable[[str], None]) -> None:
    added = environment(places, addresses)
    (places.root / "data" / "mlflow").mkdir(parents=True, exist_ok=True)
    configure(places, addresses)
    launch(places, {**os.environ, **added})
    supervisor = Supervisor(places)
    say("starting the Prefect and the MLflow server")
    health = {"prefect": f"{addresses.prefect_api}/health", "mlflow": f"{addresses.mlflow}/health"}
    _wait(places, supervisor, SERVERS, lambda: all(map(answers, health.values())))
    os.environ.update(added)  # before Prefect is imported
    from flows._service.deployments import crash_unfinished, deploy, worker_answers

    crash_unfinished("It was still running when the service was last seen.")
    say("deploying prefect.yaml")
    deploy(places.root)
    say("starting the workers")
    names, since = pools(places.root), datetime.now(UTC)
    for pool in names:
        supervisor.start(worker_of(pool))
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        parts = [*SERVERS, *map(worker_of, names)]
        _wait(places, supervisor, parts, lambda: all(worker_answers(client, pool, since) for pool in names))
    places.note(addresses)


def _wait(places: Places, supervisor: Supervisor, parts: Sequence[str], ready: Callable[[], bool]) -> None:
    """Until `ready`; an error with the last lines of the log as soon as one of the parts has died."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        states = supervisor.parts()
        dead = [part for part in parts if states[part]["statename"] in _DEAD]
        if dead or time.monotonic() > until:
            part = dead[0] if dead else parts[-1]
            why = "does not start" if dead else f"does not answer after {PATIENCE_SECONDS:.0f} s"
            raise ValueError(f"{part} {why}; {log_of(places, part)} ends with\n{last_lines(places, part)}")
        time.sleep(0.3)


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the loopback needs no proxy
    try:
        with opener.open(url, timeout=5) as response:
            return int(response.status) == 200
    except (urllib.error.URLError, OSError, ValueError):
        return False
