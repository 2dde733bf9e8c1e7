"""The leakage check: does footage of one split stand in another, as it is, mirrored, or copied with losses?

Each stored frame becomes 16 x 16 grey values, levelled for brightness and contrast. Eight frames of one source are
looked up among the frames of the other. The distance of two frames is measured against how much both sources move:

    ratio = |a - b|^2 / (|a - mean of its source|^2 + |b - mean of its source|^2)

0 for a copy, around 1 for different people before the same wall, which a plain picture hash takes for the same. A
source is a copy if three quarters of its eight frames have a match below `COPY_RATIO`, all at one steady pace. The
threshold was set on real footage: of re-encoded, brighter, trimmed or mirrored copies all were found, of those that
were also shrunk by a quarter four in five; the closest different sources have 0.33 (Weizmann performers), 0.22 (takes
of one UCF-101 group) and 0.54 (pedestrians on one path, Ped2).

Most pairs are ruled out in single precision, and no copy is: first by the means of four neighbouring frames, from which
these are no further than some distance, over 8 x 8 cells, where frames are never further apart than over 16 x 16.
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
SEGMENT_FRAMES = 4  # neighbouring frames that the first sieve takes for one, with a margin
SLACK = 0.05  # squared grey levels that single precision may be wrong by
QUERY_SOURCES, POOL_SOURCES = 1024, 32  # compared at a time: about 50 MB

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.intp]


@dataclasses.dataclass(frozen=True)
class Print:
    """A source's frames as the check sees them."""

    name: str
    split: str
    content: frozenset[str]  # hashes of its bytes and of its stored frames
    pictures: NDArray[np.uint8]  # (frame, GRID * GRID)
    motion: Floats  # (frame,) mean squared distance from the source's mean frame, levelled
    queries: Rows  # frames that are looked up elsewhere; none if too few show anything
    contrast: float  # grey levels, root mean square, before levelling

    def levelled(self, rows: Rows | slice = slice(None)) -> Floats:
        """(frame, GRID * GRID), each with mean 0, at the contrast to which all sources are brought."""
        return _centred(self.pictures[rows]) * (CONTRAST / self.contrast if self.contrast else 1.0)


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
    small = np.empty((len(rows), GRID, GRID), np.uint8)
    for at, row in enumerate(rows):
        picture = np.ascontiguousarray(store[row])
        gray = picture[:, :, 0] if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        small[at] = cv2.resize(gray, (GRID, GRID), interpolation=cv2.INTER_AREA)
    pictures = small.reshape(len(rows), -1)
    power = (_centred(pictures) ** 2).mean(axis=1)
    seen = np.flatnonzero(power >= FLAT)
    contrast = 0.0
    if len(seen) >= min(len(rows), QUERIES):
        contrast = float(np.sqrt(power[seen].mean()))
        seen = seen[np.unique(np.linspace(0, len(seen) - 1, min(len(seen), QUERIES)).round().astype(int))]
    else:
        seen = seen[:0]
    found = Print(name, split, frozenset(content), pictures, np.empty(0), seen, contrast)
    frames = found.levelled()
    return dataclasses.replace(found, motion=((frames - frames.mean(axis=0)) ** 2).mean(axis=1))


def find_leaks(prints: Sequence[Print]) -> list[Leak]:
    """Every pair of sources of different splits that is the same footage, sorted by name."""
    splits = sorted({p.split for p in prints})
    found: dict[tuple[str, str], Leak] = {}
    for a, b in _identical(prints):
        _add(found, a, b, "identical")
    for one, other in itertools.permutations(splits, 2):  # a part is found in the whole, not the whole in a part
        queries = [p for p in prints if p.split == one and len(p.queries)]
        others = [p for p in prints if p.split == other]
        pools = [_Pool(others[at : at + POOL_SOURCES]) for at in range(0, len(others), POOL_SOURCES)]
        for at in range(0, len(queries), QUERY_SOURCES):
            for how in ("copy", "mirrored copy"):
                asked = _Asked(queries[at : at + QUERY_SOURCES], mirrored=how == "mirrored copy")
                for a, b in itertools.chain.from_iterable(_copies(asked, pool) for pool in pools):
                    _add(found, a, b, how)
    return [found[key] for key in sorted(found)]


