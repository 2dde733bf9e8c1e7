"""`rushes up`, `down`, `status`, `serve`: the schedules of prefect.yaml, for a team and for one person."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows._project import Json, the_project
from flows._tables import show

PrefectPort = Annotated[int, typer.Option("--prefect-port", min=1, max=65535, help="Port of the Prefect server.")]


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def up(
    prefect_port: PrefectPort = 4200,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the MLflow server.")] = 5000,
) -> None:
    """Start the Prefect server, its workers and the MLflow server, on this machine's loopback, and return."""
    from flows._service.places import Addresses
    from flows._service.start import up as start

    with the_project() as root:
        addresses = Addresses(prefect_port, mlflow_port)
        inboxes = _inboxes(root)
        places = start(root, addresses, _say)
        from tasks.report import front_page

        page = front_page.write(root / "data")
        sys.stdout.write(
            f"Prefect  {addresses.prefect}\nMLflow   {addresses.mlflow}\nlogs     {places.logs}\n"
            f"{inboxes}page     {page}\n"
            "It runs until rushes down; rushes status says how it goes.\n"
        )


def down() -> None:
    """End the service of this project, its runs included, and nothing else."""
    from flows._service.stop import down as stop

    with the_project() as root:
        ended = stop(root, _say)
        if not ended.processes:
            sys.stdout.write("Nothing was running.\n")
            return
        crashed = f"; {ended.runs} runs could not end by themselves and are marked as crashed" if ended.runs else ""
        sys.stdout.write(f"Nothing is left running ({ended.processes} processes ended{crashed}).\n")


def status(as_json: Json = False) -> None:
    """What of the service runs, where, what comes next, and how the last runs ended."""
    from flows._service.state import status as look

    with the_project() as root:
        found = look(root)
        if as_json:
            show(found, True)
            return
        if not found["up"]:
            sys.stdout.write("The service is down; start it: rushes up\n")
            for stray in found["strays"]:
                sys.stdout.write(f"left behind: {stray}; end it: rushes down\n")
            return
        sys.stdout.write(f"Prefect  {found['prefect']}\nMLflow   {found['mlflow'] or 'none (rushes serve)'}\n")
        for title, rows in (("", "parts"), ("Next (UTC)", "next"), ("Last (UTC)", "last")):
            if found[rows]:
                sys.stdout.write(f"\n{title}\n" if title else "\n")
                show(found[rows], False)


def serve(prefect_port: PrefectPort = 4200) -> None:
    """Run the schedules of prefect.yaml here until Ctrl-C, with a Prefect server of its own or PREFECT_API_URL's."""
    from flows._service.alone import serve as run

    with the_project() as root:
        sys.stdout.write(_inboxes(root))
        sys.stdout.flush()
        run(root, prefect_port, _say)


def _inboxes(root: Path) -> str:
    """Where new footage may be put, a line each; the folders are made. One that cannot be used is said: others can."""
    from tasks import params
    from tasks.ingest import Desk

    lines = []
    for name, setting in params.load(root / "params.yaml").inboxes.items():
        try:
            Desk(root, name, setting).check()
        except ValueError as error:
            _say(f"inbox {name}: {error}")
        else:
            lines.append(f"inbox    {setting.inbox}, to {setting.footage}\n")
    return "".join(lines)
