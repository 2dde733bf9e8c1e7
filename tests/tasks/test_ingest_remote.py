"""Inboxes behind URLs: a real HTTP server that misbehaves, a real S3 server, and a file system in memory."""

from __future__ import annotations

import errno
import resource
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tasks import files
from tasks.exits import UnreachableError
from tasks.ingest import Desk, fetching, find, remote
from tasks.params import Inbox
from tests.conftest import MakeVideo


def make_desk(root: Path, inbox: str, **settings: Any) -> Desk:
    setting = Inbox(inbox=inbox, footage="data/footage/new", **{"settle_seconds": 0.0, **settings})
    desk = Desk(root, "new", setting)
    desk.check()
    return desk


def take_all(desk: Desk) -> dict[str, tuple[str, str]]:
    """One run, as the flow does it: state and reason by file."""
    with desk.alone():
        desk.tidy()
        found = fetching.news(desk, remote.list_files(desk.setting.inbox))
        rows = found.rows + fetching.fetch(desk, found.files)
        absent = fetching.missing(desk, found.files)
        if desk.inbox.is_dir():
            arrived = desk.arrived([*found.held, *absent])
            rows += desk.take(arrived.units, {file.path: file.version for file in found.files})
            waiting = {*found.held, *arrived.waiting}
            here = [file for file in found.files if file.path not in absent]
            fetching.dealt_with(desk, here, waiting | {row.file for row in rows if row.state == "waiting"})
    return {row.file: (row.state, row.reason) for row in rows}


