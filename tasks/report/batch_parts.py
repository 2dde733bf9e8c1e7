"""What the page of a batch says of its sources, for each kind of model, as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks import files, media, pictures
from tasks.batch.anomalies import FEWEST_FRAMES, against_the_others, evened, usual
from tasks.report import batch_charts
from tasks.report.batch_results import ROWS_SHOWN, Batch, anomalies_of, more
from tasks.report.kinds import decimal
from tasks.report.results import csv_if_there

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 20  # sources with a video on the page
VIDEO = "video.mp4"
NEIGHBOURS = 3
POSTER_PX = 640  # widest poster of a video
SUBCLIPS_SHOWN = 12


def reconstruct(batch: Batch) -> dict[str, Any]:
    """Those with the strongest anomalies first, then those that are rebuilt worst."""
    told = anomalies_of(batch)
    above = against_the_others(batch.results["mse"].to_numpy(np.float64))
    many: dict[Any, int] = told["source"].value_counts().to_dict()
    strongest: dict[Any, float] = told.groupby("source")["deviations"].max().to_dict() if len(told) else {}
    table = batch.results.assign(
        above=np.nan if above is None else above,
        strongest=[float(strongest.get(source, np.nan)) for source in batch.results["source"]],
        anomalies=[int(many.get(source, 0)) for source in batch.results["source"]],
    ).sort_values(["strongest", "mse", "path"], ascending=[False, False, True], kind="stable", na_position="last")
    rates = _Rates(batch)
    looked = [_looked(batch, row, told, rates) for row in _rows(table, LOOKED_AT)]
    sources = []
    for row in _rows(table):
        errors = _errors(batch, row["source"])
        own = _rows(told[told["source"] == row["source"]])
        spark = None if errors is None else batch_charts.spark(errors["time_seconds"], evened(errors), own)
        sources.append(row | {"spark": spark, "href": batch.link(row["source"], VIDEO)})
    moments = []
    for row in _rows(told.sort_values("deviations", ascending=False, kind="stable")):
        moments.append(row | {"href": rates.link(row["source"], row["start_seconds"])})
    return {
        "looked": looked,
        "more_looked": max(0, len(table) - LOOKED_AT),
        "sources": sources,
        "more_sources": more(len(table), "results.csv"),
        "moments": moments,
        "more_moments": more(len(told), "anomalies.csv"),
        "deviations": batch.about.get("anomaly_deviations"),
        "compared": above is not None,
    }


def _rows(table: pd.DataFrame, most: int = ROWS_SHOWN) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.head(most).to_dict("records")]


class _Rates:
    """Where a time of a source lies in its video: the frames are in both, at the video's own rate."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.known: dict[str, tuple[NDArray[np.float64], float] | None] = {}

    def video_seconds(self, source: str, seconds: float) -> float | None:
        """None: there is no video that can be read."""
        if source not in self.known:
            video, errors = self.batch.file(source, VIDEO), _errors(self.batch, source)
            rate = None if video is None or errors is None else _rate(video)
            found = None if rate is None or errors is None else (errors["time_seconds"].to_numpy(np.float64), rate)
            self.known[source] = found
        if (known := self.known[source]) is None:
            return None
        times, rate = known
        return int(np.argmin(np.abs(times - seconds))) / rate

    def link(self, source: str, seconds: float) -> str:
        return self.batch.link(source, VIDEO, self.video_seconds(source, seconds))


def _rate(video: Path) -> float | None:
    try:
        return media.probe(video).frames_per_second
    except media.MediaError:
        return None


def _errors(batch: Batch, source: str) -> pd.DataFrame | None:
    path = batch.file(source, "errors.csv")
    return None if path is None else csv_if_there(path)


def _looked(batch: Batch, row: dict[str, Any], told: pd.DataFrame, rates: _Rates) -> dict[str, Any]:
    """A source with its curve, its anomalies and its video, which shows the worst frame until it is played."""
    source, errors = row["source"], _errors(batch, row["source"])
    own = _rows(told[told["source"] == source])
    worst = rates.video_seconds(source, row["worst_time_seconds"])
    deviations = batch.about.get("anomaly_deviations")
    curve = None
    if errors is not None and len(errors):
        even = evened(errors)
        curve = batch_charts.error_curve(
            errors["time_seconds"].tolist(),
            even.tolist(),
            own,
            median=float(np.median(even)),
            threshold=_threshold(even, deviations),
            title=f"Error of every frame of {batch.short(row['path'])}",
        )
    return row | {
        "curve": curve,
        "moments": [m | {"href": rates.link(source, m["start_seconds"])} for m in own],
        "video": None if batch.file(source, VIDEO) is None else batch.link(source, VIDEO),
        "at_worst": batch.link(source, VIDEO, worst),
        "poster": _poster(batch, source, worst),
    }


def _threshold(even: NDArray[np.float64], deviations: float | None) -> float | None:
    """The error above which a frame is told."""
    if deviations is None or len(even) < FEWEST_FRAMES:
        return None
    median, scale = usual(even)
    return median + deviations * scale


