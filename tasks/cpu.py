"""What this machine's CPU can do."""

from __future__ import annotations

from pathlib import Path


def bf16_instructions() -> tuple[str, ...]:
    """The CPU's instructions that multiply in bfloat16; without any, bfloat16 is slower than float32.

    Empty also where the system does not say (it has no /proc/cpuinfo).
    """
    told = Path("/proc/cpuinfo")
    flags = told.read_text(encoding="utf-8", errors="replace") if told.is_file() else ""
    return tuple(name for name in ("amx_bf16", "avx512_bf16") if name in flags)
