"""The leakage check: does footage of one split stand in another, as it is, mirrored, or copied with losses?

Each stored frame becomes 16 x 16 grey values, levelled for brightness and contrast. Eight frames of one source are
looked up among the frames of the other. The distance of two frames is measured against how much both sources move:

    ratio = |a - b|^2 / (|a - mean of its source|^2 + |b - mean of its source|^2)

0 for a copy, around 1 for different people before the same wall, which a plain picture hash takes for the same. A
source is a copy if three quarters of its eight frames have a match below `COPY_RATIO`, all at one steady pace. The
threshold was set on real footage: of re-encoded, brighter, trimmed or mirrored copies all were found, of those that
were also shrunk by a quarter four in five; the closest different sources have 0.33 (Weizmann performers), 0.22 (takes
of one UCF-101 group) and 0.54 (pedestrians on one path, Ped2).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.media import Frame

GRID = 16
QUERIES = 8
COPY_RATIO = 0.15
MATCHED_FRACTION = 0.75
MAX_FRAMES = 512  # looked at in a source, evenly spread
CONTRAST = 40.0  # grey levels, root mean square, to which sources are levelled
NOISE = 1.0  # squared grey levels: keeps a motionless source from dividing by nothing
FLAT = 4.0  # squared grey levels: a black or white frame says nothing about where it comes from
MAX_PACE = 2.5  # a copy may run faster or slower by this factor
OUT_OF_STEP_FRAMES = 2.0
MAX_CONTRAST_RATIO = 1.5  # a copy may be brighter or flatter, not another picture
CHUNK_SOURCES = 64

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Print:
    """A source's frames as the check sees them."""

    name: str
    split: str
    content: frozenset[str]  # hashes of its bytes and of its stored frames
    frames: Floats  # (frame, GRID * GRID), each centred
    motion: Floats  # (frame,) mean squared distance from the source's mean frame
    queries: NDArray[np.intp]  # frames that are looked up elsewhere; none if too few show anything
    contrast: float  # grey levels, root mean square, before levelling


@dataclasses.dataclass(frozen=True)
class Leak:
    """Two sources on different sides that are the same footage."""

    first: str
    first_split: str
    second: str
    second_split: str
    how: str  # identical | copy | mirrored copy


def fingerprint(name: str, split: str, content: Sequence[str], store: Frame) -> Print:
    """Look at a frame store, uint8 (frame, height, width, channel)."""
    import cv2

    rows = np.unique(np.linspace(0, len(store) - 1, min(len(store), MAX_FRAMES)).round().astype(int))
    small = np.empty((len(rows), GRID, GRID))
    for at, row in enumerate(rows):
        picture = np.ascontiguousarray(store[row])
        gray = picture[:, :, 0] if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        small[at] = cv2.resize(gray, (GRID, GRID), interpolation=cv2.INTER_AREA)
    frames = small.reshape(len(rows), -1)
    frames = frames - frames.mean(axis=1, keepdims=True)
    seen = np.flatnonzero((frames**2).mean(axis=1) >= FLAT)
    contrast = 0.0
    if len(seen) >= min(len(rows), QUERIES):
        contrast = float(np.sqrt((frames[seen] ** 2).mean()))
        frames = frames * (CONTRAST / contrast)
        seen = seen[np.unique(np.linspace(0, len(seen) - 1, min(len(seen), QUERIES)).round().astype(int))]
    else:
        seen = seen[:0]
    motion = ((frames - frames.mean(axis=0)) ** 2).mean(axis=1)
    return Print(name, split, frozenset(content), frames, motion, seen, contrast)


def find_leaks(prints: Sequence[Print]) -> list[Leak]:
    """Every pair of sources of different splits that is the same footage, sorted by name."""
    splits = sorted({p.split for p in prints})
    found: dict[tuple[str, str], Leak] = {}
    for one, other in itertools.permutations(splits, 2):  # a part is found in the whole, not the whole in a part
        queries = [p for p in prints if p.split == one]
        others = [p for p in prints if p.split == other]
        for start in range(0, len(others), CHUNK_SOURCES):
            for a, b, how in _matches(queries, others[start : start + CHUNK_SOURCES]):
                x, y = sorted((a, b), key=lambda p: p.name)
                known = found.get((x.name, y.name))
                if known is None or how == "identical":
                    found[x.name, y.name] = Leak(x.name, x.split, y.name, y.split, how)
    return [found[key] for key in sorted(found)]


def _matches(queries: list[Print], others: list[Print]) -> Iterator[tuple[Print, Print, str]]:
    frames = np.concatenate([p.frames for p in others])
    motion = np.concatenate([p.motion for p in others])
    mirrored = frames.reshape(-1, GRID, GRID)[:, :, ::-1].reshape(frames.shape)
    power = (frames**2).mean(axis=1)
    edges = np.cumsum([0, *(len(p.frames) for p in others)])
    for a in queries:
        for b in others:
            if a.content & b.content:
                yield a, b, "identical"
        if not len(a.queries):
            continue
        asked, moves = a.frames[a.queries], a.motion[a.queries]
        for how, pool in (("copy", frames), ("mirrored copy", mirrored)):
            distance = (asked**2).mean(axis=1)[:, None] + power[None] - 2 * (asked @ pool.T) / asked.shape[1]
            ratio = distance / (moves[:, None] + motion[None] + NOISE)
            for b, start, end in zip(others, edges[:-1], edges[1:], strict=True):
                still = max(a.motion.max(), b.motion.max()) < NOISE
                alike = 1 / MAX_CONTRAST_RATIO <= (b.contrast / a.contrast) <= MAX_CONTRAST_RATIO
                if alike and _is_copy(ratio[:, start:end], a.queries, still):
                    yield a, b, how


def _is_copy(ratio: Floats, asked_rows: NDArray[np.intp], still: bool) -> bool:
    """Whether enough frames (rows) have a match (columns) at one pace; where nothing moves there is no pace."""
    near = ratio.min(axis=1) < COPY_RATIO
    needed = MATCHED_FRACTION * len(ratio)
    if near.sum() < needed:
        return False
    return still or _in_step(asked_rows[near], ratio[near].argmin(axis=1)) >= needed


def _in_step(asked: NDArray[np.intp], matched: NDArray[np.intp]) -> int:
    """How many points (frame asked, frame matched) lie on one line: a copy runs on at a constant pace."""
    best = 0
    for i, j in itertools.combinations(range(len(asked)), 2):
        pace = (matched[j] - matched[i]) / (asked[j] - asked[i])
        if 1 / MAX_PACE <= pace <= MAX_PACE:
            off = np.abs(matched - (matched[i] + pace * (asked - asked[i])))
            best = max(best, int((off <= OUT_OF_STEP_FRAMES).sum()))
    return best
