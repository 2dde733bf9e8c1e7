"""Videos made of new footage: every frame in its place, the sound, the bounds, and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import models
from tasks import between, media
from tasks.interpolate import interpolate
from tasks.tracking import Loaded
from tasks.tracking.rendering import save_render
from tests.conftest import MakeVideo, number_of, true_frames, write_video
from tests.tasks._tiny import know_tiny

H, W = 32, 48


@dataclasses.dataclass
class CrossFade:
    """Every picture the inputs' mean, weighted by time; it notes the shapes it is asked for."""

    uri: str = "models:/rushes-fade@champion"
    recipe: str = "fade"
    kind: str = "interpolate"
    input: dict[str, Any] = dataclasses.field(default_factory=lambda: {"gray": False, "height_px": 8, "width_px": 8})
    inputs: tuple[int, ...] = (0, 6)
    outputs: tuple[int, ...] = (1, 2, 3, 4, 5)
    renders: bool = True
    asked: list[tuple[int, ...]] = dataclasses.field(default_factory=list)

    def render(self, frames_BNHWC: np.ndarray, times_M: Sequence[float]) -> np.ndarray:
        assert frames_BNHWC.dtype == np.uint8
        self.asked.append((*frames_BNHWC.shape, len(times_M)))
        unit = frames_BNHWC.astype(np.float32) / 255
        t = np.asarray(times_M, np.float32)[None, :, None, None, None]
        answer: np.ndarray = (1 - t) * unit[:, :1] + t * unit[:, 1:]
        return answer


def flat(levels: Sequence[float], height_px: int = H, width_px: int = W) -> np.ndarray:
    """One frame of each level: uint8 (len, H, W, 3)."""
    return np.full((1, height_px, width_px, 3), 1, np.uint8) * np.array(levels, np.uint8)[:, None, None, None]


def levels_of(path: Path) -> np.ndarray:
    """The mean level of every frame of a video."""
    return np.array([frame.mean() for _, _, frame in media.read_frames(path)])


