"""Archives that are what they say, and hostile ones, each built here byte by byte."""

from __future__ import annotations

import fcntl
import gzip
import io
import os
import re
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.archives import ArchiveError, is_archive, unpack

CONTENT = {"walk/a.avi": b"a" * 1000, "walk/b.avi": b"", "run/deep/c.avi": bytes(range(256)) * 50}
Pack = Callable[[Path, dict[str, bytes]], None]


def pack_zip(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def pack_tar(mode: str) -> Pack:
    def pack(path: Path, members: dict[str, bytes]) -> None:
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            for name, content in members.items():
                add(archive, name, content, type=tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE)

    return pack


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(content))


KINDS: dict[str, Pack] = {
    "zip": pack_zip,
    "stored": lambda path, members: pack_zip(path, members, zipfile.ZIP_STORED),
    "bzip2": lambda path, members: pack_zip(path, members, zipfile.ZIP_BZIP2),
    "lzma": lambda path, members: pack_zip(path, members, zipfile.ZIP_LZMA),
    "tar": pack_tar("w"),
    "tar.gz": pack_tar("w:gz"),
    "tar.bz2": pack_tar("w:bz2"),
    "tar.xz": pack_tar("w:xz"),
}


def held(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(archive: Path, member: str = "", *, members: int = 100, gib: float = 0.001) -> str:
    """The error of unpacking, which has left nothing and named archive and member."""
    into = archive.parent / "into"
    before = sorted(archive.parent.iterdir())
    with pytest.raises(ArchiveError) as caught:
        unpack(archive, into, members=members, gib=gib)
    assert sorted(archive.parent.iterdir()) == before
    said = str(caught.value)
    where = f"{archive}, member {member!r}: " if member else f"{archive}: "
    assert said.startswith(where), said
    return said.removeprefix(where)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_by_its_content_and_unpacked_whole(tmp_path: Path, kind: str) -> None:
    archive, into = tmp_path / "footage.bin", tmp_path / "deep" / "into"
    KINDS[kind](archive, CONTENT)
    assert is_archive(archive)
    written = unpack(archive, into, members=3, gib=0.001)
    assert written == sorted(into / name for name in CONTENT)
    assert held(into) == CONTENT
    assert [p.name for p in into.parent.iterdir()] == ["into"]
    assert {stat.S_IMODE(p.stat().st_mode) & 0o600 for p in written} == {0o600}


def test_what_is_no_archive(tmp_path: Path, make_video: Callable[..., object]) -> None:
    make_video("film.mp4", count=2)
    (tmp_path / "empty").touch()
    (tmp_path / "zeros").write_bytes(bytes(10240))
    (tmp_path / "note.gz").write_bytes(gzip.compress(b"a text" * 500))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"a text" * 500)[:12])
    pack_zip(tmp_path / "ratings.xlsx", {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b""})
    with zipfile.ZipFile(tmp_path / "film.mp4", "a") as behind:  # a zip behind a film: it is a film
        behind.writestr("a", b"")
    assert {p.name: is_archive(p) for p in tmp_path.iterdir()} == dict.fromkeys(
        ["film.mp4", "empty", "zeros", "note.gz", "cut.gz", "ratings.xlsx"], False
    )
    assert refused(tmp_path / "film.mp4").startswith("is damaged, or no zip or tar")


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    pack_zip(tmp_path / "inner.zip", {"inner.avi": b"i"})
    inner = (tmp_path / "inner.zip").read_bytes()
    pack_tar("w")(tmp_path / "outer", {"inner.zip": inner})
    unpack(tmp_path / "outer", tmp_path / "into", members=1, gib=1)
    assert held(tmp_path / "into") == {"inner.zip": inner}


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../evil.avi", "its path leads outside"),
        ("walk/../../evil.avi", "its path leads outside"),
        ("/tmp/evil.avi", "its path is absolute"),
        ("C:/evil.avi", "its path has a drive letter"),
        ("..\\evil.avi", "its path has a backslash"),
        ("walk/\x1b[2J.avi", "its name cannot be printed"),
        ("walk/\u202eiva.exe", "its name cannot be printed"),
        ("walk/" + "a" * 256, "its name is too long"),
        ("a/" * 501 + "a", "its name is too long"),
        ("walk/A.avi", "its path is that of 'walk/a.avi' but for the case or the spelling of letters"),
        ("WALK/c.avi", "its path is that of 'walk' but for the case or the spelling of letters"),
        ("walk/a.avi/c.avi", "'walk/a.avi' is a folder and a file"),
        ("walk/./a.avi", "is there twice"),
    ],
)
def test_a_member_is_refused_by_its_name(tmp_path: Path, kind: str, name: str, why: str) -> None:
    archive = tmp_path / "hostile"
    KINDS[kind](archive, {"walk/a.avi": b"a", name: b"evil"})
    assert refused(archive, name) == f"{why}; pack it anew without, or leave it out"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_spellings_of_one_letter_and_two_members_of_one_name(tmp_path: Path) -> None:
    pack_zip(tmp_path / "spelt", {"Ma\u00f1ana.avi": b"1", "Man\u0303ana.avi": b"2"})
    assert "but for the case or the spelling of letters" in refused(tmp_path / "spelt", "Man\u0303ana.avi")
    with zipfile.ZipFile(tmp_path / "twice", "w") as archive:
        archive.writestr("a.avi", b"1")
        archive.writestr("a.avi", b"2")
    assert refused(tmp_path / "twice", "a.avi").startswith("is there twice")


