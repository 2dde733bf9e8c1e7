"""What the training loop, the evaluation and the export need from any architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

Kind = Literal["reconstruct", "interpolate", "classify", "regress"]


class VideoModel(nn.Module, ABC):
    """A network over clips. Layouts are written into the names: B clips, T frames, H rows, W columns, C channels.

    The `kind` fixes what a batch holds and which baselines, metrics and report page apply:

    ============ ======================================================== =====================
    kind         batch                                                    `predict` returns
    ============ ======================================================== =====================
    reconstruct  ``clip`` uint8 (B, T, H, W, C)                           frames (B, T, H, W, C)
    interpolate  the same; the places in `inputs` are shown to the        frames (B, M, H, W, C)
                 model, the M places in `outputs` are the truth
    classify     the same, and ``label`` int64 (B,), 0 to `classes` - 1;  probabilities
                 `inputs` are all places, `outputs` none                  (B, classes)
    regress      ``clip`` as above, shorter ones filled up with frames    scores (B,)
                 that are all 0 (see `models._sequence`), and ``score``
                 float32 (B,); `inputs` are all places, `outputs` none
    ============ ======================================================== =====================

    A subclass owns its forward pass and its loss. `parts` names the groups of parameters that are optimised in
    turn, each by an optimizer of its own; an adversarial model has two, everything else has one. A batch also holds
    ``progress``: the share of the training that is done before this step, float64 scalar on the CPU, 0 to below 1.

    A model of kind ``regress`` takes the mean and the standard deviation of the training clips' scores as its settings
    `score_mean` and `score_deviation`.

    A model of kind ``classify`` takes the number of classes as its setting `classes`, and may have a method
    ``describe``: as `predict`, but it returns the clip's descriptor, float32 (B, D), before any normalisation. One that
    has both may spare half the work with ``answer_and_describe``, which returns the two as a tuple.
    """

    kind: ClassVar[Kind]
    parts: ClassVar[tuple[str, ...]] = ("model",)
    config: Any

    @property
    def latent_floats(self) -> int | None:
        """Floats that stand between encoder and decoder for one clip: all that the decoder is told about it.

        None where nothing is compressed (every kind but ``reconstruct``).
        """
        return None

    @property
    def inputs(self) -> tuple[int, ...]:
        """Places in the clip that the model is shown, ascending. ``reconstruct``: all of them."""
        return tuple(range(int(self.config.frames)))

    @property
    def outputs(self) -> tuple[int, ...]:
        """Places in the clip that the model answers. ``reconstruct``: all; ``classify`` and ``regress``: none."""
        return () if self.kind in ("classify", "regress") else tuple(range(int(self.config.frames)))

    def active_parts(self, progress: float) -> tuple[str, ...]:
        """The parts that take a step at this point of the training (0 to 1), in this order. Default: all of them."""
        return self.parts

    def initialise(self, clips_BTHWC: Tensor) -> None:
        """Start from training data, once, before step 0 (PCA, statistics). Deterministic. Default: nothing.

        Args:
            clips_BTHWC: training clips, uint8, on the CPU.
        """

    def parameters_of(self, part: str) -> Iterator[nn.Parameter]:
        """The parameters the optimizer of `part` moves."""
        assert part in self.parts
        return self.parameters()

    @abstractmethod
    def loss(self, batch: dict[str, Tensor], part: str = "model") -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar that `part` minimises on this batch, and named detached scalars worth plotting."""

    @abstractmethod
    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        """What the registered model answers. Exportable by `torch.export`, normalisation inside.

        Args:
            clip_BTHWC: uint8, 0 to 255, any B of 1 or more; the frames at `inputs`, and no others.

        Returns:
            float32: (B, M, H, W, C), 0 to 1, an answer for every place in `outputs`; ``classify``: (B, classes), rows
            that sum to 1; ``regress``: (B,), on the scale of the ratings.
        """


def check_variant(variant: str, original: str = "article") -> None:
    """Every architecture stands here twice: as first published, and better. Raises ValueError for anything else."""
    if variant not in (original, "default"):
        raise ValueError(f"variant is {variant!r}; it must be {original!r} or 'default'")


def to_unit_BCTHW(clip_BTHWC: Tensor) -> Tensor:
    """uint8 (B, T, H, W, C), 0 to 255, as float32 (B, C, T, H, W), 0 to 1."""
    return clip_BTHWC.permute(0, 4, 1, 2, 3).to(torch.float32) / 255.0


def from_unit_BCTHW(clip_BCTHW: Tensor) -> Tensor:
    """float (B, C, T, H, W) as float32 (B, T, H, W, C), clamped to 0 to 1."""
    return clip_BCTHW.to(torch.float32).clamp(0.0, 1.0).permute(0, 2, 3, 4, 1).contiguous()