def facts(path: Path) -> tuple[int, Fraction, Fraction]:
    """By PyAV: frames that decode, frame rate, duration in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.duration is not None
        return (
            sum(1 for _ in container.decode(stream)),
            Fraction(stream.average_rate),
            stream.duration * stream.time_base,
        )


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    """Every packet of the sound: its time on the clock of the first picture, and its bytes."""
    with av.open(str(path)) as container:
        first = float(container.streams.video[0].start_time * container.streams.video[0].time_base)
        found = [p for p in container.demux(container.streams.audio[0]) if p.size]
        return [(float(p.pts * p.time_base) - first, bytes(p)) for p in found]


@pytest.mark.parametrize(("slow", "rate", "seconds"), [(False, 150, Fraction(3, 25)), (True, 25, Fraction(18, 25))])
def test_every_frame_is_in_its_place(tmp_path: Path, slow: bool, rate: int, seconds: Fraction) -> None:
    write_video(tmp_path / "a.mp4", flat([100, 112, 106]))
    rows = interpolate(CrossFade(), [tmp_path / "a.mp4"], tmp_path / "b.mp4", slow=slow)
    expected = [100, 102, 104, 106, 108, 110, 112, 111, 110, 109, 108, 107, *[106] * 6]  # the last one stays
    np.testing.assert_allclose(levels_of(tmp_path / "b.mp4"), expected, atol=1)
    assert facts(tmp_path / "b.mp4") == (18, rate, seconds)
    assert rows == [
        {
            "source": rows[0]["source"], "path": "a.mp4", "frames": 3, "video": "b.mp4", "video_frames": 18,
            "frames_per_second": rate, "seconds": pytest.approx(float(seconds)), "cuts": 0, "sound": "none",
        }
    ]  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_the_sources_frames_stand_in_the_video_at_its_size(tmp_path: Path, make_video: MakeVideo) -> None:
    make_video("a.mp4", count=40, height_px=49, width_px=65, rate=30)  # odd: one line and one column more
    interpolate(CrossFade(), [tmp_path / "a.mp4"], tmp_path / "b.mp4", times=3)
    shown = [frame for _, _, frame in media.read_frames(tmp_path / "b.mp4")]
    assert {frame.shape for frame in shown} == {(50, 66, 3)}
    assert [number_of(frame) for frame in shown[::3]] == list(range(40))
    assert facts(tmp_path / "b.mp4") == (120, 90, Fraction(40, 30))


def with_sound(path: Path, codec: str, seconds: float = 1.0, first_picture_seconds: float = 0.0) -> None:
    """A tone beside 25 frames a second; the pictures may begin later."""
    rate = 48_000
    options = {"strict": "experimental"} if codec == "vorbis" else {}
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=25)
        pictures.height, pictures.width, pictures.pix_fmt = H, W, "yuv420p"
        tone = container.add_stream(codec, rate=rate, options=options)
        tone.layout = "stereo"
        wave = (8000 * np.sin(np.arange(int(seconds * rate)) / 20)).astype(np.int16)
        resampler = av.AudioResampler(
            format=tone.format.name, layout="stereo", rate=rate, frame_size=tone.frame_size or 0
        )
        sound = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
        sound.sample_rate, sound.pts = rate, 0
        for piece in [*resampler.resample(sound), *resampler.resample(None)]:
            container.mux(tone.encode(piece))
        container.mux(tone.encode(None))
        for k in range(round(seconds * 25)):
            frame = av.VideoFrame.from_ndarray(flat([100 + k % 10])[0], format="rgb24")
            frame.pts, frame.time_base = k + round(first_picture_seconds * 25), Fraction(1, 25)
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))


@pytest.mark.parametrize(("name", "late"), [("a.mp4", 0.0), ("a.mkv", 0.2)])
def test_sound_is_copied_and_stays_with_the_pictures(tmp_path: Path, name: str, late: float) -> None:
    with_sound(tmp_path / name, "aac", first_picture_seconds=late)
    [row] = interpolate(CrossFade(), [tmp_path / name], tmp_path / "b.mp4", times=2)
    before, after = sound_packets(tmp_path / name), sound_packets(tmp_path / "b.mp4")
    assert [data for _, data in after] == [data for _, data in before]
    np.testing.assert_allclose([t for t, _ in after], [t for t, _ in before], atol=0.002)  # mkv counts milliseconds
    assert (row["sound"], facts(tmp_path / "b.mp4")) == ("copied", (50, 50, 1))


def test_sound_that_an_mp4_does_not_hold_is_encoded_anew_and_slow_motion_has_none(tmp_path: Path) -> None:
    with_sound(tmp_path / "a.mkv", "pcm_s16le")
    said: list[str] = []
    [row] = interpolate(CrossFade(), [tmp_path / "a.mkv"], tmp_path / "b.mp4", times=2, say=said.append)
    with av.open(str(tmp_path / "b.mp4")) as container:
        [tone] = container.streams.audio
        assert (row["sound"], tone.codec_context.name) == ("encoded anew", "aac")
        assert float(tone.duration * tone.time_base) == pytest.approx(1.0, abs=0.05)
    [row] = interpolate(CrossFade(), [tmp_path / "a.mkv"], tmp_path / "c.mp4", times=2, slow=True, say=said.append)
    with av.open(str(tmp_path / "c.mp4")) as container:
        assert (row["sound"], len(container.streams.audio)) == ("none", 0)
    assert said[1] == "a.mkv: without its sound, which would be 2 times slower"


def test_frames_at_uneven_times_are_rendered_for_an_even_clock(tmp_path: Path) -> None:
    times = [0, 40, 60, 180, 200, 240]  # ms; the brightness grows by one level in 10 ms
    write_video(tmp_path / "a.mp4", flat([100 + t / 10 for t in times]), times=times)
    assert not between.clock_of(tmp_path, _source(tmp_path, "a.mp4"), 4).even
    interpolate(CrossFade(), [tmp_path / "a.mp4"], tmp_path / "b.mp4", times=4)
    count, rate, seconds = facts(tmp_path / "b.mp4")
    length = media.probe(tmp_path / "a.mp4").duration_seconds
    assert (count, float(seconds), float(rate)) == (24, pytest.approx(length), pytest.approx(24 / length))
    at = 1000 * np.arange(24) / float(rate)
    np.testing.assert_allclose(levels_of(tmp_path / "b.mp4"), 100 + np.minimum(at, 240) / 10, atol=2)


def _source(root: Path, name: str) -> Any:
    from tasks import new_footage

    [(_, source)] = new_footage.sources([root / name], "test", [])
    return source


def _shown(levels: Sequence[int], seconds: Sequence[float], clock: between.Clock) -> tuple[list[int], dict[str, int]]:
    counts = {"read": 0, "written": 0, "cuts": 0}
    source = zip(itertools.count(), seconds, flat(levels))
    shown = [int(frame[0, 0, 0]) for frame in between.Video(CrossFade(), clock, counts).frames(source)]
    assert counts["written"] == len(shown)
    return shown, counts


def test_nothing_is_blended_across_a_cut_or_a_hole() -> None:
    clock = between.Clock(10.0, 4, True, 0.1)
    shown, counts = _shown([20, 24, 200, 204], [0.0, 0.1, 0.2, 0.3], clock)
    assert shown == [20, 21, 22, 23, 24, 24, 200, 200, 200, 201, 202, 203, 204, 204, 204, 204]  # the nearer one
    assert counts["cuts"] == 1
    shown, _ = _shown([20, 24, 28], [0.0, 0.1, 1.3], clock)
    assert shown == [20, 21, 22, 23, *[24] * 48, *[28] * 4]  # 1.2 s without a frame: what a player shows
    shown, _ = _shown([20, 24, 32], [0.0, 0.1, 0.3], clock)
    assert shown == [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, *[32] * 4]  # one image missing in a sequence


@given(st.integers(2, 40), st.integers(2, 12), st.floats(1, 240), st.floats(0, 0.24), st.integers(0, 9))
def test_the_count_is_exact_for_every_rate_and_jitter(
    frames: int, times: int, rate: float, jitter: float, seed: int
) -> None:
    wobble = np.random.default_rng(seed).uniform(-jitter, jitter, frames)
    wobble[0] = 0.0
    seconds = (np.arange(frames) + wobble) / rate
    even = between.Clock(rate, times, True, 1 / rate)
    places = [even.place(s) for s in seconds]
    assert places == [times * k for k in range(frames)]
    assert even.end(places[-1]) == frames * times

    uneven = between.Clock(rate, times, False, float(frames / rate - seconds[-1]))
    places = [uneven.place(s) for s in seconds]
    inner = [between.shares_between(a, b) for a, b in itertools.pairwise(places)]
    assert all(0 <= s < 1 for shares in inner for s in shares)
    assert all(shares == sorted(shares) for shares in inner)
    held = uneven.end(places[-1]) - sum(map(len, inner))
    assert uneven.end(places[-1]) == frames * times
    assert held >= 1


def test_a_gray_model_keeps_the_colours(tmp_path: Path) -> None:
    frames = np.zeros((2, H, W, 3), np.uint8)
    frames[0], frames[1] = (200, 40, 100), (180, 60, 110)
    write_video(tmp_path / "a.mp4", frames)
    model = CrossFade(input={"gray": True})
    interpolate(model, [tmp_path / "a.mp4"], tmp_path / "b.mp4", times=2)
    shown = np.stack([frame.mean(axis=(0, 1)) for _, _, frame in media.read_frames(tmp_path / "b.mp4")])
    np.testing.assert_allclose(shown, [(200, 40, 100), (190, 50, 105), (180, 60, 110), (180, 60, 110)], atol=2)
    assert model.asked == [(1, 2, H, W, 1, 1)] * 3


def test_large_pictures_are_rendered_a_few_times_at_once(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", flat([100, 110], 720, 1280))
    model = CrossFade()
    interpolate(model, [tmp_path / "a.mp4"], tmp_path / "b.mp4", times=6)
    assert [asked[-1] for asked in model.asked] == [2, 2, 1]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A real network, exported and loaded as the registry does it."""
    know_tiny()
    torch.manual_seed(0)
    model = models.build("tiny_interpolator", height_px=24, width_px=32).eval()
    folder = tmp_path_factory.mktemp("exported")
    save_render(model, folder)
    settings = {"gray": False, "height_px": 24, "width_px": 32}
    return Loaded(
        "models:/rushes-tiny/1",
        "tiny",
        "1",
        "interpolate",
        settings,
        (0, 6),
        (1, 2, 3, 4, 5),
        True,
        folder,
    )


