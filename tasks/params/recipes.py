"""`recipes`: an architecture, the dataset it is trained on, how, and how it is judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.params.section import Count, Name, Positive, Section


class Optimizer(Section):
    name: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    beta1: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9  # momentum for sgd
    beta2: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999


class Augment(Section):
    """How training clips are varied, each on its own, all its frames alike. Nothing is varied when judging.

    `mirror` and `reverse` keep what reconstruction and most actions show, but change the class where the class is a
    direction (left, right, opening, closing): leave both off there.
    """

    load_height_px: Count | None = None  # scaled to this height and width first (pix2pix: 132 before crops of 128)
    load_width_px: Count | None = None
    zoom: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0  # then a part, smaller by up to this share, drawn as large
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
    decay_every_steps: Count | None = None  # decay: steps divides the learning rate by decay_divisor as often
    decay_divisor: Annotated[float, Field(gt=1.0, allow_inf_nan=False)] = 10.0
    gradient_clip_norm: Positive | None = None
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # 0: no moving average
    precision: Literal["auto", "32-true", "bf16-mixed"] = "32-true"  # auto: bf16-mixed where the hardware has it
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Count = 1
    threads: Annotated[int, Field(ge=0)] = 0  # torch's threads on a CPU; 0: torch decides
    log_every_steps: Count = 20
    checkpoint_every_steps: Count = 200
    sample_every_steps: Count = 500
    subclip_split_twin: bool = False  # regress: also train a second one, split by subclip, to show what that claims

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
