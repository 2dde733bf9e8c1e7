"""Fetching whole sets: from a real server, through death and damage, to a folder that is all there or not at all."""

from __future__ import annotations

import binascii
import hashlib
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks import fetch as fetching
from tasks import files
from tasks.archives import ArchiveError
from tasks.fetch import Archive, PublicSet
from tests.tasks._http_server import Answer, Server, etag, serving
from tests.tasks.test_archives import held

DATASET = "footage: {folder}\nsplit: {test: [one]}\n"
PAGE, LICENCE = "https://example.org/set", "for the tests"


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def stored_rar(members: dict[str, bytes]) -> bytes:
    """A RAR 4 archive, nothing in it compressed."""

    def block(kind: int, flags: int, fields: bytes, content: bytes = b"") -> bytes:
        head = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
        return struct.pack("<H", binascii.crc32(head) & 0xFFFF) + head + content

    packed = b"Rar!\x1a\x07\x00" + block(0x73, 0, bytes(6))
    for name, content in members.items():
        size, crc, written = len(content), binascii.crc32(content), name.replace("/", "\\").encode()
        fields = struct.pack("<IIBIIBBHI", size, size, 3, crc, 0x44610000, 20, 0x30, len(written), 0o100644) + written
        packed += block(0x74, 0x8000, fields, content)
    return packed + block(0x7B, 0x4000, b"")


WALK, RUN = zipped({"a_walk.avi": b"w" * 50_000, "._a_walk.avi": b"noise"}), zipped({"SET/run/a_run.avi": b"r" * 9_000})
TREE = {"walk/a_walk.avi": b"w" * 50_000, "run/a_run.avi": b"r" * 9_000}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        one.files = {"/walk.zip": WALK, "/run.zip": RUN}
        yield one


def small(server: Server, **changed: object) -> PublicSet:
    values: dict[str, object] = {
        "name": "small", "title": "A small set", "what": "tests", "page": PAGE, "licence": LICENCE, "cite": "nobody",
        "unpacked_bytes": 100_000, "dataset": DATASET,
        "archives": (
            Archive(url=f"{server.url}/walk.zip", about_bytes=50_000, below="walk"),
            Archive(url=f"{server.url}/run.zip", about_bytes=9_000, moves=(("^SET/", ""),)),
        ),
    }  # fmt: skip
    return PublicSet.model_validate(values | changed)


def record(server: Server) -> dict[str, object]:
    """What has to stand in `data/fetched/small.json`, whole."""
    archives = {
        name: {"url": f"{server.url}/{name}", "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        for name, body in (("walk.zip", WALK), ("run.zip", RUN))
    }
    return {"name": "small", "page": PAGE, "licence": LICENCE, "archives": archives}


def everything(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.suffix != ".lock")


def test_a_set_appears_whole_with_its_record_and_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    where = fetching.places(tmp_path, "small")
    said: list[str] = []
    assert fetching.fetch(small(server), where, say=said.append)
    tree = held(tmp_path / "data" / "footage" / "small")
    assert json.loads(tree.pop(".fetched.json")) == record(server)
    assert tree == TREE
    assert files.read_json(tmp_path / "data" / "fetched" / "small.json") == record(server)
    assert said == ["verifying checksums", "unpacking walk.zip", "unpacking run.zip"]
    assert [path for path, _, _ in server.requests] == ["/walk.zip", "/run.zip"]
    before = everything(tmp_path)
    assert len(before) == 4  # no archive, no part
    assert not fetching.fetch(small(server), where)
    assert (len(server.requests), everything(tmp_path)) == (2, before)
    where.record.unlink()
    assert not fetching.fetch(small(server), where)
    assert (len(server.requests), everything(tmp_path)) == (2, before)
    where.record.write_text(where.record.read_text().replace(hashlib.sha256(WALK).hexdigest(), "0" * 64))
    with pytest.raises(
        ValueError, match=r"small was made of other archives than .*small\.json names; remove the folder"
    ):
        fetching.fetch(small(server), where)


def test_a_colleagues_record_holds_the_download_to_the_same_bytes(server: Server, tmp_path: Path) -> None:
    mine, theirs = fetching.places(tmp_path / "mine", "small"), fetching.places(tmp_path / "theirs", "small")
    fetching.fetch(small(server), mine)
    files.write_json(theirs.record, files.read_json(mine.record))
    other = zipped({"a_walk.avi": b"tampered"})
    server.files["/walk.zip"] = other
    before = everything(tmp_path / "theirs")
    with pytest.raises(ValueError, match="is not what it was") as caught:
        fetching.fetch(small(server), theirs)
    for sha256 in (hashlib.sha256(other).hexdigest(), hashlib.sha256(WALK).hexdigest()):
        assert sha256 in str(caught.value)
    assert everything(tmp_path / "theirs") == ["data/downloads/small/run.zip", *before]
    server.files["/walk.zip"], server.requests = WALK, []
    assert fetching.fetch(small(server), theirs)
    assert [path for path, _, _ in server.requests] == ["/walk.zip"]
    assert held(theirs.folder) == held(mine.folder)


def test_the_catalogues_checksum_is_held_to_without_a_record(server: Server, tmp_path: Path) -> None:
    known = {"bytes": len(RUN), "sha256": "0" * 64, "known_by": "a friend"}
    wanted = small(server, archives=(Archive(url=f"{server.url}/run.zip", **known),))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"should be {'0' * 64} \(a friend\)"):
        fetching.fetch(wanted, fetching.places(tmp_path, "small"))
    assert everything(tmp_path) == []


