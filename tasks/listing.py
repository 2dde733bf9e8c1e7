"""Looking through a footage folder: the part of `footage` that decides, by content, what each file is."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tasks import media, mot, sequences
from tasks.sequences import Looked, Sequence, Size

# Text under one of these names pretends to be media (a playlist, a saved error page) and is worth a word.
VIDEO_SUFFIXES = (
    "mp4 m4v mov mkv webm avi flv mpg mpeg ts mts m2ts ps vob wmv asf ogv 3gp 3g2 mxf gif y4m"  # what people name films
)
MEDIA_SUFFIXES = frozenset(f".{s}" for s in VIDEO_SUFFIXES.split(" ")) | sequences.IMAGE_SUFFIXES
SURE_STRIP_FRAMES = 4  # wider than any film: an image of so many squares is a strip even among numbered images


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Something that may be a source; with a `reason`, something that is not."""

    path: str
    kind: str = ""
    reason: str = ""
    strip_frames: int = 0
    strip_size: Size = (0, 0)  # of one frame of a strip
    sequence: Sequence | None = None  # of the kinds `frames` and `mot`


def candidates(footage: Path, strip_frame_width_px: int | None, only: str = "") -> list[Candidate]:
    """What a folder and its subfolders hold, or only the file or subfolder named `only`.

    Symbolic links are followed to files inside the folder only.
    """
    found: list[Candidate] = []
    if only and (footage / only).is_file():
        return list(_files(footage, footage, "", [only], strip_frame_width_px))
    for place, folders, names in os.walk(footage / only, onerror=_unreadable):
        folder = Path(place)
        below = "" if folder == footage else folder.relative_to(footage).as_posix()
        if mot.image_folder(folder):
            found.append(_sequence(footage, below or ".", "mot"))
            folders.clear()
            continue
        for name in list(folders):
            if name.startswith("."):
                folders.remove(name)
            elif (folder / name).is_symlink():
                found.append(Candidate(_join(below, name), reason="a symbolic link to a folder is not followed"))
        found += _files(footage, folder, below, names, strip_frame_width_px)
    return found


def read_sequence(footage: Path, path: str, kind: str) -> Sequence:
    """The frames of a source of the kinds `frames` and `mot`, as they are on disk now.

    Raises:
        MediaError: no frame can be used.
    """
    folder = footage / path
    if kind == "mot":
        return mot.read(folder, footage)
    return sequences.choose(folder, sequences.look(folder, footage))


def _sequence(footage: Path, path: str, kind: str) -> Candidate:
    try:
        return Candidate(path, kind, sequence=read_sequence(footage, path, kind))
    except media.MediaError as error:
        return Candidate(path, reason=error.reason)


def _files(
    footage: Path, folder: Path, below: str, names: list[str], strip_frame_width_px: int | None
) -> Iterator[Candidate]:
    looked = sequences.look(folder, footage, names)
    if below and is_sequence(looked, strip_frame_width_px):
        yield _sequence(footage, below, "frames")
        names = [name for name in names if name not in looked]
    for name in sorted(names):
        if name.startswith((".", "~$")):  # hidden; the mark of a table that is open in a spreadsheet
            continue
        path, shown = folder / name, _join(below, name)
        seen = looked.get(name)
        if isinstance(seen, tuple):
            yield _image(shown, seen, strip_frame_width_px)
        elif seen is not None and seen != sequences.OTHER:
            yield Candidate(shown, reason=seen)
        elif reason := sequences.unsafe(footage, path):
            yield Candidate(shown, reason=reason)
        else:
            content = sequences.what(path)
            if content == "empty":
                yield Candidate(shown, reason=sequences.EMPTY)
            elif content == "other":
                yield Candidate(shown, kind="video")
            elif path.suffix.lower() in MEDIA_SUFFIXES:
                yield Candidate(shown, reason=sequences.TEXT)


def is_sequence(looked: Looked, strip_frame_width_px: int | None) -> bool:
    """Whether most images of a folder are one numbered series of one size, and no strips."""
    series = sequences.largest_series(looked)
    sizes = Counter(size for name in series if isinstance(size := looked[name], tuple))
    if not sizes:
        return False
    common, alike = sizes.most_common(1)[0]
    squares = _strip_frames(common, strip_frame_width_px)
    strips = squares and (strip_frame_width_px is not None or squares >= SURE_STRIP_FRAMES)
    return alike > 1 and 2 * alike > len(looked) and not strips


def _image(shown: str, size: Size, strip_frame_width_px: int | None) -> Candidate:
    height_px, width_px = size
    frames = _strip_frames(size, strip_frame_width_px)
    if frames:
        return Candidate(shown, "strip", strip_frames=frames, strip_size=(height_px, width_px // frames))
    frame = f"{strip_frame_width_px} px" if strip_frame_width_px else "its height"
    return Candidate(
        shown,
        reason=f"an image of {width_px} x {height_px} px: no strip (its width is no multiple of {frame}) "
        "and not one of a folder of equal, numbered frames",
    )


def _strip_frames(size: Size, strip_frame_width_px: int | None) -> int:
    height_px, width_px = size
    frame = strip_frame_width_px or height_px
    return width_px // frame if width_px % frame == 0 and width_px >= 2 * frame else 0


def _join(below: str, name: str) -> str:
    return f"{below}/{name}" if below else name


def _unreadable(error: OSError) -> None:
    raise ValueError(
        f"the folder {error.filename} cannot be read ({error.strerror}); give read permission or remove it"
    )
