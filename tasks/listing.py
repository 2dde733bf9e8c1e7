"""Looking through a footage folder: the part of `footage` that decides, by content, what each file is."""

from __future__ import annotations

import codecs
import configparser
import dataclasses
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from tasks import media

# Text under one of these names pretends to be media (a playlist, a saved error page) and is worth a word.
VIDEO_SUFFIXES = (
    "mp4 m4v mov mkv webm avi flv mpg mpeg ts mts m2ts ps vob wmv asf ogv 3gp 3g2 mxf gif y4m"  # what people name films
)
MEDIA_SUFFIXES = frozenset(f".{s}" for s in f"{VIDEO_SUFFIXES} jpg jpeg png bmp tif tiff webp ppm".split(" "))
IMAGE_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\x00", b"MM\x00*", b"P5", b"P6")
NUMBER = re.compile(r"^(?P<prefix>.*?)(?P<number>\d+)(?P<rest>\D*)$", re.DOTALL)
SURE_STRIP_FRAMES = 4  # wider than any film: an image of so many squares is a strip even among numbered images


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Something that may be a source; with a `reason`, something that is not."""

    path: str
    kind: str = ""
    reason: str = ""
    frames: int = 0
    width_px: int = 0
    height_px: int = 0
    rate: float | None = None


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
        for name in list(folders):
            if name.startswith("."):
                folders.remove(name)
            elif (folder / name).is_symlink():
                found.append(Candidate(_join(below, name), reason="a symbolic link to a folder is not followed"))
        if "img1" in folders and frame_files(folder / "img1") and not (folder / "img1").is_symlink():
            found.append(_mot(folder, below))
            folders.clear()
            continue
        found += _files(footage, folder, below, names, strip_frame_width_px)
    return found


def frame_files(folder: Path) -> list[Path]:
    """The images of a frame folder in the order of their numbers."""
    images = [p for p in folder.iterdir() if not p.name.startswith(".") and p.is_file() and what(p) == "image"]
    return sorted(images, key=lambda p: _number(p.name) or ("", -1, ""))


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


def _files(
    footage: Path, folder: Path, below: str, names: list[str], strip_frame_width_px: int | None
) -> Iterator[Candidate]:
    images: list[str] = []
    for name in sorted(names):
        if name.startswith("."):
            continue
        path, shown = folder / name, _join(below, name)
        reason = _unsafe(footage, path) if shown.isprintable() else "its name holds characters no table can; rename it"
        if reason:
            yield Candidate(shown, reason=reason)
            continue
        content = what(path)
        if content == "image":
            images.append(name)
        elif content == "empty":
            yield Candidate(shown, reason="empty file (0 bytes)")
        elif content == "other":
            yield Candidate(shown, kind="video")
        elif path.suffix.lower() in MEDIA_SUFFIXES:
            yield Candidate(shown, reason="holds text, not a video or an image")
    yield from _images(folder, below, images, strip_frame_width_px)


def _unsafe(footage: Path, path: Path) -> str:
    if path.is_symlink():
        target = path.resolve()
        if not target.is_relative_to(footage.resolve()):
            return "a symbolic link that leads out of the footage folder"
        if not target.exists():
            return "a symbolic link that leads nowhere"
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        return "not a regular file"
    return "" if os.access(path, os.R_OK) else "cannot be read (no permission)"


def _images(folder: Path, below: str, names: list[str], strip_frame_width_px: int | None) -> Iterator[Candidate]:
    """A folder's images are the frames of one source, or strips of one source each."""
    sizes: dict[str, tuple[int, int]] = {}
    for name in names:
        try:
            sizes[name] = media.image_size(folder / name)
        except media.MediaError as error:
            yield Candidate(_join(below, name), reason=error.reason)
    if not sizes:
        return
    counts = {name: _strip_frames(size, strip_frame_width_px) for name, size in sizes.items()}
    one_size = len(set(sizes.values())) == 1 and len(sizes) > 1
    sure = strip_frame_width_px is not None or max(counts.values()) >= SURE_STRIP_FRAMES
    if below and one_size and not (any(counts.values()) and sure) and len(_series(list(sizes))) == 1:
        height_px, width_px = next(iter(sizes.values()))
        yield _folder(below, "frames", list(sizes), height_px, width_px, None)
        return
    for name, count in counts.items():
        height_px, width_px = sizes[name]
        if count:
            wide = width_px // count
            yield Candidate(_join(below, name), "strip", frames=count, width_px=wide, height_px=height_px)
        else:
            frame = f"{strip_frame_width_px} px" if strip_frame_width_px else "its height"
            yield Candidate(
                _join(below, name),
                reason=f"an image of {width_px} x {height_px} px: no strip (its width is no multiple of {frame}) "
                "and not one of a folder of equal, numbered frames",
            )


def _strip_frames(size: tuple[int, int], strip_frame_width_px: int | None) -> int:
    height_px, width_px = size
    frame = strip_frame_width_px or height_px
    return width_px // frame if width_px % frame == 0 and width_px >= 2 * frame else 0


def _mot(folder: Path, below: str) -> Candidate:
    images = frame_files(folder / "img1")
    seqinfo = folder / "seqinfo.ini"
    rate: float | None = None
    shown = below or "img1"
    if not below:
        return Candidate(shown, reason="the footage folder is itself a MOT sequence; name the folder above it")
    if seqinfo.is_file():
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(seqinfo.read_text(encoding="utf-8", errors="replace"))
            rate = parser.getfloat("Sequence", "frameRate", fallback=None)
        except (configparser.Error, ValueError) as error:
            return Candidate(shown, reason=f"seqinfo.ini cannot be read ({str(error).splitlines()[0]})")
    if rate is not None and not 0 < rate < 1000:
        return Candidate(shown, reason=f"seqinfo.ini: frameRate {rate} is not between 0 and 1000")
    try:
        height_px, width_px = media.image_size(images[0])
    except media.MediaError as error:
        return Candidate(shown, reason=f"{images[0].name}: {error.reason}")
    return _folder(shown, "mot", [p.name for p in images], height_px, width_px, rate)


def _folder(shown: str, kind: str, names: list[str], height_px: int, width_px: int, rate: float | None) -> Candidate:
    numbers = sorted(found[1] for name in names if (found := _number(name)))
    if len(_series(names)) != 1:
        return Candidate(shown, reason=f"{len(names)} images that are not one numbered series")
    missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    if missing:
        some = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        return Candidate(shown, reason=f"frames {numbers[0]} to {numbers[-1]} lack {len(missing)}: {some}")
    if len(set(numbers)) != len(numbers):
        return Candidate(shown, reason="two images have the same frame number")
    return Candidate(shown, kind, frames=len(names), width_px=width_px, height_px=height_px, rate=rate)


def _series(names: list[str]) -> set[tuple[str, str]]:
    """The different ways in which names surround their numbers; one way is one series."""
    found = [_number(name) for name in names]
    return {("", "") if f is None else (f[0], f[2]) for f in found} | ({("?", "?")} if None in found else set())


def _number(name: str) -> tuple[str, int, str] | None:
    match = NUMBER.match(Path(name).stem)
    return (match["prefix"], int(match["number"]), match["rest"]) if match else None


def _join(below: str, name: str) -> str:
    return f"{below}/{name}" if below else name


def _unreadable(error: OSError) -> None:
    raise ValueError(
        f"the folder {error.filename} cannot be read ({error.strerror}); give read permission or remove it"
    )
