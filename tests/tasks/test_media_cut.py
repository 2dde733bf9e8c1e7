"""Subclip files: their frames, their times and their sound, against the source and an independent decode."""

from __future__ import annotations

import itertools
import random
import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from moviepy import VideoFileClip

from tasks import media
from tasks.media import MediaError, cutting
from tests.conftest import hurt_packet, number_of, true_frames, write_video

RATE, SAMPLES = 20, 22050


def ffmpeg(*arguments: object) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60)


def samples_of(path: Path, start: float, seconds: float) -> np.ndarray:
    """The sound of a file from a moment on, by plain PyAV: one channel, 16 kHz, by the clock of the first picture."""
    resampler = av.AudioResampler("flt", "mono", 16000)
    found = np.zeros(round(seconds * 16000), np.float32)
    with av.open(str(path)) as container:
        zero = next(container.decode(video=0)).time
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                at = round((part.time - zero - start) * 16000)
                values = part.to_ndarray().reshape(-1)
                low, high = max(0, -at), min(len(values), len(found) - at)
                if low < high:
                    found[at + low : at + high] = values[low:high]
    return found


def sound_seconds(path: Path) -> float | None:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        frames = list(container.decode(audio=0))
        return sum(frame.samples / frame.sample_rate for frame in frames)


def moviepy_seconds(path: Path) -> float:
    with VideoFileClip(str(path), audio=False) as clip:
        return float(clip.duration)


def flash_and_beep(path: Path, at_frame: int = 60, frames: int = 100) -> None:
    """A black film that turns white with a frame, and is silent until then."""
    pictures = np.zeros((frames, 48, 64, 3), np.uint8)
    pictures[at_frame:] = 255
    seconds = np.arange(frames * SAMPLES // RATE) / SAMPLES
    beep = np.where(seconds < at_frame / RATE, 0, 12000 * np.sin(2 * np.pi * 880 * seconds))
    media.encode_film(iter(pictures), beep.astype(np.int16), path, frames_per_second=RATE, samples_per_second=SAMPLES)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "webm", "flv", "mkv", "avi", "late.mkv"])
def test_sound_stays_with_its_picture(tmp_path: Path, suffix: str) -> None:
    """The flash and the beep of a film in every container, and of one whose clock begins at 7 s."""
    film, out = tmp_path / f"film.{suffix}", tmp_path / "part.mp4"
    made = film if suffix in ("mp4", "mov", "webm", "flv") else tmp_path / "made.mp4"
    flash_and_beep(made)
    if suffix == "late.mkv":
        ffmpeg("-i", made, "-c", "copy", "-output_ts_offset", "7", film)
    elif made != film:
        ffmpeg("-i", made, "-c:v", "mpeg4", "-q:v", "2", "-c:a", "pcm_s16le", film)
    assert media.cut(film, out, 1.02, 4.24) == 64  # frames 21 to 84
    frames = [pixels.mean() for _, _, pixels in media.read_frames(out)]
    assert next(k for k, level in enumerate(frames) if level > 128) == 60 - 21
    loud = np.abs(samples_of(out, 0.0, 3.2)) > 0.05
    assert abs(np.argmax(loud) / 16000 - (60 - 21) / RATE) < 0.03
    assert (moviepy_seconds(out), sound_seconds(out)) == (pytest.approx(3.2, abs=0.05), pytest.approx(3.2, abs=0.06))


def test_a_trailer_is_cut_to_the_frame_with_its_sound(footage: Path, tmp_path: Path) -> None:
    film, out = footage / "trailers" / "chrome_imaginary_forces.mp4", tmp_path / "part.mp4"
    start, end = 12.013, 14.5
    source = list(media.read_frames(film, spans=[(start, end)]))
    assert media.cut(film, out, start, end) == len(source)
    found = list(media.read_frames(out))
    np.testing.assert_allclose([r[1] for r in found], [r[1] - source[0][1] for r in source], atol=1e-9)
    error = [np.square(a[2].astype(float) - b[2]).mean() for a, b in zip(found, source, strict=True)]
    assert max(error) < 30  # more than 33 dB, each frame at its place
    assert abs(media.probe(out).duration_seconds - (end - start)) < 1 / 29.97
    assert abs(moviepy_seconds(out) - (end - start)) < 1 / 29.97 + 0.01
    ours, theirs = samples_of(out, 0.0, 2.4), samples_of(film, source[0][1], 2.4)
    assert np.abs(theirs).max() > 0.05
    lags = np.correlate(theirs[800:16000], ours[1600:15200], "valid")
    assert abs(int(np.argmax(lags)) - 800) <= 2  # an eighth of a millisecond


