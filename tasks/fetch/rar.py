"""Unpacking RAR, which needs a program of the system: no free library does it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tasks.archive_members import ArchiveError, Intake, taking_place

MAGIC = b"Rar!\x1a\x07"
TIMEOUT_SECONDS = 4 * 3600
PROGRAMS = {  # in the order of preference; none may ask anything, or overwrite what lies elsewhere
    "unar": ["-q", "-force-overwrite", "-no-directory", "-no-recursion", "-output-directory", "{folder}", "{archive}"],
    "unrar": ["x", "-idq", "-y", "-p-", "{archive}", "{folder}/"],
    "bsdtar": ["-x", "-f", "{archive}", "-C", "{folder}"],
    "7zz": ["x", "-bso0", "-bsp0", "-y", "-p", "-o{folder}", "{archive}"],
    "7z": ["x", "-bso0", "-bsp0", "-y", "-p", "-o{folder}", "{archive}"],
}
PACKAGES = "unar, unrar, 7zip (with 7zip-rar) or libarchive-tools (bsdtar)"


def is_rar(path: Path) -> bool:
    """Whether a file is a RAR archive, by its content."""
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def unpack_rar(archive: Path, into: Path, *, members: int, gib: float) -> list[Path]:
    """Unpack a RAR archive as the folder `into`, as `archives.unpack` does other kinds.

    The program unpacks into a temporary folder; what it made is checked there, by the same rules.

    Raises:
        ArchiveError: no program is there, it failed, or a member is refused. The archive is kept.
    """
    program = next((name for name in PROGRAMS if shutil.which(name)), None)
    if program is None:
        raise ArchiveError(archive, "is a RAR archive, and nothing here unpacks those", f"install {PACKAGES}")
    with taking_place(archive, into) as temporary:
        command = [part.format(archive=archive.resolve(), folder=temporary.resolve()) for part in PROGRAMS[program]]
        try:
            done = subprocess.run(
                [program, *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ArchiveError(archive, f"{program} did not end in {TIMEOUT_SECONDS} s", "unpack it by hand") from error
        if done.returncode:
            last = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-1:] or ["without a word"]
            fix = f"remove it to fetch it again, or install another of {PACKAGES}"
            raise ArchiveError(archive, f"{program} failed ({done.returncode}): {last[0]}", fix)
        found = _checked(temporary, Intake(archive, temporary, members, gib))
        if not found:
            raise ArchiveError(archive, f"{program} found no file in it", f"install another of {PACKAGES}")
    return sorted(into / path for path in found)


def _checked(folder: Path, intake: Intake) -> list[Path]:
    """The files below a folder; those that are passed over are removed."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise intake.refuse("is a link or a device", name)
        nbytes = 0 if path.is_dir() else path.stat().st_size
        place = intake.admit(name, path.is_dir(), nbytes)
        if path.is_dir():
            continue
        if place is None:
            path.unlink()
            continue
        intake.written_bytes += nbytes
        found.append(Path(name))
    return found
