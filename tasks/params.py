"""The schema of `params.yaml`: every number, its unit in its name, its range, and what reads it.

One loader for all (YAML 1.2, as DVC reads it: ``1e-4`` is a number and ``no`` is text). Unknown keys are errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

T = TypeVar("T")

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=60)]
Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class Section(BaseModel):
    """Frozen, and a key that nothing reads is an error: a misspelt setting must not pass in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RenderedActions(Section):
    """Footage that Rushes draws itself: articulated figures, one video for each action and performer."""

    draw: Literal["actions"] = "actions"
    seed: int = 0
    performers: Annotated[int, Field(ge=1, le=99)] = 9
    seconds: Annotated[float, Field(gt=0.0, le=60.0)] = 3.2
    height_px: Annotated[int, Field(ge=32, le=1080, multiple_of=2)] = 128
    width_px: Annotated[int, Field(ge=32, le=1920, multiple_of=2)] = 128
    frames_per_second: Annotated[int, Field(ge=1, le=120)] = 25


class RenderedStreets(Section):
    """Footage that Rushes draws itself: streets with people who walk past each other, in the MOTChallenge layout."""

    draw: Literal["streets"]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    sequences: Annotated[int, Field(ge=1, le=99)] = 8
    frames: Annotated[int, Field(ge=2, le=5000)] = 60
    height_px: Annotated[int, Field(ge=64, le=1080, multiple_of=2)] = 216
    width_px: Annotated[int, Field(ge=64, le=1920, multiple_of=2)] = 288
    frames_per_second: Annotated[int, Field(ge=1, le=120)] = 25


class RenderedDirections(Section):
    """Footage that Rushes draws itself: dots that drift left, right, up or down, in which no single frame tells which."""

    draw: Literal["directions"]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    scenes: Annotated[int, Field(ge=1, le=999)] = 24  # each is a group of its own, drawn once for every direction
    frames: Annotated[int, Field(ge=2, le=5000)] = 32
    height_px: Annotated[int, Field(ge=32, le=1080, multiple_of=2)] = 64
    width_px: Annotated[int, Field(ge=32, le=1920, multiple_of=2)] = 64
    frames_per_second: Annotated[int, Field(ge=1, le=120)] = 25


Rendered = Annotated[RenderedActions | RenderedStreets | RenderedDirections, Field(discriminator="draw")]


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
    """Which spans of a source are used: `count` spans of `seconds`, from `start_seconds` on, one after the other."""

    count: Count = 3
    seconds: Positive = 30.0
    start_seconds: Annotated[float, Field(ge=0.0)] = 0.0
    files: bool = False  # also write each span as a video for people to watch


class Shots(Section):
    """Where a film is cut, so that no span, and so no clip, crosses a cut. Found with ffmpeg's scene score."""

    threshold: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.3  # scene score (0 to 1) from which a frame begins a shot


class Frames(Section):
    """How a source's frames are stored: size, colour and spacing."""

    height_px: Annotated[int, Field(ge=8, le=4320)] = 64
    width_px: Annotated[int, Field(ge=8, le=7680)] = 64
    gray: bool = True
    fit: Literal["crop", "stretch", "pad"] = (
        "crop"  # crop: scale to cover, cut the centre; pad: scale to fit, black bars
    )
    every_frames: Count = 1  # keep one frame in so many, counted from the span's start


class Clips(Section):
    """Windows over the stored frames. A clip is an index, not a copy."""

    length_frames: Count = 16
    gap_frames: Count | None = None  # instead of length_frames: windows of frame 0, frame gap_frames and those between
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


class SplitLists(Section):
    """A public split as files: UCF-101's `trainlist01.txt` (path and class number), `testlist01.txt` (path) and
    `classInd.txt` (number and class). What no list names is left out, with the reason in the rejects."""

    train: str  # paths below the project, or absolute
    test: str
    classes: str | None = None  # null: class numbers are not checked


class Split(Section):
    """Which groups are judged. Everything else is trained on. A listed group that no source has is an error.

    Instead of naming groups in `test`, `lists` may name a public split's files; groups still may not cross it.
    """

    test: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    lists: SplitLists | None = None

    @model_validator(mode="after")
    def _disjoint(self) -> Split:
        if not self.test and self.lists is None:
            raise ValueError("split.test names no group: there would be nothing to judge on")
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
    group: GroupRule | None = None  # null: every source is its own group
    subclips: Subclips | None = None  # null: one span, the whole source
    shots: Shots | None = None  # null: the footage has no cuts, or they do not matter
    frames: Frames = Frames()
    clips: Clips = Clips()
    split: Split
    max_reject_fraction: Fraction = 0.1


class Optimizer(Section):
    name: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    beta1: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9  # momentum for sgd
    beta2: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999


class Augment(Section):
    """How training clips are varied, each on its own, all its frames alike. Nothing is varied when judging."""

    load_height_px: Count | None = None  # scaled to this height and width first (pix2pix: 132 before crops of 128)
    load_width_px: Count | None = None
    crop_height_px: Count | None = None  # then a part of this height and width, anywhere in the frame; null: all of it
    crop_width_px: Count | None = None
    shift_px: Annotated[int, Field(ge=0, le=256)] = 0  # moved by up to so many pixels, edges repeated
    mirror: bool = False  # half of them left to right
    reverse: bool = False  # half of them backwards in time
    gain: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # contrast about the clip's mean, times 1 - gain to 1 + gain
    offset: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # brightness, by up to this share of the full range