def test_an_archive_that_does_not_unpack_is_got_again_and_never_recorded(server: Server, tmp_path: Path) -> None:
    where = fetching.places(tmp_path, "small")
    server.files["/run.zip"] = RUN[:-40]
    with pytest.raises(ArchiveError, match=r"run\.zip: is damaged"):
        fetching.fetch(small(server), where)
    assert everything(tmp_path) == ["data/downloads/small/walk.zip"]
    assert not (tmp_path / "data" / "footage" / "small").exists()
    server.files["/run.zip"], server.requests = RUN, []
    assert fetching.fetch(small(server), where, keep=True)
    assert [path for path, _, _ in server.requests] == ["/run.zip"]
    kept = ["data/downloads/small/run.zip", "data/downloads/small/walk.zip"]
    assert [path for path in everything(tmp_path) if "downloads" in path] == kept


def test_another_folder_is_left_alone(server: Server, tmp_path: Path) -> None:
    mine = tmp_path / "data" / "footage" / "small"
    mine.mkdir(parents=True)
    (mine / "mine.avi").write_bytes(b"mine")
    with pytest.raises(ValueError, match="was not made by rushes fetch; move it, or give --to FOLDER"):
        fetching.fetch(small(server), fetching.places(tmp_path, "small"))
    assert fetching.fetch(small(server), fetching.places(tmp_path, "small", tmp_path / "else" / "where"))
    assert set(held(tmp_path / "else" / "where")) == {*TREE, ".fetched.json"}
    assert held(mine) == {"mine.avi": b"mine"}


def test_a_disk_that_is_too_small_is_told_before_anything_is_asked(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"small needs about 1000000000\.0 GB on the disk of .* make room"):
        fetching.fetch(small(server, unpacked_bytes=10**18), fetching.places(tmp_path, "small"))
    assert server.requests == []


FETCH = """
import sys
from pathlib import Path
from tasks import fetch
wanted = fetch.PublicSet.model_validate_json(sys.argv[1])
fetch.fetch(wanted, fetch.places(Path(sys.argv[2]), wanted.name), wait=lambda seconds: None)
"""


