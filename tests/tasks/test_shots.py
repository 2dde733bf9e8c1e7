"""Shot cuts: on drawn films cut at known frames, in awkward containers, and on a real trailer beside ffmpeg itself."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import ffmpeg
import imageio_ffmpeg
import numpy as np
import pytest

from tasks import footage as footage_
from tasks import media, shots
from tasks.params import Dataset, Shots, Split, Subclips
from tasks.plans import Plan
from tasks.shots import Found
from tests.conftest import true_frames, write_video

LOW = Shots(threshold=0.2)
TRAILER = "trailers/sintel_trailer_480x204.mp4"


def film(lengths: Sequence[int]) -> np.ndarray:
    """uint8 (frame, 48, 64, 3): shots of so many frames, in each a texture of its own that moves a pixel a frame."""
    shots_of_it = []
    for seed, length in enumerate(lengths):
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
        ground = coarse.repeat(8, 0).repeat(8, 1)
        shots_of_it += [np.roll(ground, k, axis=1) for k in range(length)]
    return np.stack(shots_of_it)


def listed(root: Path, subclips: Subclips | None = None) -> list[Plan]:
    """Every source, to be looked through whole."""
    sources, rejects = footage_.list_sources(root, Dataset(footage="x", label="none", split=Split(test=("1",))))
    assert rejects == []
    return [Plan.of(root, source, subclips) for source in sources]


def begun(found: Found) -> list[tuple[int, int, float]]:
    return [(shot.shot, shot.first_frame, round(shot.start_seconds, 9)) for shot in found.shots]


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
def test_cuts_are_found_to_the_frame(tmp_path: Path, name: str) -> None:
    """AVI keeps no times of its own; mp4 and mkv have B-frames, whose times begin late."""
    write_video(tmp_path / name, film([9, 14, 1, 20]), lossless=False, rate=10)
    found = shots.find(tmp_path, listed(tmp_path), LOW)
    assert found.rejects == []
    assert begun(found) == [(0, 0, 0.0), (1, 9, 0.85), (2, 23, 2.25), (3, 24, 2.35)]
    assert [shot.score is None for shot in found.shots] == [True, False, False, False]


def test_a_start_lies_between_frames_whatever_their_times(tmp_path: Path) -> None:
    times = [0, 7, 133, 140, 700, 950]  # ms
    write_video(tmp_path / "a.mkv", film([3, 3]), times=times)
    found = shots.find(tmp_path, listed(tmp_path), LOW)
    assert begun(found) == [(0, 0, 0.0), (1, 3, 0.1365)]
    shown = [seconds for _, seconds, _ in media.read_frames(tmp_path / "a.mkv")]
    assert shown[2] < found.shots[1].start_seconds < shown[3]


def test_frame_folders_have_shots_too(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "walk").mkdir()
    for number, frame in enumerate(film([4, 5]), 11):
        Image.fromarray(frame).save(tmp_path / "walk" / f"{number}.png")
    found = shots.find(tmp_path, listed(tmp_path), LOW)
    assert begun(found) == [(0, 11, 0.0), (1, 15, 3.5 / 25)]


def test_only_what_is_new_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        write_video(tmp_path / f"{name}.mkv", film([4, 5]))
    decoded = []
    real = shots.look_through
    monkeypatch.setattr(shots, "look_through", lambda job: decoded.append(job.plan.source.path) or real(job))
    first = shots.find(tmp_path, listed(tmp_path), LOW)
    assert decoded == ["a.mkv", "b.mkv", "c.mkv"]
    write_video(tmp_path / "b.mkv", film([7, 5]))
    write_video(tmp_path / "d.mkv", film([6]))
    second = shots.find(tmp_path, listed(tmp_path), LOW, first, 1)
    assert decoded[3:] == ["b.mkv", "d.mkv"]
    whole = shots.find(tmp_path, listed(tmp_path), LOW)
    assert second == whole
    decoded.clear()
    for changed in (Shots(threshold=0.3), Shots(threshold=0.2, split=False)):
        shots.find(tmp_path, listed(tmp_path), changed, whole, 1)
    shots.find(tmp_path, listed(tmp_path, Subclips(count=1, seconds=0.3, start_seconds=0)), LOW, whole, 1)
    assert decoded == ["a.mkv", "b.mkv", "c.mkv", "d.mkv"] * 3


def test_damage_is_a_reject_and_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        write_video(tmp_path / f"{name}.mkv", film([4, 5]))
    write_video(tmp_path / "hurt.mp4", true_frames(60, 96, 128), lossless=False)
    data = bytearray((tmp_path / "hurt.mp4").read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 200] = bytes(200)
    (tmp_path / "hurt.mp4").write_bytes(data)
    monkeypatch.setattr(shots, "PARALLEL_PIXELS", 0)
    one = shots.find(tmp_path, listed(tmp_path), LOW)
    assert shots.find(tmp_path, listed(tmp_path), LOW, workers=2) == one
    (reject,) = one.rejects
    assert {shot.source[:2] for shot in one.shots} == {row.source[:2] for row in one.paces} == {"a-", "b-"}
    assert reject.path == "hurt.mp4"
    assert reject.reason.startswith("damaged: ")


def by_ffmpeg(path: Path, threshold: float) -> list[float]:
    """Times of the first frames of shots, by the bundled ffmpeg itself."""
    stream = ffmpeg.input(f"file:{path}").video.filter("select", f"gte(scene,{threshold})").filter("showinfo")
    _, log = stream.output("pipe:", format="null").run(
        cmd=[imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin"], capture_stdout=True, capture_stderr=True
    )
    return [float(found) for found in re.findall(rb"pts_time:([\d.]+)", log)]


def test_a_real_trailer_is_cut_where_ffmpeg_cuts_it(footage: Path) -> None:
    """Looked at by eye: each of these frames shows another picture than the one before."""
    name = Path(TRAILER).name
    (plan,) = [plan for plan in listed(footage / "trailers") if plan.source.path == name]
    found = shots.find(footage / "trailers", [plan], LOW)
    assert [shot.first_frame for shot in found.shots] == [0, 398, 406, 422, 573, 623, 660, 674]
    early = dataclasses.replace(plan, subclips=Subclips(count=1, seconds=20, start_seconds=0))
    assert begun(shots.find(footage / "trailers", [early], LOW)) == begun(found)[:4]
    inside = dataclasses.replace(
        plan, subclips=Subclips(count=2, seconds=4.5, start_seconds=16.7)
    )  # sought, 401 to 617
    assert begun(shots.find(footage / "trailers", [inside], LOW)) == [
        (0, 401, 16.7), *((k, *shot[1:]) for k, shot in enumerate(begun(found)[2:5], 1)),
    ]  # fmt: skip
    shown = {number: seconds for number, seconds, _ in media.read_frames(footage / TRAILER, until_seconds=30.0)}
    times = [shown[shot.first_frame] for shot in found.shots[1:]]
    assert times == pytest.approx(by_ffmpeg(footage / TRAILER, 0.2), abs=1e-3)
    for shot in found.shots[1:]:
        assert shown[shot.first_frame - 1] < shot.start_seconds < shown[shot.first_frame]
