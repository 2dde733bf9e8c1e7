"""Where a clip's floats go: a mixture of linear transforms, and a budget that follows the content."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models._blocks import full_precision

# how many of its codes a place may send: fine steps where most places stand, coarse ones above
LADDER = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64)
LOWEST_LOG_PRICE, HIGHEST_LOG_PRICE, HALVINGS = -14.0, 10.0, 14
ROUNDS = 8
SHRINK = 50.0


def evenly(clips_BTHWC: Tensor, most: int) -> Tensor:
    """At most `most` clips, evenly spaced over those given: statistics need no more, and memory is finite."""
    if len(clips_BTHWC) <= most:
        return clips_BTHWC
    return clips_BTHWC[torch.linspace(0, len(clips_BTHWC) - 1, most).round().long()]


def principal_components(samples_SD: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Mean (D,) and orthonormal basis (D, components), largest variance first. Any number of samples will do.

    Subspace iteration from a fixed start: a full eigendecomposition of 3,072 dimensions (a colour patch) takes 10 s.
    """
    mean_D = samples_SD.mean(0)
    centred_SD = samples_SD - mean_D
    covariance_DD = centred_SD.T @ centred_SD / len(samples_SD)
    width = min(len(mean_D), components + 32)
    basis_DC = torch.randn(len(mean_D), width, generator=torch.Generator().manual_seed(0))
    for _ in range(8):
        basis_DC = torch.linalg.qr(covariance_DD @ basis_DC + 1e-9 * basis_DC).Q
    rotation_CC = torch.linalg.eigh(basis_DC.T @ covariance_DD @ basis_DC).eigenvectors.flip(1)
    return mean_D, (basis_DC @ rotation_CC)[:, :components].contiguous()


