"""Where the service of a project lies, its addresses, and the environment of its processes. Imports no Prefect: what is
set here has to be set before."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.files import read_json, write_json

LOOPBACK = "127.0.0.1"
MARK = "RUSHES_SERVICE"  # stands in the environment of every process of a service and names its project
_LONGEST_SOCKET = 88  # of 104 to 108 bytes; supervisord binds a longer name first
HEARTBEAT_SECONDS = 30  # the least that Prefect takes


@dataclass(frozen=True)
class Addresses:
    """Ports on the loopback."""

    prefect_port: int
    mlflow_port: int

    @property
    def prefect(self) -> str:
        return f"http://{LOOPBACK}:{self.prefect_port}"

    @property
    def prefect_api(self) -> str:
        return f"{self.prefect}/api"

    @property
    def mlflow(self) -> str:
        return f"http://{LOOPBACK}:{self.mlflow_port}"


@dataclass(frozen=True)
class Places:
    """The files of one project's service."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "data" / "service"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def configuration(self) -> Path:
        return self.folder / "supervisord.conf"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of `up`, `down` and `serve`.

        Raises:
            ValueError: another of them is at work.
        """
        try:
            with FileLock(self.folder / "lock", timeout=0):
                yield
        except Timeout as error:
            raise ValueError(
                "another rushes up, down or serve of this project is at work; wait for it, or end it"
            ) from error

    @property
    def socket(self) -> Path:
        """supervisord's; beside the rest, or in a private temporary folder where that name is too long for a socket."""
        beside = self.folder / "supervisor.sock"
        if len(os.fsencode(beside)) <= _LONGEST_SOCKET:
            return beside
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"rushes-{os.getuid()}-{name}" / "s"

    def make(self) -> None:
        """Make the folders, for this user alone: logs and databases are nobody else's."""
        for folder in (self.folder, self.logs, self.folder / "prefect"):
            folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        private = self.socket.parent
        if private != self.folder:
            private.mkdir(mode=0o700, exist_ok=True)
            held = private.lstat()
            if not stat.S_ISDIR(held.st_mode) or held.st_uid != os.getuid():
                raise ValueError(f"{private} belongs to somebody else; remove it, or set TMPDIR to a folder of yours")
            private.chmod(0o700)

    def addresses(self) -> Addresses | None:
        """Where the service of this project is, as the last `up` wrote it."""
        noted = self.folder / "service.json"
        return Addresses(**read_json(noted)) if noted.is_file() else None

    def note(self, addresses: Addresses | None) -> None:
        """Write the addresses for `addresses`; None: it is down."""
        noted = self.folder / "service.json"
        if addresses is None:
            noted.unlink(missing_ok=True)
        else:
            write_json(noted, asdict(addresses))


def listening(port: int) -> bool:
    """Whether anybody answers at a port of the loopback."""
    with socket.socket() as asked:
        asked.settimeout(1.0)
        return asked.connect_ex((LOOPBACK, port)) == 0


def use_running_service(root: Path) -> None:
    """Send this process's flow runs and models to the project's service while it is up.

    What the environment says already stays: who sets PREFECT_API_URL or MLFLOW_TRACKING_URI means it.
    """
    addresses = Places(root).addresses()
    if addresses is None:
        return
    for name, value, port in (
        ("PREFECT_API_URL", addresses.prefect_api, addresses.prefect_port),
        ("MLFLOW_TRACKING_URI", addresses.mlflow, addresses.mlflow_port),
    ):
        if name not in os.environ and listening(port):
            os.environ[name] = value


def environment(places: Places, addresses: Addresses) -> dict[str, str]:
    """The variables that every process of the service has beside this one's own."""
    store, artifacts = places.root / "data" / "mlflow" / "mlflow.db", places.root / "data" / "mlflow" / "artifacts"
    bucket = os.environ.get("MLFLOW_ARTIFACTS_DESTINATION")
    return {
        MARK: str(places.root),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_HOME": str(places.folder / "prefect"),
        "PREFECT_API_URL": addresses.prefect_api,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
        "PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "5"),
        "MLFLOW_TRACKING_URI": addresses.mlflow,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 0.5 GB instead of 2.4
        "MLFLOW_BACKEND_STORE_URI": os.environ.get("MLFLOW_BACKEND_STORE_URI", f"sqlite:///{store}"),
        # What an experiment is given on creation: models are found there whether or not the server is up.
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": bucket or os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT", artifacts.as_uri()),
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
    }