def _add(found: dict[tuple[str, str], Leak], a: Print, b: Print, how: str) -> None:
    x, y = sorted((a, b), key=lambda p: p.name)
    found.setdefault((x.name, y.name), Leak(x.name, x.split, y.name, y.split, how))


def _identical(prints: Sequence[Print]) -> Iterator[tuple[Print, Print]]:
    having: dict[str, list[Print]] = {}
    for p in prints:
        for sha256 in p.content:
            having.setdefault(sha256, []).append(p)
    for alike in having.values():
        yield from ((a, b) for a, b in itertools.combinations(alike, 2) if a.split != b.split)


class _Asked:
    """The frames of several sources that are looked up, as rows to be multiplied with those of `_Pool`."""

    def __init__(self, prints: list[Print], mirrored: bool) -> None:
        self.prints = prints
        self.frames = [_mirrored(p.levelled(p.queries)) if mirrored else p.levelled(p.queries) for p in prints]
        self.contrast = np.array([p.contrast for p in prints])
        self.counts = np.array([len(p.queries) for p in prints])
        self.starts = np.cumsum(self.counts) - self.counts
        frames = np.concatenate(self.frames)
        motion = np.concatenate([p.motion[p.queries] for p in prints])
        margin = np.sqrt(COPY_RATIO * motion)
        coarse, ones = _coarse(frames), np.ones(len(frames))
        self.coarse = np.column_stack([coarse / coarse.shape[1], margin, ones]).astype(np.float32)
        self.fine = np.column_stack([frames / frames.shape[1], ones]).astype(np.float32)
        self.coarse_least = (((coarse**2).mean(axis=1) - margin**2 - SLACK) / 2).astype(np.float32)
        self.fine_least = (((frames**2).mean(axis=1) - COPY_RATIO * motion - SLACK) / 2).astype(np.float32)


class _Pool:
    """Sources that are looked through: a row for each segment.

    A frame q of motion m and any frame of a segment (mean c, all within r of it, motion up to n) can only have a ratio
    below COPY_RATIO where |q - c| < r + sqrt(COPY_RATIO (m + n + NOISE)); so surely only where |q - c| < v + u with
    v = sqrt(COPY_RATIO m) and u = r + sqrt(COPY_RATIO (n + NOISE)); that is, where one product passes a threshold:
    q c + v u - (|c|^2 - u^2) / 2 > (|q|^2 - v^2) / 2. Of a frame f alone: q f - (|f|^2 - COPY_RATIO (n + NOISE)) / 2 >
    (|q|^2 - COPY_RATIO m) / 2.
    """

    def __init__(self, prints: list[Print]) -> None:
        self.prints = prints
        rows = [_segments(p) for p in prints]
        self.segments = np.concatenate(rows)
        self.starts = np.cumsum([0, *map(len, rows)])[:-1]
        self.contrast = np.array([p.contrast for p in prints])

    def possible(self, asked: _Asked) -> NDArray[np.bool_]:
        """(pool, asked): whether, as far as segments tell, a source asked for may be a copy of one of the pool."""
        best = np.maximum.reduceat(self.segments @ asked.coarse.T, self.starts, axis=0)
        change = self.contrast[:, None] / asked.contrast
        alike: NDArray[np.bool_] = (change >= 1 / MAX_CONTRAST_RATIO) & (change <= MAX_CONTRAST_RATIO)
        return alike & _enough(best > asked.coarse_least, asked.starts, asked.counts)