@pytest.mark.parametrize(
    "fields",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.SYMTYPE, "linkname": "a.avi"},
        {"type": tarfile.LNKTYPE, "linkname": "a.avi"},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
        {"type": tarfile.BLKTYPE},
        {"pax_headers": {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9000000000"}},
    ],
)
def test_a_tar_holds_files_and_folders_only(tmp_path: Path, fields: dict[str, object]) -> None:
    with tarfile.open(tmp_path / "hostile", "w") as archive:
        add(archive, "a.avi", b"a")
        add(archive, "b.avi", **fields)
    assert refused(tmp_path / "hostile", "b.avi").startswith("is a link, a device or a sparse file;")


def test_a_zip_holds_files_and_folders_only(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("b.avi")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "hostile", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert refused(tmp_path / "hostile", "b.avi").startswith("is a link or a device;")


def test_an_encrypted_zip_says_so(tmp_path: Path) -> None:
    pack_zip(tmp_path / "secret", {"a.avi": b"a"})
    data = bytearray((tmp_path / "secret").read_bytes())
    for start, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(start) + flags] |= 1
    (tmp_path / "secret").write_bytes(data)
    assert refused(tmp_path / "secret", "a.avi") == "is encrypted; pack it anew without a password"


def test_a_name_with_a_zero_byte_is_not_cut_there(tmp_path: Path) -> None:
    pack_zip(tmp_path / "hostile", {"a.avi#.exe": b"a"})
    data = (tmp_path / "hostile").read_bytes().replace(b"a.avi#.exe", b"a.avi\0.exe")
    (tmp_path / "hostile").write_bytes(data)
    assert refused(tmp_path / "hostile", "a.avi\0.exe").startswith("its name cannot be printed")


def test_a_zip_whose_directory_leads_nowhere_or_names_nothing(tmp_path: Path) -> None:
    pack_zip(tmp_path / "a", {"a.avi": b"a"})
    data = (tmp_path / "a").read_bytes()
    entry = data.index(b"PK\x01\x02")
    before = bytearray(data)
    struct.pack_into("<I", before, data.index(b"PK\x05\x06") + 16, entry + 2**20)
    (tmp_path / "a").write_bytes(before)  # where its directory begins: every place is a negative one
    assert refused(tmp_path / "a").startswith("is damaged, or no zip or tar")
    nameless = bytearray(data[:entry] + data[entry : entry + 46] + data[entry + 46 + len("a.avi") :])
    struct.pack_into("<H", nameless, entry + 28, 0)
    struct.pack_into("<I", nameless, nameless.index(b"PK\x05\x06") + 12, 46)
    (tmp_path / "a").write_bytes(nameless)
    assert refused(tmp_path / "a").startswith("its name cannot be printed")


@pytest.mark.parametrize("kind", ["zip", "bzip2", "lzma", "tar.gz", "tar.xz", "tar"])
def test_limits_on_bytes_and_members(tmp_path: Path, kind: str) -> None:
    archive, zeros = tmp_path / "bomb", bytes(2**20)
    KINDS[kind](archive, {"a.avi": zeros, "b.avi": zeros})
    assert refused(archive, "b.avi", gib=1.5 / 1024) == (
        "unpacks to more than 0.00146484 GiB; raise the limit, or split it"
    )
    assert refused(archive, members=1, gib=1) == "has more than 1 members; raise the limit, or split it"
    assert len(unpack(archive, tmp_path / "into", members=2, gib=2 / 1024)) == 2


