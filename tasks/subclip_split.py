"""The split that flatters: by subclip, so that what is judged was cut from films that were trained on.

film a   [subclip 0]  subclip 1   subclip 2      [ ] is held out, another one film by film; the rest is trained on
film b    subclip 0  [subclip 1]
film c    subclip 0                              a film of one subclip is trained on

A network can know a film again and answer with the rating that it learned. The report shows what that would have
claimed, beside the honest score by film.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def held_out(manifest: pd.DataFrame) -> NDArray[np.bool_]:
    """Which clips are held out: bool (N,), for every row of the manifest, whatever its split.

    Of film number i (by title, from 0) with n subclips, in order of source and time, it is number i mod n. A source
    without a film is one of its own.

    Raises:
        ValueError: no film has clips from two subclips.
    """
    films = manifest["film"].where(manifest["film"] != "", manifest["source"])
    held = np.zeros(len(manifest), bool)
    for number, (_, rows) in enumerate(manifest.groupby(films.to_numpy(), sort=True)):
        subclips = sorted(set(zip(rows["source"], rows["span"], strict=True)))
        if len(subclips) > 1:
            source, span = subclips[number % len(subclips)]
            held |= ((manifest["source"] == source) & (manifest["span"] == span)).to_numpy(bool)
    if not held.any():
        raise ValueError(
            "no film has clips from two subclips, so there is nothing to split by subclip; raise subclips.count or "
            "shorten subclips.seconds or clips.length_frames"
        )
    return held