def started(wanted: PublicSet, root: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", FETCH, wanted.model_dump_json(), str(root)]
    return subprocess.Popen(command, env=os.environ | environment)


def test_killed_in_the_middle_of_a_download(server: Server, tmp_path: Path) -> None:
    """SIGKILL while the second archive comes: the first is not asked for again, the second from where it was."""
    server.answers = [Answer(), Answer(send_bytes=5_000, end="stall")]
    process = started(small(server), tmp_path)
    part = tmp_path / "data" / "downloads" / "small" / "run.zip.part"
    assert server.stalled.wait(30)
    deadline = time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size == 5_000):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(ValueError, match="another rushes fetch small is at work here"):
        fetching.fetch(small(server), fetching.places(tmp_path, "small"))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert fetching.fetch(small(server), fetching.places(tmp_path, "small"))
    assert server.requests == [
        ("/walk.zip", None, None), ("/run.zip", None, None), ("/run.zip", "bytes=5000-", etag(RUN)),
    ]  # fmt: skip
    assert server.sent_bytes == [len(WALK), 5_000, len(RUN) - 5_000]
    assert set(held(tmp_path / "data" / "footage" / "small")) == {*TREE, ".fetched.json"}


STAND_IN = {  # for a program that unpacks RAR; the files are made by shell, the archive is not read
    "good": "mkdir -p $6/UCF-101/run && printf run > $6/UCF-101/run/a.avi",
    "killer": "mkdir -p $6/half && printf half > $6/half/a.avi && kill -9 $PPID",
    "link": "ln -s /etc/passwd $6/a.avi",
    "fails": "printf x > $6/a.avi; echo 'no such codec' >&2; exit 2",
    "empty": "true",
}


def unar(folder: Path, behaviour: str) -> str:
    """A PATH on which `unar` behaves so; its arguments: ... -output-directory FOLDER ARCHIVE."""
    folder.mkdir(exist_ok=True)
    program = folder / "unar"
    program.write_text(f"#!/bin/sh\nset -e\n{STAND_IN[behaviour]}\n")
    program.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def with_rar(server: Server) -> PublicSet:
    server.files["/UCF101.rar"] = stored_rar({"UCF-101/run/a.avi": b"run"})
    archive = Archive(url=f"{server.url}/UCF101.rar", about_bytes=100, moves=(("^UCF-101/", ""),))
    return small(server, archives=(archive,))


def test_killed_in_the_middle_of_unpacking(server: Server, tmp_path: Path) -> None:
    wanted = with_rar(server)
    process = started(wanted, tmp_path, PATH=unar(tmp_path / "bin", "killer"))
    assert process.wait() == -signal.SIGKILL
    footage = tmp_path / "data" / "footage"
    assert [p.name for p in footage.iterdir()] == [".small.unpacking"]
    process = started(wanted, tmp_path, PATH=unar(tmp_path / "bin", "good"))
    assert process.wait() == 0
    assert [p.name for p in footage.iterdir()] == ["small"]
    assert set(held(footage / "small")) == {"run/a.avi", ".fetched.json"}
    assert server.requests == [("/UCF101.rar", None, None)]


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("link", r"member 'a\.avi': is a link or a device"),
        ("fails", r"unar failed \(2\): no such codec"),
        ("empty", "unar found no file in it"),
    ],
)
def test_what_a_program_unpacked_is_checked_and_the_archive_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, said: str
) -> None:
    monkeypatch.setenv("PATH", unar(tmp_path / "bin", behaviour))
    with pytest.raises(ArchiveError, match=said):
        fetching.fetch(with_rar(server), fetching.places(tmp_path, "small"))
    assert everything(tmp_path / "data") == ["downloads/small/UCF101.rar"]


def test_without_a_program_for_rar_the_packages_are_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ArchiveError, match=r"nothing here unpacks those; install unar, unrar, 7zip .* libarchive-tools"
    ):
        fetching.fetch(with_rar(server), fetching.places(tmp_path, "small"))
    assert everything(tmp_path / "data") == ["downloads/small/UCF101.rar"]


def test_a_real_program_unpacks_a_real_rar(server: Server, tmp_path: Path) -> None:
    from tasks.fetch.rar import PACKAGES, PROGRAMS

    if not any(shutil.which(program) for program in PROGRAMS):
        pytest.skip(f"no program for RAR is on PATH: {PACKAGES}")
    assert fetching.fetch(with_rar(server), fetching.places(tmp_path, "small"))
    tree = held(tmp_path / "data" / "footage" / "small")
    assert (tree["run/a.avi"], set(tree)) == (b"run", {"run/a.avi", ".fetched.json"})
