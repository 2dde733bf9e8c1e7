"""The answers to kind ``interpolate``: frames between, before or after the frames that are shown. Nothing is fitted.

============  =======================================================================================
answer        the frame at a place that is asked for
============  =======================================================================================
nearest_copy  the shown frame nearest in time; of two equally near the earlier
cross_fade    the two shown frames around it, blended linearly in time; beyond them the nearest
dis_flow      both moved to its time along the optical flow between them, then blended; see `_Motion`
============  =======================================================================================

A place has a time between the two shown frames that it is answered from: 0 at the first, 1 at the second, below 0
before the first frame that is shown and above 1 after the last. With inputs 0, 6 and 12:

    place      0   1   2   ...   6   7   ...   12   13
    pair       0,6                   6,12
    time       0  1/6 2/6        1  1/6         1   7/6
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.baselines.answers import Answer, Clip, Output

Picture = NDArray[np.float32]  # (H, W, C), 0 to 255
Flow = NDArray[np.float32]  # (H, W, 2), pixels, x first: what is at p in one frame is at p + flow(p) in the other

SMALLEST_PX = 16  # OpenCV's flow wants at least 12; smaller pictures are continued by their edge
LEAST_COVER = 1e-3  # weight from which a moved flow is believed; what is covered less takes the flow where it stands
LONGEST_MISS = 10.0  # pixels of forward-backward error from which more makes no difference
OCCLUDED = (0.01, 0.5)  # Sundaram, Brox and Keutzer 2010, eq. 5: share of the squared motion, plus squared pixels
OCCLUSION_SIGMA_PX = 1.5  # the occlusion map is softened: its edges are less certain than that
FLOOR = 0.2  # trust left to a frame in which the place is hidden, so that weights never vanish together


@dataclass(frozen=True)
class Moment:
    """The pair of shown frames (their numbers among those shown) a place is answered from, and its time in it."""

    first: int
    second: int
    time: float


def moments(inputs: Sequence[int], outputs: Sequence[int]) -> list[Moment]:
    """For each output the two inputs around it, or the two nearest; a single input makes a pair with itself.

    Args:
        inputs: places in the clip that are shown, ascending.
        outputs: places that are asked for.
    """
    if len(inputs) == 1:
        return [Moment(0, 0, 0.0) for _ in outputs]
    found = []
    for place in outputs:
        first = min(max(bisect.bisect_right(inputs, place) - 1, 0), len(inputs) - 2)
        start, end = inputs[first], inputs[first + 1]
        found.append(Moment(first, first + 1, (place - start) / (end - start)))
    return found


def between(inputs: Sequence[int], outputs: Sequence[int]) -> list[Answer]:
    """The three answers for these places.

    Raises:
        ValueError: no input, no output, or inputs that do not ascend.
    """
    if not inputs or not outputs or list(inputs) != sorted(set(inputs)):
        raise ValueError(f"inputs {list(inputs)} and outputs {list(outputs)}: name at least one each, inputs ascending")
    nearest = [int(np.argmin([abs(place - shown) for shown in inputs])) for place in outputs]
    asked = moments(inputs, outputs)

    def nearest_copy(shown_BNHWC: Clip) -> Output:
        return shown_BNHWC[:, nearest].astype(np.float32) / np.float32(255)

    def cross_fade(shown_BNHWC: Clip) -> Output:
        share = np.array([min(max(m.time, 0.0), 1.0) for m in asked], np.float32).reshape(-1, 1, 1, 1)
        first, second = (shown_BNHWC[:, [pair[i] for pair in pairs]].astype(np.float32) for i in (0, 1))
        blended: Output = (first + share * (second - first)) / np.float32(255)
        return blended

    def dis_flow(shown_BNHWC: Clip) -> Output:
        answer = np.empty((len(shown_BNHWC), len(asked), *shown_BNHWC.shape[2:]), np.float32)
        for shown, frames in zip(shown_BNHWC, answer, strict=True):
            motions = {pair: _Motion.of(shown[pair[0]], shown[pair[1]]) for pair in sorted(set(pairs))}
            for at, (pair, moment) in enumerate(zip(pairs, asked, strict=True)):
                frames[at] = motions[pair].at(moment.time)
        return np.clip(answer / np.float32(255), 0.0, 1.0)

    pairs = [(m.first, m.second) for m in asked]
    return [
        Answer("nearest_copy", None, nearest_copy),
        Answer("cross_fade", None, cross_fade),
        Answer("dis_flow", None, dis_flow),
    ]


@dataclass(frozen=True)
class _Motion:
    """Two frames and the flow from each to the other: DIS (Kroeger et al. 2016), OpenCV's preset medium, on luma.

    The frame at a time is read from both frames along one flow that holds at that time (a backward warp each), and
    blended by nearness in time and by who can see the place:

    - The flow at time t: every pixel of both frames carries its flow along its own motion to t and drops it there
      (forward splatting), weighted by its forward-backward consistency and by nearness. On 144 px high windows of 7 of
      five real sequences, against Super-SloMo's linear combination of the flows (Jiang et al. 2018, eq. 4): 0.01 dB
      more between two frames, 0.3 to 0.5 dB more beyond them.
    - Occlusion: a pixel whose way there and back misses by more than `OCCLUDED` allows is hidden in the other frame,
      which then gets little say. It keeps edges clean; in PSNR it is worth nothing on those windows (-0.01 dB).

    The preset's flow is found at half size; at full size it takes four times as long and the answers gain 0.1 dB.

    Beyond the pair only the nearer frame is read, moved on along its own flow.
    """

    first: Picture
    second: Picture
    there: Flow
    back: Flow
    hidden_in_second: NDArray[np.float32]  # of the first frame's pixels, (H, W), 0 or 1
    hidden_in_first: NDArray[np.float32]  # of the second frame's pixels
    trust_there: NDArray[np.float64]
    trust_back: NDArray[np.float64]

    @classmethod
    def of(cls, first_HWC: Clip, second_HWC: Clip) -> _Motion:
        import cv2

        first, second = _luma(first_HWC), _luma(second_HWC)
        h, w = first_HWC.shape[:2]

        def search(one: Clip, other: Clip) -> Flow:
            fresh = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # a used one answers small pictures
            flow: Flow = fresh.calc(one, other, None)[:h, :w].copy()  # by what it was asked before
            return flow

        return cls.along(first_HWC, second_HWC, search(first, second), search(second, first))

    @classmethod
    def along(cls, first_HWC: Clip, second_HWC: Clip, there: Flow, back: Flow) -> _Motion:
        """From flows that are known."""
        hidden_in_second, trust_there = _visibility(there, back)
        hidden_in_first, trust_back = _visibility(back, there)
        pictures = first_HWC.astype(np.float32), second_HWC.astype(np.float32)
        return cls(*pictures, there, back, hidden_in_second, hidden_in_first, trust_there, trust_back)

    def at(self, time: float) -> Picture:
        """The frame at a time, (H, W, C), 0 to 255 and a little beyond."""
        import cv2

        near = np.clip([1.0 - time, time], 0.0, 1.0)
        flow = self._flow_at(time, near[0], near[1])
        to_first, to_second = np.float32(-time) * flow, np.float32(1.0 - time) * flow
        only_first, only_second = (
            cv2.GaussianBlur(_warp(hidden, to), (0, 0), OCCLUSION_SIGMA_PX)
            for hidden, to in ((self.hidden_in_second, to_first), (self.hidden_in_first, to_second))
        )
        hidden = only_first - only_second  # above 0: the second frame does not have it
        of_first = near[0] * (1.0 + FLOOR - np.clip(-hidden, 0.0, 1.0))
        of_second = near[1] * (1.0 + FLOOR - np.clip(hidden, 0.0, 1.0))
        share = (of_second / (of_first + of_second)).astype(np.float32)[..., None]
        blended: Picture = (1 - share) * _warp(self.first, to_first) + share * _warp(self.second, to_second)
        return blended

    def _flow_at(self, time: float, near_first: float, near_second: float) -> Flow:
        """The motion from the first frame to the second of what stands at each pixel at `time`."""
        forth_sum, forth_cover = _splat(self.there, time, self.trust_there)
        back_sum, back_cover = _splat(self.back, 1.0 - time, self.trust_back)
        cover = near_first * forth_cover + near_second * back_cover
        moved = (near_first * forth_sum - near_second * back_sum) / np.maximum(cover, LEAST_COVER)[..., None]
        unmoved = near_first * self.there - near_second * self.back
        return np.where(cover[..., None] > LEAST_COVER, moved, unmoved).astype(np.float32)


def _luma(frame_HWC: Clip) -> Clip:
    """(H, W) uint8, at least `SMALLEST_PX` each way."""
    import cv2

    luma = frame_HWC[..., 0] if frame_HWC.shape[-1] == 1 else cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY)
    missing = [max(0, SMALLEST_PX - extent) for extent in luma.shape]
    padded: Clip = np.pad(luma, [(0, more) for more in missing], mode="edge")
    return np.ascontiguousarray(padded)


def _visibility(flow: Flow, other: Flow) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Per pixel: 1 where it is hidden in the other frame; and the trust in its flow, 1 where there and back agree."""
    returned = _warp(other, flow)
    miss_squared = np.square(flow + returned).sum(axis=-1)
    motion_squared = np.square(flow).sum(axis=-1) + np.square(returned).sum(axis=-1)
    share, floor = OCCLUDED
    hidden = (miss_squared > share * motion_squared + floor).astype(np.float32)
    trust = np.exp(-np.minimum(np.sqrt(miss_squared), LONGEST_MISS)).astype(np.float64)
    return hidden, trust


