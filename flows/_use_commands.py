"""The commands that use a registered model on footage: `rushes reconstruct`, `interpolate`, `features` and
`predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows import _tables
from flows._project import Json, in_project

Model = Annotated[str, typer.Argument(help="A recipe (its champion), or models:/NAME@ALIAS, or models:/NAME/VERSION.")]
Footage = Annotated[list[Path], typer.Argument(help="Videos, image strips, frame folders, or folders of them.")]


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def reconstruct(
    model: Model,
    footage: Footage,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")],
    as_json: Json = False,
) -> None:
    """Reconstruct footage with a registered model: input, output and error side by side, and errors a frame."""
    from tasks import tracking
    from tasks.reconstruct import reconstruct as run_reconstruct

    footage, out = [path.resolve() for path in footage], out.resolve()
    with in_project():
        loaded = tracking.load(tracking.resolve(model))
        done = run_reconstruct(loaded, footage, out, say=_say)
    _tables.show(done, as_json)
    if not as_json:
        sys.stdout.write(f"\nResults: {out}\n")
    if not done:
        raise ValueError(f"nothing could be reconstructed; {out / 'rejects.csv'} says why")


def interpolate(
    footage: Annotated[list[Path], typer.Argument(help="Videos, frame folders, MOT sequences, or folders of them.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The .mp4 to write (replaced if it is there); or a folder.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="A recipe (its champion), models:/NAME@ALIAS, or models:/NAME/VERSION. Default: the champion of the"
            " only recipe of kind interpolate.",
            show_default=False,
        ),
    ] = None,
    times: Annotated[int, typer.Option(min=2, max=100, help="Frames to make of one.")] = 6,
    slow: Annotated[
        bool,
        typer.Option(
            "--slow/--keep-duration",
            help="Slow motion at the footage's frame rate, without sound; or a higher rate, as long, with its sound.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make frames between the frames of footage with a registered model: a higher frame rate, or slow motion."""
    from tasks import tracking
    from tasks.interpolate import interpolate as run_interpolate

    footage, out = [path.absolute() for path in footage], out.absolute()
    with in_project():
        loaded = tracking.load(tracking.resolve(model) if model else tracking.champion_of_kind("interpolate"))
        done = run_interpolate(loaded, footage, out, times=times, slow=slow, say=_say)
    _tables.show(done, as_json)
    if not done:
        raise ValueError(f"no video could be made; {out / 'rejects.csv'} says why")


def features(
    model: Model,
    footage: Footage,
    out: Annotated[Path, typer.Option("-o", "--out", help="The .parquet to write (replaced if it is there).")],
    stride_frames: Annotated[
        int, typer.Option(min=1, help="From clip to clip, in frames at the model's spacing; 8 of 16: they overlap.")
    ] = 8,
    per_clip: Annotated[bool, typer.Option("--per-clip", help="A row a clip instead of a row a source.")] = False,
    batch_clips: Annotated[int, typer.Option(min=1, help="Clips at once: memory.")] = 8,
    precision: Annotated[
        str, typer.Option(help="32, bf16, or auto: bf16 where the CPU has it in hardware.", metavar="auto|32|bf16")
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Describe footage with a registered classifier: a vector of length 1 for every source, or for every clip."""
    from tasks import cpu, tracking
    from tasks.features import features as run_features

    cpu.keep_freed_memory()
    footage, out = [path.absolute() for path in footage], out.absolute()
    with in_project():
        loaded = tracking.load_describing(tracking.resolve(model))
        done = run_features(
            loaded, footage, out, stride_frames=stride_frames, per_clip=per_clip, batch_clips=batch_clips,
            precision=precision, say=_say,
        )  # fmt: skip
    _tables.show(done, as_json)
    if not done:
        raise ValueError(f"nothing could be described; {out.with_suffix('.rejects.csv')} says why")
    if not as_json:
        sys.stdout.write(f"\nFeatures: {out}\n")


def predict(
    model: Model,
    trailers: Annotated[list[Path], typer.Argument(help="Videos, or folders of them; each is a film of its own.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The .csv to write (replaced if it is there).", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Rate trailers with a registered model: a rating with its interval, from subclips cut as in training."""
    from tasks import cpu, tracking
    from tasks.predict import brief
    from tasks.predict import predict as run_predict

    cpu.keep_freed_memory()
    paths, out = [path.absolute() for path in trailers], None if out is None else out.absolute()
    with in_project():
        loaded = tracking.load(tracking.resolve(model))
        done = run_predict(loaded, paths, out, named=trailers, say=_say)
    _tables.show(done if as_json else [brief(row) for row in done], as_json)
    if not done:
        raise ValueError("nothing could be rated; the reasons stand above")
    if out is not None and not as_json:
        sys.stdout.write(f"\nRatings: {out}\n")
