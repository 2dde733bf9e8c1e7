"""The clips that the report shows of a classifier, and what it looks at in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.evaluate.subject import Subject
from tasks.evaluate.thumbnails import thumbnails

if TYPE_CHECKING:
    import pandas as pd
    import torch

RIGHT = 12  # classes shown at most, the surest first
WRONG = 6  # clips shown at most
THUMBNAILS = 200


def examples(subject: Subject, per_clip: pd.DataFrame, per_video: pd.DataFrame) -> dict[str, Any]:
    """Clips that were told rightly and wrongly, and a small picture of every held-out video.

    Args:
        per_clip, per_video: the tables `clips.parquet` and `videos.parquet`.

    Returns:
        `role`: right, the surest of a class; wrong, the surest of a video. `source`, `clip`, `label`, `predicted`,
        `confidence`; `frames` uint8 (N, T, H, W, C); of a model with `logits` also `saliency` uint8 (N, T, H, W) and
        `saliency_over_time` float32 (N, T): see `saliency`. `thumbnail_source`, `thumbnail` uint8 (V, h, w, C): the
        middle frame of each video, at most 64 px high; of more than 200 videos those named wrongly, then the surest
        of each class.
    """
    rows, roles = _chosen(per_clip)
    chosen, clips = per_clip.loc[rows], subject.test.clips(rows)
    found: dict[str, Any] = {
        "role": np.array(roles, np.str_),
        "source": chosen["source"].to_numpy(np.str_),
        "clip": chosen["clip"].to_numpy(np.int64),
        "label": chosen["label"].to_numpy(np.str_),
        "predicted": chosen["predicted"].to_numpy(np.str_),
        "confidence": chosen["confidence"].to_numpy(np.float64),
        "frames": clips,
    }
    logits = getattr(subject.model, "logits", None)
    if callable(logits):
        maps = [saliency(logits, clip_THWC) for clip_THWC in clips]
        found["saliency"] = np.stack([_bytes(map_THW) for map_THW in maps])
        found["saliency_over_time"] = np.stack([_over_time(map_THW) for map_THW in maps])
    pictured = _pictured(per_video[per_video["answer"] == "model"])
    return found | {
        "thumbnail_source": np.array(pictured, np.str_),
        "thumbnail": thumbnails(subject.test, "source", pictured),
    }


def saliency(logits: Callable[[torch.Tensor], torch.Tensor], clip_THWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Where a small change of a pixel changes the answer most: the absolute gradient of the predicted class's log
    probability with respect to the clip in 0 to 1, the largest of a pixel's channels (Simonyan et al. 2014).

    Args:
        logits: float32 (B, C, T, H, W), 0 to 1, to (B, classes).

    Returns:
        float32 (T, H, W), 0 or more; 0 outside the part of the frame that the network looks at.
    """
    import torch

    unit_BCTHW = torch.from_numpy(clip_THWC).permute(3, 0, 1, 2)[None].float() / 255.0
    unit_BCTHW.requires_grad_(True)
    chances = logits(unit_BCTHW).log_softmax(1)[0]
    (gradient_BCTHW,) = torch.autograd.grad(chances[chances.argmax()], unit_BCTHW)
    found: NDArray[np.float32] = gradient_BCTHW[0].abs().amax(0).numpy()
    return found


def _bytes(map_THW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0 to 255, the clip's largest value 255."""
    peak = float(map_THW.max())
    return np.rint(map_THW * (255.0 / peak) if peak > 0 else map_THW).astype(np.uint8)


def _over_time(map_THW: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each frame's share of the whole; equal shares where nothing matters at all."""
    of_frame = map_THW.sum(axis=(1, 2), dtype=np.float64)
    whole = of_frame.sum()
    share = of_frame / whole if whole > 0 else np.full(len(of_frame), 1.0 / len(of_frame))
    return share.astype(np.float32)


def _chosen(per_clip: pd.DataFrame) -> tuple[NDArray[np.int64], list[str]]:
    """Row numbers of `per_clip` and their roles."""
    by_sureness = per_clip.sort_values(["confidence", "clip"], ascending=[False, True], kind="stable")
    right = by_sureness[by_sureness["correct"]].drop_duplicates("label").index[:RIGHT]
    wrong = by_sureness[~by_sureness["correct"]].drop_duplicates("source").index[:WRONG]
    rows = np.concatenate([right.to_numpy(np.int64), wrong.to_numpy(np.int64)])
    return rows, ["right"] * len(right) + ["wrong"] * len(wrong)


def _pictured(of_model: pd.DataFrame) -> list[str]:
    """The sources of `THUMBNAILS` videos: wrong ones, then of each class the surest, of each the second surest, ..."""
    ranked = of_model.sort_values(["confidence", "source"], ascending=[False, True], kind="stable")
    ranked = ranked.assign(place=ranked.groupby("label").cumcount().where(ranked["correct"], -1))
    return sorted(ranked.sort_values("place", kind="stable")["source"].head(THUMBNAILS))