def _warp(image: NDArray[np.float32], flow: Flow) -> NDArray[np.float32]:
    """Read an image (H, W) or (H, W, C) at p + flow(p), bilinear, the edge repeated: the backward warp."""
    import cv2

    h, w = flow.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    read: Any = cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shaped: NDArray[np.float32] = read.reshape(image.shape)
    return shaped


def _splat(flow: Flow, share: float, weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move every pixel by `share` of its flow and drop its flow on the four pixels around where it lands.

    Returns:
        The weighted sum of the flows that landed on each pixel (H, W, 2) and the sum of their weights (H, W).
    """
    h, w = weight.shape
    y, x = np.mgrid[0:h, 0:w]
    landed_x, landed_y = x + share * flow[..., 0], y + share * flow[..., 1]
    left, top = np.floor(landed_x).astype(np.int64), np.floor(landed_y).astype(np.int64)
    sums = np.zeros((3, h * w))
    for column in (left, left + 1):
        for row in (top, top + 1):
            part = weight * (1 - np.abs(landed_x - column)) * (1 - np.abs(landed_y - row))
            inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
            pixel, part = (row * w + column)[inside], part[inside]
            for total, value in zip(sums, (part * flow[inside, 0], part * flow[inside, 1], part), strict=True):
                total += np.bincount(pixel, value, h * w)
    return np.stack([sums[0], sums[1]], axis=-1).reshape(h, w, 2), sums[2].reshape(h, w)
