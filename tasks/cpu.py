"""What this machine's CPU can do."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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
