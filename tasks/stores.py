"""Frame stores: one `.npy` array a source, written frame by frame and read as a memory map."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tasks import files
from tasks.footage import Source
from tasks.media import Frame
from tasks.params import Frames
from tasks.sampling import Span

LAYOUT = 2  # raise it when decoding, resizing or the layout changes: every store is then made anew
HEADER_BYTES = 128


@dataclasses.dataclass(frozen=True)
class StoredSource(Source):
    """A row of `frames/<dataset>/sources.csv`: a source, and what is stored of it."""

    stored_frames: int = 0
    store_sha256: str = ""
    settings: str = ""
    damage: str = ""  # images of a folder that did not decode, and so are gaps; `note` ends with it


def stored(source: Source, frames: int, *, damage: str, **stored: Any) -> StoredSource:
    """A source's row: `frames` as they were counted, and the damage said in its note too."""
    note = "; ".join(filter(None, [source.note, damage]))
    values = dataclasses.asdict(source) | {"frames": frames, "note": note}
    return StoredSource(**values, damage=damage, **stored)


def store_path(folder: Path, source: str) -> Path:
    return folder / f"{source}.npy"


def settings_hash(source: Source, frames: Frames, spans: list[Span]) -> str:
    """Identity of everything but the source's bytes that a store depends on."""
    identity = [LAYOUT, source.kind, source.width_px, source.frames_per_second, frames.model_dump(), spans]
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_store(path: Path, pictures: Iterable[Frame], shape: tuple[int, int, int]) -> tuple[int, str]:
    """Write frames of `shape` (height, width, channel) one by one, atomically.

    Returns:
        How many there were, and the SHA-256 of the file.
    """
    with files.replacing(path) as temporary:
        count = 0
        with temporary.open("wb") as stream:
            stream.write(_header(0, shape))
            for picture in pictures:
                assert picture.shape == shape, picture.shape
                stream.write(picture.tobytes())
                count += 1
            stream.seek(0)
            stream.write(_header(count, shape))
        sha256 = files.sha256_of(temporary)
    return count, sha256


def open_store(path: Path) -> Frame:
    """The array of a store, uint8 (frame, height, width, channel), mapped into memory and read-only.

    Raises:
        ValueError: it is missing or is no store.
    """
    try:
        store: Frame = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"the frame store {path} cannot be read ({error}); run stage sample again") from error
    if store.dtype != np.uint8 or store.ndim != 4:
        raise ValueError(f"{path} holds {store.dtype} {store.shape}, not uint8 frames; run stage sample again")
    return store


def clips_sha256(rows: Iterable[tuple[Any, ...]], store_sha256: dict[str, str]) -> str:
    """Identity of clips: their manifest rows from `source` on, and the bytes of the stores they lie in."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr((row, store_sha256[row[0]])).encode())
    return digest.hexdigest()


def _header(count: int, shape: tuple[int, int, int]) -> bytes:
    header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)  # padded, so that the count can be put in afterwards
    assert stream.tell() == HEADER_BYTES
    return stream.getvalue()
