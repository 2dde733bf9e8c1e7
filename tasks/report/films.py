"""Looping videos of the report: input, output and error; four answers in step; and the third article's side by side.

All are H.264 that every browser plays, slowed, and equal bytes for equal frames. Clips are uint8 (T, H, W, C).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks import media
from tasks.pictures import GAP_LEVEL, PANEL_GAP_PX, Image, data_uri, enlarged, gap, panels, rgb

FRAMES_PER_SECOND = 10.0
BETWEEN_PANEL_PX = 288  # of videos with answered frames
BETWEEN_FRAMES_PER_SECOND = 8  # of videos with answered frames; a binary fraction, as moviepy counts in floats
LABEL_GROUND, LABEL_INK, LABEL_SOFT = (24, 26, 29), (240, 240, 236), (170, 176, 184)


def _uri(frames: Iterator[Image], frames_per_second: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        media.encode_video(frames, path, frames_per_second=frames_per_second, crf=20)
        return data_uri("video/mp4", path.read_bytes())


def rebuilt_uri(clip_THWC: NDArray[np.uint8], output_THWC: NDArray[np.uint8], scale: float) -> str:
    """Input, output and error side by side, slowed to 10 frames a second."""
    return _uri((panels(i, o, scale) for i, o in zip(clip_THWC, output_THWC, strict=True)), FRAMES_PER_SECOND)


def window(
    shown_NHWC: NDArray[np.uint8],
    answer_MHWC: NDArray[np.uint8],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> NDArray[np.uint8]:
    """The shown and the answered frames in the order of their places in the window: (N + M, H, W, C)."""
    order = np.argsort([*inputs, *outputs], kind="stable")
    ordered: NDArray[np.uint8] = np.concatenate([shown_NHWC, answer_MHWC])[order]
    return ordered


def there_and_back(length: int) -> list[int]:
    """Frame numbers of a loop without a jump: forwards, then back."""
    return [*range(length), *range(length - 2, 0, -1)]


def _label(width_px: int, left: str, right: str) -> Image:
    """A dark plate for the top of a panel, large enough to be read on a phone, where a panel is small."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    size = max(8, width_px // 15)
    plate = Pillow.new("RGB", (width_px, size * 3 // 4 * 2), LABEL_GROUND)
    pen, middle = ImageDraw.Draw(plate), plate.height // 2
    pen.text((size // 3, middle), left, fill=LABEL_INK, font=ImageFont.load_default(size), anchor="lm")
    small = ImageFont.load_default(size * 3 // 4)
    pen.text((width_px - size // 3, middle), right, fill=LABEL_SOFT, font=small, anchor="rm")
    return np.asarray(plate)


def four_uri(panels_of: Sequence[tuple[str, NDArray[np.uint8]]], inputs: Sequence[int], outputs: Sequence[int]) -> str:
    """Four named clips of one window in one video, two by two, so that they stay in step; forwards, then back.

    Args:
        panels_of: (name, frames of the window in order), all of one shape; with fewer than four one place stays grey.
        inputs, outputs: the places of those frames; each frame says in its label which one it is.
    """
    places = sorted([*inputs, *outputs])
    factor = max(1, BETWEEN_PANEL_PX // panels_of[0][1].shape[1])

    def frame(t: int) -> Image:
        told = f"frame {places[t]}, given" if places[t] in inputs else f"frame {places[t]}"
        made = []
        for name, clip in panels_of:
            image = enlarged(rgb(clip[t]), factor)
            made.append(np.concatenate([_label(image.shape[1], name, told), image]))
        made += [np.full_like(made[0], GAP_LEVEL)] * (-len(made) % 2)
        column = gap(made[0].shape[0], PANEL_GAP_PX)
        rows = [np.concatenate([made[k], column, made[k + 1]], axis=1) for k in range(0, len(made), 2)]
        line = gap(PANEL_GAP_PX, rows[0].shape[1])
        return np.concatenate([part for row in rows for part in (row, line)][:-1])

    drawn = [frame(t) for t in range(len(places))]
    return _uri((drawn[t] for t in there_and_back(len(drawn))), BETWEEN_FRAMES_PER_SECOND)


def side_by_side(truth_THWC: Sequence[Image], ours_THWC: Sequence[Image], path: Path) -> None:
    """The third article's own figure: ground truth on the left, the model on the right, made with moviepy.

    Args:
        truth_THWC, ours_THWC: uint8 RGB frames of one shape, as many on either side.

    Raises:
        ValueError: ffmpeg left another number of frames; moviepy does not look at its exit status.
    """
    from moviepy import ImageSequenceClip, clips_array

    def side(frames: Sequence[Image]) -> ImageSequenceClip:
        odd = ((0, frames[0].shape[0] % 2), (0, frames[0].shape[1] % 2), (0, 0))  # yuv420p needs even sizes
        even = [np.pad(frame, odd, mode="edge") for frame in frames]
        return ImageSequenceClip(even, fps=BETWEEN_FRAMES_PER_SECOND, with_mask=False)

    assert len(truth_THWC) == len(ours_THWC)
    film = clips_array([[side(truth_THWC), side(ours_THWC)]], bg_color=(0, 0, 0))
    colours = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p"
    told = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
    same_bytes = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"]
    film.write_videofile(
        str(path),
        fps=BETWEEN_FRAMES_PER_SECOND,
        codec="libx264",
        audio=False,
        threads=1,  # x264's bytes depend on the thread count
        ffmpeg_params=["-vf", colours, "-crf", "20", *told, "-movflags", "+faststart", *same_bytes],
        logger=None,
    )
    held = media.probe(path).frames
    if held != len(truth_THWC):
        raise ValueError(f"{path} holds {held} frames, {len(truth_THWC)} were written; is the disk full?")


def side_by_side_uri(truth_THWC: Sequence[Image], ours_THWC: Sequence[Image]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "side-by-side.mp4"
        side_by_side(truth_THWC, ours_THWC, path)
        return data_uri("video/mp4", path.read_bytes())
