"""New trailers through a registered model that rates: subclips as in training, a rating of each, their mean.

trailer    0 s    10 s              40 s              70 s              100 s
subclips          [       0        )[       1        )[       2        )      as in training, snapped as there
clips             [a][b]            [c][d]            [e  00                  shorter ones filled up with zeros
rating            the mean over the subclips of the mean over their clips: of (a + b) / 2, (c + d) / 2 and e
"""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks import footage, media, new_footage, sampling, shots
from tasks.params import Shots, Subclips
from tasks.plans import Plan
from tasks.scores import write_csv

STAGE = "predict"
BATCH_CLIPS = 4
AHEAD_BATCHES = 2
COLUMNS = ["path", "rating", "low", "high", "subclips", "frames"]


class Model(new_footage.Registered, Protocol):
    """A loaded model that rates (see `tracking.Loaded`)."""

    @property
    def input(self) -> dict[str, Any]: ...

    @property
    def interval(self) -> dict[str, Any] | None: ...

    @property
    def score_range(self) -> tuple[float, float] | None: ...

    @property
    def signal(self) -> dict[str, bool] | None: ...

    def predict(self, clip_BTHWC: NDArray[np.uint8]) -> NDArray[np.float32]: ...


def predict(
    model: Model,
    paths: list[Path],
    out: Path | None = None,
    *,
    named: Sequence[Path] | None = None,
    batch_clips: int = BATCH_CLIPS,
    say: Callable[[str], object] = lambda _: None,
) -> list[dict[str, Any]]:
    """Rate every trailer in `paths`, in bounded memory; one that cannot be used costs a line, nothing else.

    Args:
        paths: videos, image strips, frame folders, or folders of them; each trailer is a film of its own.
        named: what `paths` are called in what is told and written, one for one; not given: as they are.
        out: a .csv. What stands there is replaced, unless no trailer can be used; `<name>.rejects.csv` beside it says
            what could not.
        batch_clips: clips that go through the model at once.
        say: told what ratings and intervals of this model are worth, and a line a trailer.

    Returns:
        A row a trailer: `path` (as it was named, or below the folder that was), `rating`, `low`, `high` (None where too
        few films were judged), `subclips` (each with `start_seconds`, `end_seconds`, half-open, and `rating`), `frames`
        (at the model's spacing).

    Raises:
        ValueError: a path does not exist, `out` is not possible, or the model is of another kind.
    """
    import pandas as pd

    new_footage.require_kind(model, "regress")
    if out is not None:
        new_footage.require_table(out, "ratings.csv")
    for line in filter(None, (_doubt(model), in_words(model))):
        say(line)
    rows: list[dict[str, Any]] = []
    rejects: list[new_footage.Reject] = []
    for name, root, source in _each(paths, paths if named is None else named, rejects):
        try:
            row, reasons = one(model, name, root, source, batch_clips, say)
            rows.append(row)
            say(f"{name}: {row['rating']:.2f}, from {len(row['subclips'])} subclip(s)")
            rejects += [{"path": name, "stage": STAGE, "reason": reason} for reason in reasons]
        except media.MediaError as error:
            rejects.append({"path": name, "stage": STAGE, "reason": error.reason})
        except new_footage.TooShortError as error:
            rejects.append({"path": name, "stage": STAGE, "reason": str(error)})
    for reject in rejects:
        say(f"{reject['path']}: {reject['reason']}")
    if out is not None:
        if rows:
            write_csv(pd.DataFrame([brief(row) for row in rows], columns=COLUMNS), out)
        write_csv(pd.DataFrame(rejects, columns=new_footage.REJECT_COLUMNS), out.with_suffix(".rejects.csv"))
    return rows


def _each(
    paths: Sequence[Path], named: Sequence[Path], rejects: list[new_footage.Reject]
) -> Iterator[tuple[str, Path, footage.Source]]:
    """Every source below the paths, and what it is called: files of one name in two folders are told apart."""

    def called(name: Path, path: str) -> str:
        return footage.printable(name.joinpath(*path.split("/")[1:]).as_posix())

    left_out: list[list[new_footage.Reject]] = [[] for _ in paths]
    found = [new_footage.sources([path], STAGE, left) for path, left in zip(paths, left_out, strict=True)]
    for name, sources, left in zip(named, found, left_out, strict=True):
        for root, source in sources:
            yield called(name, source.path), root, source
        rejects += [reject | {"path": called(name, reject["path"])} for reject in left]


def _doubt(model: Model) -> str | None:
    """What speaks against believing any rating; None if the model was shown to know something."""
    better = "to rate films never trained on better than the training films' mean does"
    if model.signal is None:
        return f"not known whether there is a signal: this version does not say whether it was shown {better}"
    if model.signal["found"]:
        return None
    if not model.signal["enough"]:
        return f"too few films to tell whether there is a signal: it was not shown {better}"
    return f"no signal: it was not shown {better}"


def brief(row: dict[str, Any]) -> dict[str, Any]:
    """A row as tables have it: `subclips` is how many were rated."""
    return row | {"subclips": len(row["subclips"])}


def in_words(model: Model) -> str:
    """What the interval of every rating means."""
    if model.interval is None:
        return "no interval: too few films were judged that were never trained on"
    return "{level:.0%} of films like the {films} it was judged on lie within {half_width:.2f} of their rating".format(
        **model.interval
    )


