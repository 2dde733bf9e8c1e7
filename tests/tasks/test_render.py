"""The built-in footage: layout, bytes, what a reader decodes, and that people really move."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tasks import media
from tasks.drawing import actions, figures
from tasks.files import sha256_of
from tasks.params import RenderedActions
from tasks.render import film, render_actions, run

SETTINGS: dict[str, Any] = {
    "seed": 3,
    "performers": 2,
    "seconds": 0.4,
    "height_px": 64,
    "width_px": 48,
    "frames_per_second": 25,
}
EXPECTED = [
    "bend/performer01_bend.mp4",
    "bend/performer02_bend.mp4",
    "jumping_jack/performer01_jumping_jack.mp4",
    "jumping_jack/performer02_jumping_jack.mp4",
    "run_in_place/performer01_run_in_place.mp4",
    "run_in_place/performer02_run_in_place.mp4",
    "squat/performer01_squat.mp4",
    "squat/performer02_squat.mp4",
    "walk/performer01_walk.mp4",
    "walk/performer02_walk.mp4",
    "wave_one_hand/performer01_wave_one_hand.mp4",
    "wave_one_hand/performer02_wave_one_hand.mp4",
    "wave_two_hands/performer01_wave_two_hands.mp4",
    "wave_two_hands/performer02_wave_two_hands.mp4",
]


def _hashes(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rendered") / "actions"
    out.mkdir()  # as DVC leaves it
    render_actions(out, **SETTINGS)
    return out


def test_the_folder_holds_these_files_and_no_others(rendered: Path) -> None:
    assert list(_hashes(rendered)) == EXPECTED
    assert [p.name for p in rendered.parent.iterdir()] == ["actions"]


def test_same_settings_same_bytes_and_another_seed_other_bytes(rendered: Path, tmp_path: Path) -> None:
    """Whatever the number of processes."""
    render_actions(tmp_path / "again", workers=2, **SETTINGS)
    assert _hashes(tmp_path / "again") == _hashes(rendered)
    render_actions(tmp_path / "again", **{**SETTINGS, "seed": 4, "performers": 1})  # and the old folder is gone
    other = _hashes(tmp_path / "again")
    assert list(other) == [name for name in EXPECTED if "performer01" in name]
    assert not set(other.values()) & set(_hashes(rendered).values())


def test_a_performer_is_the_same_however_many_others_there_are(rendered: Path, tmp_path: Path) -> None:
    render_actions(tmp_path / "one", **{**SETTINGS, "performers": 1})
    kept = {name: digest for name, digest in _hashes(rendered).items() if "performer01" in name}
    assert _hashes(tmp_path / "one") == kept


def test_a_reader_decodes_what_was_drawn(rendered: Path) -> None:
    drawn = list(film("squat", 2, seed=3, frames=10, height_px=64, width_px=48, frames_per_second=25))
    with av.open(str(rendered / "squat/performer02_squat.mp4")) as container:
        stream = container.streams.video[0]
        described = (stream.codec_context.name, stream.codec_context.pix_fmt, stream.average_rate)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert described == ("h264", "yuv420p", 25)
    assert [f.shape for f in frames] == [(64, 48, 3)] * 10
    for seen, true in zip(frames, drawn, strict=True):
        assert np.abs(seen.astype(float) - true).mean() < 6  # chroma is stored at half size


@pytest.mark.parametrize("action", sorted(actions.ACTIONS))
def test_people_move_within_the_picture(action: str) -> None:
    """Performer 3 stands before a tripod: what changes by more than the sensor's noise is the person."""
    clip = np.stack(list(film(action, 3, seed=0, frames=40, height_px=64, width_px=64, frames_per_second=12)))
    spread = clip.astype(np.float32).mean(axis=3).std(axis=0)
    assert 0.015 < (spread > 12).mean() < 0.6
    edge = np.concatenate([spread[:2].ravel(), spread[:, :1].ravel(), spread[:, -1:].ravel()])
    assert edge.max() < 12


def test_actions_move_differently() -> None:
    def traces(action: str) -> np.ndarray[Any, Any]:
        seconds = np.arange(80, dtype=np.float32) / 25
        pose = actions.choreograph(action, seconds, actions.Manner(), 0.72)
        at = figures.joints(figures.Figure(figures.Build(), ()), pose)
        return np.concatenate([at[name] for name in ("wrist_r", "wrist_l", "ankle_r", "ankle_l", "neck")], axis=1)

    moved = {action: traces(action) for action in actions.ACTIONS}
    for one, other in itertools.combinations(moved, 2):
        assert np.abs(moved[one] - moved[other]).mean() > 0.03, (one, other)


@pytest.mark.parametrize("action", sorted(actions.ACTIONS))
def test_bodies_keep_their_lengths_and_stand_on_the_ground(action: str) -> None:
    build = figures.Build()
    pose = actions.choreograph(action, np.arange(100, dtype=np.float32) / 25, actions.Manner(tempo=1.1), 0.72)
    at = figures.joints(figures.Figure(build, ()), pose)
    for a, b, length in (("shoulder_l", "elbow_l", build.upper_arm), ("knee_r", "ankle_r", build.shin)):
        np.testing.assert_allclose(np.linalg.norm(at[a] - at[b], axis=1), length, atol=1e-5)
    lower = np.minimum(at["ankle_r"][:, 1] - build.ankle, at["ankle_l"][:, 1] - build.ankle)
    assert (lower - pose.lift).min() >= 0
    assert np.abs(np.diff(np.stack(list(at.values())), axis=1)).max() < 0.16  # no joint jumps between two frames


def test_walking_stays_between_the_edges_and_turns() -> None:
    pose = actions.choreograph("walk", np.arange(500, dtype=np.float32) / 25, actions.Manner(), 0.72)
    assert np.abs(pose.place).max() < 0.72 - 0.2
    assert {1.0, -1.0} <= set(np.sign(np.diff(pose.place)))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("seed", -1, "seed is -1"),
        ("performers", 0, "performers is 0"),
        ("performers", 100, "performers is 100"),
        ("height_px", 65, "height_px is 65"),
        ("width_px", 2, "width_px is 2"),
        ("frames_per_second", 25.0, "frames_per_second is 25.0"),
        ("seconds", 0.0, "seconds is 0.0"),
        ("seconds", float("nan"), "seconds is nan"),
        ("seconds", 0.01, "seconds is 0.01"),
    ],
)
def test_settings_out_of_range_are_named_and_nothing_is_written(
    tmp_path: Path, name: str, value: object, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        render_actions(tmp_path / "actions", **{**SETTINGS, name: value})
    assert list(tmp_path.iterdir()) == []


def test_an_error_midway_leaves_the_old_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "actions"
    out.mkdir()
    (out / "old.txt").write_text("kept")
    encode, written = media.encode_video, []

    def disk_full_at_the_third(*arguments: Any, **settings: Any) -> None:
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        encode(*arguments, **settings)
        written.append(arguments[1])

    monkeypatch.setattr(media, "encode_video", disk_full_at_the_third)
    with pytest.raises(OSError, match=r"^performer01_jumping_jack\.mp4: OSError: .*No space left"):
        run(RenderedActions(draw="actions", **SETTINGS), out)
    assert len(written) == 2
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["actions", "actions/old.txt"]
