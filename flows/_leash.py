"""Run a command that ends with whoever started it: `python flows/_leash.py COMMAND...`.

    worker --- front --- keeper --- flow run --- front --- keeper --- dvc --- stage
                         '- a session of its own           '- another

A killed parent leaves its children running: a flow run unseen beside the next one, a stage that goes on writing. The
keeper looks once a second whether its front is still there, and the front whether its parent is. When not, or when told
to end, the command gets SIGTERM, so that it can say what became of it, and `GRACE_SECONDS` later SIGKILL. When the
command has ended, however it did, whatever it left in its process group is killed. What it says, on both channels, is
passed on to standard output. The front is what the parent sees and may kill; on Linux the command of a killed keeper
gets SIGTERM as well.

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


def _die_with_keeper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class _Watch:
    """Waits for a child to end, for a signal that says to end, and for the parent to be gone."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._told = False
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._told = self._told or number != signal.SIGCHLD

    def ending(self, *others: int) -> bool:
        """Whether to end, after a second at most or as soon as something happens, at `others` too."""
        if self._woken in select.select([self._woken, *others], [], [], 1.0)[0]:
            os.read(self._woken, 4096)
        return self._told or os.getppid() != self._parent


def _pass_on(source: int) -> None:
    """What the command has said so far, to whoever still listens: a reader that is gone must not be its trouble, for
    Prefect's console would end the run in the middle of saying what became of it."""
    with contextlib.suppress(BlockingIOError):
        while said := os.read(source, 65536):
            with contextlib.suppress(OSError):
                while said:
                    said = said[os.write(1, said) :]


def run(arguments: list[str]) -> int:
    """Run the command to its end, or to ours; its exit code, 128 and the signal where one ended it."""
    keeper = os.fork()  # no thread runs here that a fork could hurt
    if keeper == 0:
        os.setsid()
        os._exit(_keep(arguments))
    watch, asked = _Watch(), False
    while (ended := os.waitpid(keeper, os.WNOHANG)) == (0, 0):
        if watch.ending() and not asked:
            asked = True
            os.kill(keeper, signal.SIGTERM)
    code = os.waitstatus_to_exitcode(ended[1])
    return 128 - code if code < 0 else code


def _keep(arguments: list[str]) -> int:
    watch = _Watch()
    said, says = os.pipe()
    os.set_blocking(said, False)
    # A group of its own, so that what it leaves behind can be found.
    child = subprocess.Popen(arguments, stdout=says, stderr=says, process_group=0, preexec_fn=_die_with_keeper)
    deadline: float | None = None
    while child.poll() is None:
        ending = watch.ending(said)
        _pass_on(said)
        if ending and deadline is None:
            child.terminate()
            deadline = time.monotonic() + GRACE_SECONDS
        if deadline is not None and time.monotonic() > deadline:
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says it the second way
        os.killpg(child.pid, signal.SIGKILL)
    code = child.wait()
    _pass_on(said)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
