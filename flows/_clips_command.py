"""`rushes clips`: what a server of a model is sent (docs/serving.md)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows import _tables
from flows._project import Json, in_project
from flows._use_commands import Model


def clips(
    model: Model,
    footage: Annotated[Path, typer.Argument(help="A video, an image strip or a frame folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A .json, the request for a server; or a .npy, the array.")],
    stride_frames: Annotated[
        int | None,
        typer.Option(help="From clip to clip, at the model's spacing. Default: its data set's.", show_default=False),
    ] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="No more clips than that, the first ones.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the clips of footage that a server of a model takes: see docs/serving.md."""
    from tasks import serving, tracking

    footage, out = footage.absolute(), out.absolute()
    with in_project():
        found = serving.clips_of(tracking.load(tracking.resolve(model)), footage, stride_frames, most)
    serving.write(found.clips, out)
    _tables.show(found.rows(), as_json)
    if not as_json:
        shape = " x ".join(map(str, found.clips.shape))
        sys.stdout.write(f"\nClips: {out} (uint8, {shape}: clips, frames, rows, columns, channels)\n")
