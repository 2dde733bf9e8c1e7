"""Numbered images as footage: what a folder of them holds, and which of it are frames.

    walk/0001.jpg   0002.jpg   0004.jpg   0005.jpg     number 3 is missing: a gap, and no clip spans it
         0 s        1/25 s     3/25 s     4/25 s       time = (number - first number) / rate

What costs a frame costs that frame, never the sequence: a missing number, or an image that cannot be read or has
another size than most, leaves a gap. What was found stands in `note`.
"""

from __future__ import annotations

import codecs
import dataclasses
import hashlib
import itertools
import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks import files, media

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
IMAGE_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\x00", b"MM\x00*", b"P5", b"P6")
NUMBER = re.compile(r"^(?P<prefix>.*?)(?P<number>\d{1,12})(?P<rest>\D*)$", re.DOTALL)
SHOWN = 5
EMPTY, TEXT, OTHER = "empty file (0 bytes)", "holds text, not a video or an image", "holds no image"

Size = tuple[int, int]  # height, width in pixels
Looked = Mapping[str, Size | str]  # by file name: an image's size, or why it cannot be used


@dataclasses.dataclass(frozen=True)
class Sequence:
    """The frames of a folder, (number, file) in ascending order; a number that is not there is a gap."""

    frames: tuple[tuple[int, Path], ...]
    height_px: int
    width_px: int
    note: str
    frames_per_second: float | None = None  # where the folder states it
    claimed_frames: int | None = None

    @property
    def reach(self) -> int:
        """Frames from the first to the last, gaps counted."""
        return self.frames[-1][0] - self.frames[0][0] + 1

    def sha256(self) -> str:
        """Identity of the frames: their bytes, and how far their numbers lie from the first."""
        digest = hashlib.sha256()
        for number, image in self.frames:
            digest.update(f"{number - self.frames[0][0]} {files.sha256_of(image)}\n".encode())
        return digest.hexdigest()


def look(folder: Path, footage: Path, names: Iterable[str] | None = None) -> dict[str, Size | str]:
    """Every file of a folder that is an image, or by its name should be one; hidden files are passed over.

    Args:
        footage: the folder that symbolic links must not lead out of.
        names: the files to look at; None: all.
    """
    looked: dict[str, Size | str] = {}
    for name in sorted((path.name for path in folder.iterdir()) if names is None else names):
        path = folder / name
        if name.startswith(".") or path.is_dir():
            continue
        reason = unsafe(footage, path)
        content = "" if reason else what(path)
        if content == "image":
            try:
                looked[name] = media.image_size(path)
            except media.MediaError as error:
                looked[name] = error.reason
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            looked[name] = reason or {"empty": EMPTY, "text": TEXT, "other": OTHER}[content]
    return looked


def choose(folder: Path, looked: Looked) -> Sequence:
    """The frames among images: of the largest series of names those of the most common size, one for each number.

    Of two images of one number the first by name is taken.

    Raises:
        MediaError: no frame is left, or no two follow on one another, so that nothing could be learned of motion.
    """
    numbers = largest_series(looked)
    order = sorted((number, name) for name, number in numbers.items())
    sizes = Counter(size for _, name in order if isinstance(size := looked[name], tuple))
    if not sizes:
        raise media.MediaError(folder, f"no image can be used{_listed(looked)}")
    common = sizes.most_common(1)[0][0]
    frames: dict[int, Path] = {}
    left_out: dict[str, str] = {}
    for name in looked.keys() - numbers.keys():
        left_out[name] = "not of the numbered series"
    for number, name in order:
        size = looked[name]
        if isinstance(size, str):
            left_out[name] = size
        elif size != common:
            left_out[name] = f"{size[1]} x {size[0]} px"
        elif number in frames:
            left_out[name] = f"a second image of number {number}"
        else:
            frames[number] = folder / name
    if len(frames) > 1 and not any(number + 1 in frames for number in frames):
        reason = f"no two of its {len(frames)} images are numbered one after the other; renumber them"
        raise media.MediaError(folder, reason)
    notes = [_missing(sorted(set(numbers.values()))), f"left out{_listed(left_out)}" if left_out else ""]
    return Sequence(tuple(frames.items()), common[0], common[1], "; ".join(filter(None, notes)))


def largest_series(names: Iterable[str]) -> dict[str, int]:
    """The number of each name that surrounds it as most names do: `walk_001.png`, `walk_002.png`."""
    series: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for name in names:
        if found := NUMBER.match(Path(name).stem):
            series[found["prefix"], found["rest"]][name] = int(found["number"])
    return max(series.values(), key=len, default={})


def what(path: Path) -> str:
    """`empty`, `image`, `text` or `other`, by the first bytes."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        return "empty"
    if head.startswith(IMAGE_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "image"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # a character cut off at the end is no fault
    except UnicodeDecodeError:
        return "other"
    return "other" if re.search(r"[\x00-\x08\x0e-\x1f]", text) else "text"


def unsafe(footage: Path, path: Path) -> str:
    """Why a file must not be opened; empty where it may be."""
    if not path.relative_to(footage).as_posix().isprintable():
        return "its name holds characters no table can; rename it"
    if path.is_symlink():
        try:
            target = path.resolve()
        except RuntimeError:  # a loop
            return "a symbolic link that leads nowhere"
        if not target.is_relative_to(footage.resolve()):
            return "a symbolic link that leads out of the footage folder"
        if not target.exists():
            return "a symbolic link that leads nowhere"
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        return "not a regular file"
    return "" if os.access(path, os.R_OK) else "cannot be read (no permission)"


def _missing(numbers: list[int]) -> str:
    holes = [(a + 1, b - 1) for a, b in itertools.pairwise(numbers) if b > a + 1]
    if not holes:
        return ""
    some = [str(a) if a == b else f"{a} to {b}" for a, b in holes[:SHOWN]] + ["..."] * (len(holes) > SHOWN)
    total = sum(b - a + 1 for a, b in holes)
    return f"{total} frame{'s' * (total > 1)} missing: {', '.join(some)}"


def _listed(reasons: Mapping[str, object]) -> str:
    """`: 3.jpg (why), ...`, the first by name."""
    some = [f"{name} ({reasons[name]})" for name in sorted(reasons)[:SHOWN]]
    more = [f"and {len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else []
    return ": " + ", ".join(some + more) if some else ""