def test_a_zip_that_lies_about_its_size(tmp_path: Path) -> None:
    """The headers say 100 bytes, a megabyte comes out: no more than is said is written, and it is damaged."""
    pack_zip(tmp_path / "bomb", {"a.avi": bytes(2**20)})
    data = bytearray((tmp_path / "bomb").read_bytes())
    for start, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(start) + place, 100)
    (tmp_path / "bomb").write_bytes(data)
    assert refused(tmp_path / "bomb", "a.avi").startswith("is damaged (Bad CRC-32")


def test_many_members_in_the_same_bytes_are_counted_as_they_come(tmp_path: Path) -> None:
    """David Fifield's bomb: a directory that names one compressed stretch again and again."""
    pack_zip(tmp_path / "bomb", {"a": bytes(2**20)})
    data = (tmp_path / "bomb").read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry, tail = data[start:end], bytearray(data[end:])
    struct.pack_into("<HHI", tail, 8, 8, 8, 8 * len(entry))
    (tmp_path / "bomb").write_bytes(data[:start] + entry * 8 + tail)
    assert re.match("is there twice|is damaged .Overlapped", refused(tmp_path / "bomb", "a", gib=1))


def test_a_tar_header_that_wants_a_gigabyte_of_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.XHDTYPE, 2**30
    header = info.tobuf(tarfile.USTAR_FORMAT)
    with gzip.open(tmp_path / "bomb", "wb", compresslevel=1) as packed:
        packed.write(header + bytes(2**21))
    assert refused(tmp_path / "bomb", gib=100) == "has a header of 1073741824 bytes; get it again"
    info.type, info.size = tarfile.REGTYPE, -1024
    (tmp_path / "back").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    assert refused(tmp_path / "back", "header").startswith("claims -1024 bytes")


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_was_cut_or_hurt(tmp_path: Path, kind: str) -> None:
    noise = {"a.avi": os.urandom(30_000), "b.avi": os.urandom(30_000), "c.avi": os.urandom(30_000)}
    archive = tmp_path / "hurt"
    KINDS[kind](archive, noise)
    data = archive.read_bytes()
    for keep in (len(data) // 3, len(data) // 2, len(data) - 7 if kind != "tar" else 92_160 - 1024):
        archive.write_bytes(data[:keep])
        assert is_archive(archive) or kind == "tar.bz2"  # whose first block is not whole: nobody can tell
        assert "is damaged" in refused(archive)
    if kind == "tar":  # it has no checksum but that of its headers
        data = data.replace(b"b.avi", b"B.avi")
    hurt = bytearray(data)
    hurt[len(data) // 2] ^= 0xFF
    archive.write_bytes(hurt)
    with pytest.raises(ArchiveError, match="is damaged"):
        unpack(archive, tmp_path / "into", members=10, gib=1)
    assert not (tmp_path / "into").exists()


def test_what_systems_leave_behind_is_passed_over(tmp_path: Path) -> None:
    leavings = ["__MACOSX/walk/._a.avi", "walk/._a.avi", "walk/.DS_Store", "walk/Thumbs.db", "empty/"]
    for kind in ("zip", "tar"):
        KINDS[kind](tmp_path / kind, {**dict.fromkeys(leavings, b""), "walk/a.avi": b"a"})
        into = tmp_path / f"into-{kind}"
        assert unpack(tmp_path / kind, into, members=6, gib=1) == [into / "walk/a.avi"]
        assert [p.name for p in into.iterdir()] == ["walk"]
        KINDS[kind](tmp_path / kind, dict.fromkeys(leavings, b""))
        assert refused(tmp_path / kind) == "holds no file; get it again, or leave it out"


def test_what_a_killed_process_left_is_removed_and_a_live_one_is_not_disturbed(tmp_path: Path) -> None:
    pack_zip(tmp_path / "a.zip", CONTENT)
    left = tmp_path / ".into.unpacking"
    (left / "walk").mkdir(parents=True)
    (left / "walk" / "half.avi").write_bytes(b"half")
    held_open = os.open(left, os.O_RDONLY)
    fcntl.flock(held_open, fcntl.LOCK_EX)
    with pytest.raises(ArchiveError, match=r"another process is unpacking to .*into; wait for it"):
        unpack(tmp_path / "a.zip", tmp_path / "into", members=3, gib=1)
    assert held(left) == {"walk/half.avi": b"half"}
    os.close(held_open)
    unpack(tmp_path / "a.zip", tmp_path / "into", members=3, gib=1)
    assert held(tmp_path / "into") == CONTENT
    with pytest.raises(ArchiveError, match=r"into is there already; remove it, or name another folder"):
        unpack(tmp_path / "a.zip", tmp_path / "into", members=3, gib=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "into"]
