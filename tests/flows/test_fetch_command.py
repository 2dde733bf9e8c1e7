"""`rushes fetch`: everything is shown first, nothing is fetched without a yes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import cli
from tasks.fetch import catalogue
from tests.tasks._http_server import Server, serving
from tests.tasks.test_archives import held
from tests.tasks.test_fetch import RUN

SETS = """
small:
  title: A small set
  what: one film
  page: https://example.org/set
  licence: for the tests
  cite: Nobody 2026
  unpacked_bytes: 10_000
  archives: [{{url: {url}/run.zip, bytes: {nbytes}, known_by: this test, moves: [[^SET/, '']]}}]
  dataset: |
    footage: {{folder}}
    split: {{test: [one]}}
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A project as working folder, and a catalogue of one set."""
    (tmp_path / "project").mkdir()
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / "project" / name).write_text("{}\n")
    monkeypatch.chdir(tmp_path / "project")
    with serving() as one:
        one.files["/run.zip"] = RUN
        (tmp_path / "sets.yaml").write_text(SETS.format(url=one.url, nbytes=len(RUN)))
        monkeypatch.setattr(catalogue, "SETS", tmp_path / "sets.yaml")
        yield one


def rushes(*arguments: str) -> tuple[str, str, BaseException | None]:
    result = CliRunner().invoke(cli.app, ["fetch", *arguments])
    return result.stdout, result.stderr, result.exception


def test_nothing_is_fetched_before_it_was_shown_and_wanted(server: Server) -> None:
    listed, _, _ = rushes()
    assert listed.split()[:5] == ["name", "download", "what", "licence", "small"]
    shown, _, error = rushes("small", "--list")
    described = ["A small set", "one film", "https://example.org/set", "for the tests", "Nobody 2026", "9.1 kB"]
    described += [f"{server.url}/run.zip", f"{len(RUN):,} bytes (this test)", "    footage: data/footage/small"]
    assert error is None
    assert [text for text in described if text not in shown] == []
    asked, _, error = rushes("small")
    assert asked == shown
    assert str(error) == "nothing was fetched: read the terms above and say rushes fetch small --yes"
    assert server.requests == []
    assert not Path("data").exists()


def test_with_yes_it_is_fetched_once(server: Server) -> None:
    shown, said, error = rushes("small", "--yes")
    folder = Path("data/footage/small").resolve()
    assert error is None
    assert shown.endswith(
        f"{folder} is complete. Commit data/fetched/small.json: it holds later downloads to the same bytes.\n"
    )
    assert (
        said
        == "run.zip: 0.0 kB of 9.1 kB, 0%\nrun.zip: 9.1 kB of 9.1 kB, 100%\nverifying checksums\nunpacking run.zip\n"
    )
    assert set(held(folder)) == {"run/a_run.avi", ".fetched.json"}
    assert rushes("small", "--yes")[0] == f"{folder} is there already; nothing was fetched.\n"
    result = {"name": "small", "folder": str(folder), "fetched": False, "record": "data/fetched/small.json"}
    assert json.loads(rushes("small", "--yes", "--json")[0]) == result
    assert len(server.requests) == 1


def test_json_is_pure_and_the_terms_are_shown_beside_it(server: Server, tmp_path: Path) -> None:
    listed = json.loads(rushes("small", "--list", "--json")[0])
    assert (listed["name"], listed["licence"], listed["folder"]) == ("small", "for the tests", "data/footage/small")
    shown, said, error = rushes("small", "--yes", "--json", "--keep", "--to", str(tmp_path / "elsewhere"))
    assert error is None
    assert json.loads(shown)["folder"] == str(tmp_path / "elsewhere")
    assert "for the tests" in said
    assert f"    footage: {tmp_path / 'elsewhere'}\n" in said
    assert Path("data/downloads/small/run.zip").read_bytes() == RUN


@pytest.mark.parametrize(("typed", "fetched"), [("yes\n", True), ("y\n", False), ("\n", False)])
def test_on_a_terminal_it_asks(server: Server, monkeypatch: pytest.MonkeyPatch, typed: str, fetched: bool) -> None:
    from flows._fetch_command import fetch

    master, terminal = os.openpty()
    os.write(master, typed.encode())
    with os.fdopen(terminal) as keyboard:
        monkeypatch.setattr(sys, "stdin", keyboard)
        if fetched:
            fetch("small")
        else:
            with pytest.raises(ValueError, match=r"^nothing was fetched$"):
                fetch("small")
    os.close(master)
    assert len(server.requests) == int(fetched)
    assert Path("data/footage/small").exists() is fetched
