"""The built-in streets: layout, bytes, ground truth against what the pixels say, cameras, depth order."""

from __future__ import annotations

import configparser
import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks import media, render
from tasks.drawing import streets
from tasks.drawing.shoot import Box, shoot
from tasks.files import sha256_of
from tasks.params import RenderedStreets

SETTINGS: dict[str, Any] = {
    "draw": "streets",
    "seed": 3,
    "sequences": 2,
    "frames": 4,
    "height_px": 96,
    "width_px": 128,
    "frames_per_second": 20,
}
Picture = NDArray[np.float32]


def _render(out: Path, workers: int = 1, **changes: Any) -> dict[str, str]:
    render.run(RenderedStreets.model_validate({**SETTINGS, **changes}), out, workers)
    return {p.relative_to(out).as_posix(): sha256_of(p) for p in sorted(out.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    out = tmp_path_factory.mktemp("rendered") / "streets"
    out.mkdir()  # as DVC leaves it
    return out, _render(out)


def _street(number: int, frames: int = 2, height_px: int = 216, width_px: int = 288, seed: int = 0) -> streets.Street:
    return streets.plan(seed, number, height_px=height_px, width_px=width_px, frames=frames, frames_per_second=25)


def test_the_folder_is_in_the_motchallenge_layout(rendered: tuple[Path, dict[str, str]]) -> None:
    out, found = rendered
    assert list(found) == [
        f"{name}/{path}"
        for name in ("streets-01", "streets-02")
        for path in ("gt/gt.txt", *(f"img1/{k:06d}.jpg" for k in (1, 2, 3, 4)), "seqinfo.ini")
    ]
    assert [p.name for p in out.parent.iterdir()] == ["streets"]
    seqinfo = configparser.ConfigParser()
    seqinfo.optionxform = str  # type: ignore[assignment,method-assign]  # MOT's keys are in camel case
    seqinfo.read(out / "streets-02" / "seqinfo.ini")
    assert {name: dict(seqinfo[name]) for name in seqinfo.sections()} == {
        "Sequence": {
            "name": "streets-02",
            "imDir": "img1",
            "frameRate": "20",
            "seqLength": "4",
            "imWidth": "128",
            "imHeight": "96",
            "imExt": ".jpg",
        }
    }


def test_images_and_rows_are_those_of_the_drawn_frames(rendered: tuple[Path, dict[str, str]]) -> None:
    street = streets.plan(3, 1, height_px=96, width_px=128, frames=4, frames_per_second=20)
    rows = []
    for frame, (drawn, boxes) in enumerate(shoot(street), start=1):
        seen = media.read_image(rendered[0] / "streets-01" / "img1" / f"{frame:06d}.jpg")
        assert seen.shape == (96, 128, 3)
        change = seen.astype(float) - drawn
        assert np.abs(change.mean(axis=(0, 1))).max() < 2.5  # no channel is tinted
        assert 1 < np.abs(change.mean(axis=2)).mean() < 7  # H.264 and JPEG leave their marks
        for b in boxes:
            rows.append([frame, b.number, b.left + 1, b.top + 1, b.width, b.height, 1, 1, round(b.visibility, 3)])
    lines = (rendered[0] / "streets-01" / "gt" / "gt.txt").read_text().splitlines()
    assert [[float(value) for value in line.split(",")] for line in lines] == rows
    assert len(rows) > 8


def test_same_settings_same_bytes_and_another_seed_other_bytes(
    rendered: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """Whatever the number of processes; a sequence is the same however many others there are; an older folder goes."""
    assert _render(tmp_path / "again", workers=2) == rendered[1]
    first = {name: digest for name, digest in rendered[1].items() if name.startswith("streets-01")}
    assert _render(tmp_path / "again", sequences=1) == first
    other = _render(tmp_path / "again", sequences=1, seed=4)
    assert list(other) == list(first)
    assert [name for name in other if other[name] == first[name]] == ["streets-01/seqinfo.ini"]


def _painted(street: streets.Street, number: int, level: float) -> streets.Street:
    """The same street with one person in one colour from head to toe."""
    walkers = []
    for walker in street.walkers:
        if walker.number == number:
            parts = tuple(
                dataclasses.replace(part, texture=np.full_like(part.texture, level)) for part in walker.figure.parts
            )
            walker = dataclasses.replace(walker, figure=dataclasses.replace(walker.figure, parts=parts))
        walkers.append(walker)
    return dataclasses.replace(street, walkers=tuple(walkers))


def _first(street: streets.Street) -> Picture:
    return next(shoot(street))[0].astype(np.float32).mean(axis=2)


def _trace(street: streets.Street, number: int) -> Picture:
    """Where one person is seen in the first frame, by the pixels that change with the colour of the clothes alone."""
    return np.abs(_first(_painted(street, number, 250)) - _first(_painted(street, number, 10)))


def _measured(street: streets.Street, number: int) -> tuple[list[float], float]:
    """Left, top, right and bottom of the whole person and the share that is seen, both from pixels."""
    lone = dataclasses.replace(
        street, things=(), walkers=tuple(w for w in street.walkers if w.number == number), light=street.light * 0 + 0.8
    )
    aside = -0.5 * street.width_px / street.height_px  # the whole person, also beyond the edges, from three pictures
    parts = []
    for turn in (aside * 2, 0.0, -aside * 2):
        turned = dataclasses.replace(
            lone, camera=dataclasses.replace(lone.camera, shift=lone.camera.shift + np.float32([turn, -0.2]))
        )
        parts.append(_trace(turned, number))
    whole = np.hstack(parts)
    rows, columns = (np.flatnonzero((whole > 0.25 * whole.max()).any(axis=axis)) for axis in (1, 0))
    down = round(0.2 * street.height_px)
    assert rows[0] > 0
    assert rows[-1] < whole.shape[0] - 1
    box = [columns[0] - street.width_px, rows[0] - down, columns[-1] + 1 - street.width_px, rows[-1] + 1 - down]
    seen = _trace(dataclasses.replace(street, light=lone.light), number)
    return [float(v) for v in box], float(seen.sum() / whole.sum())


@pytest.mark.parametrize("number", [2, 3])
def test_the_ground_truth_is_what_the_pixels_say(number: int) -> None:
    """Every row of a frame: people in the open, behind others and things, and half out of the picture."""
    street = _street(number)
    _, boxes = next(shoot(street))
    for box in boxes:
        measured, share = _measured(street, box.number)
        told = [box.left, box.top, box.left + box.width, box.top + box.height]
        np.testing.assert_allclose(measured, told, atol=1.01, err_msg=str(box))
        assert share == pytest.approx(box.visibility, abs=0.04), box
    absent = {w.number for w in street.walkers if w.frames[0] == 0} - {box.number for box in boxes}
    assert all(_trace(street, walker).max() < 30 for walker in absent)
    assert min(box.visibility for box in boxes) < 0.9
    assert max(box.visibility for box in boxes) > 0.99


def test_the_nearer_hides_the_farther() -> None:
    street = _street(1)
    one, other = (w for w in street.walkers if w.number in (street.walkers[0].number, street.walkers[-1].number))
    middle = np.zeros_like(one.x) + street.camera.track[0]

    def seen(first_depth: float, second_depth: float) -> list[Box]:
        pair = [
            dataclasses.replace(
                walker, frames=(0, 2), x=middle[:2], depth=np.full(2, depth, np.float32), yaw=np.zeros(2, np.float32),
                at={name: np.repeat(at[:1], 2, axis=0) for name, at in walker.at.items()},
            )
            for walker, depth in ((one, first_depth), (other, second_depth))
        ]  # fmt: skip
        return next(shoot(dataclasses.replace(street, walkers=tuple(pair), things=())))[1]

    (front, back), (behind, before) = seen(2.6, 3.0), seen(3.0, 2.6)
    assert front.visibility == before.visibility == 1.0
    assert max(back.visibility, behind.visibility) < 0.6
    assert front.height > behind.height


@pytest.mark.parametrize("number", [1, 4, 6, 8])  # near people; each way the picture may widen or move
def test_nobody_appears_or_vanishes_within_the_picture(number: int) -> None:
    street = _street(number, frames=80, height_px=64, width_px=86)
    boxes = [shown for _, shown in shoot(street)]
    spans = {b.number: [k for k, shown in enumerate(boxes) if any(o.number == b.number for o in shown)]
             for shown in boxes for b in shown}  # fmt: skip
    come = {n: at for n, at in spans.items() if at[0] > 0}
    gone = {n: at for n, at in spans.items() if at[-1] < 79}
    assert come
    assert gone
    for n, frame in [(n, at[0]) for n, at in come.items()] + [(n, at[-1]) for n, at in gone.items()]:
        box = next(b for b in boxes[frame] if b.number == n)
        assert box.left <= 0 or box.left + box.width >= 86, (n, frame, box)


def _empty(number: int, frames: int) -> list[Picture]:
    street = dataclasses.replace(_street(number, frames=frames, height_px=144, width_px=192), walkers=(), things=())
    return [frame.astype(np.float32).mean(axis=2) for frame, _ in shoot(street)]


def test_odd_sequences_stand_still_and_even_ones_move() -> None:
    for number in range(1, 9):
        pictures = _empty(number, 9)
        change = np.abs(cv2.GaussianBlur(pictures[-1] - pictures[0], (0, 0), 1.5)).mean()
        assert change > 2.0 if number % 2 == 0 else change < 0.8, (number, change)


def test_the_camera_moves_by_as_much_as_planned() -> None:
    def moved(pictures: list[Picture], rows: slice) -> NDArray[np.float64]:
        before, after = pictures[0][rows], pictures[-1][rows]
        return np.array(cv2.phaseCorrelate(before, after, cv2.createHanningWindow(before.shape[::-1], cv2.CV_32F))[0])

    pan = _street(2, frames=4).camera
    planned = -(pan.shift[-1] - pan.shift[0]) * 144
    assert np.abs(planned).max() > 1.5
    np.testing.assert_allclose(moved(_empty(2, 4), slice(20, 80)), planned, atol=0.25)

    street, pictures = _street(4, frames=4), _empty(4, 4)
    lens, hand = street.camera.lens, -(street.camera.shift[-1] - street.camera.shift[0]) * 144
    track = float(street.camera.track[0] - street.camera.track[-1])
    wall = lens.focal * track / street.wall_depth * 144
    np.testing.assert_allclose(moved(pictures, slice(0, 40)), [wall + hand[0], hand[1]], atol=0.25)
    near = lens.focal * track / lens.depth(112 / 144) * 144  # what is near passes faster
    assert abs(near) > 2 * abs(wall)
    np.testing.assert_allclose(moved(pictures, slice(100, 125))[0], near + hand[0], atol=0.4)


def test_feet_on_the_ground_stay_behind_the_body() -> None:
    """Walking, not sliding: at every moment one foot goes much slower than the body."""
    for walker in _street(3, frames=75, height_px=64, width_px=86).walkers:
        if walker.frames != (0, 75):
            continue
        ground = np.stack([walker.x, walker.depth], axis=1)
        feet = [ground + walker.at[f"ankle_{n}"][:, [0, 2]] * np.float32([1, -1]) for n in "rl"]
        slower = np.min([np.linalg.norm(np.diff(foot, axis=0), axis=1) for foot in feet], axis=0)
        body = np.linalg.norm(np.diff(ground, axis=0), axis=1)
        assert slower.mean() < 0.4 * body.mean()


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", -1), ("sequences", 0), ("frames", 1), ("height_px", 97), ("width_px", 2), ("frames_per_second", 0)],
)
def test_settings_out_of_range_are_named(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name}\n"):
        RenderedStreets.model_validate({**SETTINGS, name: value})


def test_an_error_midway_leaves_the_old_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "streets"
    out.mkdir()
    (out / "old.txt").write_text("kept")
    encode, written = media.encode_video, []

    def disk_full_at_the_second(*arguments: Any, **settings: Any) -> None:
        if written:
            raise OSError(28, "No space left on device")
        encode(*arguments, **settings)
        written.append(arguments[1])

    monkeypatch.setattr(media, "encode_video", disk_full_at_the_second)
    with pytest.raises(OSError, match=r"^streets-02: OSError: .*No space left"):
        _render(out)
    assert len(written) == 1
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["streets", "streets/old.txt"]