def test_sequences_and_folders_of_any_size_into_a_folder(tmp_path: Path, exported: Loaded) -> None:
    def images(folder: Path, count: int, height_px: int, width_px: int) -> None:
        folder.mkdir(parents=True)
        for k in range(count):
            Image.fromarray(flat([90 + 4 * k], height_px, width_px)[0]).save(folder / f"{k + 1:06d}.png")

    images(tmp_path / "footage" / "MOT-1" / "img1", 4, 60, 81)
    (tmp_path / "footage" / "MOT-1" / "seqinfo.ini").write_text("[Sequence]\nframeRate=14\n")
    images(tmp_path / "footage" / "walk", 3, 10, 14)  # smaller than the model's own size
    images(tmp_path / "footage" / "one" / "img1", 1, 60, 80)
    (tmp_path / "footage" / "broken.mp4").write_bytes(b"\x00\x01not a video")
    out = tmp_path / "out"
    rows = interpolate(exported, [tmp_path / "footage"], out, times=5)
    assert [(row["path"], row["frames"], row["video_frames"]) for row in rows] == [
        ("footage/MOT-1", 4, 20),
        ("footage/walk", 3, 15),
    ]
    assert [facts(out / row["video"]) for row in rows] == [(20, 70, Fraction(4, 14)), (15, 125, Fraction(3, 25))]
    assert [media.probe(out / row["video"]).width_px for row in rows] == [82, 14]
    assert pd.read_csv(out / "results.csv").to_dict("records") == rows
    rejects = pd.read_csv(out / "rejects.csv")
    assert rejects["path"].tolist() == ["footage/broken.mp4", "footage/one"]
    assert rejects["reason"].tolist()[1] == "1 frame: there is nothing between"
    np.testing.assert_allclose(levels_of(out / rows[1]["video"])[::5], [90, 94, 98], atol=2)


