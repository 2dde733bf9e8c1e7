"""Numbered images: what is chosen and what is said, as whole values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import media, sequences
from tasks.sequences import Sequence
from tests.tasks._images import truncate, write_images


def chosen(folder: Path) -> Sequence:
    return sequences.choose(folder, sequences.look(folder, folder.parent))


def test_frames_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write_images(tmp_path / "a", [7, 8, 9, 10, 11], "walk_{}.png")
    frames = tuple((number, tmp_path / "a" / f"walk_{number}.png") for number in (7, 8, 9, 10, 11))
    assert chosen(tmp_path / "a") == Sequence(frames, height_px=10, width_px=20, note="")


def test_what_costs_a_frame_is_left_out_and_said(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    write_images(folder, [1, 2, 5, 9, 11, 12, 13])
    write_images(folder, [3], width_px=30)
    write_images(folder, [5], "{}.png")  # a second image of number 5
    (folder / "000006.jpg").touch()
    (folder / "000007.jpg").write_text("<html>not found</html>")
    (folder / "000008.jpg").write_bytes(bytes(50))
    (folder / "000010.jpg").write_bytes(b"\xff\xd8\xff" + bytes(50))
    (folder / "000014.jpg").symlink_to("/etc/hostname")
    write_images(folder, [1], "cover.jpg")
    (folder / "notes.txt").write_text("text beside the frames")
    (folder / ".DS_Store").write_bytes(bytes(9))
    found = chosen(folder)
    assert [(number, image.name) for number, image in found.frames] == [
        (number, f"{number:06d}.jpg") for number in (1, 2, 5, 9, 11, 12, 13)
    ]
    assert found.reach == 13
    assert found.note == (
        "1 frame missing: 4; left out: 000003.jpg (30 x 10 px), 000006.jpg (empty file (0 bytes)), "
        "000007.jpg (holds text, not a video or an image), 000008.jpg (holds no image), "
        "000010.jpg (not an image that can be read), and 3 more"
    )


def test_long_holes_are_said_as_ranges(tmp_path: Path) -> None:
    write_images(tmp_path / "a", [0, 1, 5, 7, 20, 99999999999])
    assert chosen(tmp_path / "a").note == "99999999994 frames missing: 2 to 4, 6, 8 to 19, 21 to 99999999998"


def test_identity_is_bytes_and_distances(tmp_path: Path) -> None:
    for folder, names in {"a": (1, 2, 4), "b": (11, 12, 14), "c": (1, 3, 4)}.items():
        write_images(tmp_path / folder, (1, 2, 4))
        images = sorted((tmp_path / folder).iterdir())
        for image, name in zip(images, names, strict=True):
            image.rename(tmp_path / folder / f"x{name}.jpg")
    hashes = {folder: chosen(tmp_path / folder).sha256() for folder in "abc"}
    assert hashes["a"] == hashes["b"] != hashes["c"]


def test_nothing_to_learn_from_is_an_error(tmp_path: Path) -> None:
    write_images(tmp_path / "steps", [0, 5, 10])
    with pytest.raises(media.MediaError, match="no two of its 3 images are numbered one after the other"):
        chosen(tmp_path / "steps")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "1.jpg").touch()
    with pytest.raises(media.MediaError, match=r"no image can be used: 1\.jpg \(empty file \(0 bytes\)\)"):
        chosen(tmp_path / "none")
    write_images(tmp_path / "one", [3])
    assert chosen(tmp_path / "one").reach == 1
    truncate(tmp_path / "one" / "000003.jpg")  # the header still says its size: decoding finds out
    assert chosen(tmp_path / "one").reach == 1
