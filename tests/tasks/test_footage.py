"""What a source is: whole listings of small folders."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks import footage as footage_
from tasks.footage import Reject
from tasks.params import Dataset, GroupRule, Split
from tasks.sampling import SpanSampler
from tests.conftest import true_frames, write_video
from tests.tasks._images import truncate, write_images


def dataset(**settings: object) -> Dataset:
    return Dataset(footage="x", split=Split(test=("1",)), **settings)  # type: ignore[arg-type]


def image(path: Path, width_px: int, height_px: int, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8)
    Image.fromarray(noise).save(path)


def listed(root: Path, rules: Dataset) -> tuple[list[tuple[object, ...]], list[Reject]]:
    sources, rejects = footage_.list_sources(root, rules)
    return [(s.path, s.kind, s.label, s.group, s.frames, s.width_px, s.height_px) for s in sources], rejects


def test_every_kind_is_known_by_content(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write_video(tmp_path / "run" / "film.mkv", true_frames(7))
    (tmp_path / "run" / "film.mkv").rename(tmp_path / "run" / "film.data")
    image(tmp_path / "run" / "strip.jpeg", 40 * 5, 40)
    for number in range(8, 12):
        image(tmp_path / "run" / "walk" / f"img_{number}.png", 32, 24, number)
        image(tmp_path / "seq" / "img1" / f"{number:06d}.jpg", 20, 10, number)
    (tmp_path / "seq" / "seqinfo.ini").write_text("[Sequence]\nname=seq\nframeRate=14\n")
    (tmp_path / "seq" / "gt").mkdir()
    (tmp_path / "seq" / "gt" / "gt.txt").write_text("1,1,0,0,5,5,1,-1,-1,-1\n")
    (tmp_path / "run" / "README.md").write_text("# About")
    (tmp_path / "run" / ".hidden").write_bytes(b"\0\1")
    sources, rejects = listed(tmp_path, dataset(label="none"))
    assert rejects == []
    assert sources == [
        ("run/film.data", "video", "", "run/film.data", 7, 64, 48),
        ("run/strip.jpeg", "strip", "", "run/strip.jpeg", 5, 40, 40),
        ("run/walk", "frames", "", "run/walk", 4, 32, 24),
        ("seq", "mot", "", "seq", 4, 20, 10),
    ]
    found = {s.path: s for s in footage_.list_sources(tmp_path, dataset(label="none"))[0]}
    assert (found["seq"].frames_per_second, found["seq"].duration_seconds) == (14.0, 4 / 14)
    assert found["seq"].note == "numbered from 8"
    times = {name: [(k, t) for k, t, _ in footage_.open_frames(tmp_path, found[name])] for name in found}
    assert times["run/walk"] == [(8, 0.0), (9, 0.04), (10, 0.08), (11, 0.12)]
    assert times["seq"] == [(8, 0.0), (9, 1 / 14), (10, 2 / 14), (11, 3 / 14)]
    assert [k for k, _ in times["run/strip.jpeg"]] == [0, 1, 2, 3, 4]
    walk = [frame for _, _, frame in footage_.open_frames(tmp_path, found["run/walk"])]
    for number, frame in zip(range(8, 12), walk, strict=True):  # in order of number, not of name
        np.testing.assert_array_equal(frame, np.asarray(Image.open(tmp_path / "run" / "walk" / f"img_{number}.png")))


def test_strips_are_told_from_numbered_frames(tmp_path: Path) -> None:
    for number in range(3):
        image(tmp_path / "strips" / f"{number}.png", 16 * 8, 16)  # 8 squares: no film is that wide
        image(tmp_path / "univisium" / f"{number}.png", 32, 16)  # 2:1, numbered: frames of a wide film
        image(tmp_path / "pairs" / f"{number * 2}.png", 32, 16)  # 2:1, not one after the other: a gap
        image(tmp_path / "mixed" / f"{number}.png", 16 * (number + 2), 16)
    sources, rejects = listed(tmp_path, dataset())
    assert sources == [
        ("mixed/0.png", "strip", "mixed", "mixed/0.png", 2, 16, 16),
        ("mixed/1.png", "strip", "mixed", "mixed/1.png", 3, 16, 16),
        ("mixed/2.png", "strip", "mixed", "mixed/2.png", 4, 16, 16),
        *[(f"strips/{k}.png", "strip", "strips", f"strips/{k}.png", 8, 16, 16) for k in range(3)],
    ]
    assert rejects == [
        Reject("pairs", "subclips", "no two of its 3 images are numbered one after the other; renumber them"),
        Reject("univisium", "subclips", "lies in no class folder; move it to <class>/, or set label: none where the "
               "dataset has no classes"),
    ]  # fmt: skip
    wide, _ = listed(tmp_path / "strips", dataset(label="none", strip_frame_width_px=32))
    assert wide == [(f"{k}.png", "strip", "", f"{k}.png", 4, 32, 16) for k in range(3)]


def test_rejects_say_why(tmp_path: Path) -> None:
    root, a = tmp_path / "footage", tmp_path / "footage" / "a"
    a.mkdir(parents=True)
    (tmp_path / "outside.mp4").write_bytes(b"x")
    (a / "link.mp4").symlink_to(tmp_path / "outside.mp4")
    (a / "loop").symlink_to(root)
    (a / "nowhere.mp4").symlink_to(root / "gone.mp4")
    (a / "round.mp4").symlink_to(a / "round.mp4")
    (a / "empty.mp4").touch()
    (a / "page.mp4").write_text("<html>not found</html>")
    (a / "model.npy").write_bytes(b"\x93NUMPY\x01\x00" + bytes(200))
    (a / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (a / "line\nbreak.mp4").write_bytes(bytes(10))
    image(a / "photo.png", 30, 40)
    os.mkfifo(a / "pipe.mp4")
    sources, rejects = listed(root, dataset())
    assert sources == []
    assert [(r.path, r.reason) for r in rejects] == [
        ("a/broken.png", "not an image that can be read"),
        ("a/empty.mp4", "empty file (0 bytes)"),
        ("a/line\\nbreak.mp4", "its name holds characters no table can; rename it"),
        ("a/link.mp4", "a symbolic link that leads out of the footage folder"),
        ("a/loop", "a symbolic link to a folder is not followed"),
        ("a/model.npy", "not a video that can be read (Invalid data found when processing input)"),
        ("a/nowhere.mp4", "a symbolic link that leads nowhere"),
        ("a/page.mp4", "holds text, not a video or an image"),
        ("a/photo.png", "an image of 30 x 40 px: no strip (its width is no multiple of its height) and not one of a "
                        "folder of equal, numbered frames"),
        ("a/pipe.mp4", "not a regular file"),
        ("a/round.mp4", "a symbolic link that leads nowhere"),
    ]  # fmt: skip


def test_groups_follow_the_rule(tmp_path: Path) -> None:
    for name in ("07.png", "08.png", "15.png", "16.png", "x.png"):
        image(tmp_path / "wave" / name, 64, 8)
    rule = GroupRule(pattern=r"/(?P<group>\d+)\.png$", divide_by=8)
    sources, rejects = footage_.list_sources(tmp_path, dataset(group=rule))
    assert [(s.path, s.label, s.group) for s in sources] == [
        ("wave/07.png", "wave", "0"),
        ("wave/08.png", "wave", "1"),
        ("wave/15.png", "wave", "1"),
        ("wave/16.png", "wave", "2"),
    ]
    reason = r"group.pattern '/(?P<group>\\d+)\\.png$' does not match the path; correct the pattern or the name"
    assert rejects == [Reject("wave/x.png", "subclips", reason)]


def test_identity_is_content_and_id_is_path(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        for number in (1, 2):
            image(tmp_path / folder / f"{number}.png", 20, 30, number)
    sources, _ = footage_.list_sources(tmp_path, dataset(label="none"))
    assert sources[0].sha256 == sources[1].sha256
    assert [s.source for s in sources] == ["a-ca978112ca", "b-3e23e81600"]
    assert footage_.source_id("A/x y.mp4") != footage_.source_id("a/x-y.mp4")
    with pytest.raises(ValueError, match=r"the footage folder .*gone does not exist"):
        footage_.list_sources(tmp_path / "gone", dataset())


def test_a_gap_costs_frames_and_no_reject(tmp_path: Path) -> None:
    write_images(tmp_path / "seq" / "img1", [3, 4, 5, 7, 8, 9, 10, 11])
    truncate(tmp_path / "seq" / "img1" / "000009.jpg")
    write_images(tmp_path / "walk", range(1, 9))
    (tmp_path / "walk" / "000004.jpg").write_bytes(b"")
    sources, rejects = footage_.list_sources(tmp_path, dataset(label="none"))
    assert rejects == []
    assert [(s.path, s.kind, s.frames, s.duration_seconds, s.note) for s in sources] == [
        ("seq", "mot", 8, 9 / 25, "no seqinfo.ini; no frameRate is stated; numbered from 3; 1 frame missing: 6"),
        ("walk", "frames", 7, 8 / 25, "left out: 000004.jpg (empty file (0 bytes))"),
    ]
    sampler, lost = SpanSampler([(0.0, 1.0)]), []
    frames = footage_.open_frames(tmp_path, sources[0], sampler=sampler, lost=lost.append)
    assert [(number, seconds, sampler.span) for number, seconds, _ in frames] == [
        (3, 0.0, 0), (4, 1 / 25, 0), (5, 2 / 25, 0),
        (7, 4 / 25, 1), (8, 5 / 25, 1),
        (10, 7 / 25, 2), (11, 8 / 25, 2),
    ]  # fmt: skip
    assert lost == ["000009.jpg (the image does not decode (image file is truncated (14 bytes not processed)))"]


def test_one_sequence_under_three_detectors_is_one_source(tmp_path: Path) -> None:
    for name in ("MOT17-02-DPM", "MOT17-02-FRCNN", "MOT17-02-SDP"):
        write_images(tmp_path / name / "img1", (1, 2, 3))
        (tmp_path / name / "seqinfo.ini").write_text(f"[Sequence]\nname={name}\nframeRate=30\n")
        (tmp_path / name / "det").mkdir()
        (tmp_path / name / "det" / "det.txt").write_text(f"1,-1,0,0,9,9,{len(name)}\n")
    write_images(tmp_path / "MOT17-04-DPM" / "img1", (2, 3, 4))
    sources, rejects = footage_.list_sources(tmp_path, dataset(label="none"))
    assert rejects == []
    assert [(s.path, s.note) for s in sources] == [
        ("MOT17-02-DPM", "the same frames as in MOT17-02-FRCNN, MOT17-02-SDP"),
        ("MOT17-04-DPM", "no seqinfo.ini; no frameRate is stated; numbered from 2"),
    ]


def test_the_footage_folder_may_be_a_sequence(tmp_path: Path) -> None:
    write_images(tmp_path / "img1", (1, 2, 3))
    (source,), rejects = footage_.list_sources(tmp_path, dataset(label="none"))
    assert rejects == []
    assert (source.source, source.path, source.group, source.frames) == ("footage-cdb4ee2aea", ".", ".", 3)
    assert [number for number, _, _ in footage_.open_frames(tmp_path, source)] == [1, 2, 3]


def test_real_footage_is_listed_whole(footage: Path) -> None:
    rule = GroupRule(pattern=r"/(?P<group>\d+)\.jpg", divide_by=8)
    strips, rejects = footage_.list_sources(footage / "actions", dataset(group=rule))
    assert rejects == []
    assert {(s.kind, s.height_px, s.width_px) for s in strips} == {("strip", 64, 64)}
    assert {s.label for s in strips} == {"0", "1", "3", "4"}
    assert {s.group for s in strips} == set("0123456")
    assert len(strips) == 56
    sources, _ = footage_.list_sources(footage / "anomaly", dataset())
    assert [s.kind for s in sources] == ["frames"] * 18
    assert sum(s.frames for s in sources if "training" in s.path) == 2550
    mot, _ = footage_.list_sources(footage / "mot", dataset(label="none"))
    assert [(s.path, s.kind, s.frames, s.width_px, s.height_px, s.frames_per_second, s.note) for s in mot] == [
        ("ADL-Rundle-6", "mot", 40, 1920, 1080, 30.0, ""),
        ("otb_Crossing/img", "frames", 120, 360, 240, None, ""),
        ("vtest.avi", "video", 795, 768, 576, 10.0, ""),
    ]
