"""The last step of `make demo`: the registered champions on footage that they never saw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flows._progress import showing
from tasks import params, tracking

VIDEOS = {"reconstruct": 3, "interpolate": 1}
DONE = {"reconstruct": "reconstructed", "interpolate": "interpolated"}
TIMES = 4  # slow motion, so many times


def demo(root: Path, say: Callable[[str], object] = lambda _: None) -> dict[str, list[Path]]:
    """Use each recipe's champion on the first few test videos of its dataset.

    Args:
        say: told of a recipe whose champion makes no video.

    Returns:
        The videos written: `reconstructed` (input, output and error), `interpolated` (slow motion).
    """
    import pandas as pd

    known = params.load(root / "params.yaml")
    written: dict[str, list[Path]] = {done: [] for done in DONE.values()}
    with showing() as shown:
        shown.stages(len(known.recipes))
        for name, recipe in sorted(known.recipes.items()):
            dataset = known.datasets[recipe.dataset]
            sources = pd.read_csv(root / "data" / "cuts" / recipe.dataset / "sources.csv", dtype={"group": str})
            champion = tracking.load(tracking.resolve(name))
            held_out = sources[sources["group"].isin(dataset.split.test)]["path"].head(VIDEOS[champion.kind])
            paths = [root / dataset.footage / path for path in held_out]
            shown.start(f"{champion.kind} {name}")
            if champion.kind == "interpolate" and not champion.renders:
                say(f"{name}: its champion renders no other time or size, so there is no slow motion of it")
                shown.end(f"{champion.kind} {name}", "left out")
                continue
            videos = _use(champion, paths, root)
            shown.end(f"{champion.kind} {name}", f"{len(videos)} video(s)")
            written[DONE[champion.kind]] += videos
    return written


def _use(champion: tracking.Loaded, paths: list[Path], root: Path) -> list[Path]:
    """The champion on these sources, its videos below `data/`."""
    from tasks.interpolate import interpolate
    from tasks.reconstruct import reconstruct

    if champion.kind == "interpolate":
        out = root / "data" / "interpolations" / champion.recipe
        return [out / row["video"] for row in interpolate(champion, paths, out, times=TIMES, slow=True)]
    else:
        out = root / "data" / "reconstructions" / champion.recipe
        reconstruct(champion, paths, out)
    return sorted(out.glob("*.mp4"))