def _copies(asked: _Asked, pool: _Pool) -> Iterator[tuple[Print, Print]]:
    possible = pool.possible(asked)
    for b, candidates in zip(pool.prints, possible, strict=True):
        numbers = np.flatnonzero(candidates)
        if not len(numbers):
            continue
        frames = b.levelled()
        power = (frames**2).mean(axis=1)
        rows = np.column_stack([frames, (COPY_RATIO * (b.motion + NOISE) - power) / 2]).astype(np.float32)
        counts = asked.counts[numbers]
        wanted = np.repeat(candidates, asked.counts)
        near = (asked.fine[wanted] @ rows.T).max(axis=1) > asked.fine_least[wanted]
        for number in numbers[_enough(near, np.cumsum(counts) - counts, counts)]:
            a, looked_up = asked.prints[number], asked.frames[number]
            distance = (looked_up**2).mean(axis=1)[:, None] + power[None] - 2 * (looked_up @ frames.T) / frames.shape[1]
            ratio = distance / (a.motion[a.queries][:, None] + b.motion[None] + NOISE)
            if _is_copy(ratio, a.queries, still=max(a.motion.max(), b.motion.max()) < NOISE):
                yield a, b


def _segments(p: Print) -> Singles:
    """(segment, cell + 2): its mean c, u, and -(|c|^2 - u^2) / 2; see `_Pool`."""
    frames = _coarse(p.levelled())
    starts = np.arange(0, len(frames), SEGMENT_FRAMES)
    counts = np.diff([*starts, len(frames)])
    centres = np.add.reduceat(frames, starts, axis=0) / counts[:, None]
    away = np.sqrt(((frames - centres.repeat(counts, axis=0)) ** 2).mean(axis=1))
    margin = np.maximum.reduceat(away, starts) + np.sqrt(COPY_RATIO * (np.maximum.reduceat(p.motion, starts) + NOISE))
    rest = ((centres**2).mean(axis=1) - margin**2) / 2
    return np.column_stack([centres, margin, -rest]).astype(np.float32)


def _enough(near: NDArray[np.bool_], starts: Rows, counts: Rows) -> NDArray[np.bool_]:
    """(..., source): whether enough of each source's frames, the last axis of `near`, have a match."""
    enough: NDArray[np.bool_] = np.add.reduceat(near, starts, axis=-1, dtype=np.intp) >= MATCHED_FRACTION * counts
    return enough


def _centred(pictures: NDArray[np.uint8]) -> Floats:
    frames = pictures.astype(np.float64)
    centred: Floats = frames - frames.mean(axis=1, keepdims=True)
    return centred


def _mirrored(frames: Floats) -> Floats:
    return frames.reshape(-1, GRID, GRID)[:, :, ::-1].reshape(frames.shape)


def _coarse(frames: Floats) -> Floats:
    """Means of 2 x 2 cells: mean squared distances shrink, and never grow."""
    half = GRID // 2
    coarse: Floats = frames.reshape(-1, half, 2, half, 2).mean(axis=(2, 4)).reshape(-1, half * half)
    return coarse


def _is_copy(ratio: Floats, asked_rows: Rows, still: bool) -> bool:
    """Whether enough frames (rows) have a match (columns) at one pace; where nothing moves there is no pace."""
    near = ratio.min(axis=1) < COPY_RATIO
    needed = MATCHED_FRACTION * len(ratio)
    if near.sum() < needed:
        return False
    return still or _in_step(asked_rows[near], ratio[near].argmin(axis=1)) >= needed


def _in_step(asked: Rows, matched: Rows) -> int:
    """How many points (frame asked, frame matched) lie on one line: a copy runs on at a constant pace."""
    best = 0
    for i, j in itertools.combinations(range(len(asked)), 2):
        pace = (matched[j] - matched[i]) / (asked[j] - asked[i])
        if 1 / MAX_PACE <= pace <= MAX_PACE:
            off = np.abs(matched - (matched[i] + pace * (asked - asked[i])))
            best = max(best, int((off <= OUT_OF_STEP_FRAMES).sum()))
    return best
