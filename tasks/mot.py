"""The MOTChallenge layout: `img1/000001.jpg` and, where there is one, `seqinfo.ini`. `gt/` and `det/` are not read.

The images are the truth, `seqinfo.ini` is a claim: only its `imDir`, `imExt` and `frameRate` are believed, where they
can be. Every disagreement is a note, none a reject.
"""

from __future__ import annotations

import configparser
import dataclasses
from pathlib import Path

from tasks import sequences

SEQINFO, IMAGES = "seqinfo.ini", "img1"
MAX_FRAMES_PER_SECOND = 1000


def image_folder(folder: Path) -> Path | None:
    """Where a sequence's images lie: `imDir` if it names a folder right there, else `img1`; None: no sequence."""
    values, _ = _seqinfo(folder)
    named = _own_folder(folder, values.get("imdir", "")) or _own_folder(folder, IMAGES)
    if named is None or ((folder / SEQINFO).is_file() or _holds_an_image(named)):
        return named
    return None


def read(folder: Path, footage: Path) -> sequences.Sequence:
    """The frames of a sequence, and in what `seqinfo.ini` and the images disagree.

    Raises:
        MediaError: no frame can be used.
    """
    values, notes = _seqinfo(folder)
    images = image_folder(folder)
    assert images is not None, folder
    if Path(values.get("imdir", images.name)) != Path(images.name):
        notes.append(f"imDir {_shown(values['imdir'])} is no folder of it, {images.name} is read")
    looked = sequences.look(images, footage)
    suffix = "." + values.get("imext", "").lower().lstrip(".")
    named = {name: seen for name, seen in looked.items() if suffix == "." or Path(name).suffix.lower() == suffix}
    if looked and not named:
        notes.append(f"imExt {_shown(suffix)}: no image is called so, all are read")
    elif len(named) < len(looked):
        notes.append(f"{len(looked) - len(named)} of {len(looked)} images left out, they are not {suffix}")
    found = sequences.choose(images, named or looked)
    notes += _disagreements(values, found)
    return dataclasses.replace(
        found,
        note="; ".join(filter(None, [*notes, found.note])),
        frames_per_second=_rate(values),
        claimed_frames=int(values["seqlength"]) if values.get("seqlength", "").isdecimal() else None,
    )


def _disagreements(values: dict[str, str], found: sequences.Sequence) -> list[str]:
    notes = []
    if "framerate" not in values:
        notes.append("no frameRate is stated")
    elif _rate(values) is None:
        notes.append(f"frameRate {_shown(values['framerate'])} is none, between 0 and {MAX_FRAMES_PER_SECOND}")
    first, last = found.frames[0][0], found.frames[-1][0]
    if values.get("seqlength", str(found.reach)) != str(found.reach):
        notes.append(f"seqLength {_shown(values['seqlength'])}, the images run from {first} to {last}")
    elif first != 1:
        notes.append(f"numbered from {first}")
    for key, name, actual in (("imwidth", "imWidth", found.width_px), ("imheight", "imHeight", found.height_px)):
        if values.get(key, str(actual)) != str(actual):
            notes.append(f"{name} {_shown(values[key])}, the images have {actual} px")
    return notes


def _seqinfo(folder: Path) -> tuple[dict[str, str], list[str]]:
    """What `seqinfo.ini` says, keys in small letters, and what is wrong with it as a file."""
    path = folder / SEQINFO
    if not path.is_file():
        return {}, [f"no {SEQINFO}"]
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig", errors="replace"))
        return {key: text.strip() for key, text in parser["Sequence"].items()}, []
    except (configparser.Error, KeyError, OSError):
        return {}, [f"{SEQINFO} cannot be read as one"]


def _rate(values: dict[str, str]) -> float | None:
    try:
        rate = float(values.get("framerate", ""))
    except ValueError:
        return None
    return rate if 0 < rate < MAX_FRAMES_PER_SECOND else None


def _own_folder(folder: Path, name: str) -> Path | None:
    """A folder right in this one; a link to elsewhere or a way out of it is none."""
    place = folder / name
    sound = 0 < len(name.encode()) < 256 and place.is_dir() and place.resolve() == folder.resolve() / name
    return place if sound else None


def _holds_an_image(folder: Path) -> bool:
    return any(path.is_file() and sequences.what(path) == "image" for path in sorted(folder.iterdir()))


def _shown(text: str) -> str:
    return f"{text!r:.40}"
