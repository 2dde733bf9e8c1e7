"""Run a command that ends with whoever started it: `python flows/_leash.py COMMAND...`.

    worker --- leash --- flow run --- leash --- dvc --- stage
                         '- processes of its own

A killed parent leaves its children running: a flow run unseen beside the next one, a stage that goes on writing.
A leash looks once a second whether its parent is still there. When it is not, or the leash is told to end, the
command gets SIGTERM, so that it can say what became of it, and `GRACE_SECONDS` later SIGKILL. When the command has
ended, however it did, whatever it left in its process group is killed. On Linux the command of a killed leash gets
SIGTERM as well.

Standard library alone, and no import of ours: it starts in a few hundredths of a second.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from types import FrameType

GRACE_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1


def command(*arguments: str) -> list[str]:
    """The command line that runs `arguments` on a leash."""
    return [sys.executable, "-I", "-S", __file__, *arguments]


def _die_with_leash() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def run(arguments: list[str]) -> int:
    """Run the command to its end, or to ours; its exit code, 128 and the signal where one ended it."""
    parent = os.getppid()
    told: list[int] = []
    woken, wake = os.pipe()
    os.set_blocking(wake, False)

    def note(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            told.append(number)

    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, note)
    # A group of its own, so that what it leaves behind can be found; no thread runs here that a fork could hurt.
    child = subprocess.Popen(arguments, process_group=0, preexec_fn=_die_with_leash)
    deadline: float | None = None
    while (code := child.poll()) is None:
        if deadline is None and (told or os.getppid() != parent):
            child.terminate()
            deadline = time.monotonic() + GRACE_SECONDS
        if deadline is not None and time.monotonic() > deadline:
            break
        if select.select([woken], [], [], 1.0)[0]:
            os.read(woken, 4096)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says it the second way
        os.killpg(child.pid, signal.SIGKILL)
    code = child.wait() if code is None else code
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