def test_a_variable_rate_stays_what_it_is(tmp_path: Path) -> None:
    draw = random.Random(2)
    times = [0, *itertools.accumulate(draw.choice([20, 40, 60, 400]) for _ in range(59))]
    write_video(tmp_path / "vfr.mkv", true_frames(60), times=times)
    start, end = times[20] / 1000, times[45] / 1000 - 0.01
    assert media.cut(tmp_path / "vfr.mkv", tmp_path / "part.mp4", start, end) == 25
    found = list(media.read_frames(tmp_path / "part.mp4"))
    assert [number_of(pixels) for _, _, pixels in found] == list(range(20, 45))
    np.testing.assert_allclose([r[1] for r in found], (np.array(times[20:45]) - times[20]) / 1000, atol=1e-9)
    assert media.probe(tmp_path / "part.mp4").duration_seconds == pytest.approx(end - start, abs=0.04)


def test_the_same_cut_gives_the_same_bytes_and_replaces_what_was_there(tmp_path: Path) -> None:
    flash_and_beep(tmp_path / "film.mp4")
    for name in ("a.mp4", "b.mp4", "b.mp4"):
        media.cut(tmp_path / "film.mp4", tmp_path / name, 2.0, 4.0)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_no_sound_where_there_is_none(make_video, tmp_path: Path) -> None:
    make_video("silent.mp4", 100, lossless=False)
    assert media.cut(tmp_path / "silent.mp4", tmp_path / "a.mp4", 0.88, 2.2) == 33
    assert [number_of(frame) for _, _, frame in media.read_frames(tmp_path / "a.mp4")] == list(range(22, 55))
    flash_and_beep(tmp_path / "film.mp4")
    ffmpeg("-i", tmp_path / "film.mp4", "-t", "2", "-i", tmp_path / "film.mp4", "-map", "0:v", "-map", "1:a",
           "-c", "copy", tmp_path / "short.mp4")  # fmt: skip
    assert media.cut(tmp_path / "short.mp4", tmp_path / "b.mp4", 1.0, 4.0) == 60
    assert media.cut(tmp_path / "short.mp4", tmp_path / "c.mp4", 2.5, 4.0) == 30
    lengths = [sound_seconds(tmp_path / f"{name}.mp4") for name in "abc"]
    assert lengths == [None, pytest.approx(1.0, abs=0.1), None]  # AAC begins and ends with a packet more


def test_odd_sizes_and_a_span_that_begins_before_the_first_key_frame_of_an_edit(make_video, tmp_path: Path) -> None:
    make_video("whole.mp4", 60, lossless=False, height_px=48, width_px=64)
    ffmpeg("-ss", "0.6", "-i", tmp_path / "whole.mp4", "-c", "copy", tmp_path / "edited.mp4")
    assert media.cut(tmp_path / "edited.mp4", tmp_path / "a.mp4", 0.1, 1.0) == 22
    assert [number_of(frame) for _, _, frame in media.read_frames(tmp_path / "a.mp4")] == list(range(18, 40))
    write_video(tmp_path / "odd.mkv", true_frames(10, 47, 65))
    assert media.cut(tmp_path / "odd.mkv", tmp_path / "b.mp4", 0.0, 0.2) == 5
    assert media.probe(tmp_path / "b.mp4").width_px == 66


@pytest.mark.parametrize(("start", "end"), [(1.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0)])
def test_a_span_has_a_start_before_its_end(make_video, tmp_path: Path, start: float, end: float) -> None:
    make_video("a.mp4", 10, lossless=False)
    with pytest.raises(ValueError, match=r"a span has 0 <= start < end, got .* s of .*a\.mp4"):
        media.cut(tmp_path / "a.mp4", tmp_path / "part.mp4", start, end)


def test_faults_leave_no_file(make_video, tmp_path: Path) -> None:
    make_video("a.mp4", 100, lossless=False)
    with pytest.raises(MediaError, match=r"a\.mp4: no frame lies in 7.000 to 9.000 s; it lasts 4.000 s"):
        media.cut(tmp_path / "a.mp4", tmp_path / "part.mp4", 7, 9)
    hurt_packet(tmp_path / "a.mp4", tmp_path / "hurt.mp4", 50)
    with pytest.raises(MediaError, match=r"hurt\.mp4: damaged: \d+ of 100 frames decode whole"):
        media.cut(tmp_path / "hurt.mp4", tmp_path / "part.mp4", 0, 4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "hurt.mp4"]


def test_what_was_written_is_read_back(make_video, tmp_path: Path) -> None:
    """Each sort of fault is found in a file that has it."""
    frames = make_video("a.mp4", 50, lossless=False)
    times = [k / 25 for k in range(50)]
    found = [
        cutting._fault(tmp_path / "a.mp4", first, shown, seconds, sounds)
        for first, shown, seconds, sounds in [
            (frames[0], times, 2.0, False),
            (frames[0], times[:-1], 1.96, False),
            (frames[0], [t * 1.01 for t in times], 2.02, False),
            (frames[0], times, 2.1, False),
            (np.roll(frames[0], 9, 1), times, 2.0, False),
            (frames[0], times, 2.0, True),
        ]
    ]
    assert found[:4] == ["", "50 frames instead of 49", "frames at other times", "2.000 s instead of 2.100 s"]
    assert found[4].startswith("another first frame (")
    assert found[5] == "moviepy finds no sound"
