"""Processes that die for real, in tests."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from typing import Any


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fork(work: Callable[[], None]) -> int:
    """The signal that ended the child; 0 if it ended by itself, 1 if it failed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
