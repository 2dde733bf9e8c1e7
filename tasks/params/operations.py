"""`inboxes`, `batches`, `promotion`: what the scheduled flows do. No stage of the graph reads them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.params.section import Count, Positive, Section


class Inbox(Section):
    """Where new footage arrives, and the folder that it goes to."""

    inbox: Annotated[str, Field(min_length=1)]  # a folder below the project, an absolute one, or an fsspec URL
    footage: Annotated[str, Field(min_length=1)]  # a folder below the project; it is versioned with `dvc add`
    settle_seconds: Annotated[float, Field(ge=0.0, le=86_400.0)] = 10.0  # what changed later than that is left alone
    largest_file_gib: Positive = 20.0
    archive_members: Count = 100_000  # of one zip or tar: more is refused
    archive_gib: Positive = 100.0  # unpacked
    commit: bool = True  # the data version (the `.dvc` file alone) is committed to Git
    push: bool = True  # to DVC's default remote, where one is configured


class Batch(Section):
    """Which registered models are used on which footage."""

    footage: Annotated[tuple[str, ...], Field(min_length=1)]  # folders or files, below the project or absolute
    models: Annotated[tuple[str, ...], Field(min_length=1)]  # recipes (their champion), or models:/NAME@ALIAS
    executor: Literal["local", "ray"] = "local"  # ray: where RAY_ADDRESS says, or one started here
    workers: Count | None = None  # processes, or Ray actors; null: RUSHES_WORKERS, or the cores
    times: Annotated[int, Field(ge=2, le=100)] = 6  # interpolate: frames made of one
    slow: bool = False  # interpolate: slow motion instead of a higher rate
    stride_frames: Count = 8  # classify: from clip to clip of the descriptors
    anomaly_deviations: Positive = 6.0  # reconstruct: robust deviations over a source's median error that are told


class Promotion(Section):
    """When a challenger takes the champion's place."""

    least_gain: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0  # in the unit of the primary metric
    certain: bool = False  # the interval of the gain, over groups, has to lie above least_gain as a whole
