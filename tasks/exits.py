"""Exit codes, the same for `rushes` and for the stages, so that a program can tell what went wrong.

==== =================================================================================
code meaning
==== =================================================================================
0    done
1    a fault of Rushes itself: a traceback is shown
2    the command line is wrong
3    bad input: a setting, a file, a folder; the message names it and the fix
4    training stopped because the loss was not a number; the last good weights are kept
5    a server or store could not be reached
130  interrupted
==== =================================================================================
"""

from __future__ import annotations

BAD_INPUT = 3
DIVERGED = 4
UNREACHABLE = 5
INTERRUPTED = 130


class DivergedError(RuntimeError):
    """The training loss became NaN or infinite."""


class UnreachableError(RuntimeError):
    """The tracking store or another server did not answer."""


def exit_code(error: BaseException) -> int | None:
    """The code for an error that is the user's to mend; None for a fault of ours, which keeps its traceback."""
    if isinstance(error, DivergedError):
        return DIVERGED
    if isinstance(error, UnreachableError):
        return UNREACHABLE
    if isinstance(error, (ValueError, OSError)):
        return BAD_INPUT
    return None
