"""DVC's cache, asked whether what a lock names is there, and whether it is what it says: DVC itself trusts it blindly.

files/md5/0a/1b2c...      a file's bytes, under their MD5
files/md5/3d/4e5f....dir  a folder: JSON, [{"md5": ..., "relpath": ...}, ...]
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def place(cache: Path, md5: str) -> Path:
    """Where the cache keeps the bytes with this hash."""
    return cache / "files" / "md5" / md5[:2] / md5[2:]


def missing(cache: Path, entry: Mapping[str, Any]) -> list[str]:
    """Those files of an output or a dependency of `dvc.lock` that are not there; the folder itself if it is not."""
    return [path for path, md5 in _files(cache, entry) if not place(cache, md5).is_file()]


def damaged(cache: Path, entry: Mapping[str, Any]) -> list[tuple[str, Path]]:
    """Those of its files, with their place in the cache, whose bytes have another hash. They must be there."""
    return [(path, place(cache, md5)) for path, md5 in _files(cache, entry) if not is_whole(place(cache, md5), md5)]


def is_whole(path: Path, md5: str) -> bool:
    """Whether a file is there and has this hash."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5[:32]


def _files(cache: Path, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    path, md5 = entry["path"], entry["md5"]
    yield path, md5
    listing = place(cache, md5)
    if md5.endswith(".dir") and is_whole(listing, md5):
        for held in json.loads(listing.read_text(encoding="utf-8")):
            yield f"{path}/{held['relpath']}", held["md5"]
