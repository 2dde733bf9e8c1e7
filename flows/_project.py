"""What the commands share: the project they work in, and how they are asked for JSON."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@contextlib.contextmanager
def in_project() -> Iterator[Path]:
    """The project's folder, as working folder; what runs and is registered there goes to its service, if that is up."""
    from flows._service.places import use_running_service

    with the_project() as root:
        use_running_service(root)
        yield root


@contextlib.contextmanager
def the_project() -> Iterator[Path]:
    """The project's folder, as working folder."""
    from flows._dvc import project_root

    root = project_root()
    with contextlib.chdir(root):
        yield root
