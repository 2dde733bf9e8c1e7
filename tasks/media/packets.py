"""What the packets of a video say without decoding: when frames are shown, and where decoding may begin.

decode order   I0  P4  B2  B1  B3  I5  P9  ...      packets as the file holds them
shown          I0  B1  B2  B3  P4  I5  ...          by presentation time
entries        ^                   ^                what is shown from here on needs nothing from before
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from tasks.media.errors import MediaError

SEEKABLE = ("mov", "matroska", "flv")  # containers whose packets carry times of their own and lie in an index
LENGTH_AT = {"h264": 4, "hevc": 21}  # where avcC and hvcC say of how many bytes a unit's length is
IDR = 5  # H.264's picture after which nothing from before is referred to; an open group of pictures has none
IRAP = range(16, 22)  # HEVC pictures of which the same holds for all that is shown after them


class Packet(NamedTuple):
    """One packet of a video stream."""

    shown_at: int | None  # presentation time
    decoded_at: int | None
    duration: int
    hidden: bool  # by an edit list, or because it only serves other frames
    damaged: bool
    key: bool  # by the container
    entry: bool  # and by its own bytes


@dataclasses.dataclass(frozen=True)
class Index:
    """Where a reading may begin; times in the time base of the stream."""

    packets: tuple[int | None, ...]  # presentation times in decode order
    shown: tuple[int, ...]  # those of the frames that are shown, ascending: frame k at shown[k]
    entries: tuple[tuple[int, int], ...]  # (presentation time, place in `packets`), both ascending; first the start


@dataclasses.dataclass(frozen=True)
class Scan:
    """What the packets say, without decoding."""

    time_base: Fraction
    packets: list[Packet]  # before a damaged tail, in decode order
    shown: list[int]  # when a frame is shown, ascending, in `time_base`; 0, 1, 2, ... if not `complete`
    complete: bool  # every packet has a presentation time and no two share one
    keys: list[int]  # numbers of the frames that the container calls key frames, ascending
    cut_short: bool
    last_duration_seconds: float

    @property
    def discards(self) -> int:
        return sum(p.hidden for p in self.packets)

    def beginning_with(self, first: int | None) -> Scan:
        """The same without what would be shown before the first frame that decodes, which has the time `first`."""
        lead = bisect_left(self.shown, first) if self.complete and first in self.shown else 0
        keys = [number - lead for number in self.keys if number >= lead]
        return dataclasses.replace(self, shown=self.shown[lead:], keys=keys)

    def index(self, first: int | None) -> Index | None:
        """Where decoding may begin, if the first frame that decodes has the time `first`; None where it is in doubt."""
        if not self.complete or self.cut_short or first != self.shown[0]:
            return None
        entries = [(self.shown[0], 0)]
        for place, p in enumerate(self.packets):
            if p.entry and not p.hidden and p.shown_at is not None and p.shown_at > entries[-1][0]:
                entries.append((p.shown_at, place))
        return Index(tuple(p.shown_at for p in self.packets), tuple(self.shown), tuple(entries))


def scan(path: Path, container: Any, stream: Any) -> Scan:
    """Read every packet.

    Raises:
        MediaError: there is no frame data.
    """
    import av

    packets: list[Packet] = []
    cut_short = False
    kind, codec = container.format.name.split(",")[0], stream.codec_context.name
    units = _unit_length_bytes(codec, stream.codec_context.extradata or b"") if kind in SEEKABLE else None
    try:
        for p in container.demux(stream):
            if p.size:
                entry = p.is_keyframe and units is not None and _closed(codec, p, units)
                hidden = p.is_discard or (codec == "vp8" and not memoryview(p)[0] & 0x10)  # its header: shown or not
                packets.append(Packet(p.pts, p.dts, p.duration or 0, hidden, p.is_corrupt, p.is_keyframe, entry))
    except av.FFmpegError:
        cut_short = True
    usable = len(packets)
    while usable and packets[usable - 1].damaged:
        usable -= 1  # the last packets of a file cut short are only partly there
    if not usable:
        raise MediaError(path, f"no frame data{of_claimed(stream.frames)}")
    base = Fraction(stream.time_base)
    cut_short = (
        cut_short or usable < len(packets) or (stream.frames or 0) > usable or _ends_early(container, packets, base)
    )
    end = packets[usable - 1].decoded_at
    visible = [p for p in packets[:usable] if not p.hidden]
    if cut_short and end is not None:
        # A packet that is missing would be decoded after the last one, and is shown no earlier than it is decoded:
        # up to here nothing is missing in between.
        visible = [p for p in visible if p.shown_at is None or p.shown_at <= end]
    times = [p.shown_at for p in visible if p.shown_at is not None]
    complete = len(times) == len(visible) == len(set(times)) > 0
    last = max((p for p in visible if p.shown_at is not None), key=lambda p: p.shown_at or 0, default=packets[0])
    in_order = sorted(visible, key=lambda p: p.shown_at or 0) if complete else visible
    return Scan(
        time_base=base,
        packets=packets[:usable],
        shown=sorted(times) if complete else list(range(max(1, len(visible)))),
        complete=complete,
        keys=[number for number, p in enumerate(in_order) if p.key],
        cut_short=cut_short,
        last_duration_seconds=float(last.duration * base),
    )


def _unit_length_bytes(codec: str, extradata: bytes) -> int | None:
    """How many bytes the lengths of H.264 and HEVC units have; None where no packet can be proven an entry."""
    if codec in ("vp8", "vp9", "av1", "libdav1d", "flv"):
        return 0
    at = LENGTH_AT.get(codec)
    return (extradata[at] & 3) + 1 if at is not None and len(extradata) > at and extradata[0] == 1 else None


def _closed(codec: str, packet: Any, unit_length_bytes: int) -> bool:
    """Whether all that is shown from this packet's frame on needs nothing from before it, by the packet's own bytes."""
    data = memoryview(packet)
    if codec == "h264":
        return any(unit[0] & 31 == IDR for unit in _units(data, unit_length_bytes))
    if codec == "hevc":
        return any(unit[0] >> 1 & 63 in IRAP for unit in _units(data, unit_length_bytes))
    if codec == "vp8":
        return not data[0] & 1
    if codec == "vp9":
        return data[0] & 0x30 != 0x30 and not data[0] & 0x0C  # profiles 0 to 2: neither a repeat nor an inter frame
    return True  # AV1; Sorenson H.263 of flv, which refers to the frame before and no further


def _units(data: memoryview, length_bytes: int) -> Iterator[memoryview]:
    at = 0
    while at + length_bytes < len(data):
        length = int.from_bytes(data[at : at + length_bytes], "big")
        if length:
            yield data[at + length_bytes : at + length_bytes + length]
        at += length_bytes + length


def _ends_early(container: Any, packets: list[Packet], base: Fraction) -> bool:
    """Whether a Matroska file, which counts no frames, lasts longer by its header than its packets do."""
    times = [p.shown_at for p in packets if p.shown_at is not None]
    if not container.duration or not times or not container.format.name.startswith("matroska"):
        return False
    return float((max(times) - min(times)) * base) < least_seconds(header_seconds(container) or 0.0)


def header_seconds(container: Any) -> float | None:
    return container.duration / 1_000_000 if container.duration else None


def least_seconds(seconds: float) -> float:
    """A sound track may outlast the pictures by this much; a file that ends before is cut short."""
    return seconds - max(1.0, 0.05 * seconds)


def of_claimed(claimed: int | None) -> str:
    return f", though the header claims {claimed} frames" if claimed else ""
