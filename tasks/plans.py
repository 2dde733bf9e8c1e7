"""Where the subclips of a source lie: as they were asked for, or snapped to its key frames or its shots."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tasks import media, sampling
from tasks.footage import Source
from tasks.params import Subclips
from tasks.sampling import Span


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a source is to be cut. `shots_seconds` below are where its shots start, ascending; see `sampling.spans`."""

    source: Source
    subclips: Subclips | None = None  # None: the whole source is one span
    keyframes_seconds: tuple[float, ...] = ()  # looked up where subclips snap to them

    @classmethod
    def of(cls, footage: Path, source: Source, subclips: Subclips | None) -> Plan:
        """Raises MediaError where key frames are asked for and the video is no longer there."""
        if subclips is None or subclips.snap != "keyframe" or source.kind != "video":
            return cls(source, subclips)
        return cls(source, subclips, media.probe(footage / source.path).keyframe_seconds)

    @property
    def needs_shots(self) -> bool:
        """Whether nothing can be said of the spans before the shots of the whole source are known."""
        return self.subclips is not None and self.subclips.snap == "shot"

    def spans(self, shots_seconds: Sequence[float] = ()) -> list[Span]:
        """The spans that are used, ascending."""
        return sampling.spans(self.source.duration_seconds, self.subclips, self._anchors(shots_seconds))

    def left_out(self, shots_seconds: Sequence[float] = ()) -> list[str]:
        """The subclips that are not used, each with its reason; where none is used, the source with its own."""
        seconds = self.source.duration_seconds
        reasons = sampling.left_out(seconds, self.subclips, self._anchors(shots_seconds))
        if reasons and not self.spans(shots_seconds):
            return [f"lasts {seconds:.2f} s, too short for any subclip; {reasons[0]}"]
        return reasons

    def looked_through(self) -> list[Span]:
        """What has to be decoded to find the shots that matter; spans that touch are one."""
        if self.needs_shots:
            return [(0.0, self.source.duration_seconds)]
        joined: list[Span] = []
        for start, end in self.spans():
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((start, end))
        return joined

    def _anchors(self, shots_seconds: Sequence[float]) -> Sequence[float]:
        return shots_seconds if self.needs_shots else self.keyframes_seconds
