"""`rushes serve`: the schedules of prefect.yaml by one process, in the foreground, with a Prefect server below it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from flows import _leash
from flows._service import processes, stop
from flows._service.places import LOOPBACK, MARK, Addresses, Places, environment
from flows._service.start import PATIENCE_SECONDS, answers, free
from flows._service.supervisor import last_lines, log_of, pools, worker_of


def serve(root: Path, prefect_port: int, say: Callable[[str], None]) -> None:
    """Deploy prefect.yaml and run what falls due, until Ctrl-C or SIGTERM.

    Raises:
        ValueError: `rushes up` runs, the port is taken, or the server does not start.
    """
    places = Places(root)
    names = pools(root)
    places.make()
    with places.alone():
        if running := processes.of_service(root):
            raise ValueError(
                f"the service of this project runs already ({processes.described(running[0])}), and with it the"
                " schedules; end it: rushes down"
            )
        os.environ[MARK] = str(root)  # of all that is started below
        signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
        with contextlib.suppress(KeyboardInterrupt), _server(places, prefect_port, say) as server:
            from flows._service.deployments import crash_unfinished, deploy

            if server is not None:
                crash_unfinished("It was still running when the schedules were last served.")
            deploy(root)
            if server is not None:
                places.note(Addresses(prefect_port, 0))  # other commands of the project use it as well
            say(f"serving the schedules of prefect.yaml, Prefect at {os.environ['PREFECT_API_URL']}; Ctrl-C ends it")
            try:
                asyncio.run(_work(names))
            finally:
                places.note(None)
                say("ending the runs")
                stop.wait_for_runs(root, processes.descendants([] if server is None else [server.pid]))
                if server is not None:
                    crash_unfinished("The schedules are no longer served.")
        if left := processes.end_all(root, stop.SERVERS_SECONDS):
            raise ValueError(f"these do not end: {', '.join(map(processes.described, left))}; end them by hand")
    say("ended; nothing is left running")


async def _work(names: list[str]) -> None:
    """A worker for each pool, in this process, until it is cancelled."""
    from prefect.workers.process import ProcessWorker

    async with asyncio.TaskGroup() as group:
        for pool in names:
            worker = ProcessWorker(work_pool_name=pool, name=worker_of(pool))
            group.create_task(worker.start(printer=lambda line: None))


@contextlib.contextmanager
def _server(places: Places, port: int, say: Callable[[str], None]) -> Iterator[subprocess.Popen[bytes] | None]:
    """A Prefect server for the block, unless PREFECT_API_URL names one; its log is beside those of `up`."""
    if "PREFECT_API_URL" in os.environ:
        yield None
        return
    free(port, "Prefect server", "--prefect-port")
    added = environment(places, Addresses(port, 0))
    os.environ.update({name: value for name, value in added.items() if name.startswith("PREFECT_")})
    command = (sys.executable, "-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port))
    say("starting the Prefect server")
    with (places.logs / "prefect.log").open("ab") as log:
        server = subprocess.Popen(
            _leash.command(*command), cwd=places.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,  # Ctrl-C is for us: the runs are ended first
        )  # fmt: skip
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while not answers(f"{os.environ['PREFECT_API_URL']}/health"):
            if server.poll() is not None or time.monotonic() > until:
                raise ValueError(
                    f"the Prefect server does not start; {log_of(places, 'prefect')} ends with\n"
                    f"{last_lines(places, 'prefect')}"
                )
            time.sleep(0.3)
        yield server
    finally:
        server.terminate()
        server.wait()
