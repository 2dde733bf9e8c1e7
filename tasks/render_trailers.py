"""The built-in footage of trailers: films with shots, cuts, camera moves, light and sound, and their ratings.

    <out_dir>/the-glass-harbour_trailer.webm ...      mp4, mov, webm, flv in turn
              ratings.csv     Title, Score
              truth.csv       title, file, cuts_per_minute, motion_widths_per_second, brightness, signal, noise, score

Each film has a cut rate, a camera speed and a brightness of its own, and its score is

    c = (cuts a minute over the whole film - 18) / 12                       6 to 30 cuts a minute: -1 to 1
    m = (mean camera speed in picture widths a second - 0.055) / 0.045      0.01 to 0.10: -1 to 1
    b = (mean luma of its frames, 0 to 1, - 0.45) / 0.25                    0.2 to 0.7: -1 to 1

    signal = 5.5 + 1.2 m + 2.4 c b
    score  = signal + noise, rounded to 0.01, held within 0 and 10          noise: normal, `noise_deviation` points

Quick cutting pays in the light and costs in the dark: no straight line through c, m and b sees it. The formula
takes what was drawn, not what was asked. Everything else (colours, places, directions, length, container) is
drawn without regard to c, m and b.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks import files, media, parallel
from tasks.drawing import soundtrack, titles, trailer
from tasks.params import RenderedTrailers

CUTS_PER_MINUTE = (6.0, 30.0)  # where c is -1 and 1; so below for m and b
SPEED = (0.01, 0.10)  # picture widths a second
BRIGHTNESS = (0.2, 0.7)
SHOT_LENGTH, SHOT_SPEED, SHOT_LUMA = 0.30, 0.20, 0.05  # how far a shot may be from its film's own: of it, of it, luma
SUFFIXES = (".mp4", ".mov", ".webm", ".flv")
PLASTIC = 1.2207440846057596  # the root of x^4 = x + 1: its powers spread points evenly over a cube


@dataclass(frozen=True)
class Truth:
    """A row of truth.csv: what a film really shows, and where its score comes from."""

    title: str
    file: str
    cuts_per_minute: float
    motion_widths_per_second: float
    brightness: float
    signal: float
    noise: float
    score: float


@dataclass(frozen=True)
class _Job:
    settings: RenderedTrailers
    number: int
    folder: Path


def render_trailers(out_dir: Path, settings: RenderedTrailers, workers: int = 1) -> None:
    """Write the films and their ratings; an existing `out_dir` is replaced once all are complete.

    The bytes do not depend on `workers`, and a film does not depend on how many there are.

    Raises:
        OSError: the files could not be written.
    """
    with files.replacing_folder(out_dir) as folder:
        jobs = [_Job(settings, number, folder) for number in range(1, settings.films + 1)]
        rows = parallel.map_sources(_film, jobs, workers, name=lambda job: f"trailer {job.number}")
        files.write_text(
            folder / "ratings.csv", _csv([{"Title": row.title, "Score": f"{row.score:.2f}"} for row in rows])
        )
        files.write_text(folder / "truth.csv", _csv([asdict(row) for row in rows]))


def factors(seed: int, number: int) -> tuple[float, float, float]:
    """c, m and b that are asked of film `number`, from 1: a low-discrepancy sequence, begun where the seed says."""
    start = np.random.default_rng((seed, 0)).uniform(size=3)
    c, m, b = (float(v) for v in 2 * ((start + number * PLASTIC ** -np.arange(1.0, 4.0)) % 1) - 1)
    return c, m, b


def signal_of(cuts_per_minute: float, motion_widths_per_second: float, brightness: float) -> float:
    """The rating before noise, in points."""
    c, m, b = (
        2 * (value - low) / (high - low) - 1
        for value, (low, high) in (
            (cuts_per_minute, CUTS_PER_MINUTE),
            (motion_widths_per_second, SPEED),
            (brightness, BRIGHTNESS),
        )
    )
    return 5.5 + 1.2 * m + 2.4 * c * b


def script_of(settings: RenderedTrailers, number: int) -> trailer.Script:
    """The shots of a film: how long, how fast, how bright."""
    rng = np.random.default_rng((settings.seed, number))
    c, m, b = (
        low + (high - low) * (factor + 1) / 2
        for factor, (low, high) in zip(
            factors(settings.seed, number), (CUTS_PER_MINUTE, SPEED, BRIGHTNESS), strict=True
        )
    )
    frames = round(float(rng.uniform(settings.shortest_seconds, settings.longest_seconds)) * settings.frames_per_second)
    cuts = round(c * frames / settings.frames_per_second / 60)
    shares = rng.uniform(1 - SHOT_LENGTH, 1 + SHOT_LENGTH, cuts + 1)
    lengths = np.diff(np.rint(np.cumsum(shares) / shares.sum() * frames).astype(int), prepend=0)
    speeds = m * _about(1.0, SHOT_SPEED, lengths, rng)
    lumas = _about(b, SHOT_LUMA, lengths, rng)
    return trailer.Script(tuple(lengths.tolist()), tuple(speeds.tolist()), tuple(lumas.tolist()))


def _about(mean: float, reach: float, weights: NDArray[np.int_], rng: np.random.Generator) -> NDArray[np.float64]:
    """Values whose weighted mean is `mean`, spread evenly about it."""
    aside = rng.uniform(-reach, reach, len(weights))
    return np.asarray(mean + aside - np.average(aside, weights=weights))


def _film(job: _Job) -> Truth:
    """Draw one film; in a worker."""
    settings, number = job.settings, job.number
    script = script_of(settings, number)
    seconds = sum(script.lengths) / settings.frames_per_second
    cuts = np.cumsum(script.lengths)[:-1] / settings.frames_per_second
    title = titles.title(number, settings.seed)
    path = job.folder / f"{title.lower().replace(' ', '-')}_trailer{SUFFIXES[(number - 1) % len(SUFFIXES)]}"
    look, sound, luck = (np.random.default_rng((settings.seed, number, what)) for what in (1, 2, 3))
    seen = trailer.Seen()
    media.encode_film(
        trailer.shoot(
            script,
            seen,
            height_px=settings.height_px,
            width_px=settings.width_px,
            frames_per_second=settings.frames_per_second,
            rng=look,
        ),
        soundtrack.soundtrack(seconds, cuts, sound),
        path,
        frames_per_second=settings.frames_per_second,
        samples_per_second=soundtrack.SAMPLES_PER_SECOND,
    )
    return _rated(title, path.name, 60 * len(cuts) / seconds, seen, settings.noise_deviation * luck.standard_normal())


def _rated(title: str, file: str, cuts_per_minute: float, seen: trailer.Seen, noise: float) -> Truth:
    """What was seen, rounded as truth.csv has it, and its rating."""
    cuts, motion, brightness = (
        round(cuts_per_minute, 4),
        round(seen.speed / seen.steps, 6),
        round(seen.luma / seen.frames, 5),
    )
    signal, noise = round(signal_of(cuts, motion, brightness), 4), round(float(noise), 4)
    score = round(min(max(signal + noise, 0.0), 10.0), 2)
    return Truth(title, file, cuts, motion, brightness, signal, noise, score)


def _csv(rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