class Server(ThreadingHTTPServer):
    """Serves a folder; `faults` are what the next requests for a name get instead."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.faults, self.asked = folder, dict[str, list[str]](), Counter[str]()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(SimpleHTTPRequestHandler):
    server: Server

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, directory=str(arguments[2].folder))

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        faults = self.server.faults.get(self.path, [])
        fault = faults.pop(0) if faults else ""
        if fault.isdecimal():
            self.send_error(int(fault))
        elif fault == "cut":
            data = (self.server.folder / self.path[1:]).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "served").mkdir()
    with Server(tmp_path / "served") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_http_fetches_each_file_once_whole_and_again_when_it_changed(
    server: Server, tmp_path: Path, make_video: MakeVideo
) -> None:
    for seed, name in enumerate(("a.mp4", "dance/b c.mp4", "cut.mp4", "new.mp4")):
        make_video(f"served/{name}", 5, seed=seed)
    shutil.copy(server.folder / "a.mp4", server.folder / "copying.mp4.part")
    (server.folder / "bad.mp4").write_bytes(b"\0 no film")
    (server.folder / "README.txt").write_text("words")
    server.faults = {"/cut.mp4": ["cut", "cut"], "/a.mp4": ["503"]}
    desk = make_desk(tmp_path / "project", server.url)
    with pytest.raises(UnreachableError, match=r"2 of 6 files could not be fetched; the first: .*a\.mp4"):
        take_all(desk)
    with pytest.raises(UnreachableError, match="1 of 6 files"):
        take_all(desk)
    refused = ("refused", "not a video that can be read (Invalid data found when processing input)")
    assert take_all(desk) == {
        "a.mp4": ("taken", ""), "cut.mp4": ("taken", ""), "dance/b c.mp4": ("taken", ""), "bad.mp4": refused,
        "new.mp4": ("taken", ""),
    }  # fmt: skip
    there = tmp_path / "project/data/footage/new"
    assert {p.relative_to(there).as_posix(): files.sha256_of(p) for p in there.rglob("*.mp4")} == {
        name: files.sha256_of(server.folder / name) for name in ("a.mp4", "cut.mp4", "dance/b c.mp4", "new.mp4")
    }
    server.asked.clear()
    assert take_all(desk) == {}
    assert [path for path in server.asked if not path.endswith("/")] == []  # pages alone
    make_video("served/bad.mp4", 5, seed=9)
    shutil.copy(server.folder / "a.mp4", server.folder / "z.mp4")
    assert take_all(desk) == {
        "bad.mp4": ("taken", ""), "z.mp4": ("already there", "the same content as data/footage/new/a.mp4"),
    }  # fmt: skip
    assert desk.books.refusals() == {}
    assert (server.folder / "a.mp4").is_file()


def test_what_waits_is_fetched_again(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, "memory://none")
    listed = [remote.RemoteFile(path, path, 1, "v", None) for path in
              ("wow!.zip", "a.zip", "done.zip", "walk/1.png", "line\nfeed.mp4", "z.mp4")]  # fmt: skip
    waiting = {"wow!.zip!x!.mp4", "a.zip!b.mp4", "walk", "line\\nfeed.mp4"}  # a member of an archive: all of it
    fetching.dealt_with(desk, listed, waiting)
    assert desk.books.seen() == {"done.zip": "v", "z.mp4": "v"}


def test_http_single_file_limits_and_refusals(server: Server, tmp_path: Path, make_video: MakeVideo) -> None:
    make_video("served/a.mp4", 5)
    one = make_desk(tmp_path / "one", server.url + "a.mp4", largest_file_gib=1e-7)
    assert take_all(one) == {"a.mp4": ("refused", "0.0 GiB is more than largest_file_gib 1e-07 allows")}
    assert take_all(one) == {}
    assert server.asked["/a.mp4"] == 0
    assert take_all(make_desk(tmp_path / "one", server.url + "a.mp4")) == {
        "a.mp4": ("taken", "")
    }  # the limit is raised
    assert one.books.refusals() == {}
    with pytest.raises(ValueError, match=r"nothing/ does not exist"):
        remote.list_files(server.url + "nothing/")
    server.faults = {"/": ["403", "500"]}
    with pytest.raises(ValueError, match=r"access is denied \(HTTP 403\)"):
        remote.list_files(server.url)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        remote.list_files(server.url)
    with pytest.raises(ValueError, match="holds a name or password"):
        remote.list_files("https://me:secret@example.org/")


def test_a_folder_of_frames_waits_for_all_of_them(tmp_path: Path, footage: Path) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    memory = MemoryFileSystem()
    sequence = footage / "mot" / "ADL-Rundle-6"
    memory.put(str(sequence / "img1"), "/inbox/ADL-Rundle-6/img1", recursive=True)
    memory.put(str(sequence / "seqinfo.ini"), "/inbox/ADL-Rundle-6/seqinfo.ini")
    memory.pipe("/inbox/ADL-Rundle-6/img1/000041.jpg.part", b"x")
    desk = make_desk(tmp_path, "memory://inbox")
    try:
        assert take_all(desk) == {}
        memory.rm("/inbox/ADL-Rundle-6/img1/000041.jpg.part")
        assert take_all(desk) == {"ADL-Rundle-6": ("taken", "")}
        assert len(list((tmp_path / "data/footage/new/ADL-Rundle-6/img1").iterdir())) == 40
        assert take_all(desk) == {}
    finally:
        memory.rm("/inbox", recursive=True)


def test_s3(tmp_path: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3 = pytest.importorskip("boto3")
    from moto.server import ThreadedMotoServer

    make_video("a.mp4", 5)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "key",
                            "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="rushes")
        s3.upload_file(str(tmp_path / "a.mp4"), "rushes", "in/dance/a.mp4")
        s3.upload_file(str(tmp_path / "a.mp4"), "rushes", "in/../../out.mp4")
        desk = make_desk(tmp_path / "project", "s3://rushes/in")
        assert take_all(desk) == {"dance/a.mp4": ("taken", "")}
        assert take_all(desk) == {}
        with pytest.raises(ValueError, match="does not exist"):
            remote.list_files("s3://nosuchbucket/in")
    finally:
        server.stop()
    assert [unit.path for unit in find(tmp_path / "project/data/footage/new", 0).units] == ["dance/a.mp4"]


def test_a_full_disk_is_not_a_broken_network(server: Server, tmp_path: Path) -> None:
    (server.folder / "a.mp4").write_bytes(bytes(2**20))
    desk = make_desk(tmp_path / "project", server.url)
    found = fetching.news(desk, remote.list_files(desk.setting.inbox))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote, "FULL", (errno.EFBIG,))  # the nearest to a full disk that a test can have
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                fetching.fetch(desk, found.files)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(desk.inbox.iterdir()) == []
