"""The frames of a video as pictures: what the readers witness, converted, all of them or along spans."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tasks.media.encode import Frame
from tasks.media.readers import Converter, witnessed
from tasks.media.spans import Span, along, joined
from tasks.media.video import VideoInfo, probe


def read_frames(
    path: Path,
    *,
    spans: Sequence[Span] | None = None,
    choose: Callable[[float], bool] | None = None,
    until_seconds: float = math.inf,
    threads: int = 0,
    info: VideoInfo | None = None,
    run_ahead: bool = True,
) -> Iterator[tuple[int, float, Frame]]:
    """The frames of a video in the order they are shown, from the first on.

    Args:
        spans: only frames in these, half-open in seconds, ascending without overlap; they are sought from the key frame
            before each where that spares decoding and gives the same frames. None: from the first frame on.
        choose: called once for each frame in the spans with its time; frames it declines are decoded but not
            converted. None: all.
        until_seconds: stop before the first frame at or after this time.
        threads: decoder threads; 0: as many as there are cores. The frames do not depend on it.
        info: what `probe` said, if it was asked already.
        run_ahead: decord may be used. It decodes ahead of who reads, without a limit: false for who takes long over a
            frame, who would end with the whole film in memory.

    Yields:
        (source frame number from 0, time in seconds, uint8 RGB (height, width, 3) upright with square pixels).

    Raises:
        MediaError: the file is damaged before its end, or before that of the last span as far as it is decoded, or the
            readers disagree. Frames yielded before were sound.
        ValueError: a span is empty, or they overlap or are not in order.
    """
    info = info or probe(path)
    if spans is not None and len(whole := joined(spans)) == 1 and whole[0][0] <= 0:
        spans, until_seconds = None, min(until_seconds, whole[0][1])  # nothing to seek
    if spans is not None or not run_ahead:
        info = dataclasses.replace(info, decord_is_exact=False)  # decord would begin at the first frame
    convert = Converter(path, info, threads)
    frames = witnessed(path, info, threads) if spans is None else along(path, info, spans, threads)
    try:
        for number, seconds, frame in frames:
            if seconds >= until_seconds:
                return
            wanted = choose is None or choose(seconds)
            pixels = convert(number, frame, wanted)
            if pixels is not None:
                yield number, seconds, pixels
    finally:
        convert.close()
