"""Looking at a model while it trains: a picture of what it makes of a few clips, figures on the validation split.

Frames are answered with frames: truth over answer, and PSNR. Classes with probabilities: the clip, its class and the
likeliest classes beside it, and accuracy and log loss. Ratings with a number: the clip, its film's rating and the
answer, and squared and absolute error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import VideoModel
from models._sequence import lengths
from tasks.classification import log_loss
from tasks.files import replacing
from tasks.train.batches import Batch, evenly_spaced, reader
from tasks.train.data import Data

SHOWN_CLIPS = 4
SHOWN_ROWS = 8  # of classes and ratings, where each clip takes one row, and several are to be seen
VALIDATION_CLIPS = 64
GAP_PX = 2
_MSE_FLOOR = 1e-10  # 100 dB: an exact answer would otherwise be infinite

ROW_PX = 72  # at least: room for four lines of text
STRIP_FRAMES = 8
TEXT_WIDTH_PX, LINE_PX, LETTER_PX, LETTERS = 220, 17, 13, 24
PAPER, PENCIL, RIGHT, WRONG = (250, 250, 248), (40, 40, 40), (0, 120, 60), (190, 30, 30)

Line = tuple[str, tuple[int, int, int]]  # of text: words and colour


@torch.no_grad()
def look(path: Path, model: VideoModel, data: Data, batch_clips: int) -> dict[str, float]:
    """Write the picture, a PNG, of clips evenly spaced over the split that is shown.

    Args:
        model: in eval mode.

    Returns:
        figures on at most 64 evenly spaced validation clips, by the names of the history's columns; none without such
        a split.
    """
    one_answer = model.kind in ("classify", "regress")
    fetch, _ = reader(data.shown, data.frames, torch.device("cpu"))
    shown = fetch(evenly_spaced(len(data.shown), SHOWN_ROWS if one_answer else SHOWN_CLIPS))
    device = next(model.parameters()).device
    clip_BTHWC = shown["clip"].to(device)
    answer = model.predict(clip_BTHWC[:, list(model.inputs)]).cpu()
    if model.kind == "classify":
        picture = classes_picture(shown["clip"].numpy(), shown["label"].tolist(), answer, data.shown.labels)
    elif model.kind == "regress":
        picture = ratings_picture(shown["clip"], shown["score"].tolist(), answer.tolist())
    else:
        picture = frames_picture(shown["clip"][:, list(model.outputs)], answer)
    _write(path, picture)
    if data.validation is None:
        return {}
    measure = MEASURES.get(model.kind, psnr)
    chosen = evenly_spaced(len(data.validation), VALIDATION_CLIPS)
    found: list[dict[str, Tensor]] = []
    for start in range(0, len(chosen), batch_clips):
        batch = fetch(chosen[start : start + batch_clips])
        found.append(measure(model, {k: v.to(device) for k, v in batch.items()}))
    return {f"validation_{name}": float(torch.cat([part[name] for part in found]).mean()) for name in found[0]}


def psnr(model: VideoModel, batch: Batch) -> dict[str, Tensor]:
    """Of each clip 10 log10(1 / mse), pixels in 0 to 1, in decibel."""
    truth_BMHWC = batch["clip"][:, list(model.outputs)].float() / 255.0
    error_B = (model.predict(batch["clip"][:, list(model.inputs)]) - truth_BMHWC).square().flatten(1).mean(1)
    return {"psnr_db": -10.0 * error_B.double().clamp_min(_MSE_FLOOR).log10()}


def classification(model: VideoModel, batch: Batch) -> dict[str, Tensor]:
    """Of each clip whether the likeliest class is the true one (0 or 1), and -ln of the true one's probability."""
    probability_BK = model.predict(batch["clip"])
    return {
        "accuracy": (probability_BK.argmax(1) == batch["label"]).double(),
        "log_loss": torch.from_numpy(log_loss(probability_BK.cpu().numpy(), batch["label"].cpu().numpy())),
    }


def regression(model: VideoModel, batch: Batch) -> dict[str, Tensor]:
    """Of each clip the squared and the absolute error of its rating."""
    error_B = model.predict(batch["clip"]).double() - batch["score"]
    return {"mse": error_B.square(), "mae": error_B.abs()}


