"""The last step of `make demo`: the registered champions on footage that they never saw."""

from __future__ import annotations

from pathlib import Path

from flows._progress import showing
from tasks import params, tracking

VIDEOS = 3


def demo(root: Path) -> list[Path]:
    """Reconstruct the first few test videos of each recipe's dataset with its champion; return the videos written."""
    import pandas as pd

    from tasks.reconstruct import reconstruct

    known = params.load(root / "params.yaml")
    written: list[Path] = []
    with showing() as shown:
        shown.stages(len(known.recipes))
        for name, recipe in sorted(known.recipes.items()):
            dataset = known.datasets[recipe.dataset]
            sources = pd.read_csv(root / "data" / "cuts" / recipe.dataset / "sources.csv", dtype={"group": str})
            held_out = sources[sources["group"].isin(dataset.split.test)]["path"].head(VIDEOS)
            out = root / "data" / "reconstructions" / name
            shown.start(f"reconstruct {name}")
            reconstruct(
                tracking.load(tracking.resolve(name)), [root / dataset.footage / path for path in held_out], out
            )
            shown.end(f"reconstruct {name}", f"{len(held_out)} videos")
            written += sorted(out.glob("*.mp4"))
    return written
