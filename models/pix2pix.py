"""Frames between frames: a conditional GAN over video. The article's pix2pix, and one that moves what it sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from models._base import VideoModel, from_unit_BCTHW
from models._losses import Scalars
from models._pix2pix_article import Article


@dataclass(frozen=True)
class Config:
    """Settings. The defaults of the article's variant are the article's own.

    Attributes:
        variant: ``article`` or ``default``.
        frames, height_px, width_px: of a clip, as the data has it.
        channels: 1 (gray) or 3 (RGB).
        inputs: places in the clip that are shown, ascending.
        outputs: places that are answered, ascending; with places after the last input this is frame prediction.
        width: article: channels of the first convolution of both networks.
        critic: article: ``patch`` (the paper's 70 x 70 PatchGAN) or ``single`` (the article's, one logit a clip).
        l1_weight: article: weight of the L1 term beside the adversarial one.
    """

    variant: Literal["article", "default"] = "article"
    frames: int = 7
    height_px: int = 128
    width_px: int = 128
    channels: int = 3
    inputs: tuple[int, ...] = (0, 6)
    outputs: tuple[int, ...] = (1, 2, 3, 4, 5)
    width: int = 64
    critic: Literal["patch", "single"] = "patch"
    l1_weight: float = 100.0


class Model(VideoModel):
    """See `Config`. Raises ValueError for settings the variant cannot take."""

    kind = "interpolate"
    parts = ("generator", "discriminator")

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        if config.variant not in ("article", "default"):
            raise ValueError(f"variant is {config.variant!r}; it must be 'article' or 'default'")
        self.net = Article(config)

    @property
    def inputs(self) -> tuple[int, ...]:
        """Places in the clip that the model is shown."""
        return tuple(self.config.inputs)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Places in the clip that the model answers."""
        return tuple(self.config.outputs)

    def parameters_of(self, part: str) -> Iterator[nn.Parameter]:
        """The generator's, or the discriminator's."""
        assert part in self.parts
        return getattr(self.net, part).parameters()  # type: ignore[no-any-return]

    def loss(self, batch: dict[str, Tensor], part: str = "generator") -> tuple[Tensor, Scalars]:
        """The article's: adversarial + 100 x L1 on the -1 to 1 scale."""
        clip_BTHWC = batch["clip"]
        return self.net.loss(clip_BTHWC[:, list(self.inputs)], clip_BTHWC[:, list(self.outputs)], part)

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        """uint8 (B, N, H, W, C), the frames at `inputs`, to float32 (B, M, H, W, C), 0 to 1."""
        return from_unit_BCTHW(self.net.generate(clip_BTHWC).transpose(1, 2) * 0.5 + 0.5)
