"""The MOTChallenge layout: what is believed of seqinfo.ini, and every disagreement as it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import media, mot
from tests.tasks._images import write_images

SEQINFO = {"name": "seq", "imDir": "img1", "frameRate": "30", "seqLength": "4", "imWidth": "20", "imHeight": "10"}


def sequence(root: Path, seqinfo: dict[str, str] | str | None, numbers: tuple[int, ...] = (1, 2, 3, 4)) -> Path:
    folder = root / "seq"
    write_images(folder / "img1", numbers)
    if isinstance(seqinfo, dict):
        seqinfo = "[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in seqinfo.items())
    if seqinfo is not None:
        (folder / "seqinfo.ini").write_text(seqinfo)
    return folder


@pytest.mark.parametrize(
    ("seqinfo", "numbers", "rate", "claimed", "note"),
    [
        (SEQINFO | {"imExt": ".jpg"}, (1, 2, 3, 4), 30.0, 4, ""),
        (SEQINFO | {"frameRate": "12.5"}, (1, 2, 4), 12.5, 4, "1 frame missing: 3"),
        (SEQINFO | {"seqLength": "525"}, (1, 2, 3, 4), 30.0, 525, "seqLength '525', the images run from 1 to 4"),
        (SEQINFO | {"seqLength": "many"}, (1, 2), 30.0, None, "seqLength 'many', the images run from 1 to 2"),
        (SEQINFO, (5, 6, 7, 8), 30.0, 4, "numbered from 5"),
        (SEQINFO, (0, 1, 2, 3), 30.0, 4, "numbered from 0"),
        (
            SEQINFO | {"imWidth": "1920", "imHeight": "1080"},
            (1, 2, 3, 4),
            30.0,
            4,
            "imWidth '1920', the images have 20 px; imHeight '1080', the images have 10 px",
        ),
        (SEQINFO | {"frameRate": "-1"}, (1, 2, 3, 4), None, 4, "frameRate '-1' is none, between 0 and 1000"),
        (SEQINFO | {"frameRate": "nan"}, (1, 2, 3, 4), None, 4, "frameRate 'nan' is none, between 0 and 1000"),
        (SEQINFO | {"frameRate": "PAL"}, (1, 2, 3, 4), None, 4, "frameRate 'PAL' is none, between 0 and 1000"),
        (SEQINFO | {"imDir": "./img1/"}, (1, 2, 3, 4), 30.0, 4, ""),
        (SEQINFO | {"imDir": "../seq"}, (1, 2, 3, 4), 30.0, 4, "imDir '../seq' is no folder of it, img1 is read"),
        (SEQINFO | {"imExt": ".png"}, (1, 2, 3, 4), 30.0, 4, "imExt '.png': no image is called so, all are read"),
        ({"name": "seq"}, (1, 2), None, None, "no frameRate is stated"),
        ("frameRate 30", (1, 2), None, None, "seqinfo.ini cannot be read as one; no frameRate is stated"),
        ("[Other]\nframeRate=30\n", (1, 2), None, None, "seqinfo.ini cannot be read as one; no frameRate is stated"),
        (None, (1, 2), None, None, "no seqinfo.ini; no frameRate is stated"),
    ],
)
def test_images_are_the_truth_and_seqinfo_a_claim(
    tmp_path: Path, seqinfo: dict[str, str] | str | None, numbers: tuple[int, ...], rate: float, claimed: int, note: str
) -> None:
    folder = sequence(tmp_path, seqinfo, numbers)
    found = mot.read(folder, tmp_path)
    assert [number for number, _ in found.frames] == list(numbers)
    assert (found.frames_per_second, found.claimed_frames, found.note) == (rate, claimed, note)


def test_image_folder_and_suffix_follow_seqinfo(tmp_path: Path) -> None:
    folder = sequence(tmp_path, SEQINFO | {"imDir": "frames", "imExt": "png"})
    write_images(folder / "frames", (1, 2, 3, 4), "{}.png")
    write_images(folder / "frames", (1, 2), "{}.jpg")
    found = mot.read(folder, tmp_path)
    assert [image.relative_to(folder).as_posix() for _, image in found.frames] == [
        f"frames/{k}.png" for k in (1, 2, 3, 4)
    ]
    assert found.note == "2 of 6 images left out, they are not .png"


def test_what_is_a_sequence(tmp_path: Path) -> None:
    folder = sequence(tmp_path, None)
    assert mot.image_folder(folder) == folder / "img1"
    assert mot.image_folder(folder / "img1") is None
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "img1").symlink_to(folder / "img1")
    assert mot.image_folder(tmp_path / "linked") is None
    (tmp_path / "empty" / "img1").mkdir(parents=True)
    assert mot.image_folder(tmp_path / "empty") is None
    (tmp_path / "empty" / "seqinfo.ini").write_text("[Sequence]\n")
    with pytest.raises(media.MediaError, match="no image can be used"):
        mot.read(tmp_path / "empty", tmp_path)
