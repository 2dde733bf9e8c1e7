"""`rendered`: the footage that Rushes draws itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.params.section import Section


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
    """Footage that Rushes draws itself: dots that drift left, right, up or down; no single frame tells which."""

    draw: Literal["directions"]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    scenes: Annotated[int, Field(ge=1, le=999)] = 24  # each is a group of its own, drawn once for every direction
    frames: Annotated[int, Field(ge=2, le=5000)] = 32
    height_px: Annotated[int, Field(ge=32, le=1080, multiple_of=2)] = 64
    width_px: Annotated[int, Field(ge=32, le=1920, multiple_of=2)] = 64
    frames_per_second: Annotated[int, Field(ge=1, le=120)] = 25


class RenderedTrailers(Section):
    """Footage that Rushes draws itself: film trailers with shots, camera moves, light and sound, and their ratings."""

    draw: Literal["trailers"]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    films: Annotated[int, Field(ge=4, le=9999)] = 24
    shortest_seconds: Annotated[float, Field(ge=10.0, le=600.0)] = 40.0
    longest_seconds: Annotated[float, Field(ge=10.0, le=600.0)] = 90.0
    height_px: Annotated[int, Field(ge=32, le=1080, multiple_of=2)] = 72
    width_px: Annotated[int, Field(ge=32, le=1920, multiple_of=2)] = 128
    frames_per_second: Annotated[int, Field(ge=5, le=120)] = 25
    noise_deviation: Annotated[float, Field(ge=0.0, le=3.0)] = 0.3  # of the ratings, in points of 0 to 10

    @model_validator(mode="after")
    def _is_a_range(self) -> RenderedTrailers:
        if not self.shortest_seconds <= self.longest_seconds:
            raise ValueError(
                f"shortest_seconds is {self.shortest_seconds:g}, more than longest_seconds, {self.longest_seconds:g}"
            )
        return self


Rendered = Annotated[
    RenderedActions | RenderedStreets | RenderedDirections | RenderedTrailers, Field(discriminator="draw")
]
