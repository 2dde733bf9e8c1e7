"""Reading along spans: the frames, times and pixels of an independent decode from the start, whatever is sought."""

from __future__ import annotations

import dataclasses
import itertools
import random
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import av
import imageio_ffmpeg
import numpy as np
import pytest

from tasks import media
from tasks.media import MediaError
from tests.conftest import hurt_packet, number_of, true_frames, write_video

FRAMES = 240
X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "12", "-bf", "3", "-g", "48"]
TIMES = ["-fps_mode", "passthrough", "-enc_time_base", "demux"]
OPEN = ["-x264-params", "open-gop=1:keyint=24:min-keyint=24:scenecut=0"]
REFRESH = ["-bf", "0", "-x264-params", "intra-refresh=1:keyint=24"]
X265 = ["-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params"]
VPX = ["-b:v", "1M", "-g", "40", "-cpu-used", "8", "-deadline", "realtime"]
ARF = ["-b:v", "400k", "-g", "60", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-cpu-used", "4"]


class Variant(NamedTuple):
    """A film made from frames whose numbers are drawn into them."""

    source: str  # at a constant or at a variable rate
    settings: list[str]
    entries: int | None  # places at which its reading may begin, the start among them; None: it is read from the start


VARIANTS = {
    "plain.mp4": Variant("cfr", X264, 5),
    "vfr.mp4": Variant("vfr", [*X264, *TIMES], 5),
    "vfr.mkv": Variant("vfr", [*X264, *TIMES], 5),
    "vfr.mov": Variant("vfr", [*X264, *TIMES], 5),
    "vfr.flv": Variant("vfr", [*X264, *TIMES], 5),
    "fragments.mp4": Variant("cfr", [*X264, "-movflags", "frag_keyframe+empty_moov"], 5),
    "open.mp4": Variant("cfr", [*X264, *OPEN], 1),
    "refresh.mp4": Variant("cfr", [*X264, *REFRESH], 1),
    "hevc.mp4": Variant("cfr", [*X265, "keyint=40:min-keyint=40:bframes=4:log-level=error:pools=none"], 6),
    "vp8.webm": Variant("vfr", ["-c:v", "libvpx", *VPX, *TIMES], 6),
    "vp9.webm": Variant("vfr", ["-c:v", "libvpx-vp9", *VPX, *TIMES], 6),
    "hidden.webm": Variant("cfr", ["-c:v", "libvpx", *ARF], 4),  # packets that show no frame
    "sorenson.flv": Variant("cfr", ["-c:v", "flv1", "-g", "40", "-q:v", "2"], 6),
    "mpeg4.mp4": Variant("cfr", ["-c:v", "mpeg4", "-g", "40", "-bf", "2", "-q:v", "2"], 1),
    "stream.ts": Variant("cfr", X264, 1),
    "no-times.avi": Variant("cfr", X264, None),
    "edited.mp4": Variant("plain.mp4", ["-c", "copy"], 4),  # from 2.5 s on: an edit list hides 14 frames
}
SPANS = [
    [(0.9, 1.3)],
    [(4.01, 4.6), (4.6, 5.0), (6.0, 6.04)],  # two that touch, one of a frame
    [(0.0, 0.2), (3.1, 3.5), (6.3, float("inf"))],
    [(2.0, 2.3), (2.5, 2.6), (7.0, 7.001), (99.0, 100.0)],  # nearer to one another than key frames; none in the last
]


def ffmpeg(*arguments: object) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    truth, draw = true_frames(FRAMES, 64, 96), random.Random(1)
    steps = [draw.choice([20, 40, 40, 60, 200]) for _ in range(FRAMES - 1)]
    write_video(folder / "cfr.mkv", truth)
    write_video(folder / "vfr.mkv", truth, times=[0, *itertools.accumulate(steps)])
    (folder / "vfr.mkv").rename(folder / "vfr-source.mkv")
    for name, (source, settings, _) in VARIANTS.items():
        found = {"cfr": "cfr.mkv", "vfr": "vfr-source.mkv"}.get(source, source)
        passes = [["-pass", k, "-passlogfile", folder / name] for k in (1, 2)] if name.startswith("hidden") else [[]]
        for one in passes:
            begin = ["-ss", "2.5"] if name.startswith("edited") else []
            ffmpeg(*begin, "-i", folder / found, *settings, *one, folder / name)
    return folder


def independent(path: Path) -> list[tuple[int, float, np.ndarray]]:
    """Every frame by plain PyAV on one thread, from the start, nothing of ours."""
    rows: list[tuple[int, float, np.ndarray]] = []
    first = 0
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        for number, frame in enumerate(container.decode(video=0)):
            assert not frame.is_corrupt
            first = frame.pts if number == 0 else first
            rows.append((number, float((frame.pts - first) * frame.time_base), frame.to_ndarray(format="rgb24")))
    return rows


def same(found: list[Any], truth: list[tuple[int, float, np.ndarray]], spans: list[tuple[float, float]]) -> bool:
    wanted = [row for row in truth if any(a <= row[1] < b for a, b in spans)]
    assert [row[:2] for row in found] == [row[:2] for row in wanted]
    np.testing.assert_array_equal([row[2] for row in found], [row[2] for row in wanted])
    return bool(wanted)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_spans_hold_what_an_independent_decode_shows(films: Path, name: str) -> None:
    info = media.probe(films / name)
    truth = independent(films / name)
    if info.container == "avi":  # no times of its own: frame k is the k-th
        truth = [(k, k / 25, pixels) for k, _, pixels in truth]
    assert (info.frames, info.index and len(info.index.entries)) == (len(truth), VARIANTS[name].entries)
    shift = number_of(truth[0][2])
    for spans in SPANS:
        found = list(media.read_frames(films / name, spans=spans, info=info))
        assert same(found, truth, spans)
        assert [number_of(pixels) - shift for _, _, pixels in found] == [number for number, _, _ in found]


def test_the_hidden_frames_and_the_key_frames_are_known(films: Path) -> None:
    hidden = media.probe(films / "hidden.webm")
    assert hidden.index is not None
    assert len(hidden.index.packets) > hidden.frames == FRAMES
    assert media.probe(films / "plain.mp4").keyframe_seconds == (0.0, 1.92, 3.84, 5.76, 7.68)
    # An open group of pictures: key frames for the container, but frames after them may need what lies before.
    assert media.probe(films / "open.mp4").keyframe_seconds == tuple(k * 24 / 25 for k in range(10))


@pytest.mark.parametrize("threads", [1, 2])
def test_what_lies_before_a_key_frame_is_not_decoded(films: Path, tmp_path: Path, threads: int) -> None:
    """Damage in the first group of pictures is met from the start, but not from the third."""
    hurt = hurt_packet(films / "plain.mp4", tmp_path / "hurt.mp4", 20)
    with pytest.raises(MediaError, match=r"damaged: \d+ of 240 frames decode whole, [1-9]\d* do not"):
        list(media.read_frames(hurt, threads=threads))
    spans = [(4.0, 4.5), (6.0, 7.0)]
    assert same(list(media.read_frames(hurt, spans=spans, threads=threads)), independent(films / "plain.mp4"), spans)


def test_damage_in_a_span_is_named_and_no_frame_is_made_up(films: Path, tmp_path: Path) -> None:
    hurt = hurt_packet(films / "plain.mp4", tmp_path / "hurt.mp4", 130)
    truth = independent(films / "plain.mp4")
    seen: list[Any] = []
    with pytest.raises(MediaError, match=r"hurt\.mp4: damaged: \d+ of 240 frames decode whole, [1-9]\d* do not"):
        seen.extend(media.read_frames(hurt, spans=[(4.0, 6.0)]))
    assert len(seen) > 10
    assert [row[0] for row in seen] == list(range(100, 100 + len(seen)))
    np.testing.assert_array_equal([row[2] for row in seen], [truth[row[0]][2] for row in seen])


def test_a_file_cut_short_is_read_from_its_start(films: Path, tmp_path: Path) -> None:
    data = (films / "vfr.mkv").read_bytes()
    (tmp_path / "short.mkv").write_bytes(data[: len(data) * 7 // 10])
    info = media.probe(tmp_path / "short.mkv")
    assert info.cut_short
    assert info.index is None
    spans = [(2.0, 2.5), (info.duration_seconds - 1, 99.0)]
    truth = [row for row in independent(films / "vfr.mkv") if row[0] < info.frames]
    assert same(list(media.read_frames(tmp_path / "short.mkv", spans=spans)), truth, spans)


def test_a_recording_that_begins_within_a_group_of_pictures(films: Path, tmp_path: Path) -> None:
    """What cannot be decoded at its beginning is no frame, is said, and moves no time."""
    data = (films / "stream.ts").read_bytes()
    (tmp_path / "late.ts").write_bytes(data[len(data) // 10 // 188 * 188 :])
    truth = independent(tmp_path / "late.ts")
    info = media.probe(tmp_path / "late.ts")
    assert info.times_seconds == tuple(seconds for _, seconds, _ in truth)
    assert number_of(truth[0][2]) == 48
    lead = int(info.note.removeprefix("its first ").split()[0])
    assert info.note == f"its first {lead} frames need what lies before the file begins"
    assert 10 < lead < 48
    spans = [(1.0, 1.5), (4.0, 4.1)]
    assert same(list(media.read_frames(tmp_path / "late.ts", spans=spans)), truth, spans)


def test_an_index_that_lies_costs_time_and_no_frame(films: Path) -> None:
    """Whatever was read of the packets before: what is met has to agree, or the file is read from its start."""
    path, spans = films / "vfr.mp4", [(4.0, 4.5), (9.0, 9.5)]
    info, truth = media.probe(path), independent(path)
    index = info.index
    assert index is not None
    inside = next(place for place, (at, _) in enumerate(index.entries) if at * info.time_base > 4) - 1
    (shown_at, place), places = index.entries[inside], index.packets
    other = tuple((places[at + 5] or 0, at + 5) if at else (0, 0) for _, at in index.entries)
    lies = [
        dataclasses.replace(index, entries=other),  # no key frames
        dataclasses.replace(index, packets=(*places[: place + 9], -1, *places[place + 10 :])),  # another packet
        dataclasses.replace(index, packets=places[: place + 9]),  # fewer of them
        dataclasses.replace(index, entries=((0, 0), (shown_at, 3))),  # another place
    ]
    for lie in lies:
        wrong = dataclasses.replace(info, index=lie)
        assert same(list(media.read_frames(path, spans=spans, info=wrong)), truth, spans)


def test_the_caller_may_leave_out_frames_and_stop(films: Path) -> None:
    asked: list[float] = []

    def choose(seconds: float) -> bool:
        asked.append(seconds)
        return len(asked) % 10 == 1

    spans = [(4.0, 4.4), (6.0, 8.0)]
    found = media.read_frames(films / "plain.mp4", spans=spans, choose=choose, until_seconds=6.8)
    assert [number for number, _, _ in found] == [100, 150, 160]
    assert asked == [number / 25 for number in [*range(100, 110), *range(150, 170)]]
    one = media.read_frames(films / "plain.mp4", spans=[(4.0, 8.0)])
    assert next(one)[0] == 100
    one.close()
    assert list(media.read_frames(films / "plain.mp4", spans=[])) == []


@pytest.mark.parametrize("spans", [[(2.0, 1.0)], [(1.0, 1.0)], [(3.0, 4.0), (1.0, 2.0)], [(1.0, 3.0), (2.0, 4.0)]])
def test_spans_have_to_ascend(films: Path, spans: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="spans have to ascend without overlap, each start < end"):
        list(media.read_frames(films / "plain.mp4", spans=spans))


def test_scenes_of_spans_begin_anew_and_else_are_those_of_the_whole(films: Path) -> None:
    whole = list(media.video_scenes(films / "vfr.mp4"))
    spans = [(3.0, 4.0), (4.0, 4.5), (9.0, 9.7)]
    found = list(media.video_scenes(films / "vfr.mp4", spans=spans))
    assert [s.number for s in found] == [s.number for s in whole if any(a <= s.seconds < b for a, b in spans)]
    for a, b in spans:
        mine = [s for s in found if a <= s.seconds < b]
        assert mine[0][2:4] == (0.0, 0.0)
        assert mine[2:] == whole[mine[2].number : mine[-1].number + 1]
        assert [s.brightness for s in mine] == [whole[s.number].brightness for s in mine]


@pytest.mark.parametrize("name", ["lossless.mkv", "video.mp4", "full.mp4", "deep.mkv"])
def test_brightness_is_mean_luma_whatever_the_pixel_format(tmp_path: Path, name: str) -> None:
    """Five colours, each on half a picture: BT.601 luma, from RGB, video levels, full range and 10 bits."""
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (255, 255, 255)], np.uint8)
    frames = np.zeros((5, 32, 64, 3), np.uint8)
    frames[:, :, :32] = colours[:, None, None]
    write_video(tmp_path / "source.mkv", frames)
    settings = {
        "lossless.mkv": ["-c", "copy"],
        "video.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv420p"],
        "full.mp4": ["-vf", "scale=out_range=pc", "-c:v", "libx264", "-pix_fmt", "yuvj420p"],
        "deep.mkv": ["-c:v", "libx264", "-pix_fmt", "yuv420p10le"],
    }
    ffmpeg("-i", tmp_path / "source.mkv", *settings[name], tmp_path / name)
    found = [scene.brightness for scene in media.video_scenes(tmp_path / name)]
    np.testing.assert_allclose(found, [0.1495, 0.2935, 0.057, 0.251, 0.5], atol=0.006)
