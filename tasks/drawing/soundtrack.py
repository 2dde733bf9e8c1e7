"""The sound of a trailer: a quiet chord that swells, and a blow at every cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLES_PER_SECOND = 11025  # encoding sound takes as long as encoding these small pictures
BED_SECONDS = 4.0  # then it begins again; every partial fits in a whole number of times


def soundtrack(seconds: float, blows: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.int16]:
    """One channel, int16 (samples,); `blows` are the times in seconds at which something falls."""
    bed_time = np.arange(round(BED_SECONDS * SAMPLES_PER_SECOND)) / SAMPLES_PER_SECOND
    root = round(float(rng.uniform(50, 75)) * BED_SECONDS) / BED_SECONDS
    bed = np.zeros_like(bed_time)
    for ratio in (1, 1.5, 2, rng.choice((2.5, 3.0)), 4):
        swell = 1 + 0.5 * np.sin(2 * np.pi * (bed_time / BED_SECONDS + rng.uniform()))
        bed += swell * np.sin(2 * np.pi * round(root * ratio * BED_SECONDS) / BED_SECONDS * bed_time) / ratio
    samples = round(seconds * SAMPLES_PER_SECOND)
    track = np.resize(0.05 * bed, samples)
    length = round(0.6 * SAMPLES_PER_SECOND)
    time = bed_time[:length]
    drop = np.sin(2 * np.pi * (40 * time + 6 * (1 - np.exp(-12 * time)))) * np.exp(-7 * time)
    blow = 0.5 * drop + 0.2 * rng.standard_normal(length) * np.exp(-40 * time)
    for start in np.round(blows * SAMPLES_PER_SECOND).astype(int):
        track[start : start + length] += blow[: max(0, samples - start)]
    whole: NDArray[np.int16] = np.round(np.clip(track, -1, 1) * 32000).astype(np.int16)
    return whole
