"""supervisord, which starts the parts, restarts what dies, rotates the logs: its configuration, and talking to it."""

from __future__ import annotations

import http.client
import os
import shlex
import subprocess
import sys
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows._service.places import LOOPBACK, Addresses, Places
from tasks import params
from tasks.files import write_text

SERVERS = ("prefect", "mlflow")
_LOG_BYTES, _LOG_FILES = "10MB", 5


@dataclass(frozen=True)
class Part:
    """One program of the service. `waits_seconds`: how long it may take to end before it is killed."""

    name: str
    command: tuple[str, ...]
    waits_seconds: int
    priority: int
    starts_at_once: bool


def pools(root: Path) -> list[str]:
    """The work pools that prefect.yaml names.

    Raises:
        ValueError: there is no such file, or a deployment in it has no pool.
    """
    written = root / "prefect.yaml"
    if not written.is_file():
        raise ValueError(f"{written} is missing; it says what runs when, and a new project has it from the repository")
    deployments = (params.read_yaml(written) or {}).get("deployments") or []
    found = {str(((each or {}).get("work_pool") or {}).get("name") or "") for each in deployments}
    if not found or "" in found:
        raise ValueError(f"every deployment in {written} needs a work_pool: {{name: ...}}, and there must be one")
    return sorted(found)


def worker_of(pool: str) -> str:
    """The name of a pool's worker, as a part of the service and in Prefect."""
    return f"worker-{pool}"


def parts(root: Path, addresses: Addresses) -> list[Part]:
    """What runs, the servers first: a worker starts when the deployments are there."""
    python = (sys.executable, "-m")
    prefect = (*python, "prefect", "server", "start", "--host", LOOPBACK, "--port", str(addresses.prefect_port))
    mlflow = (*python, "mlflow", "server", "--host", LOOPBACK, "--port", str(addresses.mlflow_port), "--workers", "1")
    found = [Part("prefect", prefect, 15, 10, True), Part("mlflow", mlflow, 15, 10, True)]
    for pool in pools(root):
        name = worker_of(pool)
        worker = (*python, "prefect", "worker", "start", "--pool", pool, "--type", "process", "--name", name)
        found.append(Part(name, worker, 10, 20, False))
    return found


def log_of(places: Places, part: str) -> str:
    """The log of a part, relative to the project: for messages."""
    return str((places.logs / f"{part}.log").relative_to(places.root))


def configure(places: Places, addresses: Addresses) -> None:
    """Write supervisord's configuration. No secret stands in it: the environment is inherited.

    Paths are relative to the project, where it is started: it expands percent signs in them twice.
    """
    logs = places.logs.relative_to(places.root)
    beside = places.socket.is_relative_to(places.root)
    sections: list[tuple[str, dict[str, object]]] = [
        (
            "unix_http_server",
            {"file": places.socket.relative_to(places.root) if beside else places.socket, "chmod": "0700"},
        ),
        (
            "supervisord",
            {
                "logfile": logs / "supervisord.log",
                "logfile_maxbytes": _LOG_BYTES,
                "logfile_backups": _LOG_FILES,
                "pidfile": places.folder.relative_to(places.root) / "supervisord.pid",
                "childlogdir": logs,
                "umask": f"{_umask():03o}",  # what runs make is for whom the user's own files are for
                **({"user": "root"} if os.geteuid() == 0 else {}),  # says that it is meant
            },
        ),
        (
            "rpcinterface:supervisor",
            {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
    ]
    for part in parts(places.root, addresses):
        settings = {
            "command": shlex.join(part.command),
            "priority": part.priority,
            "autostart": str(part.starts_at_once).lower(),
            "autorestart": "true",
            "startsecs": 3,
            "startretries": 10,
            "stopwaitsecs": part.waits_seconds,
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": logs / f"{part.name}.log",
            "stdout_logfile_maxbytes": _LOG_BYTES,
            "stdout_logfile_backups": _LOG_FILES,
        }
        sections.append((f"program:{part.name}", settings))
    text = ""
    for name, settings in sections:
        lines = [f"{key} = {str(value).replace('%', '%%')}" for key, value in settings.items()]
        text += "\n".join([f"[{name}]", *lines, "", ""])
    write_text(places.configuration, text)


def _umask() -> int:
    """This process's; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def launch(places: Places, environment: dict[str, str]) -> None:
    """Start supervisord, which then runs by itself.

    Raises:
        ValueError: it refuses.
    """
    places.socket.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(places.configuration)], cwd=places.root,
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(f"supervisord does not start: {done.stdout.strip()[-1500:]}")


class Supervisor:
    """The running supervisord of a project, over its socket."""

    def __init__(self, places: Places) -> None:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, serverurl=f"unix://{places.socket}")
        self._rpc: Any = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def answers(self) -> bool:
        try:
            self._rpc.getState()
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return False
        return True

    def parts(self) -> dict[str, dict[str, Any]]:
        """By name: `statename` (RUNNING, BACKOFF, ...), `pid` (0: none), `start` (UNIX seconds)."""
        return {str(info["name"]): info for info in self._rpc.getAllProcessInfo()}

    def start(self, part: str) -> None:
        self._rpc.startProcess(part, False)

    def stop(self, part: str) -> None:
        """Tell a part to end, and do not wait for it."""
        try:
            self._rpc.stopProcess(part, False)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise

    def shutdown(self) -> None:
        self._rpc.shutdown()


def last_lines(places: Places, part: str, count: int = 15) -> str:
    """The end of a part's log."""
    log = places.logs / f"{part}.log"
    if not log.is_file():
        return "(nothing)"
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 20_000))
        return "\n".join(stream.read().decode(errors="replace").splitlines()[-count:])