def test_what_cannot_be_done_is_said(tmp_path: Path, make_video: MakeVideo) -> None:
    make_video("a.mp4", count=3)
    make_video("two/b.mp4", count=3)
    make_video("two/c.mp4", count=3)
    good, out = tmp_path / "a.mp4", tmp_path / "out.mp4"
    wrong: list[tuple[CrossFade, Path, Path, dict[str, Any], str]] = [
        (CrossFade(kind="reconstruct"), good, out, {},
         r"rushes-fade@champion is of kind 'reconstruct', not 'interpolate'; use: rushes reconstruct fade FOOTAGE"),
        (CrossFade(inputs=(0, 1), outputs=(2, 3)), good, out, {}, r"is shown the frames \[0, 1\] and answers \[2, 3\]"),
        (CrossFade(inputs=(0, 3, 6)), good, out, {}, r"is shown the frames \[0, 3, 6\]"),
        (CrossFade(renders=False), good, out, {}, r"at 8 x 8 px and no other .*: pix2pix with config\.variant"),
        (CrossFade(), good, out, {"times": 1}, "times is 1; from 2 to 100"),
        (CrossFade(), tmp_path / "nowhere.mp4", out, {}, "nowhere.mp4 does not exist"),
        (CrossFade(), good, tmp_path / "out.webm", {}, r"out\.webm would be a \.webm video; only \.mp4 is written"),
        (CrossFade(), tmp_path / "two", out, {}, r"2 sources \(two/b\.mp4, two/c\.mp4, \.\.\.\) do not fit into one"),
        (CrossFade(), good, good, {}, r"a\.mp4 is the footage itself"),
    ]  # fmt: skip
    before = good.read_bytes()
    for model, path, target, settings, message in wrong:
        with pytest.raises(ValueError, match=message):
            interpolate(model, [path], target, **settings)
    assert good.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "two"]