class MixtureCode(nn.Module):
    """Describes the features of every place of a clip within a fixed number of floats.

    A place (a patch of the clip) picks one of several orthonormal bases (a still wall needs others than a moving arm)
    and how many of that basis's codes it sends. Both are chosen by rate and distortion: the squared error left plus
    a price for each code, the price found per clip by bisection so that the whole clip just fits the budget. Which
    basis and how many travel as one float a place, so the decoder is told everything it uses:

        latent (B, floats) = | choice of each place (N) | codes, place by place (floats - N), zeros if not all spent |

    Args:
        places: N, patches in a clip.
        features: S, length of a place's description before coding.
        classes: number of bases.
        floats: the whole budget of a clip, choices included.
    """

    counts: Tensor
    means: Tensor
    bases: Tensor

    def __init__(self, places: int, features: int, classes: int, floats: int) -> None:
        super().__init__()
        if floats < 2 * places:
            raise ValueError(
                f"latent_floats {floats} is too small for the {places} patches of a clip this large: "
                f"give at least {2 * places}, or a smaller height_px and width_px"
            )
        self.places, self.classes, self.floats = places, classes, floats
        counts = [n for n in LADDER if n <= features]
        self.register_buffer("counts", torch.tensor(counts), persistent=False)
        self.steps, self.codes = len(counts), counts[-1]
        self.values = min(floats - places, places * self.codes)
        # fixed once fitted: gradient steps on them did harm (see docs), and without any they cost nothing to train
        self.register_buffer("means", torch.zeros(classes, features))
        self.register_buffer("bases", torch.linalg.qr(torch.randn(classes, features, self.codes)).Q)

    @torch.no_grad()
    def fit(self, features_BNS: Tensor) -> None:
        """Start the bases from data: classes by how hard a place is, then refined as k-means refines its centres.

        A round looks at every fourth clip, in turn: more rounds did more good than more clips a round.
        """
        mean_S, basis_SC = principal_components(features_BNS.flatten(0, 1), self.codes)
        self.bases.copy_(basis_SC.expand_as(self.bases))
        centred_BNS = features_BNS - mean_S
        hard_BN = centred_BNS.square().sum(-1) - (centred_BNS @ basis_SC[:, :8]).square().sum(-1)
        edges = hard_BN.flatten().sort().values[torch.arange(1, self.classes) * hard_BN.numel() // self.classes]
        class_BN = torch.bucketize(hard_BN, edges)
        step = 4 if len(features_BNS) >= 256 else 1
        for turn in range(ROUNDS):
            some_BNS = features_BNS[turn % step :: step]
            self._refit(some_BNS, class_BN[turn % step :: step] if turn == 0 else self._classify(some_BNS))
        self._refit(features_BNS, self._classify(features_BNS))

    def _classify(self, features_BNS: Tensor) -> Tensor:
        return torch.cat([self._choose(part) // self.steps for part in torch.split(features_BNS, 32)])

    def _refit(self, features_BNS: Tensor, class_BN: Tensor) -> None:
        """Each class's mean and principal axes. Small classes lean on the covariance of all places (SHRINK of them)."""
        centred_PS = features_BNS.flatten(0, 1) - features_BNS.mean((0, 1))
        common_SS = centred_PS.T @ centred_PS
        common_SS /= common_SS.trace().clamp_min(1e-12)
        covariance_KSS = common_SS.repeat(self.classes, 1, 1)
        for k in range(self.classes):
            members_PS = features_BNS[class_BN == k]
            if len(members_PS) == 0:
                continue
            self.means[k] = members_PS.mean(0)
            own_SS = (members_PS - self.means[k]).T @ (members_PS - self.means[k]) / len(members_PS)
            covariance_KSS[k] = own_SS + common_SS * own_SS.trace() * SHRINK / len(members_PS)
        # two steps of subspace iteration from the last round's axes: a tenth of the time of a full decomposition
        for _ in range(2):
            self.bases.copy_(torch.linalg.qr(covariance_KSS @ self.bases + 1e-9 * self.bases).Q)
        small_KCC = self.bases.transpose(1, 2) @ covariance_KSS @ self.bases
        self.bases.copy_(self.bases @ torch.linalg.eigh(small_KCC).eigenvectors.flip(2))

    def encode(self, features_BNS: Tensor) -> Tensor:
        """Features (B, N, S) as the latent (B, floats)."""
        with full_precision(features_BNS):
            choice_BN = self._choose(features_BNS)
            class_BN = choice_BN // self.steps
            centred_BN1S = (features_BNS - self.means[class_BN]).unsqueeze(2)
            codes_BP = (centred_BN1S @ self.bases[class_BN]).flatten(1)
            sent_BP, slot_BP = self._slots(choice_BN)
            slot_BP = torch.where(sent_BP, slot_BP, self.values)  # what is not sent goes to one slot past the end
            values = codes_BP.new_zeros(codes_BP.shape[0], self.values + 1).scatter(1, slot_BP, codes_BP)
            latent_BF = torch.cat([choice_BN.to(values.dtype), values[:, :-1]], 1)
            return F.pad(latent_BF, (0, self.floats - latent_BF.shape[1]))

    def decode(self, latent_BF: Tensor) -> tuple[Tensor, Tensor]:
        """From the latent alone: features (B, N, S), and the share of codes that each place sent (B, N, 1)."""
        with full_precision(latent_BF):
            choice_BN = latent_BF[:, : self.places].round().long()
            class_BN = choice_BN // self.steps
            sent_BP, slot_BP = self._slots(choice_BN)
            values_BV = latent_BF[:, self.places : self.places + self.values]
            codes_BP = torch.where(sent_BP, values_BV.gather(1, slot_BP.clamp(0, self.values - 1)), 0.0)
            codes_BNC1 = codes_BP.reshape(-1, self.places, self.codes, 1)
            features_BNS = (self.bases[class_BN] @ codes_BNC1).squeeze(-1) + self.means[class_BN]
            return features_BNS, (self.counts[choice_BN % self.steps] / self.codes).unsqueeze(-1)

    def _analyse(self, features_BNS: Tensor) -> Tensor:
        wide_SKC = self.bases.transpose(0, 1).flatten(1)
        offset_KC = (self.means.unsqueeze(1) @ self.bases).squeeze(1)
        codes_BNP = features_BNS @ wide_SKC
        return codes_BNP.reshape(-1, self.places, self.classes, self.codes) - offset_KC

    def _slots(self, choice_BN: Tensor) -> tuple[Tensor, Tensor]:
        order_C = torch.arange(self.codes, device=choice_BN.device)
        sent_BP = (order_C < self.counts[choice_BN % self.steps].unsqueeze(-1)).flatten(1)
        return sent_BP, sent_BP.long().cumsum(1) - 1

    @torch.no_grad()
    def _choose(self, features_BNS: Tensor) -> Tensor:
        """class * steps + step of every place (B, N), at the lowest price that keeps the clip within its budget."""
        explained_BNKC = F.pad(self._analyse(features_BNS).square().cumsum(-1), (1, 0))
        squares_BN1 = features_BNS.square().sum(-1, keepdim=True)
        whole_BNK = squares_BN1 - 2.0 * features_BNS @ self.means.T + self.means.square().sum(-1)
        # at any one count the best basis is the one that leaves least, whatever the price
        left_BNL, class_BNL = (whole_BNK.unsqueeze(-1) - explained_BNKC[..., self.counts]).min(2)
        cost_L = self.counts.to(left_BNL.dtype)
        low_B11 = torch.full_like(left_BNL[:, :1, :1], LOWEST_LOG_PRICE)
        high_B11 = torch.full_like(low_B11, HIGHEST_LOG_PRICE)
        for _ in range(HALVINGS):
            middle_B11 = (low_B11 + high_B11) / 2.0
            step_BN = (left_BNL + middle_B11.exp() * cost_L).argmin(-1)
            fits_B11 = self.counts[step_BN].sum(1)[:, None, None] <= self.values
            high_B11 = torch.where(fits_B11, middle_B11, high_B11)
            low_B11 = torch.where(fits_B11, low_B11, middle_B11)
        step_BN1 = (left_BNL + high_B11.exp() * cost_L).argmin(-1, keepdim=True)
        return (class_BNL.gather(-1, step_BN1) * self.steps + step_BN1).squeeze(-1)
