"""Reading and writing media, against videos whose frames are known and against an independent decode."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from tasks import media
from tasks.media import MediaError, encode
from tests.conftest import hurt_packet, number_of, true_frames, write_video


def read(path: Path, **choice: object) -> tuple[list[int], list[float], list[np.ndarray]]:
    rows = list(media.read_frames(path, **choice))  # type: ignore[arg-type]
    return [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]


def independent(path: Path, count: int) -> list[np.ndarray]:
    """The first frames by plain PyAV, one thread, nothing of ours."""
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            frames.append(frame.to_ndarray(format="rgb24"))
            if len(frames) == count:
                break
    return frames


def ffmpeg(*arguments: object) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60)


def test_lossless_video_is_read_exactly(make_video, tmp_path: Path) -> None:
    truth = make_video("a.mkv", 30)
    numbers, seconds, frames = read(tmp_path / "a.mkv")
    assert numbers == list(range(30))
    assert seconds == [k / 25 for k in range(30)]
    np.testing.assert_array_equal(frames, truth)


def test_decord_path_equals_pyav_and_true_frame_numbers(make_video, tmp_path: Path) -> None:
    make_video("a.mp4", 150, lossless=False)
    info = media.probe(tmp_path / "a.mp4")
    assert info.decord_is_exact
    assert (info.frames, info.frames_per_second, info.duration_seconds) == (150, 25.0, 6.0)
    _, _, frames = read(tmp_path / "a.mp4")
    assert [number_of(frame) for frame in frames] == list(range(150))
    np.testing.assert_array_equal(frames, independent(tmp_path / "a.mp4", 150))


def test_a_span_is_half_open_and_reading_stops_there(make_video, tmp_path: Path) -> None:
    make_video("a.mp4", 60, lossless=False)
    numbers, seconds, frames = read(tmp_path / "a.mp4", choose=lambda s: s >= 0.4, until_seconds=1.2)
    assert (numbers[0], numbers[-1], len(numbers)) == (10, 29, 20)
    assert (seconds[0], seconds[-1]) == (0.4, 1.16)
    assert [number_of(frame) for frame in frames] == numbers


def test_edit_list_hides_what_it_hides(make_video, tmp_path: Path) -> None:
    """A stream copy from the middle of a group of pictures: decord counts the hidden frames and shows wrong ones."""
    make_video("whole.mp4", 60, lossless=False)
    ffmpeg("-ss", "0.6", "-i", tmp_path / "whole.mp4", "-c", "copy", tmp_path / "part.mp4")
    info = media.probe(tmp_path / "part.mp4")
    _, seconds, frames = read(tmp_path / "part.mp4")
    assert not info.decord_is_exact
    assert [number_of(frame) for frame in frames] == list(range(15, 60))
    assert seconds[:2] == [0.0, 0.04]
    assert (info.frames, info.claimed_frames) == (45, 50)


def test_variable_rate_keeps_every_time(tmp_path: Path) -> None:
    times = [0, 40, 80, 200, 240, 600, 640, 1000]
    truth = write_video(tmp_path / "vfr.mkv", true_frames(8), times=times)
    _, seconds, frames = read(tmp_path / "vfr.mkv")
    assert seconds == [t / 1000 for t in times]
    np.testing.assert_array_equal(frames, truth)


def test_damage_is_named_and_no_frame_is_made_up(make_video, tmp_path: Path) -> None:
    make_video("a.mp4", 60, lossless=False, height_px=96, width_px=128)
    hurt_packet(tmp_path / "a.mp4", tmp_path / "hurt.mp4", 30)
    seen: list[tuple[int, float, np.ndarray]] = []
    with pytest.raises(MediaError, match=r"hurt\.mp4: damaged: \d+ of 60 frames decode whole, \d+ do not"):
        seen.extend(media.read_frames(tmp_path / "hurt.mp4"))
    assert len(seen) > 10
    np.testing.assert_array_equal([row[2] for row in seen], independent(tmp_path / "a.mp4", len(seen)))


@pytest.mark.parametrize(("name", "claim"), [("a.mp4", "100 frames, 4.00 s"), ("a.mkv", "4.00 s")])
def test_a_file_cut_short_gives_its_sound_part_and_says_so(make_video, tmp_path: Path, name: str, claim: str) -> None:
    """No hole either: the last frames were decoded ahead of some that are shown before them and are missing."""
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    make_video(name, 100, lossless=False, height_px=96, width_px=128, options=options)
    data = (tmp_path / name).read_bytes()
    short = tmp_path / f"short-{name}"
    short.write_bytes(data[: len(data) * 6 // 10])
    info = media.probe(short)
    numbers, seconds, frames = read(short)
    assert 20 < len(numbers) < 100
    assert len(numbers) == info.frames
    assert info.note == f"ends early: {info.frames} frames, {info.duration_seconds:.2f} s; the header claims {claim}"
    np.testing.assert_allclose(seconds, np.arange(len(seconds)) / 25, atol=0.001)
    np.testing.assert_array_equal(frames, independent(tmp_path / name, len(frames)))


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_rotation_is_honoured(make_video, tmp_path: Path, rotation: int, turns: int) -> None:
    make_video("flat.mp4", 5, lossless=False)
    ffmpeg("-display_rotation", rotation, "-i", tmp_path / "flat.mp4", "-c", "copy", tmp_path / "turned.mp4")
    _, _, frames = read(tmp_path / "turned.mp4")
    flat = independent(tmp_path / "flat.mp4", 5)
    np.testing.assert_array_equal(frames, [np.rot90(frame, turns) for frame in flat])
    info = media.probe(tmp_path / "turned.mp4")
    assert (info.height_px, info.width_px) == frames[0].shape[:2]


def test_pixel_aspect_is_honoured(make_video, tmp_path: Path) -> None:
    make_video("a.mp4", 3, lossless=False)
    ffmpeg("-i", tmp_path / "a.mp4", "-vf", "setsar=3/2", tmp_path / "wide.mp4")
    info = media.probe(tmp_path / "wide.mp4")
    assert (info.pixel_aspect, info.height_px, info.width_px) == (Fraction(3, 2), 48, 96)
    assert {frame.shape for frame in read(tmp_path / "wide.mp4")[2]} == {(48, 96, 3)}


@pytest.mark.parametrize("name", ["http:x.mp4", "-dash-.mp4", "concat:a|b.mp4", "a b'c\".mp4", "%03d.mp4"])
def test_hostile_names_are_files(make_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make_video("plain.mp4", 4, lossless=False)
    (tmp_path / "plain.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert [number_of(frame) for frame in read(Path(name))[2]] == [0, 1, 2, 3]
    media.encode_video(true_frames(2), Path(f"out-{name}"), frames_per_second=25)
    assert media.probe(Path(f"out-{name}")).frames == 2


def test_a_playlist_named_as_a_video_is_not_followed(make_video, tmp_path: Path) -> None:
    make_video("secret.mp4", 3, lossless=False)
    for name, text in {
        "hls.mp4": "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n",
        "list.mkv": "ffconcat version 1.0\nfile secret.mp4\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(MediaError, match="not a video that can be read"):
            media.probe(tmp_path / name)


def test_encoded_bytes_are_stable_and_odd_sizes_are_widened(tmp_path: Path) -> None:
    frames = true_frames(6, 47, 65)
    for name in ("a.mp4", "b.mp4"):
        media.encode_video(iter(frames), tmp_path / name, frames_per_second=29.97)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    back = read(tmp_path / "a.mp4")[2]
    assert {frame.shape for frame in back} == {(48, 66, 3)}
    assert np.abs(np.array(back)[:, :47, :65].astype(int) - frames).mean() < 6


def test_encoding_faults_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no frame to write to .*x\.mp4"):
        media.encode_video([], tmp_path / "x.mp4", frames_per_second=25)
    with pytest.raises(ValueError, match=r"is uint8 \(8, 8, 3\), the first was uint8 \(48, 64, 3\)"):
        media.encode_video([true_frames(1)[0], np.zeros((8, 8, 3), np.uint8)], tmp_path / "x.mp4", frames_per_second=25)
    with pytest.raises(ValueError, match=r"ffmpeg could not write .*x\.mp4 \(exit"):
        media.encode_video(true_frames(3), tmp_path / "x.mp4", frames_per_second=-1)
    with pytest.raises(OSError, match=r"could not write .*x\.mp4 \(exit 1\).*No space left"):
        encode.pour(true_frames(3), tmp_path / "x.mp4", lambda *_: ["sh", "-c", "cat > /dev/full"])
    assert list(tmp_path.iterdir()) == []


def test_resize_fits() -> None:
    wide = np.zeros((2, 8, 3), np.uint8)
    wide[:, :, 0] = [0, 0, 80, 120, 160, 200, 0, 0]
    assert media.resize(wide, 2, 4, "crop", False)[:, :, 0].tolist() == [[80, 120, 160, 200]] * 2
    assert media.resize(wide, 1, 4, "stretch", False)[:, :, 0].tolist() == [[0, 100, 180, 0]]
    assert media.resize(wide, 4, 4, "pad", False)[:, :, 0].tolist() == [[0] * 4, [0, 100, 180, 0], [0] * 4, [0] * 4]
    gray = media.resize(np.full((4, 4, 3), (255, 0, 0), np.uint8), 4, 4, "crop", True)
    assert gray.shape == (4, 4, 1)
    assert set(gray.ravel().tolist()) == {76}  # 0.299 * 255


def test_images(tmp_path: Path) -> None:
    truth = true_frames(1)[0]
    Image.fromarray(truth).save(tmp_path / "a.png")
    np.testing.assert_array_equal(media.read_image(tmp_path / "a.png"), truth)
    Image.fromarray((np.arange(12, dtype=np.uint16) * 5000).reshape(3, 4)).save(tmp_path / "deep.png")
    assert media.read_image(tmp_path / "deep.png")[..., 1].ravel().tolist() == [k * 5000 >> 8 for k in range(12)]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(truth).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(media.read_image(tmp_path / "turned.png"), np.rot90(truth, 3))
    assert media.image_size(tmp_path / "turned.png") == (64, 48)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "b.jpg")
    data = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match="does not decode"):
        media.read_image(tmp_path / "half.jpg")
