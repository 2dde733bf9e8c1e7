"""The last step of `make demo`: the registered champions on footage that they never saw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flows._progress import showing
from tasks import params, tracking

VIDEOS = {"reconstruct": 3, "interpolate": 1, "classify": 4, "regress": 4}
DONE = {"reconstruct": "reconstructed", "interpolate": "interpolated", "classify": "described", "regress": "rated"}
TIMES = 4  # slow motion, so many times


def demo(root: Path, say: Callable[[str], object] = lambda _: None) -> dict[str, list[Path]]:
    """Use each recipe's champion on a few test videos of its dataset.

    Args:
        say: told of a recipe whose champion makes nothing of new footage.

    Returns:
        The files written: `reconstructed` (videos of input, output and error), `interpolated` (slow motion),
        `described` (tables of descriptors), `rated` (tables of ratings).
    """
    known = params.load(root / "params.yaml")
    written: dict[str, list[Path]] = {done: [] for done in DONE.values()}
    with showing() as shown:
        shown.stages(len(known.recipes))
        for name, recipe in sorted(known.recipes.items()):
            champion = tracking.load(tracking.resolve(name))
            step = f"{champion.kind} {name}"
            shown.start(step)
            if (lack := _lack(champion)) is not None:
                say(f"{name}: its champion {lack}")
                shown.end(step, "left out")
                continue
            footage = root / known.datasets[recipe.dataset].footage
            paths = [footage / path for path in _held_out(root, recipe.dataset, VIDEOS[champion.kind])]
            files = _use(champion, paths, root)
            shown.end(step, f"{len(files)} file(s)")
            written[DONE[champion.kind]] += files
    return written


def _lack(champion: tracking.Loaded) -> str | None:
    """Why nothing can be made with this model; None: it can."""
    if champion.kind == "interpolate" and not champion.renders:
        return "renders no other time or size, so there is no slow motion of it"
    if champion.kind == "classify" and not champion.describes:
        return "makes no descriptors"
    return None


def _held_out(root: Path, dataset: str, count: int) -> list[str]:
    """Paths of test videos: one of each class before a second of any."""
    import pandas as pd

    clips = pd.read_parquet(root / "data" / "clips" / dataset / "clips.parquet", columns=["source", "split"])
    held_out = set(clips[clips["split"] == "test"]["source"])
    sources = pd.read_csv(root / "data" / "cuts" / dataset / "sources.csv", dtype=str, keep_default_na=False)
    test = sources[sources["source"].isin(held_out)]
    turn = test.groupby("label", sort=False).cumcount()
    chosen: list[str] = test.assign(turn=turn).sort_values("turn", kind="stable")["path"].head(count).tolist()
    return chosen


def _use(champion: tracking.Loaded, paths: list[Path], root: Path) -> list[Path]:
    """The champion on these sources; what it makes stands below `data/`."""
    from tasks.features import features
    from tasks.interpolate import interpolate
    from tasks.predict import predict
    from tasks.reconstruct import reconstruct

    if champion.kind == "classify":
        table = root / "data" / "features" / f"{champion.recipe}.parquet"
        return [table] if features(champion, paths, table) else []
    if champion.kind == "regress":
        table = root / "data" / "ratings" / f"{champion.recipe}.csv"
        return [table] if predict(champion, paths, table) else []
    if champion.kind == "interpolate":
        out = root / "data" / "interpolations" / champion.recipe
        return [out / row["video"] for row in interpolate(champion, paths, out, times=TIMES, slow=True)]
    out = root / "data" / "reconstructions" / champion.recipe
    return [out / f"{row['source']}.mp4" for row in reconstruct(champion, paths, out)]
