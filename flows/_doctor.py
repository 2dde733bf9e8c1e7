"""What `rushes doctor` looks at. Each check answers in a sentence, and a wrong one says the fix."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks import cpu
from tasks.exits import UnreachableError


@dataclass(frozen=True)
class Check:
    check: str
    state: Literal["fine", "note", "wrong"]
    finding: str


def checks() -> list[Check]:
    """Every check, in order; one that fails does not stop the others."""
    found: list[Check] = []
    for name, look in _CHECKS.items():
        try:
            found.extend(Check(name, *finding) for finding in look())
        except (ValueError, OSError, ImportError, RuntimeError, subprocess.SubprocessError) as error:
            found.append(Check(name, "wrong", str(error)))
    return found


Finding = tuple[Literal["fine", "note", "wrong"], str]


def _python() -> Iterator[Finding]:
    state: Literal["fine", "wrong"] = "fine" if sys.version_info >= (3, 11) else "wrong"
    yield (
        state,
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}; 3.11 or newer is needed",
    )


def _packages() -> Iterator[Finding]:
    pins = Path("constraints.txt")
    if not pins.is_file():
        yield "note", "no constraints.txt in the working folder; versions were not compared"
        return
    wrong = []
    wanted = importlib.metadata.requires("rushes") or []
    ours = {re.split(r"[<>=\[; ]", line, maxsplit=1)[0].lower() for line in wanted if "extra ==" not in line}
    for line in pins.read_text().splitlines():
        name, _, version = line.partition("==")
        if name.lower() in ours and (have := importlib.metadata.version(name).split("+")[0]) != version:
            wrong.append(f"{name} {have} (pinned: {version})")
    if wrong:
        yield "note", "not the tested versions: " + ", ".join(wrong) + "; pip install -c constraints.txt -e ."
    else:
        yield "fine", f"{len(ours)} direct dependencies stand as pinned"


def _ffmpeg() -> Iterator[Finding]:
    import imageio_ffmpeg

    exe = imageio_ffmpeg.get_ffmpeg_exe()
    done = subprocess.run([exe, "-hide_banner", "-version"], capture_output=True, text=True, timeout=30, check=True)
    yield "fine", f"{done.stdout.splitlines()[0].split(' Copyright')[0]}, bundled"


def _decoders() -> Iterator[Finding]:
    import av
    import decord

    yield "fine", f"decord {decord.__version__}, PyAV {av.__version__}"


def _devices() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            p = torch.cuda.get_device_properties(index)
            yield "fine", f"CUDA {index}: {p.name}, {p.total_memory / 2**30:.0f} GiB"
    fast = cpu.bf16_instructions()
    told = f"bf16 in hardware ({', '.join(fast)})" if fast else "no bf16 in hardware: precision auto is 32-true"
    yield "fine", f"CPU: {os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads; {told}"


def _data() -> Iterator[Finding]:
    from flows._dvc import project_root

    data = project_root() / "data"
    data.mkdir(exist_ok=True)
    if not os.access(data, os.W_OK):
        yield "wrong", f"{data} is not writable; change its owner or its mode"
    free = shutil.disk_usage(data).free / 2**30
    yield ("fine" if free > 2 else "note"), f"{data}: {free:.0f} GiB free"


def _graph() -> Iterator[Finding]:
    from flows import _dvc

    planned = _dvc.plan(_dvc.project_root())
    stale = sum(stage.runs for stage in planned)
    yield "fine", f"{len(planned)} stages, {stale} to run" + ("; rushes plan says why" if stale else "")


def _store() -> Iterator[Finding]:
    from flows._dvc import project_root
    from tasks import tracking
    from tasks.tracking.store import shown

    project_root()  # elsewhere the look alone would make a store
    try:
        listed = tracking.list_models()
    except UnreachableError as error:
        yield "wrong", str(error)
        return
    yield "fine", f"{shown(tracking.tracking_uri())}: {len(listed)} model version(s)"


_CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "python": _python, "packages": _packages, "ffmpeg": _ffmpeg, "decoders": _decoders, "devices": _devices,
    "data": _data, "graph": _graph, "tracking": _store,
}  # fmt: skip
