"""The model that is judged and the clips it is judged on, checked to belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import VideoModel
from tasks import files, modelio
from tasks.clips import ClipDataset
from tasks.params import Recipe

KINDS = ("reconstruct", "interpolate", "classify", "regress")


@dataclass(frozen=True)
class Subject:
    """A recipe's trained model in eval mode, its `model.json`, and the data set's folders with its test split."""

    name: str
    recipe: Recipe
    run: Path
    card: dict[str, Any]
    model: VideoModel
    frames: Path
    clips: Path
    test: ClipDataset

    @property
    def kind(self) -> str:
        return str(self.card["kind"])

    @property
    def summary(self) -> dict[str, Any]:
        """What `assemble` says of the data set: warnings, the range of its ratings."""
        path = self.clips / "summary.json"
        found: dict[str, Any] = files.read_json(path) if path.is_file() else {}
        return found


def load(name: str, recipe: Recipe, frames: Path, clips: Path, run: Path) -> Subject:
    """Raises ValueError: no test clip, or a model of another kind, clip shape, dataset or classes than the recipe's,
    or clips of unequal length for a kind that takes equal ones."""
    card = modelio.description_of(run)
    test = ClipDataset(frames, clips, "test")
    if card["kind"] not in KINDS:
        kinds = " or ".join(repr(kind) for kind in KINDS)
        raise ValueError(f"recipe {name}: {run} holds a model of kind {card['kind']!r}; evaluate judges kind {kinds}")
    if card["architecture"] != recipe.architecture:
        raise ValueError(f"recipe {name} is {recipe.architecture}, {run} holds {card['architecture']}; train it again")
    if card["dataset"] != recipe.dataset:
        raise ValueError(
            f"recipe {name} is on dataset {recipe.dataset}, {run} was trained on {card['dataset']}; train it again"
        )
    config = card["config"]
    trained = tuple(int(config[key]) for key in ("frames", "height_px", "width_px", "channels"))
    if trained != test.shape:
        raise ValueError(
            f"recipe {name}: {run} takes clips of (T, H, W, C) {trained}, the test clips are {test.shape};"
            " train it again"
        )
    if card["kind"] == "classify":
        check_labels(card.get("labels", []), test.labels, f"recipe {name}: the model in {run}", "train it again")
    if card["kind"] == "regress":
        check_scores(test, f"recipe {name}")
    else:
        test.require_one_length(recipe.dataset, recipe.architecture)
    return Subject(name, recipe, run, card, modelio.load_run(run), frames, clips, test)


def check_scores(clips: ClipDataset, whose: str) -> None:
    """Raises ValueError where a clip has no score."""
    import numpy as np

    unrated = sorted(set(clips.table["source"][np.isnan(clips.scores)]))
    if unrated:
        raise ValueError(
            f"{whose}: {len(unrated)} source(s) have no score ({', '.join(unrated[:8])}); name the table of ratings in"
            " datasets.<name>.ratings in params.yaml, and run the stages again"
        )


def check_labels(of_model: list[str], of_clips: list[str], whose: str, remedy: str) -> None:
    """Place k of a model's probabilities is class k of its own list: another list, or order, would be misread."""
    if list(of_model) != list(of_clips):
        raise ValueError(f"{whose} tells the classes {_few(of_model)} apart, the clips have {_few(of_clips)}; {remedy}")


def _few(labels: list[str]) -> str:
    shown = ", ".join(map(str, labels[:8])) or "none"
    return f"({len(labels)}: {shown}{', ...' if len(labels) > 8 else ''})"
