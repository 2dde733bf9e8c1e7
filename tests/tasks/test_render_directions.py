"""The built-in directions: layout, bytes, that the motion is the one named, and that nothing but motion tells it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks import media, render
from tasks.files import sha256_of
from tasks.params import RenderedDirections
from tasks.render_directions import DIRECTIONS

SCENES = 12
SETTINGS: dict[str, Any] = {"draw": "directions", "seed": 3, "scenes": SCENES, "frames": 20}
Film = NDArray[np.float64]


def _render(out: Path, workers: int = 1, **changes: Any) -> dict[str, str]:
    render.run(RenderedDirections.model_validate({**SETTINGS, **changes}), out, workers)
    return {p.relative_to(out).as_posix(): sha256_of(p) for p in sorted(out.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    out = tmp_path_factory.mktemp("rendered") / "directions"
    out.mkdir()  # as DVC leaves it
    return out, _render(out)


@pytest.fixture(scope="module")
def films(rendered: tuple[Path, dict[str, str]]) -> dict[tuple[str, int], Film]:
    """By direction and scene: the decoded frames, grey, (T, H, W)."""
    return {
        (direction, scene): _gray(rendered[0] / direction / f"scene{scene:03d}_{direction}.mp4")
        for direction in DIRECTIONS
        for scene in range(1, SCENES + 1)
    }


def _gray(path: Path) -> Film:
    return np.stack([frame.astype(np.float64).mean(axis=2) for _, _, frame in media.read_frames(path)])


def test_the_folder_holds_these_files_and_no_others(rendered: tuple[Path, dict[str, str]]) -> None:
    out, found = rendered
    assert list(found) == [f"{d}/scene{n:03d}_{d}.mp4" for d in ("down", "left", "right", "up") for n in range(1, 13)]
    assert [p.name for p in out.parent.iterdir()] == ["directions"]


def test_each_video_is_of_the_size_asked_for_and_every_frame_stands_alone(tmp_path: Path) -> None:
    """A frame that is predicted from another shows, in its blocks, where things have moved."""
    for path in _render(tmp_path / "wide", scenes=1, frames=7, height_px=48, width_px=80, frames_per_second=10):
        with av.open(tmp_path / "wide" / path) as video:
            stream = video.streams.video[0]
            kinds = [(frame.height, frame.width, frame.key_frame) for frame in video.decode(stream)]
            assert (kinds, stream.average_rate) == ([(48, 80, True)] * 7, 10)


def test_same_settings_same_bytes_and_another_seed_other_bytes(
    rendered: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """Whatever the number of processes; a scene is the same however many others there are; an older folder goes."""
    first = {name: digest for name, digest in rendered[1].items() if "scene001" in name}
    assert _render(tmp_path / "again", workers=2, scenes=1) == first
    other = _render(tmp_path / "again", scenes=1, seed=4)
    assert list(other) == list(first)
    assert not set(other.values()) & set(rendered[1].values())


def _motion(film_THW: Film) -> NDArray[np.float64]:
    """The one shift, x and y in pixels a frame, that explains the changes best (least squares on the gradients).

    What stands still is taken away first. Where equally many dots go both ways the shift is about 0.
    """
    smooth = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in film_THW - np.median(film_THW, axis=0)])
    between = (smooth[1:] + smooth[:-1]) / 2
    gradients = np.stack([np.gradient(between, axis=2).ravel(), np.gradient(between, axis=1).ravel()], axis=1)
    shift: NDArray[np.float64] = np.linalg.lstsq(gradients, -np.diff(smooth, axis=0).ravel(), rcond=None)[0]
    return shift


def test_every_video_moves_as_its_folder_says(films: dict[tuple[str, int], Film]) -> None:
    across = []
    for (direction, scene), film in films.items():
        shift, unit = _motion(film), np.array(DIRECTIONS[direction])
        along = float(shift @ unit)
        across.append(float(shift @ unit[::-1]))
        assert along > 0.4, (direction, scene, shift)
        assert abs(across[-1]) < 0.7 * along, (direction, scene, shift)
    assert abs(np.mean(across)) < 0.1  # the mask goes nowhere
    assert DIRECTIONS == {"down": (0, 1), "left": (-1, 0), "right": (1, 0), "up": (0, -1)}  # y grows downwards


def test_played_backwards_left_is_right_and_up_is_down(films: dict[tuple[str, int], Film]) -> None:
    """So whatever treats the frames as a set without order cannot tell one from the other."""
    for scene in (1, 2, 3):
        for direction in DIRECTIONS:
            film = films[direction, scene]
            np.testing.assert_allclose(_motion(film[::-1]), -_motion(film), atol=1e-9)


def test_dots_of_a_scene_look_the_same_whichever_way_they_go(films: dict[tuple[str, int], Film]) -> None:
    """Nor does the ground differ, so a scene that is known tells nothing about the direction."""
    for scene in range(1, SCENES + 1):
        ground = [np.median(films[direction, scene], axis=0) for direction in DIRECTIONS]
        seen = [float(np.median(np.abs(one - ground[0]))) for one in ground]
        assert max(seen) < 2.0, (scene, seen)
        apart = float(np.median(np.abs(ground[0] - np.median(films["left", scene % SCENES + 1], axis=0))))
        assert apart > 5.0, (scene, apart)
        spread = [float(films[direction, scene].std(axis=0).mean()) for direction in DIRECTIONS]
        assert max(spread) < 1.35 * min(spread), (scene, spread)


def _streaks(picture_HW: Film) -> list[float]:
    """How rough a picture is along columns, along rows, and the share of the two: what streaks change."""
    down, along = (float(np.abs(np.diff(picture_HW, axis=axis)).mean()) for axis in (0, 1))
    return [down, along, down / along]


VIEWS = {
    "a frame": lambda film: film[7],
    "mean": lambda film: film.mean(axis=0),
    "maximum": lambda film: film.max(axis=0),
    "minimum": lambda film: film.min(axis=0),
    "change": lambda film: np.square(np.diff(film, axis=0)).mean(axis=0),
}


@pytest.mark.parametrize("view", VIEWS)
def test_without_the_order_of_the_frames_a_classifier_is_at_chance(
    films: dict[tuple[str, int], Film], view: str
) -> None:
    """Linear machines on the pixels and on the streaks, judged on scenes they have not seen."""
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    pictures = [VIEWS[view](film) for film in films.values()]
    truth, scenes = np.array([d for d, _ in films]), [s for _, s in films]
    for features in ([p.ravel() for p in pictures], [_streaks(p) for p in pictures]):
        machine = make_pipeline(StandardScaler(), LinearSVC(C=0.01, max_iter=20_000, random_state=0))
        answers = cross_val_predict(machine, np.array(features), truth, groups=scenes, cv=GroupKFold(6))
        right = int((answers == truth).sum())
        assert 5 <= right <= 19, (right, Counter(answers))  # of 48: the middle 98 % of a binomial around 12


def test_with_the_order_the_same_classifier_is_always_right(films: dict[tuple[str, int], Film]) -> None:
    """On the two numbers of the measured motion: the machines above fail for want of information."""
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.svm import LinearSVC

    motion = np.array([_motion(film) for film in films.values()])
    truth, scenes = [d for d, _ in films], [s for _, s in films]
    assert cross_val_score(LinearSVC(random_state=0), motion, truth, groups=scenes, cv=GroupKFold(6)).min() == 1.0


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", -1), ("scenes", 0), ("frames", 1), ("height_px", 65), ("width_px", 2), ("frames_per_second", 0)],
)
def test_settings_out_of_range_are_named(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name}\n"):
        RenderedDirections.model_validate({**SETTINGS, name: value})