def _poster(batch: Batch, source: str, seconds: float | None) -> str | None:
    """The frame of a source's video at a time, for the page; None where there is none to be read."""
    video = batch.file(source, VIDEO)
    if video is None or seconds is None:
        return None
    try:
        info = media.probe(video)
        half = 0.5 / info.frames_per_second
        spans = [(max(0.0, seconds - half), seconds + half)]
        _, _, frame = next(iter(media.read_frames(video, spans=spans, info=info, threads=1)))
    except (media.MediaError, StopIteration):
        return None
    height, width = frame.shape[:2]
    if width > POSTER_PX:
        frame = media.resize(frame, max(1, round(height * POSTER_PX / width)), POSTER_PX, "stretch", False)
    return pictures.webp_uri(frame)


def interpolate(batch: Batch) -> dict[str, Any]:
    """In the order of the results; the first of them with their videos."""
    looked = []
    for row in _rows(batch.results, LOOKED_AT):
        href = batch.link(row["source"], VIDEO)
        looked.append(row | {"href": href, "poster": _poster(batch, row["source"], row["seconds"] / 2)})
    sources = [row | {"href": batch.link(row["source"], VIDEO)} for row in _rows(batch.results)]
    return {
        "looked": looked,
        "more_looked": max(0, len(batch.results) - LOOKED_AT),
        "sources": sources,
        "more_sources": more(len(batch.results), "results.csv"),
    }


def classify(batch: Batch) -> dict[str, Any]:
    """Every source with those whose descriptors are most like its own, among all of the batch."""
    import pandas as pd

    path = batch.folder / "features.parquet"
    table = pd.read_parquet(path) if path.is_file() else None
    rows, beyond = _rows(batch.results), more(len(batch.results), "results.csv")
    if table is None or len(table) < 2:
        return {"sources": [row | {"near": []} for row in rows], "more_sources": beyond, "same": None}
    descriptors_ND = np.stack(list(table["descriptor"])).astype(np.float32)
    paths = [str(path) for path in table["path"]]
    place = {str(source): number for number, source in enumerate(table["source"])}
    near = dict(_nearest(descriptors_ND))
    sources = []
    for row in rows:
        found = near[place[row["source"]]] if row["source"] in place else []
        sources.append(row | {"near": [{"path": paths[at], "cosine": cosine} for at, cosine in found]})
    return {"sources": sources, "more_sources": beyond, "same": _same_folder(paths, near)}


def _nearest(descriptors_ND: NDArray[np.float32]) -> Iterator[tuple[int, list[tuple[int, float]]]]:
    """Of every row the others by cosine, the most alike first (a hundred rows at a time, so that memory is bounded)."""
    lengths = np.linalg.norm(descriptors_ND, axis=1, keepdims=True)
    unit_ND = descriptors_ND / np.where(lengths > 0, lengths, 1.0)
    for first in range(0, len(unit_ND), 100):
        cosines = unit_ND[first : first + 100] @ unit_ND.T
        for at, row in enumerate(cosines, start=first):
            row[at] = -np.inf
            order = np.argsort(-row, kind="stable")[: min(NEIGHBOURS, len(row) - 1)]
            yield at, [(int(k), float(row[k])) for k in order]


def _same_folder(paths: list[str], near: dict[int, list[tuple[int, float]]]) -> dict[str, Any] | None:
    """How often the most alike one lies in the same folder, against how often another one does at all."""
    folders = np.asarray([str(PurePosixPath(path).parent) for path in paths])
    kinds, counts = np.unique(folders, return_counts=True)
    if len(kinds) < 2 or counts.max() < 2:
        return None
    hits = sum(bool(folders[found[0][0]] == folders[at]) for at, found in near.items())
    by_chance = float((counts * (counts - 1)).sum() / (len(paths) - 1))
    return {"hits": hits, "of": len(paths), "folders": len(kinds), "chance": decimal(by_chance, 1)}


def regress(batch: Batch) -> dict[str, Any]:
    """The highest rating first; each on the scale of the ratings that the model learned from."""
    table = batch.results.sort_values(["rating", "path"], ascending=[False, True], kind="stable")
    scale: list[float] | None = None
    sources = []
    for row in _rows(table):
        low, high = (None if np.isnan(row[key]) else float(row[key]) for key in ("low", "high"))
        path = batch.file(row["source"], "ratings.json")
        told = None if path is None else files.read_json(path)
        subclips = [] if told is None else told["subclips"]
        chart = None
        if told is not None:
            scale = told["scale"]
            ratings = [float(subclip["rating"]) for subclip in subclips]
            chart = batch_charts.rating_scale(float(row["rating"]), low, high, (scale[0], scale[1]), ratings)
        few, many = subclips[:SUBCLIPS_SHOWN], max(0, len(subclips) - SUBCLIPS_SHOWN)
        sources.append(row | {"low": low, "high": high, "chart": chart, "told": few, "more_told": many})
    return {
        "sources": sources,
        "more_sources": more(len(table), "results.csv"),
        "scale": scale,
        "interval": batch.about.get("interval"),
        "signal": batch.about.get("signal"),
    }
