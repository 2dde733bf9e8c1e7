"""`datasets`: footage and how it becomes clips."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tasks.params.section import Count, Fraction, Positive, Section

Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class GroupRule(Section):
    """Which sources belong together, so that they never stand on both sides of a split.

    `pattern` is searched in the source's path below the footage folder (forward slashes). Its named group ``group`` is
    the group; with `divide_by`, ``group`` must be a number and the group is its integer quotient (MoCoGAN's strips:
    performer = id // 8).
    """

    pattern: str
    divide_by: Count | None = None

    @field_validator("pattern")
    @classmethod
    def _names_a_group(cls, pattern: str) -> str:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        if "group" not in compiled.groupindex:
            raise ValueError(f"{pattern!r} needs a part named group, as in performer(?P<group>\\d+)")
        return pattern


class Subclips(Section):
    """Which spans of a source are used: `count` spans of `seconds`, from `start_seconds` on, none over another. One of
    which half or less is there is left out."""

    count: Count = 3
    seconds: Positive = 30.0
    start_seconds: Annotated[float, Field(ge=0.0)] = 10.0
    snap: Literal["none", "keyframe", "shot"] = "none"  # begin at the nearest key frame, or at the nearest shot's start
    files: bool = False  # also write each span as a video for people to watch


class Shots(Section):
    """Where a film is cut. Found with ffmpeg's scene score."""

    threshold: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.3  # scene score (0 to 1) from which a frame begins a shot
    split: bool = True  # no span, and so no clip, crosses a cut; false: cuts are counted, and spans run across them


class Ratings(Section):
    """A table of films and their scores. How its rows find their files is said in docs/ratings.md."""

    file: str  # csv or xlsx, relative to the project or absolute
    sheet: str | None = None  # of an xlsx; null: the first
    title: str = "title"  # columns; upper and lower case are alike
    score: str = "score"
    lowest: float = 0.0  # the range of the scale, both ends included
    highest: float = 10.0

    @model_validator(mode="after")
    def _is_a_range(self) -> Ratings:
        if not self.lowest < self.highest:
            raise ValueError(f"ratings.lowest is {self.lowest:g} and ratings.highest {self.highest:g}; give a range")
        return self


class Frames(Section):
    """How a source's frames are stored: size, colour and spacing."""

    height_px: Annotated[int, Field(ge=8, le=4320)] = 64
    width_px: Annotated[int, Field(ge=8, le=7680)] = 64
    gray: bool = True
    fit: Literal["crop", "stretch", "pad"] = (
        "crop"  # crop: scale to cover, cut the centre; pad: scale to fit, black bars
    )
    every_frames: Count = 1  # keep one frame in so many, counted from the span's start
    frames_per_second: Positive | None = None  # instead: by time, the first frame of every 1 / so many seconds

    @model_validator(mode="after")
    def _one_spacing(self) -> Frames:
        if self.frames_per_second is not None and self.every_frames != 1:
            raise ValueError(
                f"frames.every_frames is {self.every_frames} and frames.frames_per_second {self.frames_per_second:g}; "
                "give one of the two"
            )
        return self


class Clips(Section):
    """Windows over the stored frames. A clip is an index, not a copy."""

    length_frames: Count = 16
    gap_frames: Count | None = None  # instead of length_frames: windows of frame 0, frame gap_frames and those between
    least_frames: Count | None = None  # a span shorter than a clip is one clip of all it has, if that many; null: none
    step_frames: Count = 1  # distance between a clip's frames, in stored frames
    train_stride_frames: Count = 1  # distance between the first frames of neighbouring training clips
    stride_frames: Count = 16  # the same for validation and test; 16 of 16: clips that do not overlap

    @model_validator(mode="before")
    @classmethod
    def _length_of_gap(cls, values: Any) -> Any:
        """A gap of 6 is a window of 7: the two inputs and the five frames between them."""
        gap = values.get("gap_frames") if isinstance(values, dict) else None
        if isinstance(gap, int):
            if values.get("length_frames", gap + 1) != gap + 1:
                raise ValueError(
                    f"gap_frames {gap} makes windows of {gap + 1} frames and length_frames says "
                    f"{values['length_frames']}; give one of the two"
                )
            return {**values, "length_frames": gap + 1}
        return values

    @model_validator(mode="after")
    def _least_is_less(self) -> Clips:
        if self.least_frames is not None and (self.least_frames > self.length_frames or self.step_frames > 1):
            raise ValueError(
                f"clips.least_frames is {self.least_frames}; it has to be at most length_frames, {self.length_frames}, "
                "and needs step_frames 1"
            )
        return self


class SplitLists(Section):
    """A public split as files: UCF-101's `trainlist01.txt` (path and class number), `testlist01.txt` (path) and
    `classInd.txt` (number and class). What no list names is left out, with the reason in the rejects."""

    train: str  # paths below the project, or absolute
    test: str
    classes: str | None = None  # null: class numbers are not checked


class Split(Section):
    """Which groups are judged. Everything else is trained on. A listed group that no source has is an error.

    Instead of naming groups in `test`, `lists` may name a public split's files; groups still may not cross it. Or a
    share of the groups is drawn, each by its name and `seed` alone, so that a new one moves none of the others.
    """

    test: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    lists: SplitLists | None = None
    test_share: Share | None = None
    validation_share: Share | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _disjoint(self) -> Split:
        if self.test_share is not None:
            if self.test or self.validation or self.lists is not None:
                raise ValueError("split.test_share draws groups, and others are named; give one of the two")
            if self.test_share + (self.validation_share or 0.0) >= 1.0:
                raise ValueError("split.test_share and split.validation_share leave no group to train on")
            return self
        if self.validation_share is not None:
            raise ValueError("split.validation_share needs split.test_share; or name groups in split.validation")
        if not self.test and self.lists is None:
            raise ValueError("split.test names no group: there would be nothing to judge on (test_share draws some)")
        if self.test and self.lists is not None:
            raise ValueError("split.test names groups and split.lists names files; give one of the two")
        both = sorted(set(self.test) & set(self.validation))
        if both:
            raise ValueError(f"group {', '.join(both)} stands in split.test and in split.validation; keep it in one")
        return self


class Dataset(Section):
    """Footage and how it becomes clips."""

    footage: str  # folder, relative to the project or absolute
    label: Literal["folder", "none"] = "folder"  # folder: the class is the name of the folder the source lies in
    strip_frame_width_px: Count | None = None  # image strips: frames of this width side by side; null: square frames
    ratings: Ratings | None = None  # scores to be learned; null: the footage has none
    group: GroupRule | None = None  # null: every source is its own group; with ratings, every film
    subclips: Subclips | None = None  # null: one span, the whole source
    shots: Shots | None = None  # null: the footage has no cuts, or they do not matter
    frames: Frames = Frames()
    clips: Clips = Clips()
    split: Split
    max_reject_fraction: Fraction = 0.1

    @model_validator(mode="after")
    def _shots_are_found_where_needed(self) -> Dataset:
        for what, wanted in {
            "ratings": self.ratings is not None,
            "subclips.snap: shot": self.subclips is not None and self.subclips.snap == "shot",
        }.items():
            if wanted and self.shots is None:
                raise ValueError(
                    f"{what} needs shots: how often a film is cut is measured there; write shots: {{threshold: 0.3, "
                    "split: false}, or true where no clip may cross a cut"
                )
        return self

    @model_validator(mode="after")
    def _new_footage_gives_the_same_clips(self) -> Dataset:
        stride, step = self.clips.stride_frames, self.clips.step_frames
        if self.ratings is not None and stride % step:
            raise ValueError(
                f"clips.stride_frames is {stride} and clips.step_frames {step}; with ratings it has to be a multiple, "
                "or new trailers would be rated by other clips than those that were judged"
            )
        return self
