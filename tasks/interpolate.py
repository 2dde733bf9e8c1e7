"""New footage through a registered model of kind `interpolate`: a video of a higher rate, or in slow motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from tasks import between, footage, listing, media, new_footage
from tasks.scores import write_csv

STAGE = "interpolate"
RESULTS = ("source", "path", "frames", "video", "video_frames", "frames_per_second", "seconds", "cuts", "sound")
MOST_TIMES = 100
SAY_EVERY_FRAMES = 100


class Model(new_footage.Registered, between.Renderer, Protocol):
    """A loaded model (see `tracking.Loaded`)."""

    @property
    def inputs(self) -> tuple[int, ...]: ...

    @property
    def outputs(self) -> tuple[int, ...]: ...

    @property
    def renders(self) -> bool: ...


def interpolate(
    model: Model,
    paths: list[Path],
    out: Path,
    *,
    times: int = 6,
    slow: bool = False,
    say: Callable[[str], object] = lambda _: None,
) -> list[dict[str, Any]]:
    """Make a video with `times` frames for every frame of a source, at the source's size, in bounded memory.

    Args:
        paths: videos, image strips, frame folders, MOT sequences, or folders of them.
        out: an .mp4, for a single source; or a folder, for `<id>.mp4` of each, `results.csv` and `rejects.csv` (what
            could not be used). What stands there is replaced, each file whole or not at all.
        slow: the source's frame rate, lasting `times` as long, without sound. Else `times` its rate, lasting as long
            as the source's pictures do, with its sound (copied where an mp4 holds it, else AAC).
        say: told how far it is.

    Returns:
        The rows of `results.csv`.

    Raises:
        ValueError: the model is of no use here, `times` or `out` is not possible, a path does not exist, or a single
            source cannot be used.
    """
    import pandas as pd

    check(model, times)
    rejects: list[new_footage.Reject] = []
    found = list(new_footage.sources(paths, STAGE, rejects))
    single = _is_file(out)
    if single:
        _check_single(out, found, rejects)
    results: list[dict[str, Any]] = []
    try:
        for root, source in found:
            name = new_footage.free_name(source.source, {row["source"] for row in results})
            path = out if single else out / f"{name}.mp4"
            try:
                results.append({"source": name} | one(model, root, source, path, times, slow, say))
            except media.MediaError as error:
                if single:
                    raise
                rejects.append({"path": source.path, "stage": STAGE, "reason": error.reason})
    finally:  # what was made is listed, also where something else stops the rest
        if not single:
            write_csv(pd.DataFrame(results, columns=list(RESULTS)), out / "results.csv")
            write_csv(pd.DataFrame(rejects, columns=new_footage.REJECT_COLUMNS), out / "rejects.csv")
    if rejects:
        say(f"{len(rejects)} left out" + (f": {rejects[0]['reason']}" if single else f"; {out}/rejects.csv says why"))
    return results


def check(model: Model, times: int) -> None:
    """Raise a ValueError if the model cannot make a video with `times` frames of one."""
    if not 2 <= times <= MOST_TIMES:
        raise ValueError(f"times is {times}; from 2 to {MOST_TIMES} frames can be made of one")
    new_footage.require_kind(model, "interpolate")
    shown, answered = model.inputs, model.outputs
    if len(shown) != 2 or not all(shown[0] < place < shown[1] for place in answered):
        raise ValueError(
            f"{model.uri} is shown the frames {list(shown)} and answers {list(answered)}; a video needs a model that is"
            " shown two and answers what lies between: see config.inputs and config.outputs of its recipe"
        )
    if not model.renders:
        raise ValueError(
            f"{model.uri} answers the frames {list(answered)} at {model.input['height_px']} x"
            f" {model.input['width_px']} px and no other time or size, so it cannot make a video; use a model that"
            " renders any: pix2pix with config.variant: default"
        )


def _is_file(out: Path) -> bool:
    suffix = out.suffix.lower()
    if out.is_dir():
        return False
    if out.exists() and suffix != ".mp4":
        raise ValueError(f"{out} is a file and no .mp4; name an .mp4 to be written, or a folder")
    if suffix != ".mp4" and suffix[1:] in listing.VIDEO_SUFFIXES.split(" "):
        raise ValueError(f"{out} would be a {suffix} video; only .mp4 is written: name {out.with_suffix('.mp4')}")
    return suffix == ".mp4"


def _check_single(out: Path, found: list[tuple[Path, footage.Source]], rejects: list[new_footage.Reject]) -> None:
    if not found:
        raise ValueError("nothing to make a video of: " + "; ".join(f"{r['path']}: {r['reason']}" for r in rejects))
    if len(found) > 1:
        some = ", ".join(source.path for _, source in found[:3])
        raise ValueError(f"{len(found)} sources ({some}, ...) do not fit into one video {out}; name a folder instead")


def one(
    model: Model, root: Path, source: footage.Source, out: Path, times: int, slow: bool, say: Callable[[str], object]
) -> dict[str, Any]:
    """One source, as in `interpolate`: decoded, rendered and encoded at the same time, two of its frames in memory.

    Args:
        root: the folder that the source's path starts at.
        out: the .mp4 to write.

    Returns:
        The columns of `RESULTS` behind `source`.

    Raises:
        MediaError: the source does not decode, or has no two frames.
        ValueError: `out` is the source itself.
    """
    if out.exists() and out.samefile(root / source.path):
        raise ValueError(f"{out} is the footage itself; write to another file")
    if source.frames < 2:
        raise media.MediaError(root / source.path, f"{source.frames} frame: there is nothing between")
    clock = between.clock_of(root, source, times)
    track = media.sound_of(root / source.path) if source.kind == "video" else None
    if track and slow:
        say(f"{source.path}: without its sound, which would be {times} times slower")
    sound = None if slow else track
    counts = {"read": 0, "written": 0, "cuts": 0}
    shown = between.Video(model, clock, counts)

    def lose(image: str) -> None:
        say(f"{source.path}: {image} is left out")

    def told() -> Iterator[tuple[int, float, media.Frame]]:
        for frame in footage.open_frames(root, source, lost=lose, run_ahead=False):
            counts["read"] += 1
            if counts["read"] % SAY_EVERY_FRAMES == 0:
                say(f"{source.path}: {counts['read']} of {source.frames} frames")
            yield frame
        if not counts["read"]:
            raise media.MediaError(root / source.path, "no image of it decodes")

    rate = clock.rate * (1 if slow else times)
    media.encode_video(shown.frames(told()), out, frames_per_second=rate, sound=sound)
    say(f"{source.path}: {counts['read']} frames, {counts['written']} in {out}")
    values = (source.path, counts["read"], out.name, counts["written"], rate, counts["written"] / rate, counts["cuts"])
    heard = "none" if sound is None else "copied" if sound.copied else "encoded anew"
    return dict(zip(RESULTS[1:], (*values, heard), strict=True))
