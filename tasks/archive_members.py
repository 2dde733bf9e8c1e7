"""What may come out of an archive: every member judged by its name, its bytes counted as they come, all or nothing.

An archive is a claim. Names may lead out of the folder, sizes may be false, a kilobyte may unpack to a terabyte.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

GIB = 2**30
NOISE_FOLDERS = {"__MACOSX"}
NOISE_FILES = {".DS_Store", "Thumbs.db"}
LONGEST_NAME_BYTES, LONGEST_PATH_BYTES = 255, 1000
CHUNK_BYTES = 2**18


class ArchiveError(ValueError):
    """An archive that is not unpacked: its name, the member, and what to do."""

    def __init__(self, archive: Path, what: str, fix: str, member: str = "") -> None:
        named = f", member {member!r}" if member else ""
        super().__init__(f"{archive}{named}: {what}; {fix}")


class Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Intake:
    """What has come out of an archive so far, and the rules for what may.

    Refused: a path that is absolute, leads outside (`..`), has a drive letter or a backslash, or cannot be printed; two
    members of one name, or of names that differ in case alone, as many file systems hold only one of them; a file where
    another member has a folder; anything that is neither file nor folder; more members or bytes than allowed.
    """

    def __init__(self, archive: Path, folder: Path, members: int, gib: float) -> None:
        self.archive, self.folder, self.members, self.gib = archive, folder, members, gib
        self.written: list[PurePosixPath] = []
        self.written_bytes = 0
        self.limit_bytes = int(gib * GIB)
        self._seen = 0
        self._names: dict[str, tuple[PurePosixPath, bool]] = {}  # folded: as written, and whether it is a folder

    def refuse(self, what: str, member: str = "", fix: str = "") -> ArchiveError:
        return ArchiveError(self.archive, what, fix or "pack it anew without, or leave it out", member)

    def admit(self, name: str, is_folder: bool, claimed_bytes: int) -> PurePosixPath | None:
        """The path of a member, below the folder; None for what is passed over.

        Raises:
            ArchiveError: it is refused.
        """
        self._seen += 1
        if self._seen > self.members:
            raise self.refuse(f"has more than {self.members} members", fix="raise the limit, or split it")
        if claimed_bytes < 0:
            raise self.refuse(f"claims {claimed_bytes} bytes", name, "get the archive again")
        if self.written_bytes + claimed_bytes > self.limit_bytes:
            raise self.too_large(name)
        path = self._checked(name)
        noise = not NOISE_FOLDERS.isdisjoint(path.parts) or path.name in NOISE_FILES or path.name.startswith("._")
        if noise or not path.parts:
            return None
        for part in [*reversed(path.parents), path]:
            if part.parts:
                self._claim(part, is_folder or part != path, name)
        return None if is_folder else path

    def write(self, path: PurePosixPath, stream: Reader, chunk_bytes: int = CHUNK_BYTES) -> None:
        """Write a member's bytes, counting them.

        Raises:
            ArchiveError: they are more than allowed.
        """
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as written:
            while data := stream.read(chunk_bytes):
                self.written_bytes += len(data)
                if self.written_bytes > self.limit_bytes:
                    raise self.too_large(str(path))
                written.write(data)
        self.written.append(path)

    def too_large(self, member: str = "") -> ArchiveError:
        return self.refuse(f"unpacks to more than {self.gib:g} GiB", member, "raise the limit, or split it")

    def _checked(self, name: str) -> PurePosixPath:
        faults = {
            "its name cannot be printed": not name.isprintable(),
            "its path has a backslash": "\\" in name,
            "its path is absolute": name.startswith("/"),
            "its path has a drive letter": re.match("[A-Za-z]:", name) is not None,
            "its path leads outside": ".." in name.split("/"),
            "its name is too long": len(name.encode(errors="replace")) > LONGEST_PATH_BYTES
            or any(len(part.encode(errors="replace")) > LONGEST_NAME_BYTES for part in name.split("/")),
        }
        for fault, found in faults.items():
            if found:
                raise self.refuse(fault, name)
        return PurePosixPath(name)  # which drops empty parts and those that are a dot

    def _claim(self, path: PurePosixPath, is_folder: bool, name: str) -> None:
        folded = unicodedata.normalize("NFC", str(path)).casefold()
        first, was_folder = self._names.setdefault(folded, (path, is_folder))
        if first is path:
            return
        if first != path:
            raise self.refuse(f"its path is that of {str(first)!r} but for the case or the spelling of letters", name)
        if was_folder != is_folder:
            raise self.refuse(f"{str(path)!r} is a folder and a file", name)
        if not is_folder:
            raise self.refuse("is there twice", name)


@contextlib.contextmanager
def taking_place(archive: Path, into: Path) -> Iterator[Path]:
    """Give an empty folder beside `into`, which takes its name when the block ends well and goes otherwise.

    What a killed process left of it is removed first.

    Raises:
        ArchiveError: `into` is there already, or another process is unpacking to it.
    """
    if into.exists():
        raise ArchiveError(archive, f"{into} is there already", "remove it, or name another folder")
    temporary = into.parent / f".{into.name}.unpacking"
    temporary.mkdir(parents=True, exist_ok=True)
    handle = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            fix = "wait for it"
            raise ArchiveError(archive, f"another process is unpacking to {into}", fix) from error
        try:
            for left in temporary.iterdir():
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            yield temporary
            os.sync()  # once for all: file by file takes minutes for the frames of a set
            temporary.rename(into)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    finally:
        os.close(handle)