def batches_of(input_: dict[str, Any], root: Path, source: footage.Source) -> Generator[new_footage.Batch]:
    """The clips of one trailer, a few at a time, as `predict` shows them to the model.

    Args:
        input_: how footage is read for the model (`model.json`'s section of that name).

    Raises:
        MediaError, TooShortError: it cannot be used.
    """
    return _Trailer(source.path, root, source, input_, lambda _: None).batches(BATCH_CLIPS)


class _Trailer:
    """A source, where its subclips lie, and what is known of them so far."""

    def __init__(
        self, name: str, root: Path, source: footage.Source, input_: dict[str, Any], say: Callable[[str], object]
    ) -> None:
        """Raises MediaError or TooShortError: it has no subclip."""
        self.name, self.root, self.source, self.input, self.say = name, root, source, input_, say
        self.counts = new_footage.Counts()
        plan = Plan.of(root, source, None if input_.get("subclips") is None else Subclips(**input_["subclips"]))
        starts = self._shots_seconds(plan)
        self.subclips, self.left_out = plan.spans(starts), plan.left_out(starts)
        if not self.subclips:
            raise new_footage.TooShortError(self.left_out[0])
        self.spans = sampling.cut_spans(self.subclips, starts) if self._splits else self.subclips
        self.ratings: dict[int, list[float]] = {}  # of the clips that begin in each span

    def _shots_seconds(self, plan: Plan) -> list[float]:
        """Where shots start, if it matters."""
        if not (plan.needs_shots or (self._splits and plan.spans())):
            return []
        found = shots.find(self.root, [plan], Shots(**self.input["shots"]))
        if found.rejects:
            raise media.MediaError(self.root / self.source.path, found.rejects[0].reason)
        return [shot.start_seconds for shot in found.shots]

    @property
    def _splits(self) -> bool:
        """Whether no clip crosses a cut."""
        return self.input.get("shots") is not None and bool(self.input["shots"]["split"])

    def batches(self, batch_clips: int) -> Generator[new_footage.Batch]:
        stride = int(self.input.get("stride_frames", self.input["length_frames"]))

        def lost(image: str) -> None:
            self.say(f"{self.name}: {image} is left out")

        return new_footage.clip_batches(
            self.root, self.source, self.input, stride, batch_clips, self.counts, lost, self.spans
        )

    def rated(self, seconds: list[float], ratings_B: NDArray[np.float32]) -> None:
        """Take the ratings of clips that begin at these times."""
        starts = [start for start, _ in self.spans]
        for at, rating in zip(seconds, ratings_B.tolist(), strict=True):
            self.ratings.setdefault(bisect.bisect(starts, at) - 1, []).append(rating)

    def rating(self, start_seconds: float = 0.0, end_seconds: float = math.inf) -> float | None:
        """The mean over the spans that begin here of the mean over their clips, as the evaluation rates films; None
        where no clip lies."""
        means = [
            statistics.fmean(self.ratings[place])
            for place, (start, _) in enumerate(self.spans)
            if place in self.ratings and start_seconds <= start < end_seconds
        ]
        return statistics.fmean(means) if means else None


def one(
    model: Model,
    name: str,
    root: Path,
    source: footage.Source,
    batch_clips: int = BATCH_CLIPS,
    say: Callable[[str], object] = lambda _: None,
) -> tuple[dict[str, Any], list[str]]:
    """Rate one trailer.

    Args:
        name: what it is called in the row and in what is told.
        root: the folder that the source's path starts at.

    Returns:
        Its row, as `predict` gives it; and of each subclip that has no rating, why.

    Raises:
        MediaError: the source does not decode.
        TooShortError: it has no subclip, or no subclip has a clip.
        ValueError: the model answers with NaN or infinity.
    """
    trailer = _Trailer(name, root, source, model.input, say)
    row = _rated(model, trailer, batch_clips)
    return row, new_footage.without_clips(trailer.input, trailer.subclips, trailer.counts) + trailer.left_out


def _rated(model: Model, trailer: _Trailer, batch_clips: int) -> dict[str, Any]:
    """One trailer: frames are decoded while the model computes, and no more than a few batches of clips are held."""
    assert model.score_range is not None  # it is of kind regress
    lowest, highest = model.score_range
    for _, seconds, clip_BTHWC in new_footage.ahead(trailer.batches(batch_clips), AHEAD_BATCHES):
        ratings_B = model.predict(clip_BTHWC)
        if not np.isfinite(ratings_B).all():
            raise ValueError(f"{model.uri} rates a clip of {trailer.name} with NaN or infinity; train it again")
        trailer.rated(seconds, ratings_B)

    def clipped(rating: float) -> float:
        return min(max(rating, lowest), highest)

    of_all = trailer.rating()
    assert of_all is not None  # there is no clip: TooShortError
    rating = clipped(of_all)
    within = None if model.interval is None else float(model.interval["half_width"])
    return {
        "path": trailer.name,
        "rating": rating,
        "low": None if within is None else clipped(rating - within),
        "high": None if within is None else clipped(rating + within),
        "subclips": [
            {"start_seconds": start, "end_seconds": end, "rating": clipped(own)}
            for start, end in trailer.subclips
            if (own := trailer.rating(start, end)) is not None
        ],
        "frames": trailer.counts.frames,
    }
