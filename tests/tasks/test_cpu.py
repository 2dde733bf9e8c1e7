"""What the CPU can do, and that memory stays."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tasks import cpu

PAGES_OF = """
import resource
import numpy as np
from tasks import cpu

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**24, np.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

fresh = [pages() for _ in range(3)]
assert cpu.keep_freed_memory()
kept = [pages() for _ in range(3)]
print(min(fresh), max(kept[1:]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_a_block_is_paid_for_once() -> None:
    """64 MiB: 16,384 pages of 4 KiB, or 32 of 2 MiB where the system gives such."""
    done = subprocess.run([sys.executable, "-c", PAGES_OF], check=True, capture_output=True, text=True)
    fresh, kept = (int(count) for count in done.stdout.split())
    assert fresh >= 30
    assert kept < fresh / 4


def test_a_precision_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="precision is 'half'; it must be one of auto, 32, bf16"):
        cpu.settled_precision("half")
    assert cpu.settled_precision("bf16") == "bf16"
    assert cpu.settled_precision("32") == "32"
    assert cpu.settled_precision("auto") == ("bf16" if cpu.bf16_instructions() else "32")
