"""The built-in trailers: bytes, containers, the stated formula, and that the frames show what truth.csv says."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tasks import media, render
from tasks.drawing import camera_moves, titles
from tasks.files import sha256_of
from tasks.params import RenderedTrailers
from tasks.render_trailers import factors, script_of, signal_of

FILMS = 4
SETTINGS: dict[str, Any] = {
    "draw": "trailers",
    "seed": 3,
    "films": FILMS,
    "shortest_seconds": 10.0,
    "longest_seconds": 12.0,
    "frames_per_second": 15,
}
NAMES = (
    "the-quiet-echo_trailer.mp4",
    "the-brass-tunnel_trailer.mov",
    "the-gentle-mountain_trailer.webm",
    "the-scarlet-frontier_trailer.flv",
)
CUT_SCORE = 0.2
Film = tuple[np.ndarray[Any, np.dtype[np.uint8]], dict[str, str]]


def _settings(**changes: Any) -> RenderedTrailers:
    return RenderedTrailers.model_validate({**SETTINGS, **changes})


def _render(out: Path, workers: int = 1, **changes: Any) -> dict[str, str]:
    render.run(_settings(**changes), out, workers)
    return {p.relative_to(out).as_posix(): sha256_of(p) for p in sorted(out.rglob("*")) if p.is_file()}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    out = tmp_path_factory.mktemp("rendered") / "trailers"
    out.mkdir()  # as DVC leaves it
    return out, _render(out)


@pytest.fixture(scope="module")
def films(rendered: tuple[Path, dict[str, str]]) -> list[Film]:
    """The decoded frames, (T, H, W, 3), and the row of truth.csv of every film."""
    out = rendered[0]
    return [
        (np.stack([frame for _, _, frame in media.read_frames(out / row["file"], threads=1)]), row)
        for row in _rows(out / "truth.csv")
    ]


def test_the_folder_holds_the_films_and_their_ratings_and_nothing_else(rendered: tuple[Path, dict[str, str]]) -> None:
    out, found = rendered
    assert sorted(found) == sorted([*NAMES, "ratings.csv", "truth.csv"])
    assert [p.name for p in out.parent.iterdir()] == ["trailers"]
    truth = _rows(out / "truth.csv")
    assert tuple(row["file"] for row in truth) == NAMES
    assert [row["title"] for row in truth] == [
        "The Quiet Echo", "The Brass Tunnel", "The Gentle Mountain", "The Scarlet Frontier",
    ]  # fmt: skip
    assert _rows(out / "ratings.csv") == [
        {"Title": row["title"], "Score": f"{float(row['score']):.2f}"} for row in truth
    ]


def test_bytes_depend_on_nothing_but_the_settings(rendered: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """Not on the number of processes, and a film not on how many there are."""
    more = _render(tmp_path / "more", workers=2, films=FILMS + 1)
    assert {name: more[name] for name in NAMES} == {name: rendered[1][name] for name in NAMES}
    assert _rows(tmp_path / "more" / "truth.csv")[:FILMS] == _rows(rendered[0] / "truth.csv")
    other = _render(tmp_path / "other", seed=4, height_px=32, width_px=48)
    assert not set(rendered[1].values()) & set(other.values())


def test_the_containers_are_what_their_names_say_and_have_sound(rendered: tuple[Path, dict[str, str]]) -> None:
    found = {}
    for number, name in enumerate(NAMES, start=1):
        info, path = media.probe(rendered[0] / name), rendered[0] / name
        assert info.frames == sum(script_of(_settings(), number).lengths)
        assert (info.height_px, info.width_px) == (72, 128)
        assert info.duration_seconds == pytest.approx(info.frames / 15, abs=0.05)
        with av.open(str(path)) as container:
            sound = container.streams.audio[0]
            found[path.suffix] = (container.format.name, container.streams.video[0].codec.name, sound.codec.name)
            assert (sound.rate, sound.channels) == (11025, 1)
            heard = sum(frame.samples for frame in container.decode(sound)) / 11025
        assert heard == pytest.approx(info.frames / 15, abs=0.2)  # MP3 pads both ends by a packet or two
    assert found == {
        ".mp4": ("mov,mp4,m4a,3gp,3g2,mj2", "h264", "aac"),
        ".mov": ("mov,mp4,m4a,3gp,3g2,mj2", "h264", "pcm_s16le"),
        ".webm": ("matroska,webm", "vp8", "vorbis"),
        ".flv": ("flv", "flv", "mp3float"),
    }
    assert (rendered[0] / NAMES[1]).read_bytes()[4:12] == b"ftypqt  "


def test_scores_follow_the_stated_formula(rendered: tuple[Path, dict[str, str]]) -> None:
    for row in _rows(rendered[0] / "truth.csv"):
        c = (float(row["cuts_per_minute"]) - 18) / 12
        m = (float(row["motion_widths_per_second"]) - 0.055) / 0.045
        b = (float(row["brightness"]) - 0.45) / 0.25
        assert float(row["signal"]) == pytest.approx(5.5 + 1.2 * m + 2.4 * c * b, abs=1e-4)
        assert float(row["score"]) == pytest.approx(float(row["signal"]) + float(row["noise"]), abs=0.006)
    assert signal_of(30, 0.1, 0.7) == pytest.approx(5.5 + 1.2 + 2.4)
    assert signal_of(6, 0.01, 0.7) == pytest.approx(5.5 - 1.2 - 2.4)


def test_noise_is_of_the_deviation_asked_for_and_scores_stay_on_the_scale(tmp_path: Path) -> None:
    tiny = {"height_px": 32, "width_px": 32, "shortest_seconds": 10.0, "longest_seconds": 10.0, "frames_per_second": 5}
    _render(tmp_path / "none", noise_deviation=0.0, films=8, **tiny)
    _render(tmp_path / "much", noise_deviation=3.0, films=8, **tiny)
    none, much = (_rows(tmp_path / name / "truth.csv") for name in ("none", "much"))
    assert [float(row["score"]) for row in none] == [round(float(row["signal"]), 2) for row in none]
    assert [row["signal"] for row in much] == [row["signal"] for row in none]
    assert all(
        row["score"] == str(round(np.clip(float(row["signal"]) + float(row["noise"]), 0, 10), 2)) for row in much
    )
    draws = [3.0 * np.random.default_rng((_settings().seed, number, 3)).standard_normal() for number in range(1, 501)]
    assert [float(row["noise"]) for row in much] == [round(draw, 4) for draw in draws[:8]]
    assert np.std(draws) == pytest.approx(3.0, rel=0.1)
    assert abs(np.mean(draws)) < 0.4


def test_decoded_frames_are_as_bright_as_stated_in_every_shot(films: list[Film]) -> None:
    for number, (frames, row) in enumerate(films, start=1):
        script, luma = script_of(_settings(), number), frames @ np.array([0.2126, 0.7152, 0.0722]) / 255
        assert luma.mean() == pytest.approx(float(row["brightness"]), abs=0.01)
        asked = 0.45 + 0.25 * factors(3, number)[2]
        assert luma.mean() == pytest.approx(asked, abs=0.02)
        shots = np.split(luma.mean(axis=(1, 2)), np.cumsum(script.lengths)[:-1])
        assert max(abs(shot.mean() - asked) for shot in shots) <= 0.08
        assert min(frame.std() for frame in luma) > 0.05, "a picture, not a grey card"


def test_the_scene_filter_finds_every_cut_and_no_other(rendered: tuple[Path, dict[str, str]]) -> None:
    for number, row in enumerate(_rows(rendered[0] / "truth.csv"), start=1):
        cuts = np.cumsum(script_of(_settings(), number).lengths)
        scenes = list(media.video_scenes(rendered[0] / row["file"], threads=1))
        assert [s.number for s in scenes if s.score >= CUT_SCORE] == cuts[:-1].tolist()
        assert float(row["cuts_per_minute"]) == pytest.approx((len(cuts) - 1) * 60 * 15 / cuts[-1], abs=1e-4)


def test_decoded_frames_move_as_fast_as_stated(films: list[Film]) -> None:
    """Measured with tracked corners and the similarity between them: nothing of what drew the frames."""
    for number, (frames, row) in enumerate(films, start=1):
        grays, cuts = (
            [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames],
            np.cumsum(script_of(_settings(), number).lengths),
        )
        found = [_speed(a, b) for k, (a, b) in enumerate(itertools.pairwise(grays), start=1) if k not in cuts]
        sure = [speed for speed in found if speed is not None]
        assert len(sure) > 0.5 * len(found)
        assert np.mean(sure) * 15 == pytest.approx(float(row["motion_widths_per_second"]), rel=0.2), row


def _speed(before: Any, after: Any) -> float | None:
    """Root mean square displacement over the picture, in widths; None where too few corners can be followed."""
    corners = cv2.goodFeaturesToTrack(before, 80, 0.02, 4)
    if corners is None or len(corners) < 8:
        return None
    moved, there, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, winSize=(11, 11))
    kept = there.ravel() == 1
    similarity, inliers = cv2.estimateAffinePartial2D(corners[kept], moved[kept], ransacReprojThreshold=0.3)
    if similarity is None or inliers.sum() < 8:
        return None
    y, x = np.mgrid[0 : before.shape[0], 0 : before.shape[1]]
    points = np.stack([x.ravel(), y.ravel()])
    return (
        float(np.sqrt(((similarity[:, :2] @ points + similarity[:, 2:] - points) ** 2).sum(axis=0).mean()))
        / before.shape[1]
    )


@pytest.mark.parametrize("speed", [0.01, 0.04, 0.1])
@pytest.mark.parametrize("frames", [30, 200])
def test_a_camera_move_has_the_speed_asked_for_and_stays_on_the_still(speed: float, frames: int) -> None:
    for seed in range(20):
        move = camera_moves.move(frames, speed, 0.5625, 15, np.random.default_rng(seed))
        assert move.speeds(0.5625, 15).mean() == pytest.approx(speed, rel=0.03)
        half = 0.5 * np.exp(-move.zoom)[:, None] * np.array([1, 0.5625])
        still = np.array([camera_moves.ACROSS, camera_moves.UP * 0.5625])
        assert (move.middle >= half).all()
        assert (move.middle <= still - half).all()


def test_speed_is_how_far_the_points_of_the_picture_move() -> None:
    """Of a pan and of a zoom, against points that are followed one by one."""
    y, x = np.meshgrid(np.linspace(-0.28125, 0.28125, 101), np.linspace(-0.5, 0.5, 101))
    for pan, zoom in ((0.1, 0.0), (0.0, 0.02), (0.01, -0.02)):
        move = camera_moves.Move(np.array([[1.0, 0.4], [1.0 + pan, 0.4]]), np.array([0.0, zoom]), mirrored=False)
        moved = np.stack([(x - pan) * np.exp(zoom) - x, y * np.exp(zoom) - y])
        expected = np.sqrt((moved**2).sum(axis=0).mean())
        assert move.speeds(0.5625, 10)[0] == pytest.approx(10 * expected, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_factors_fill_their_range_evenly_and_are_not_correlated(seed: int) -> None:
    """Over 64 films, and with nothing else that differs between films either."""
    known = np.array([factors(seed, number) for number in range(1, 65)])
    c, m, b = known.T
    assert np.abs(known).max() <= 1
    assert np.abs(known.mean(axis=0)).max() < 0.06
    np.testing.assert_allclose(known.std(axis=0), np.sqrt(1 / 3), atol=0.03)
    seconds = [sum(script_of(_settings(seed=seed), number).lengths) for number in range(1, 65)]
    containers = [(np.arange(64) % 4 == k).astype(float) for k in range(4)]
    found = np.corrcoef(np.stack([c, m, b, c * b, seconds, *containers]))[:4]
    assert np.abs(found - np.eye(4, 9)).max() < 0.32  # of 64 pairs by chance: 0.125 on average, one in 100 this far


def test_shots_keep_to_their_film() -> None:
    settings = _settings(shortest_seconds=40.0, longest_seconds=90.0)
    for number in range(1, 33):
        script = script_of(settings, number)
        c, m, b = factors(3, number)
        lengths = np.array(script.lengths)
        assert 600 <= lengths.sum() <= 1350
        assert abs((len(lengths) - 1) - (18 + 12 * c) * lengths.sum() / 15 / 60) <= 0.5
        assert (np.abs(lengths / lengths.mean() - 1) <= 0.5).all()
        assert (np.abs(np.array(script.speeds) / (0.055 + 0.045 * m) - 1) <= 0.4).all()
        assert (np.abs(np.array(script.lumas) - (0.45 + 0.25 * b)) <= 0.08).all()
        assert np.average(script.lumas, weights=lengths) == pytest.approx(0.45 + 0.25 * b)


@pytest.mark.parametrize("seed", [0, 5])
def test_titles_are_two_words_and_all_differ(seed: int) -> None:
    named = [titles.title(number, seed) for number in range(1, 10_000)]
    assert len({name.casefold() for name in named}) == 9999
    assert all(len(name.split()) == 3 and name.startswith("The ") for name in named)


def test_a_film_that_fails_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").write_text("before")
    encode = media.encode_film

    def fails_at_the_second(frames: Any, sound: Any, path: Path, **settings: Any) -> None:
        if path.suffix == ".mov":
            raise OSError("No space left on device")
        encode(frames, sound, path, **settings)

    monkeypatch.setattr(media, "encode_film", fails_at_the_second)
    with pytest.raises(OSError, match=r"^trailer 2: OSError: No space left on device"):
        _render(tmp_path / "out")
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "kept"]


def test_a_container_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    frames, sound = [np.zeros((32, 32, 3), np.uint8)], np.zeros(100, np.int16)
    with pytest.raises(ValueError, match=r"a\.avi: films are written as \.mp4, \.mov, \.webm, \.flv"):
        media.encode_film(frames, sound, tmp_path / "a.avi", frames_per_second=15)
    with pytest.raises(ValueError, match="no frame to write"):
        media.encode_film([], sound, tmp_path / "a.webm", frames_per_second=15)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1), ("films", 3), ("shortest_seconds", 9.0), ("longest_seconds", 601.0), ("height_px", 71),
        ("width_px", 30), ("frames_per_second", 4), ("noise_deviation", -0.1),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}\n"):
        _settings(**{name: value})


def test_a_shortest_that_is_longer_than_the_longest_is_refused() -> None:
    with pytest.raises(ValueError, match="shortest_seconds is 13, more than longest_seconds, 12"):
        _settings(shortest_seconds=13.0)
