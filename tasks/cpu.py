"""What this machine's CPU can do, and its memory."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path
from typing import Literal

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
PRECISIONS = ("auto", "32", "bf16")


def bf16_instructions() -> tuple[str, ...]:
    """The CPU's instructions that multiply in bfloat16; without any, bfloat16 is slower than float32.

    Empty also where the system does not say (it has no /proc/cpuinfo).
    """
    told = Path("/proc/cpuinfo")
    flags = told.read_text(encoding="utf-8", errors="replace") if told.is_file() else ""
    return tuple(name for name in ("amx_bf16", "avx512_bf16") if name in flags)


def settled_precision(precision: str) -> Literal["32", "bf16"]:
    """`auto` as what it means on this machine: bf16 where the CPU has it in hardware.

    Raises:
        ValueError: no such precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}")
    half = precision == "bf16" or (precision == "auto" and bool(bf16_instructions()))
    return "bf16" if half else "32"


def keep_freed_memory() -> bool:
    """From now on, memory this process frees stays with it for its next tensors. For whole processes; no way back.

    A large block otherwise comes from the system anew each time, zeroed page by page on first touch, which takes longer
    than an addition over it: small networks train in half the time. It has to be the GNU C library's allocator.

    Returns:
        Whether it could be done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    allocator = ctypes.CDLL(None)
    never_on_its_own = allocator.mallopt(_M_MMAP_MAX, 0)
    return bool(never_on_its_own and allocator.mallopt(_M_TRIM_THRESHOLD, -1))
