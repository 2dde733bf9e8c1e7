"""What an answer is: a function of the frames that are shown, under a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Clip = NDArray[np.uint8]
Output = NDArray[np.float32]
Predict = Callable[[Clip], Output]
Batches = Callable[[], Iterator[Clip]]  # every call starts again at the first batch of uint8 (B, T, H, W, C)


@dataclass(frozen=True)
class Answer:
    """A model or a baseline.

    Attributes:
        floats: what stands between encoder and decoder for one clip; None where nothing is compressed.
        predict: uint8 (B, N, H, W, C), the frames that are shown, to float32 (B, M, H, W, C), 0 to 1, a frame for every
            place that is asked for. ``reconstruct`` is shown and asked for every place.
    """

    name: str
    floats: int | None
    predict: Predict