def test_a_source_that_breaks_off_leaves_what_was_there(tmp_path: Path, make_video: MakeVideo) -> None:
    make_video("whole.mp4", count=200, lossless=False)
    data = bytearray((tmp_path / "whole.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = os.urandom(600)
    (tmp_path / "broken.mp4").write_bytes(data)
    (tmp_path / "out.mp4").write_bytes(b"an earlier one")
    with pytest.raises(ValueError, match=r"broken\.mp4: "):
        interpolate(CrossFade(), [tmp_path / "broken.mp4"], tmp_path / "out.mp4", times=2)
    assert (tmp_path / "out.mp4").read_bytes() == b"an earlier one"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.mp4", "out.mp4", "whole.mp4"]


@pytest.mark.parametrize("rate", [136 / 29.600148, 180_000 / 1001, 23.98 * 3])
def test_no_frame_is_lost_to_an_unusual_rate(tmp_path: Path, rate: float) -> None:
    media.encode_video(itertools.repeat(flat([50], 16, 16)[0], 1000), tmp_path / "a.mp4", frames_per_second=rate)
    count, held, seconds = facts(tmp_path / "a.mp4")
    assert (count, float(held), float(seconds)) == (1000, pytest.approx(rate), pytest.approx(1000 / rate))


def test_three_frames_of_a_long_source_are_alive_at_once() -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()

    class Kept(np.ndarray):
        """Hashable by itself, so that it can be counted."""

        __hash__ = object.__hash__

    def endless() -> Iterator[tuple[int, float, np.ndarray]]:
        for k in itertools.count():
            frame = flat([100 + k % 3])[0].view(Kept)
            alive.add(frame)
            yield k, k / 25, frame

    counts = {"read": 0, "written": 0, "cuts": 0}
    shown = between.Video(CrossFade(), between.Clock(25.0, 6, True, 0.04), counts).frames(endless())
    for frame in itertools.islice(shown, 1200):
        assert frame.shape == (H, W, 3)
        assert len(alive) <= 3


PEAKS = """
import sys
from pathlib import Path
from tasks.interpolate import interpolate
from tests.tasks.test_interpolate import CrossFade
def say(line):
    status = Path("/proc/self/status").read_text().split()
    print(int(status[status.index("VmHWM:") + 1]) // 1024, line, flush=True)
say("start")
interpolate(CrossFade(), [Path(sys.argv[1])], Path(sys.argv[2]), times=2, say=say)
"""


def peaks_of(film: Path, out: Path) -> list[int]:
    """Peak resident memory in MiB of a process of its own: at the start, and after every 100 frames."""
    command = [sys.executable, "-c", PEAKS, str(film), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=True)
    return [int(line.split()[0]) for line in done.stdout.splitlines()]


def write_long(path: Path, frames: list[np.ndarray], count: int) -> None:
    """The frames forwards and back, over and over, in H.264 with its long distances between key frames."""
    film = itertools.islice(itertools.cycle([*frames, *frames[::-1]]), count)
    media.encode_video(film, path, frames_per_second=25)


@pytest.mark.torture
def test_memory_does_not_grow_with_the_length_of_a_film(tmp_path: Path) -> None:
    write_long(tmp_path / "long.mp4", list(true_frames(20, 240, 320)), 900)
    peaks = peaks_of(tmp_path / "long.mp4", tmp_path / "out.mp4")
    assert len(peaks) == 11
    assert peaks[-1] < peaks[0] + 100  # 33 on this film; 234 where decord decodes it ahead


@pytest.mark.torture
def test_memory_stays_under_2_gib_on_a_long_film(tmp_path: Path, footage: Path) -> None:
    frames = [frame for _, _, frame in media.read_frames(footage / "mot" / "vtest.avi", until_seconds=6.0)]
    write_long(tmp_path / "long.mp4", frames, 3000)
    peaks = peaks_of(tmp_path / "long.mp4", tmp_path / "out.mp4")
    assert len(peaks) == 32
    assert peaks[-1] < 2048
    assert peaks[-1] < peaks[3] + 60
    assert facts(tmp_path / "out.mp4") == (6000, 50, 120)
