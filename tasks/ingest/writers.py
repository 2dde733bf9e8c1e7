"""Whether somebody is still writing a file, as far as the kernel knows."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from pathlib import Path

LEASELESS = frozenset({"nfs", "nfs4", "cifs", "smb3"})  # file systems that may refuse a lease though nobody writes


def being_written(path: Path) -> bool:
    """Whether a process of this machine has a file open for writing, where the kernel and the file system can tell.

    A read lease is given to nobody as long as there is a writer.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # Who opens it for writing within these microseconds waits for us, and we are told by a signal: not by SIGIO,
        # which ends a process.
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)
    finally:
        os.close(handle)
    return False


def file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of file system that a folder is on, such as `nfs4`; empty where nobody says."""
    device, kinds = folder.stat().st_dev, dict[str, str]()
    if mounts.is_file():
        for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
            fields, _, kind = line.partition(" - ")
            kinds[fields.split(" ")[2]] = kind.split(" ")[0]
    return kinds.get(f"{os.major(device)}:{os.minor(device)}", "")
