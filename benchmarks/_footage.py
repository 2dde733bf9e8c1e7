"""Footage and parameters that the benchmarks share: the built-in figures, drawn once into a temporary folder."""

from __future__ import annotations

from pathlib import Path

from tasks import assemble, params, sample, subclips
from tasks.render import render_actions


def figures(folder: Path, performers: int = 3) -> Path:
    """Draw the built-in actions by a few performers at 128 x 128 px."""
    render_actions(
        folder / "footage",
        seed=0,
        performers=performers,
        seconds=3.2,
        height_px=128,
        width_px=128,
        frames_per_second=25,
    )
    return folder / "footage"


def dataset(footage: Path, side_px: int, length_frames: int, test: str = "01") -> params.Dataset:
    """The figures as gray square clips."""
    values = {
        "footage": str(footage),
        "group": {"pattern": r"performer(?P<group>\d+)"},
        "frames": {"height_px": side_px, "width_px": side_px},
        "clips": {"length_frames": length_frames, "stride_frames": length_frames},
        "split": {"test": [test]},
    }
    return params.Dataset.model_validate(values)


def assembled(d: params.Dataset, folder: Path, workers: int) -> tuple[Path, Path]:
    """Run the three stages; return the frames folder and the clips folder."""
    subclips.run(d, Path(d.footage), folder / "cuts")
    sample.run(d, Path(d.footage), folder / "cuts", folder / "frames", workers)
    assemble.run(d, folder / "frames", folder / "clips")
    return folder / "frames", folder / "clips"
