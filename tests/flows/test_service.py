"""`rushes up` with real servers and workers and a schedule that fires. The tests build on one another, in order."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows._service.places import Places, use_running_service
from flows._service.processes import of_service
from tests.flows._service import (
    ask,
    begin,
    free_port,
    make_project,
    processes_with,
    slow_and_child,
    state,
    until,
)
from tests.flows.conftest import Run


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Iterator[Path]:
    """Up, in a folder with a name too long for a socket, a space and a percent sign."""
    folder = make_project(tmp_path_factory.mktemp("team") / f"100% of it {'deep ' * 20}".strip())
    ports = ("--prefect-port", str(free_port()), "--mlflow-port", str(free_port()))
    try:
        said = run(folder, "flows.cli", "up", *ports)
        assert f"Prefect  http://127.0.0.1:{ports[1]}\nMLflow   http://127.0.0.1:{ports[3]}\n" in said.stdout
        yield folder
    finally:
        run(folder, "flows.cli", "down")


@pytest.fixture
def api(service: Path) -> str:
    addresses = Places(service).addresses()
    assert addresses is not None
    return addresses.prefect_api


def test_a_schedule_fires_and_status_tells(service: Path, run: Run) -> None:
    until((service / "ticks").is_file, 40, "a tick of the schedule")
    told = json.loads(run(service, "flows.cli", "status", "--json").stdout)
    assert {part["part"]: part["state"] for part in told["parts"]} == dict.fromkeys(
        ("prefect", "mlflow", "worker-gpu", "worker-rushes"), "running"
    )
    assert [row["deployment"] for row in told["next"]] == ["tick"]
    assert {row["deployment"] for row in told["last"]} == {"tick"}
    for part in told["parts"]:
        assert (service / part["log"]).is_file()


def test_a_killed_run_is_crashed_and_frees_its_place(service: Path, api: str) -> None:
    killed = begin(api)
    both = slow_and_child(service, killed)
    os.kill(both[0], signal.SIGKILL)
    until(lambda: state(api, killed) == "Crashed", 30, "a crashed run")
    until(lambda: not {p.pid for p in of_service(service)} & set(both), 30, "no child of a killed run")
    after = begin(api, seconds=0.5)
    until(lambda: state(api, after) == "Completed", 30, "a run after it")


def test_a_killed_worker_takes_its_run_along_and_comes_back(service: Path, api: str) -> None:
    left = begin(api)
    both = slow_and_child(service, left)
    [worker] = processes_with("--pool gpu", service)
    worker.kill()
    until(lambda: state(api, left) == "Crashed", 60, "a crashed run")
    until(lambda: not {p.pid for p in of_service(service)} & set(both), 30, "no run of the killed worker")
    after = begin(api, seconds=0.5)  # by the worker that supervisord has started in its place
    until(lambda: state(api, after) == "Completed", 60, "a run of the next worker")


def test_other_commands_of_the_project_use_it(service: Path, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    addresses = Places(service).addresses()
    assert addresses is not None
    use_running_service(service)
    assert [os.environ[name] for name in names] == [api, addresses.mlflow]
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere/api")
    use_running_service(service)
    assert os.environ["PREFECT_API_URL"] == "http://elsewhere/api"
    for name in names:
        monkeypatch.delenv(name)


def test_what_cannot_be_started_is_said_and_leaves_nothing(service: Path, run: Run, tmp_path: Path) -> None:
    again = run(service, "flows.cli", "up", expect=3)
    assert "runs already: Prefect http://127.0.0.1:" in again.stderr
    other = make_project(tmp_path / "other")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = run(other, "flows.cli", "up", "--prefect-port", str(free_port()), "--mlflow-port", port, expect=3)
    assert f"port {port} for the MLflow server is taken" in said.stderr
    assert "--mlflow-port" in said.stderr
    set_already = run(other, "flows.cli", "up", expect=3, PREFECT_API_URL="http://127.0.0.1:1/api")
    assert "PREFECT_API_URL is set" in set_already.stderr
    assert of_service(other) == []
    assert of_service(service)  # nobody touched it


def test_down_ends_runs_and_servers_and_nothing_is_left(service: Path, api: str, run: Run) -> None:
    both = slow_and_child(service, begin(api))
    [supervisord] = processes_with("supervisor.supervisord", service)
    assert set(both) <= {process.pid for process in of_service(service)}
    assert "Nothing is left running" in run(service, "flows.cli", "down").stdout
    assert of_service(service) == []
    assert not supervisord.is_running()
    assert Places(service).addresses() is None
    assert "The service is down" in run(service, "flows.cli", "status").stdout
    assert run(service, "flows.cli", "down").stdout == "Nothing was running.\n"


@pytest.mark.torture
def test_a_part_that_does_not_start_shows_its_last_lines(run: Run, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    nowhere = "postgresql+asyncpg://nobody:nothing@127.0.0.1:9/prefect"
    said = run(
        folder, "flows.cli", "up", "--prefect-port", str(free_port()), "--mlflow-port", str(free_port()), expect=3,
        PREFECT_API_DATABASE_CONNECTION_URL=nowhere,
    )  # fmt: skip
    assert "prefect does not start; data/service/logs/prefect.log ends with" in said.stderr
    assert of_service(folder) == []


@pytest.mark.torture
def test_up_again_after_everything_was_killed(run: Run, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    ports = ("--prefect-port", str(free_port()), "--mlflow-port", str(free_port()))
    run(folder, "flows.cli", "up", *ports)
    api = f"http://127.0.0.1:{ports[1]}/api"
    try:
        lost = begin(api)
        for process in of_service(folder):  # as a power cut would
            process.kill()
        until(lambda: not of_service(folder), 20, "nothing")
        (folder / "prefect.yaml").write_text(
            (folder / "prefect.yaml").read_text().replace("    schedules: [{", "    #: [{")
        )
        run(folder, "flows.cli", "up", *ports)
        assert state(api, lost) == "Crashed"
        told = json.loads(run(folder, "flows.cli", "status", "--json").stdout)
        assert told["next"] == []  # the schedule left the file, and so the server
        after = begin(api, seconds=0.5)
        until(lambda: state(api, after) == "Completed", 60, "a run after it")
        [supervisord] = processes_with("supervisor.supervisord", folder)
        supervisord.kill()
    finally:
        assert "Nothing is left running" in run(folder, "flows.cli", "down").stdout
    assert of_service(folder) == []


@pytest.mark.torture
def test_a_run_killed_with_its_worker_and_its_leash_is_marked_by_its_silence(run: Run, tmp_path: Path) -> None:
    import time

    folder = make_project(tmp_path / "project")
    ports = ("--prefect-port", str(free_port()), "--mlflow-port", str(free_port()))
    run(folder, "flows.cli", "up", *ports)
    api = f"http://127.0.0.1:{ports[1]}/api"
    try:
        lost = begin(api)
        time.sleep(10)  # its first heartbeat is on its way
        for process in [*processes_with("--pool gpu", folder), *processes_with("prefect.engine", folder)]:
            process.kill()
        began = time.monotonic()
        until(lambda: state(api, lost) == "Crashed", 90, "a crashed run")
        print(f"silent for {time.monotonic() - began:.0f} s")
        assert ask(f"{api}/flow_runs/{lost}")["state"]["message"].startswith("No heartbeat")
        after = begin(api, seconds=0.5)  # the slot is free
        until(lambda: state(api, after) == "Completed", 60, "a run after it")
    finally:
        run(folder, "flows.cli", "down")


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real PostgreSQL with two empty databases, prefect and mlflow."""
    if not (shutil.which("initdb") and shutil.which("pg_ctl")):
        pytest.skip("no initdb and pg_ctl on the PATH")
    folder = Path(tempfile.mkdtemp(prefix="rushes-pg-", dir="/tmp"))  # a short path that its user can reach
    user = {"user": "nobody"} if os.geteuid() == 0 else {}  # PostgreSQL refuses root
    if user:
        shutil.chown(folder, "nobody")
    port = free_port()

    def command(*words: str) -> None:
        subprocess.run(words, check=True, cwd=folder, stdout=subprocess.DEVNULL, **user)  # type: ignore[call-overload]

    data = str(folder / "data")
    command("initdb", "-D", data, "-U", "rushes", "-A", "trust", "--no-sync")
    command("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", f"-p {port} -k {folder} -h 127.0.0.1", "start")
    try:
        import psycopg2

        connection = psycopg2.connect(host="127.0.0.1", port=port, user="rushes", dbname="postgres")
        connection.autocommit = True
        for name in ("prefect", "mlflow"):
            connection.cursor().execute(f"CREATE DATABASE {name}")
        connection.close()
        yield port
    finally:
        command("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.mark.torture
def test_both_servers_on_postgresql(postgresql: int, run: Run, tmp_path: Path) -> None:
    import psycopg2

    folder = make_project(tmp_path / "project")
    ports = ("--prefect-port", str(free_port()), "--mlflow-port", str(free_port()))
    at = f"rushes@127.0.0.1:{postgresql}"
    databases = {
        "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{at}/prefect",
        "MLFLOW_BACKEND_STORE_URI": f"postgresql://{at}/mlflow",
    }
    try:
        run(folder, "flows.cli", "up", *ports, **databases)
        until((folder / "ticks").is_file, 60, "a tick of the schedule")
        made = ask(f"http://127.0.0.1:{ports[3]}/api/2.0/mlflow/experiments/create", {"name": "rushes"})
        assert made["experiment_id"]
    finally:
        run(folder, "flows.cli", "down")
    for name, query in {
        "prefect": "SELECT count(*) FROM flow_run WHERE state_name = 'Completed'",
        "mlflow": "SELECT count(*) FROM experiments WHERE name = 'rushes' AND artifact_location LIKE 'file://%'",
    }.items():
        connection = psycopg2.connect(host="127.0.0.1", port=postgresql, user="rushes", dbname=name)
        with connection.cursor() as cursor:
            cursor.execute(query)
            assert cursor.fetchone()[0] >= 1
        connection.close()
    assert not list(folder.rglob("*.db"))
    assert "postgresql" not in (folder / "data/service/supervisord.conf").read_text()


@pytest.mark.torture
def test_serve_runs_the_schedules_until_it_is_interrupted(
    environment: dict[str, str], run: Run, tmp_path: Path
) -> None:
    folder, port = make_project(tmp_path / "project"), free_port()
    command = [sys.executable, "-m", "flows.cli", "serve", "--prefect-port", str(port)]
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as serving:
        until((folder / "ticks").is_file, 120, "a tick of the schedule")
        lost = begin(f"http://127.0.0.1:{port}/api")
        serving.send_signal(signal.SIGINT)
        _, said = serving.communicate(timeout=120)
    assert serving.returncode == 0, said
    assert said.endswith("ending the runs\nended; nothing is left running\n")
    assert of_service(folder) == []
    with sqlite3.connect(folder / "data/service/prefect/prefect.db") as database:
        [[ended]] = database.execute("SELECT state_name FROM flow_run WHERE id = ?", [lost]).fetchall()
    assert ended == "Crashed"
