"""Commands that end with whoever started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows import _leash

LEAVES_A_CHILD = "import subprocess, sys, time; c = subprocess.Popen(['sleep', '600']); print(c.pid, flush=True)"
SAYS_GOODBYE = (
    "import pathlib, signal, sys, time\n"
    "def bye(number, frame): pathlib.Path(sys.argv[1]).write_text('asked'); sys.exit(5)\n"
    "signal.signal(signal.SIGTERM, bye); print('ready', flush=True)\n"
    "time.sleep(600)"
)


def gone(pid: int, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize(
    ("code", "expected"), [("pass", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_the_exit_code_is_the_commands(code: str, expected: int) -> None:
    assert subprocess.run(_leash.command(sys.executable, "-c", code)).returncode == expected


def test_what_a_command_leaves_behind_is_killed() -> None:
    done = subprocess.run(
        _leash.command(sys.executable, "-c", LEAVES_A_CHILD), capture_output=True, text=True, timeout=20
    )
    assert gone(int(done.stdout))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_whose_leash_is_ended_is_asked_and_can_say_so(how: signal.Signals, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with subprocess.Popen(
        _leash.command(sys.executable, "-c", SAYS_GOODBYE, str(said)), stdout=subprocess.PIPE, text=True
    ) as front:
        assert front.stdout is not None
        assert front.stdout.readline() == "ready\n"
        held = psutil.Process(front.pid).children(recursive=True)
        front.send_signal(how)
        assert front.wait(20) == (5 if how == signal.SIGTERM else -signal.SIGKILL)
    assert all(gone(process.pid) for process in held)
    assert said.read_text() == "asked"


def test_a_command_whose_parent_is_killed_ends(tmp_path: Path) -> None:
    said = tmp_path / "said"
    parent = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    command = _leash.command(sys.executable, "-c", SAYS_GOODBYE, str(said))
    with subprocess.Popen([sys.executable, "-c", parent, *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        held = psutil.Process(process.pid).children(recursive=True)
        assert len(held) == 3  # the front, the keeper and the command
        os.kill(process.pid, signal.SIGKILL)
        assert all(gone(child.pid) for child in held)
    assert said.read_text() == "asked"


def test_a_command_may_speak_when_nobody_listens_any_more(tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = SAYS_GOODBYE.replace(
        "def bye(number, frame): ", "def bye(number, frame): print('a' * 300_000, flush=True); "
    )
    reader, writer = os.pipe()
    with subprocess.Popen(_leash.command(sys.executable, "-c", code, str(said)), stdout=writer) as front:
        os.close(writer)
        assert os.read(reader, 100) == b"ready\n"
        os.close(reader)
        front.terminate()
        assert front.wait(20) == 5
    assert said.read_text() == "asked"


def test_all_that_a_command_says_is_passed_on() -> None:
    code = "import sys; sys.stdout.write('o' * 200_000); sys.stdout.flush(); sys.stderr.write('e' * 200_000)"
    done = subprocess.run(_leash.command(sys.executable, "-c", code), capture_output=True, text=True, timeout=20)
    assert done.stdout == "o" * 200_000 + "e" * 200_000