MEASURES: dict[str, Callable[[VideoModel, Batch], dict[str, Tensor]]] = {
    "classify": classification,
    "regress": regression,
}


def frames_picture(truth_BMHWC: Tensor, answer_BMHWC: Tensor) -> NDArray[np.uint8]:
    """For each clip the true frames (uint8) at the places answered, and the answers (0 to 1) in the row below."""
    outputs = (answer_BMHWC * 255.0).round().to(torch.uint8)
    pairs = torch.stack([truth_BMHWC, outputs], 1).numpy()  # B 2 M H W C
    clips, _, frames, height, width, channels = pairs.shape
    grid = np.full((clips, 2, frames, height + GAP_PX, width + GAP_PX, channels), 255, np.uint8)
    grid[:, :, :, :height, :width] = pairs
    rows = grid.transpose(0, 1, 3, 2, 4, 5)  # clip, truth or answer, y, frame, x
    picture: NDArray[np.uint8] = rows.reshape(clips * 2 * (height + GAP_PX), frames * (width + GAP_PX), channels)
    return picture


def classes_picture(
    clip_BTHWC: NDArray[np.uint8], truth: Sequence[int], probability_BK: Tensor, labels: Sequence[str]
) -> NDArray[np.uint8]:
    """For each clip a strip of its frames, and beside it the true class and the likeliest three with their shares."""
    beside: list[list[Line]] = []
    for true, probability_K in zip(truth, probability_BK, strict=True):
        lines: list[Line] = [(f"is  {_short(labels[true])}", PENCIL)]
        best = probability_K.topk(min(3, len(labels)))
        for line, (share, place) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True), start=1):
            words, colour = f"{100 * share:3.0f} %  {_short(labels[place])}", PENCIL
            if line == 1:
                words, colour = (words, RIGHT) if place == true else (f"{words}  (wrong)", WRONG)
            lines.append((words, colour))
        beside.append(lines)
    return _strips(list(clip_BTHWC), beside)


def ratings_picture(clip_BTHWC: Tensor, truth: Sequence[float], answer: Sequence[float]) -> NDArray[np.uint8]:
    """For each clip a strip of its frames, without what fills it up, and beside it the film's rating and the answer."""
    clips = [clip[:length].numpy() for clip, length in zip(clip_BTHWC, lengths(clip_BTHWC).tolist(), strict=True)]
    beside: list[list[Line]] = [
        [(f"is  {true:.2f}", PENCIL), (f"answered  {said:.2f}  ({said - true:+.2f})", PENCIL)]
        for true, said in zip(truth, answer, strict=True)
    ]
    return _strips(clips, beside)


def _strips(clips: Sequence[NDArray[np.uint8]], beside: Sequence[Sequence[Line]]) -> NDArray[np.uint8]:
    """A row for each clip (T, H, W, C), of any T: at most `STRIP_FRAMES` of its frames, and lines of text."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = clips[0].shape[1:3]
    factor = max(1, -(-ROW_PX // height))
    row_px, column_px = height * factor + GAP_PX, width * factor + GAP_PX
    left = min(STRIP_FRAMES, max(len(clip) for clip in clips)) * column_px
    page = Image.new("RGB", (left + TEXT_WIDTH_PX, len(clips) * row_px), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=LETTER_PX)
    for row, (clip_THWC, lines) in enumerate(zip(clips, beside, strict=True)):
        strip = clip_THWC[evenly_spaced(len(clip_THWC), STRIP_FRAMES)].repeat(factor, 1).repeat(factor, 2)
        for column, frame in enumerate(np.repeat(strip, 3, 3) if strip.shape[3] == 1 else strip):
            page.paste(Image.fromarray(frame), (column * column_px, row * row_px))
        for line, (words, colour) in enumerate(lines):
            pen.text((left + 6, row * row_px + line * LINE_PX), words, fill=colour, font=font)
    return np.asarray(page)


def _short(label: str) -> str:
    """A folder's name on one line."""
    words = " ".join(label.split())
    return words if len(words) <= LETTERS else f"{words[: LETTERS - 1]}…"


def _write(path: Path, picture_HWC: NDArray[np.uint8]) -> None:
    from PIL import Image

    with replacing(path) as temporary:
        Image.fromarray(picture_HWC[..., 0] if picture_HWC.shape[2] == 1 else picture_HWC).save(temporary)
