"""Fetching a public set: download, verify, unpack, put in place. Whatever interrupts it, the same call goes on.

data/downloads/<name>/         archives and parts of them; gone when the set is in place
data/footage/<name>/           the set: it appears whole, with .fetched.json in it
data/fetched/<name>.json       the checksums of the first time: commit it, later downloads are held to them
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks import archives, files
from tasks.archive_members import taking_place
from tasks.archives import ArchiveError
from tasks.fetch.catalogue import Archive, PublicSet
from tasks.fetch.download import Told, download
from tasks.fetch.rar import is_rar, unpack_rar

MARK = ".fetched.json"
GIB = 2**30
MOST_MEMBERS = 200_000


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a set's files are."""

    folder: Path  # the set
    downloads: Path  # its archives
    record: Path  # its checksums


def places(root: Path, name: str, to: Path | None = None) -> Places:
    """The usual places in a project; `to` instead of `data/footage/<name>`."""
    data = root / "data"
    return Places(to or data / "footage" / name, data / "downloads" / name, data / "fetched" / f"{name}.json")


def is_there(wanted: PublicSet, where: Places) -> bool:
    """Whether the set lies in place, as the record says it should be; a lost record is written again.

    Raises:
        ValueError: something else lies there.
    """
    if not where.folder.exists():
        return False
    mark = where.folder / MARK
    found = files.read_json(mark) if mark.is_file() else {}
    if found.get("name") != wanted.name:
        raise ValueError(f"{where.folder} is there and was not made by rushes fetch; move it, or give --to FOLDER")
    if not where.record.is_file():
        files.write_json(where.record, found)
    elif files.read_json(where.record)["archives"] != found["archives"]:
        raise ValueError(
            f"{where.folder} was made of other archives than {where.record} names; remove the folder to fetch it "
            "again, or the record to keep it"
        )
    return True


def fetch(
    wanted: PublicSet, where: Places, *, keep: bool = False, told: Callable[[Archive], Told] | None = None,
    say: Callable[[str], None] = lambda line: None, wait: Callable[[float], None] = time.sleep,
) -> bool:  # fmt: skip
    """Put a set in place; false where it lies there already, and then nothing is asked of any server.

    Args:
        keep: the archives too, in `where.downloads`.
        told: for an archive, what its progress is told to.
        say: told what goes on, a line at a time.
        wait: called with the seconds to wait before another attempt.

    Raises:
        ValueError: the folder holds something else, the disk is too small, a server refuses, or an archive is not the
            one that it was: its checksum, or a member, is wrong. What is wrong is removed.
        UnreachableError: a server cannot be reached.
    """
    from filelock import FileLock, Timeout

    where.downloads.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(where.downloads.with_suffix(".lock"), timeout=0):
            if is_there(wanted, where):
                return False
            _check_room(wanted, where)
            known = _known(wanted, where)
            for archive in wanted.archives:
                if not (where.downloads / archive.file).is_file():
                    said = None if told is None else told(archive)
                    download(archive.url, where.downloads / archive.file, told=said, say=say, wait=wait)
            say("verifying checksums")
            found = {archive.file: _verified(archive, where, known) for archive in wanted.archives}
            _put_in_place(wanted, where, found, known, say)
            if not keep:
                shutil.rmtree(where.downloads)
            return True
    except Timeout as error:
        raise ValueError(f"another rushes fetch {wanted.name} is at work here; wait for it") from error


def _known(wanted: PublicSet, where: Places) -> dict[str, tuple[str, str]]:
    """What checksums have to be, and who says so, by archive: this project's record goes before the catalogue."""
    known = {a.file: (a.sha256, a.known_by) for a in wanted.archives if a.sha256 is not None}
    if where.record.is_file():
        for file, values in files.read_json(where.record)["archives"].items():
            known[file] = (values["sha256"], str(where.record))
    return known


def _verified(archive: Archive, where: Places, known: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """An archive's address, length and checksum.

    Raises:
        ValueError: the checksum is another than it has to be; the file is removed.
    """
    file = where.downloads / archive.file
    sha256 = files.sha256_of(file)
    expected, who = known.get(archive.file, (sha256, ""))
    if sha256 != expected:
        nbytes = file.stat().st_size
        file.unlink()
        mend = f"remove {where.record} to accept it, if you know" if where.record.is_file() else "ask on the set's page"
        raise ValueError(
            f"{archive.url} is not what it was: the {nbytes} bytes that came have SHA-256 {sha256}, and it should be "
            f"{expected} ({who}). They were removed. Fetch again in case they were damaged on the way; if the set was "
            f"published anew, {mend} why"
        )
    return {"url": archive.url, "bytes": file.stat().st_size, "sha256": sha256}


def _put_in_place(
    wanted: PublicSet, where: Places, found: dict[str, dict[str, Any]], known: dict[str, tuple[str, str]],
    say: Callable[[str], None],
) -> None:  # fmt: skip
    """Unpack every archive, move its members where they belong, and let the set appear as a whole."""
    first = where.downloads / wanted.archives[0].file
    limit_gib = 2 * wanted.unpacked_bytes / GIB  # what is known of it is about right
    with taking_place(first, where.folder) as folder:
        for archive in wanted.archives:
            file = where.downloads / archive.file
            say(f"unpacking {archive.file}")
            inside = folder / ".inside"
            try:
                unpack = unpack_rar if is_rar(file) else archives.unpack
                members = unpack(file, inside, members=MOST_MEMBERS, gib=limit_gib)
            except ArchiveError:
                if archive.file not in known and not is_rar(file):
                    file.unlink()  # nobody vouches for it: it is got again
                raise
            for member in members:
                target = folder / archive.place(member.relative_to(inside).as_posix())
                if target.exists():
                    raise ArchiveError(file, f"{target.name} is there already", "tell us: the set has changed")
                target.parent.mkdir(parents=True, exist_ok=True)
                member.rename(target)
            shutil.rmtree(inside)
        record = {"name": wanted.name, "page": wanted.page, "licence": wanted.licence, "archives": found}
        files.write_json(folder / MARK, record)
        files.write_json(where.record, record)  # of what could be unpacked whole, and of nothing else


def _check_room(wanted: PublicSet, where: Places) -> None:
    """Raise a ValueError where the disk has no room for what is still to come and for what it unpacks to."""
    there = sum(file.stat().st_size for file in where.downloads.iterdir())
    needs = {where.downloads: max(wanted.expected_bytes - there, 0)}
    above = next(folder for folder in where.folder.absolute().parents if folder.is_dir())
    same = above.stat().st_dev == where.downloads.stat().st_dev
    if same:
        needs[where.downloads] += wanted.unpacked_bytes
    else:
        needs[above] = wanted.unpacked_bytes
    for folder, nbytes in needs.items():
        free = shutil.disk_usage(folder).free
        if nbytes > free:
            raise ValueError(
                f"{wanted.name} needs about {nbytes / 1e9:.1f} GB on the disk of {folder}, where {free / 1e9:.1f} GB "
                "are free; make room, or give --to FOLDER on another disk"
            )
