"""Frames between frames: a conditional GAN over video. The article's pix2pix, and one that moves what it sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from models._base import VideoModel, check_variant, from_unit_BCTHW
from models._losses import Scalars
from models._pix2pix_article import Article
from models._pix2pix_default import Default


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
        head_width, critic_width: default: channels of the motion head at half size, and of the first layer of the
            discriminator.
        flow: default: ``classical`` optical flow (found without learning, see `_flow`) as an input, or ``none``.
        adversarial_from: default: share of the training after which the adversarial term acts; 1 for never.
        adversarial_weight: default: its weight.
        guard_db: default: loss of PSNR, on training clips, at which the guard has taken the adversarial term away.
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
    head_width: int = 24
    critic_width: int = 32
    flow: Literal["classical", "none"] = "classical"
    adversarial_from: float = 1.0
    adversarial_weight: float = 0.05
    guard_db: float = 0.3


class Model(VideoModel):
    """See `Config`. Raises ValueError for settings the variant cannot take.

    The default variant also has `render`: pictures at any times and of any size (see `Default.render`).
    """

    kind = "interpolate"
    parts = ("generator", "discriminator")

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        check_variant(config.variant)
        _check_places(config)
        self.net: Article | Default = Article(config) if config.variant == "article" else Default(config)
        if isinstance(self.net, Default):
            self.render = self.net.render

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
        network: nn.Module = getattr(self.net, part)
        return network.parameters()

    def active_parts(self, progress: float) -> tuple[str, ...]:
        """The discriminator first, as in the paper. The default variant's rests until the adversarial term is on."""
        rests = self.config.variant == "default" and progress < self.config.adversarial_from
        return ("generator",) if rests else ("discriminator", "generator")

    def loss(self, batch: dict[str, Tensor], part: str = "generator") -> tuple[Tensor, Scalars]:
        """Article: adversarial + 100 x L1 on the -1 to 1 scale. Default: `interpolation_loss`, late + adversarial."""
        clip_BTHWC = batch["clip"]
        shown, truth = clip_BTHWC[:, list(self.inputs)], clip_BTHWC[:, list(self.outputs)]
        if isinstance(self.net, Article):
            return self.net.loss(shown, truth, part)
        return self.net.loss(shown, truth, part, batch["progress"])

    def predict(self, clip_BTHWC: Tensor) -> Tensor:
        """uint8 (B, N, H, W, C), the frames at `inputs`, to float32 (B, M, H, W, C), 0 to 1."""
        if isinstance(self.net, Article):
            return from_unit_BCTHW(self.net.generate(clip_BTHWC).transpose(1, 2) * 0.5 + 0.5)
        return self.net.render(clip_BTHWC, self.net.times)


def _check_places(config: Config) -> None:
    for name in ("inputs", "outputs"):
        value = getattr(config, name)
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{name} is {value!r}; give a list of places in the clip, such as [0, 6]")
        places = tuple(value)
        if not places or list(places) != sorted(set(places)) or not 0 <= places[0] <= places[-1] < config.frames:
            raise ValueError(
                f"{name} is {list(places)}; give places in a clip of {config.frames} frames (0 to {config.frames - 1}),"
                " ascending, each once"
            )
    both = sorted(set(config.inputs) & set(config.outputs))
    if both:
        raise ValueError(f"place {both[0]} stands in inputs and in outputs; what is shown needs no answer")
