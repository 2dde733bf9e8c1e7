"""The answers every model must beat, on the same clips and shown the same frames.

`linear` holds those of kind ``reconstruct``, which are fitted and get as many floats as the model; `interpolate` those
of kind ``interpolate``, which need no fitting; `classes` those of kind ``classify``, which answer whole videos;
`ratings` those of kind ``regress``, which answer whole films.
"""

from __future__ import annotations

from tasks.baselines.answers import Answer, Batches, Clip, Output, Predict
from tasks.baselines.classes import Seen, VideoAnswer, difference_energy, mean_frame, of_videos, reduced
from tasks.baselines.interpolate import between
from tasks.baselines.linear import fit
from tasks.baselines.ratings import FilmAnswer, FrameStatistics, RatedFilms, of_films, pace

__all__ = [
    "Answer",
    "Batches",
    "Clip",
    "FilmAnswer",
    "FrameStatistics",
    "Output",
    "Predict",
    "RatedFilms",
    "Seen",
    "VideoAnswer",
    "between",
    "difference_energy",
    "fit",
    "mean_frame",
    "of_films",
    "of_videos",
    "pace",
    "reduced",
]