class Training(Section):
    """How a recipe is trained. The last weights are kept (with `ema_decay`, their moving average): no split chooses."""

    seed: int = 0
    steps: Count = 1000
    batch_clips: Count = 16
    balance: Literal["clips", "groups", "classes"] = "clips"  # come equally often; few clips of one come again
    augment: Augment = Augment()
    optimizer: Optimizer = Optimizer()
    learning_rate_of: dict[Name, Positive] = {}  # parts with a constant learning rate of their own: a discriminator
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    decay: Literal["cosine", "constant", "steps"] = "cosine"
    decay_every_steps: Count | None = None  # decay: steps divides the learning rate by decay_divisor every so many steps
    decay_divisor: Annotated[float, Field(gt=1.0, allow_inf_nan=False)] = 10.0
    gradient_clip_norm: Positive | None = None
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # 0: no moving average
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Count = 1
    threads: Annotated[int, Field(ge=0)] = 0  # torch's threads on a CPU; 0: torch decides
    log_every_steps: Count = 20
    checkpoint_every_steps: Count = 200
    sample_every_steps: Count = 500

    @model_validator(mode="after")
    def _decay_has_its_steps(self) -> Training:
        if (self.decay == "steps") != (self.decay_every_steps is not None):
            raise ValueError("decay: steps and decay_every_steps go together; give both or neither")
        return self


class Evaluation(Section):
    batch_clips: Count = 32
    bootstrap_samples: Annotated[int, Field(ge=100, le=100_000)] = 2000
    bootstrap_seed: int = 0


class Recipe(Section):
    """One architecture trained on one dataset."""

    dataset: Name
    architecture: Name
    config: dict[
        str, str | int | float | bool | tuple[int, ...] | None
    ] = {}  # settings of the architecture; clip shape comes from the dataset
    training: Training = Training()
    evaluation: Evaluation = Evaluation()


class Report(Section):
    title: str = "Rushes"
    strips: Annotated[int, Field(ge=1, le=3)] = 1  # clips shown for each of worst, median, best


class Params(Section):
    rendered: dict[Name, Rendered] = {}
    datasets: dict[Name, Dataset]
    recipes: dict[Name, Recipe]
    report: Report = Report()

    @model_validator(mode="after")
    def _references(self) -> Params:
        for name, recipe in self.recipes.items():
            if recipe.dataset not in self.datasets:
                have = ", ".join(sorted(self.datasets)) or "none"
                raise ValueError(
                    f"recipes.{name}.dataset is {recipe.dataset!r}, which is not under datasets (there: {have})"
                )
        return self

    def dataset(self, name: str) -> Dataset:
        return _pick(self.datasets, name, "datasets")

    def recipe(self, name: str) -> Recipe:
        return _pick(self.recipes, name, "recipes")

    def rendering(self, name: str) -> Rendered:
        return _pick(self.rendered, name, "rendered")


def _pick(section: dict[str, T], name: str, where: str) -> T:
    if name not in section:
        raise ValueError(f"params.yaml has no {where}.{name}; it has: {', '.join(sorted(section)) or 'none'}")
    return section[name]


def load(path: Path) -> Params:
    """Read and check `params.yaml`.

    Raises:
        ValueError: the file is missing, is not YAML, or holds a value out of range; every fault is listed with its key.
            Or a key is left out that `dvc.yaml` depends on: DVC refuses those, so what they would be is said.
    """
    found = parse(read_yaml(path), path)
    absent = [f"  {line}" for line in _absent(found)]
    if absent:
        raise ValueError(
            f"{path} leaves out what dvc.yaml depends on; add (these are the defaults):\n" + "\n".join(absent)
        )
    return found


def _absent(found: Params) -> Iterator[str]:
    """The keys of each level that dvc.yaml names which were not written, as they could be written."""
    parts: list[tuple[str, Section]] = [("", found)]
    parts += [(f"datasets.{name}.", dataset) for name, dataset in found.datasets.items()]
    parts += [(f"recipes.{name}.", recipe) for name, recipe in found.recipes.items()]
    for where, part in parts:
        for key in type(part).model_fields:
            if key not in part.model_fields_set:
                value = part.model_dump(mode="json", include={key})[key]
                yield f"{where}{key}: {json.dumps(value)}"


def parse(values: Any, path: Path) -> Params:
    """Check values that were read from `path`."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        faults = [
            f"  {'.'.join(map(str, e['loc'])) or '(top)'}: {e['msg']} (got {e['input']!r:.80})" for e in error.errors()
        ]
        raise ValueError(f"{path} has {len(faults)} fault(s):\n" + "\n".join(faults)) from error


def read_yaml(path: Path) -> Any:
    """YAML 1.2 as plain values."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if not path.is_file():
        raise ValueError(f"{path} does not exist; run inside a Rushes project (a folder with dvc.yaml and params.yaml)")
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from error
