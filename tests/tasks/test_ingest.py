"""From an inbox to a footage folder: nothing half, nothing twice, nothing lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tasks import files, locks
from tasks.ingest import Desk, Unit, find, writers
from tasks.ingest.books import Refusal
from tasks.params import Inbox
from tests.conftest import MakeVideo
from tests.tasks._deaths import die, fork

ROOT = Path(__file__).parent.parent.parent


def write_frames(folder: Path, count: int, seed: int = 0) -> Path:
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        image = np.random.default_rng([seed, number]).integers(0, 256, (24, 32, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"{number:06}.png"), image)
    return folder


def make_desk(root: Path, inbox: str = "data/inbox", **settings: object) -> Desk:
    setting = Inbox(inbox=inbox, footage="data/footage/new", **{"settle_seconds": 0.0, **settings})
    desk = Desk(root, "new", setting)
    desk.check()
    return desk


def take_all(desk: Desk) -> dict[str, tuple[str, str, str]]:
    """What one run makes of an inbox: state, where to, and reason by file."""
    with desk.alone():
        desk.tidy()
        rows = desk.take(desk.arrived().units)
    return {row.file: (row.state, row.to.removeprefix("data/footage/new/"), row.reason) for row in rows}


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): files.sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()
    }  # fmt: skip


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / "data" / "inbox"
    folder.mkdir(parents=True)
    return folder


def test_what_is_still_being_copied_is_left_alone(inbox: Path, make_video: MakeVideo) -> None:
    make_video("a.mp4")
    video = inbox.parent.parent.parent / "a.mp4"
    for name in ("dance/whole.mp4", "dance/b.mp4.part", "c.mp4.crdownload", ".rsync.mp4.x7Gh2A", "d.mp4~", "~$t.xlsx",
                 "fire.mp4", "fire.mp4.part", "up.filepart/e.mp4", "notes.txt"):  # fmt: skip
        (inbox / name).parent.mkdir(exist_ok=True)
        shutil.copy(video, inbox / name)
    (inbox / "notes.txt").write_text("words")
    (inbox / "table.csv").write_text("Title,Score\n")
    write_frames(inbox / "walk", 3)
    write_frames(inbox / "run", 3)
    (inbox / "run" / "000004.png.part").write_bytes(b"")
    write_frames(inbox / "MOT-01" / "img1", 3)
    (inbox / "MOT-01" / "seqinfo.ini").write_text("[Sequence]\nframeRate=5\n")
    (inbox / "out.mp4").symlink_to(video)
    old = time.time() - 1000
    with (inbox / "open.mp4").open("wb") as stream:
        stream.write(video.read_bytes())
        stream.flush()
        for path in inbox.rglob("*"):
            os.utime(path, (old, old), follow_symlinks=False)
        fresh = find(inbox, 3600)  # by ctime: a copy may bring its original's mtime along
        found = find(inbox, 0)
    assert [unit.path for unit in fresh.units] == []
    assert [unit.path for unit in found.units] == ["MOT-01", "dance/whole.mp4", "out.mp4", "walk"]
    assert [unit.path for unit in found.units if unit.folder] == ["MOT-01", "walk"]
    assert found.waiting == [
        "c.mp4.crdownload", "d.mp4~", "dance/b.mp4.part", "fire.mp4", "fire.mp4.part", "open.mp4", "run/000001.png",
        "run/000002.png", "run/000003.png", "run/000004.png.part", "table.csv", "up.filepart", "~$t.xlsx",
    ]  # fmt: skip
    assert "open.mp4" in [unit.path for unit in find(inbox, 0).units]  # closed now


def test_real_footage_is_opened_and_bad_bytes_are_refused_once(inbox: Path, footage: Path) -> None:
    shutil.copytree(footage / "odd", inbox / "odd")
    shutil.copytree(footage / "mot" / "ADL-Rundle-6", inbox / "ADL-Rundle-6")
    shutil.copytree(footage / "mot" / "otb_Crossing" / "img", inbox / "crossing")
    strip = min((footage / "actions" / "0").iterdir())
    (inbox / "wave").mkdir()
    shutil.copy(strip, inbox / "wave")
    before = tree(inbox)
    project = inbox.parent.parent
    done = take_all(make_desk(project))
    bad = {
        "odd/fixture-corrupt.mkv": "not a video that can be read (Invalid data found when processing input)",
        "odd/mp4-with-audio.mp4": "no video stream",
        "odd/zero_byte.webm": "empty file (0 bytes)",
        "odd/zero_empty_stsc.mp4": "no frame decodes, though the header claims 1040 frames",
    }
    assert {file: reason for file, (state, _, reason) in done.items() if state == "refused"} == bad
    taken = {file for file, (state, to, _) in done.items() if state == "taken" and to == file}
    videos = {f"odd/{path.name}" for path in (footage / "odd").iterdir()} - bad.keys() - {"odd/README.md"}
    assert taken == videos | {"ADL-Rundle-6", "crossing", f"wave/{strip.name}"}
    stays = {*bad, "odd/README.md"}
    assert tree(inbox) == {path: sha256 for path, sha256 in before.items() if path in stays}
    assert tree(project / "data/footage/new") == {path: sha for path, sha in before.items() if path not in stays}
    ledger = [json.loads(line) for line in (project / "data/ingest/new/ledger.jsonl").read_text().splitlines()]
    lines = {line["from"].removeprefix("data/inbox/"): line for line in ledger}
    assert {path: line["sha256"] for path, line in lines.items() if path in videos} == {p: before[p] for p in videos}
    assert {path: line["reason"] for path, line in lines.items() if line["to"] is None} == bad
    assert make_desk(project).arrived().units == []  # not looked at again
    shutil.copy(footage / "odd" / "white.mp4", inbox / "odd" / "zero_byte.webm")
    os.utime(inbox / "odd" / "mp4-with-audio.mp4", (1, 1))
    (inbox / "odd" / "fixture-corrupt.mkv").unlink()
    assert take_all(make_desk(project)) == {
        "odd/mp4-with-audio.mp4": ("refused", "", "no video stream"),
        "odd/zero_byte.webm": ("already there", "odd/white.mp4",
                               "the same content as data/footage/new/odd/white.mp4"),
    }  # fmt: skip
    assert sorted(make_desk(project).books.refusals()) == ["odd/mp4-with-audio.mp4", "odd/zero_empty_stsc.mp4"]


def test_equal_content_comes_in_once_and_equal_names_stay_apart(
    inbox: Path, make_video: MakeVideo, tmp_path: Path
) -> None:
    make_video("one.mp4", seed=1)
    make_video("two.mp4", seed=2)
    project = inbox.parent.parent
    there = project / "data/footage/new"
    there.mkdir(parents=True)
    shutil.copy(tmp_path / "one.mp4", there / "clip.mp4")
    write_frames(there / "walk", 3)
    shutil.copytree(there / "walk", inbox / "again")
    shutil.copytree(there / "walk", inbox / "labelled")
    (inbox / "labelled" / "gt.txt").write_text("1,1")
    write_frames(inbox / "walk", 3, seed=1)
    shutil.copy(tmp_path / "one.mp4", inbox / "old.mp4")
    shutil.copy(tmp_path / "two.mp4", inbox / "clip.mp4")
    shutil.copy(tmp_path / "two.mp4", inbox / "twin.mp4")
    assert take_all(make_desk(project)) == {
        "again": ("already there", "walk", "the same content as data/footage/new/walk"),
        "clip.mp4": ("taken", "clip-2.mp4", ""),
        "labelled": ("refused", "", "the frames of data/footage/new/walk, with other files beside them"),
        "old.mp4": ("already there", "clip.mp4", "the same content as data/footage/new/clip.mp4"),
        "twin.mp4": ("already there", "clip-2.mp4", "the same content as data/footage/new/clip-2.mp4"),
        "walk": ("taken", "walk-2", ""),
    }
    assert sorted(path.name for path in inbox.iterdir()) == ["labelled"]
    assert files.sha256_of(there / "clip.mp4") == files.sha256_of(tmp_path / "one.mp4")
    assert files.sha256_of(there / "clip-2.mp4") == files.sha256_of(tmp_path / "two.mp4")


def test_an_archive_goes_when_all_in_it_is_taken(inbox: Path, make_video: MakeVideo, tmp_path: Path) -> None:
    make_video("bend/one.mp4", seed=1)
    make_video("two.mp4", seed=2)
    write_frames(tmp_path / "walk", 2)
    shutil.make_archive(str(inbox / "dance"), "gztar", tmp_path, "bend")  # all in one folder
    with zipfile.ZipFile(inbox / "mixed.zip", "w") as packed:
        for path in [tmp_path / "two.mp4", *sorted((tmp_path / "walk").iterdir())]:
            packed.write(path, path.relative_to(tmp_path))
        packed.writestr("README.txt", "how it was filmed")
        packed.writestr("bad.mp4", b"\0 not a film")
    with zipfile.ZipFile(inbox / "evil.zip", "w") as packed:
        packed.writestr("../../out.mp4", "x")
    project = inbox.parent.parent
    done = take_all(make_desk(project))
    evil = done.pop("evil.zip")
    assert evil[0] == "refused"
    assert "out.mp4" in evil[2]
    assert done == {
        "dance.tar.gz!bend/one.mp4": ("taken", "bend/one.mp4", ""),
        "mixed.zip!two.mp4": ("taken", "mixed/two.mp4", ""),
        "mixed.zip!walk": ("taken", "mixed/walk", ""),
        "mixed.zip!bad.mp4": ("refused", "", "not a video that can be read (Invalid data found when processing input)"),
        "mixed.zip!README.txt": ("refused", "", "no footage"),
    }
    assert sorted(path.name for path in inbox.iterdir()) == ["evil.zip", "mixed.zip"]
    assert not list((project / "data/ingest/new").glob("unpacked*"))
    assert make_desk(project).arrived().units == []
    refused = make_desk(project).books.refusals()
    assert isinstance(refused["mixed.zip"], Refusal)
    assert refused["mixed.zip"].reason == (
        "taken but for bad.mp4 (not a video that can be read (Invalid data found when processing input)); "
        "README.txt (no footage); remove it, or pack it anew"
    )


def test_what_an_inbox_must_not_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"inboxes.new.footage is '../x'; name a folder below the project"):
        Desk(tmp_path, "new", Inbox(inbox="data/inbox", footage="../x")).check()
    with pytest.raises(ValueError, match="lie in one another"):
        Desk(tmp_path, "new", Inbox(inbox="data/footage/new/in", footage="data/footage/new")).check()
    with pytest.raises(ValueError, match=r"the inbox /no/such/place does not exist; mount it, or correct inboxes.new"):
        Desk(tmp_path, "new", Inbox(inbox="/no/such/place", footage="data/footage/new")).check()


def test_too_large_a_file_and_links_are_refused(inbox: Path, make_video: MakeVideo, tmp_path: Path) -> None:
    make_video("one.mp4")
    shutil.copy(tmp_path / "one.mp4", inbox / "one.mp4")
    (inbox / "link.mp4").symlink_to(tmp_path / "one.mp4")
    (inbox / "folder").symlink_to(tmp_path)
    os.mkfifo(inbox / "pipe.mp4")
    link = ("refused", "", "a symbolic link; put the file itself into the inbox")
    done = take_all(make_desk(inbox.parent.parent, largest_file_gib=1e-6))
    assert done == {
        "folder": link, "link.mp4": link, "pipe.mp4": ("refused", "", "not a regular file"),
        "one.mp4": ("refused", "", "0.0 GiB is more than largest_file_gib 1e-06 allows"),
    }  # fmt: skip


def test_a_file_that_kills_who_opens_it_is_refused_in_the_end(
    inbox: Path, make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.ingest import desk as module

    make_video("one.mp4")
    shutil.copy(tmp_path / "one.mp4", inbox / "a.mp4")
    shutil.copy(tmp_path / "one.mp4", inbox / "deadly.mp4")
    desk, examine = make_desk(inbox.parent.parent), module.examine

    def opening(root: Path, unit: Unit, *rest: Any) -> Any:
        return die() if unit.path == "deadly.mp4" else examine(root, unit, *rest)

    monkeypatch.setattr(module, "examine", opening)
    assert [fork(lambda: take_all(desk)) for _ in range(2)] == [9, 9]
    assert take_all(desk) == {
        "a.mp4": ("taken", "a.mp4", ""),
        "deadly.mp4": (
            "refused", "", "the process died 2 times while it was being opened; touch it to have it opened again",
        ),
    }  # fmt: skip
    monkeypatch.setattr(module, "examine", examine)
    os.utime(inbox / "deadly.mp4", (1, 1))
    assert take_all(desk)["deadly.mp4"][0] == "already there"


def test_a_link_to_the_inbox_is_no_copy_of_what_lies_there(inbox: Path, make_video: MakeVideo, tmp_path: Path) -> None:
    make_video("one.mp4", 5)
    project = inbox.parent.parent
    (project / "data/footage/new").mkdir(parents=True)
    (project / "data/footage/new/linked.mp4").symlink_to(inbox / "one.mp4")
    shutil.copy(tmp_path / "one.mp4", inbox / "one.mp4")
    write_frames(inbox / "walk", 2)
    (inbox / "walk" / os.fsdecode(b"caf\xe9.txt")).write_text("of a name that DVC cannot record")
    assert take_all(make_desk(project)) == {
        "one.mp4": ("taken", "one.mp4", ""),
        "walk": ("refused", "", r"holds a name with characters that no table can hold (caf\xe9.txt); rename it"),
    }
    assert (project / "data/footage/new/one.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()


def test_across_file_systems_nothing_is_copied_that_cannot_be_removed(
    inbox: Path, make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video("one.mp4", 5)
    shutil.copy(tmp_path / "one.mp4", inbox / "one.mp4")

    def rename(*_: Any) -> None:
        raise OSError(errno.EXDEV, "another file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        patch.setattr(os, "access", lambda path, mode: not (Path(path) == inbox and mode == os.W_OK))
        done = take_all(make_desk(inbox.parent.parent))
    reason = "cannot be moved (no permission to remove it from the inbox); it is tried again"
    assert done == {"one.mp4": ("waiting", "", reason)}
    assert tree(inbox.parent / "footage") == {}


def test_a_servers_clock_and_a_servers_leases(
    inbox: Path, make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video("one.mp4", 5)
    shutil.copy(tmp_path / "one.mp4", inbox / "one.mp4")
    os.utime(inbox / "one.mp4", (2**32, 2**32))  # a camera's clock: no reason to wait
    at, device = (inbox / "one.mp4").stat().st_ctime, inbox.stat().st_dev
    waits = {}
    for behind in (-11, 0, 30, 3500, 3700):  # our clock, as against the one that wrote
        monkeypatch.setattr(time, "time", lambda behind=behind: at - behind)
        waits[behind] = bool(find(inbox, 10).waiting)
    assert waits == {-11: False, 0: True, 30: True, 3500: True, 3700: False}
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"36 22 {os.major(device)}:{os.minor(device)} / /mnt/a\\040b rw shared:9 - nfs4 server:/a rw,vers=4.2\n"
    )
    assert writers.file_system(inbox, mounts) == "nfs4"
    assert writers.file_system(inbox, tmp_path / "none") == ""
    with (inbox / "one.mp4").open("ab"):
        assert find(inbox, 0).waiting == ["one.mp4"]
        monkeypatch.setattr(writers, "file_system", lambda folder: "nfs4")
        assert find(inbox, 0).waiting == []


def test_names_that_look_like_members_and_names_that_no_table_holds(
    inbox: Path, make_video: MakeVideo, tmp_path: Path
) -> None:
    make_video("one.mp4", 5)
    (inbox / "help!.mp4").write_bytes(b"\0 no film")
    with zipfile.ZipFile(inbox / "wow!.zip", "w") as packed:
        packed.write(tmp_path / "one.mp4", "-rf!.mp4")
        packed.writestr("bad!.mp4", b"\0 no film")
    for name in ("line\nfeed.mp4", os.fsdecode(b"caf\xe9.mp4")):
        shutil.copy(tmp_path / "one.mp4", inbox / name)
    desk = make_desk(inbox.parent.parent)
    bad = "not a video that can be read (Invalid data found when processing input)"
    names = "its name holds characters no table can; rename it"
    assert take_all(desk) == {
        "help!.mp4": ("refused", "", bad), "wow!.zip!-rf!.mp4": ("taken", "wow!/-rf!.mp4", ""),
        "wow!.zip!bad!.mp4": ("refused", "", bad), "line\\nfeed.mp4": ("refused", "", names),
        "caf\\xe9.mp4": ("refused", "", names),
    }  # fmt: skip
    assert take_all(desk) == {}
    assert {path: row.reason for path, row in desk.books.refusals().items()} == {
        "help!.mp4": bad, "line\\nfeed.mp4": names, "caf\\xe9.mp4": names,
        "wow!.zip": f"taken but for bad!.mp4 ({bad}); remove it, or pack it anew",
    }  # fmt: skip


def test_what_nobody_may_read_keeps_nothing_else_waiting(
    inbox: Path, make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video("one.mp4")
    shutil.copy(tmp_path / "one.mp4", inbox / "z.mp4")
    (inbox / "shut").mkdir()
    shutil.copy(tmp_path / "one.mp4", inbox / "shut" / "a.mp4")
    scandir = os.scandir

    def denied(path: Any = ".") -> Any:  # whoever runs the tests may be root, who may read everything
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    done = take_all(make_desk(inbox.parent.parent))
    assert done == {
        "shut": ("refused", "", f"the folder {inbox / 'shut'} cannot be read (Permission denied); "
                 "give read permission or remove it"),
        "z.mp4": ("taken", "z.mp4", ""),
    }  # fmt: skip
    monkeypatch.undo()
    assert take_all(make_desk(inbox.parent.parent))["shut/a.mp4"][0] == "already there"


def test_one_at_a_time(inbox: Path, make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.ingest.desk.WAIT_SECONDS", 0.1)
    make_video("one.mp4")
    shutil.copy(tmp_path / "one.mp4", inbox / "one.mp4")
    desk = make_desk(inbox.parent.parent)
    with desk.alone(), pytest.raises(locks.BusyError, match="another ingest of new is at work"), desk.alone():
        raise AssertionError
    with locks.footage(desk.project), pytest.raises(locks.BusyError, match="in use by a stage"):
        desk.take(desk.arrived().units)
    assert (inbox / "one.mp4").is_file()
    assert take_all(desk) == {"one.mp4": ("taken", "one.mp4", "")}


@pytest.mark.parametrize("across", [False, True], ids=["one file system", "two"])
def test_killed_at_any_moment_every_file_is_whole_and_there_once(across: bool, tmp_path: Path) -> None:
    from tests.conftest import true_frames, write_video

    other = Path("/dev/shm") / f"rushes-{tmp_path.name}-{os.getpid()}"
    if across and (not other.parent.is_dir() or other.parent.stat().st_dev == tmp_path.stat().st_dev):
        pytest.skip("there is no second file system here")
    media = tmp_path / "media"
    (media / "dance").mkdir(parents=True)
    for name, seed in {"a.mp4": 1, "dance/b.mp4": 2, "dance/same.mp4": 2, "packed.mp4": 3, "packed2.mp4": 4}.items():
        write_video(media / name, true_frames(5, seed=seed))
    write_frames(media / "walk", 3)
    (media / "bad.mp4").write_bytes(b"\0 no film")
    with zipfile.ZipFile(media / "pair.zip", "w") as packed:
        for name in ("packed.mp4", "packed2.mp4"):
            packed.write(media / name, name)
            (media / name).unlink()
    sums = tree(media)
    pair = {
        n: files.sha256_of_bytes(zipfile.ZipFile(media / "pair.zip").read(f"{n}.mp4")) for n in ("packed", "packed2")
    }
    command = [
        sys.executable,
        "-m",
        "tests.tasks._ingest_kill",
        str(tmp_path),
        str(media),
        str(other) if across else "-",
    ]
    try:
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=200)
    finally:
        shutil.rmtree(other, ignore_errors=True)
    footage = {path: sums[path] for path in ("a.mp4", "dance/b.mp4", *(f"walk/00000{n}.png" for n in (1, 2, 3)))}
    footage |= {f"pair/{name}.mp4": sha256 for name, sha256 in pair.items()}
    everything = {*footage.values(), sums["bad.mp4"]}
    ended = json.loads(done.stdout)
    assert len(ended) == (4 if across else 9)
    for point, life in ended.items():
        assert life["deaths"] == [9, 0], (point, done.stderr)
        left = [sha for place in life["died"].values() for path, sha in place.items() if ".rushes-" not in path]
        inside = set(left) | (set(pair.values()) if "pair.zip" in life["died"]["inbox"] else set())
        assert inside >= everything, point  # whole, also at that moment
        assert life["ended"] == {"inbox": {"bad.mp4": sums["bad.mp4"]}, "footage": footage}, point
        told = Counter(line["to"] for line in life["ledger"] if line["to"])
        names = ("a.mp4", "dance/b.mp4", "walk", "pair/packed.mp4", "pair/packed2.mp4")
        assert told == dict.fromkeys((f"data/footage/new/{name}" for name in names), 1), point
