"""Frames of some spans of a video, sought from the key frame before each: exactly those a reading from the start gives.

shown      ... I . . . . . I . . . . . . I . . . ...
span                 [3.0 s     4.2 s)
decoded        ^-----------------------)             of which those before the span are given to nobody

Every packet and every frame that is met is held against what `probe` read of the whole file. At the first that is not
the one expected, the file is read from its start instead: nothing that was not proven right was given out before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tasks.media.packets import Index
from tasks.media.readers import witnessed
from tasks.media.video import VideoInfo, open_video

Span = tuple[float, float]  # half-open, in seconds

SKIPPED_FRAMES = 32  # fewer frames than this between two spans are decoded: a decoder is that far ahead anyway


class _DoubtError(Exception):
    """What was met is not what the packets promised."""


class _Run(NamedTuple):
    """Frames that one pass of the decoder gives."""

    first_shown: int  # presentation time of the key frame it begins with
    place: int  # of its packet
    frames: list[range]  # numbers of the frames wanted, ascending


def joined(spans: Sequence[Span]) -> list[Span]:
    """The spans, those that touch as one.

    Raises:
        ValueError: a span is empty, they overlap or are not in order.
    """
    found: list[Span] = []
    for start, end in spans:
        if not start < end or (found and start < found[-1][1]):
            raise ValueError(f"spans have to ascend without overlap, each start < end; got {list(spans)}")
        if found and start == found[-1][1]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def along(path: Path, info: VideoInfo, spans: Sequence[Span], threads: int) -> Iterator[tuple[int, float, Any]]:
    """The frames in `spans` (see `joined`) as (number, seconds, PyAV frame).

    Raises:
        MediaError: the file is damaged before the end of the last span.
    """
    wanted = joined(spans)
    given = -1
    if info.index is not None:
        try:
            for number, frame in _sought(path, info, info.index, wanted, threads):
                yield number, info.times_seconds[number], frame
                given = number
            return
        except _DoubtError:
            pass
    at = 0
    for number, seconds, frame in witnessed(path, info, threads):
        while at < len(wanted) and seconds >= wanted[at][1]:
            at += 1
        if at == len(wanted):
            return
        if number > given and seconds >= wanted[at][0]:
            yield number, seconds, frame


def _runs(info: VideoInfo, index: Index, spans: Sequence[Span]) -> list[_Run]:
    runs: list[_Run] = []
    for start, end in spans:
        frames = range(bisect_left(info.times_seconds, start), bisect_left(info.times_seconds, end))
        if not frames:
            continue
        first_shown, place = index.entries[
            bisect_right(index.entries, (index.shown[frames[0]], len(index.packets))) - 1
        ]
        if runs and bisect_left(index.shown, first_shown) < runs[-1].frames[-1].stop + SKIPPED_FRAMES:
            runs[-1].frames.append(frames)
        else:
            runs.append(_Run(first_shown, place, [frames]))
    return runs


def _sought(
    path: Path, info: VideoInfo, index: Index, spans: Sequence[Span], threads: int
) -> Iterator[tuple[int, Any]]:
    """(number, PyAV frame) of the frames in the spans, as long as everything is as the index has it."""
    runs = _runs(info, index, spans)
    with open_video(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        for run in runs:
            for number, frame in _expected(_decoded(container, stream, index, run), index, run):
                if any(number in frames for frames in run.frames):
                    yield number, frame


def _expected(frames: Iterator[Any], index: Index, run: _Run) -> Iterator[tuple[int, Any]]:
    """The frames of a run from its key frame to the last wanted, each of them there, in order and whole."""
    import av

    number = bisect_left(index.shown, run.first_shown)
    last = run.frames[-1].stop - 1
    begun = False
    try:
        for frame in frames:
            if not begun and frame.pts is not None and frame.pts < run.first_shown:
                continue  # decoded after the key frame and shown before it: it would need what lies before
            if frame.pts != index.shown[number] or frame.is_corrupt:
                raise _DoubtError
            if not begun and run.place and not frame.key_frame:
                raise _DoubtError
            begun = True
            yield number, frame
            if number == last:
                return
            number += 1
    except av.FFmpegError as error:
        raise _DoubtError from error
    raise _DoubtError  # the file ended before the frames did


def _decoded(container: Any, stream: Any, index: Index, run: _Run) -> Iterator[Any]:
    """All that decodes from the packet at `run.place` on, or from one before it."""
    if run.place:
        container.seek(run.first_shown, stream=stream)
    place: int | None = None
    for packet in container.demux(stream):
        if not packet.size:
            break
        if place is None:
            place = _place(index, packet.pts, run.place)
        if place == len(index.packets) or packet.pts != index.packets[place]:
            raise _DoubtError
        place += 1
        yield from packet.decode()
    yield from stream.codec_context.decode(None)


def _place(index: Index, shown_at: int | None, latest: int) -> int:
    """The place of the packet that a search led to, which is the one sought or lies before it."""
    try:
        return index.packets.index(shown_at, 0, latest + 1)
    except ValueError as error:
        raise _DoubtError from error
