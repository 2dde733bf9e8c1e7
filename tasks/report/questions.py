"""What the figures say of two models, in sentences: the articles' questions, answered on the same unseen clips."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import metrics
from tasks.report.kinds import ARCHITECTURES, KINDS, PSNR, VIDEO_ACCURACY, Measure
from tasks.report.verdicts import gain_told, outcome, undecided

if TYPE_CHECKING:
    import pandas as pd

    from tasks.params import Evaluation

THE_QUESTION = ("conv3d_autoencoder", "gru_autoencoder")
VARIANTS = {"default": "default variant", "article": "article's variant"}
EQUAL_WITHIN = 0.10  # floats or seconds that differ by more are not equal


@dataclass(frozen=True)
class Judged:
    """What a comparison needs of a recipe.

    `scores` has one row for each held-out thing that the primary metric is a mean over (`Kind.item`, beside its
    `group`), and the model's figure of it under the metric's key.
    """

    name: str
    kind: str
    architecture: str
    variant: str
    latent_floats: int | None  # None where nothing is compressed
    evaluation_sha256: str
    scores: pd.DataFrame
    timing: dict[str, Any] | None
    primary: dict[str, Any]  # value, low, high
    config: dict[str, Any]  # the architecture's settings, whole
    chance: float | None = None
    places: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())  # in the clip: given, answered
    training: dict[str, Any] = field(default_factory=dict)  # the settings that decide the weights

    @property
    def groups(self) -> int:
        return int(self.scores["group"].nunique())


@dataclass(frozen=True)
class Comparison:
    """`first` against `second`; the difference is first minus second in the kind's primary metric, None if they were
    judged on other footage."""

    first: str
    second: str
    comparable: bool
    difference: dict[str, float | None] | None
    sentence: str
    metric: str = PSNR.key


def _unequal(a: float, b: float) -> bool:
    return max(a, b) > (1 + EQUAL_WITHIN) * min(a, b)


def _obstacles(first: Judged, second: Judged) -> list[str]:
    """Why floats or seconds are not equal; empty when they are."""
    reasons = []
    assert first.latent_floats is not None
    assert second.latent_floats is not None
    if _unequal(first.latent_floats, second.latent_floats):
        floats = f"{first.name} spends {first.latent_floats:,} floats a clip, {second.name} {second.latent_floats:,}"
        reasons.append(floats)
    if first.timing is None or second.timing is None:
        missing = " and ".join(j.name for j in (first, second) if j.timing is None)
        return [*reasons, f"the training time of {missing} is unknown"]
    seconds = float(first.timing["train_seconds"]), float(second.timing["train_seconds"])
    if _unequal(*seconds):
        reasons.append(f"{first.name} trained for {seconds[0]:,.0f} s, {second.name} for {seconds[1]:,.0f} s")
    for key, what in (("device", "on different devices"), ("threads", "with different numbers of threads")):
        one, other = first.timing.get(key), second.timing.get(key)
        if one != other:
            reasons.append(f"they trained {what} ({one} and {other})")
    return reasons


def _other_clips(first: Judged, second: Judged, measure: Measure = PSNR) -> Comparison | None:
    if first.evaluation_sha256 == second.evaluation_sha256:
        return None
    said = f"Not comparable: {first.name} and {second.name} were judged on other clips."
    return Comparison(first.name, second.name, False, None, said, measure.key)


def _paired(first: Judged, second: Judged, settings: Evaluation) -> tuple[dict[str, Any], str]:
    """The difference first minus second over what was judged, paired by its id, and what it rests on."""
    kind = KINDS[first.kind]
    item, measure = kind.item, kind.primary
    pair = first.scores.merge(second.scores, on=item, suffixes=("", "_second"), validate="one_to_one").sort_values(item)
    groups = [str(g) for g in pair["group"]]
    values = np.asarray(pair[measure.key] - pair[f"{measure.key}_second"])
    gain = metrics.bootstrap(values, groups, samples=settings.bootstrap_samples, seed=settings.bootstrap_seed).as_dict()
    assert gain["value"] is not None  # every clip has a PSNR, every video an answer that is right or wrong
    told = gain_told(gain, measure, first.groups, "difference")
    basis = f"{told}, {len(pair)} {kind.items} paired, {first.groups} group{'s' * (first.groups > 1)}"
    return gain, basis


def compare(first: Judged, second: Judged, settings: Evaluation) -> Comparison:
    """One sentence on which of two models rebuilds unseen clips better."""
    a, b = (ARCHITECTURES.get(j.architecture, j.architecture) for j in (first, second))
    who = f"the {a} ({first.name})", f"the {b} ({second.name})"
    refused = _other_clips(first, second)
    if refused:
        return refused
    gain, basis = _paired(first, second, settings)
    value = gain["value"]
    obstacles = _obstacles(first, second)
    if obstacles:
        ahead, behind = who if value >= 0 else who[::-1]
        aside = f"As they are, {ahead} is {PSNR.gap(abs(value))} ahead of {behind}; {basis}."
        return Comparison(first.name, second.name, False, gain, f"Not comparable: {'; '.join(obstacles)}. {aside}")
    assert first.timing is not None
    assert second.timing is not None
    seconds = f"{first.timing['train_seconds']:,.0f} and {second.timing['train_seconds']:,.0f} s"
    terms = f"At equal floats ({first.latent_floats:,} a clip) and equal training time ({seconds})"
    if outcome(gain, first.groups) == "open":
        why = undecided(gain, PSNR, first.groups)
        said = f"neither {who[0]} nor {who[1]} can be said to rebuild unseen clips better: {why}"
    else:
        better, worse = who if value > 0 else who[::-1]
        said = f"{better} rebuilds unseen clips {PSNR.gap(abs(value))} better than {worse}"
    return Comparison(first.name, second.name, True, gain, f"{terms}, {said} ({basis}).")


def _variant(judged: Judged) -> str:
    if not judged.variant:
        return judged.name
    return f"the {VARIANTS.get(judged.variant, f'variant {judged.variant}')} ({judged.name})"


def beats_the_cross_fade(judged: Judged, gain: dict[str, Any]) -> str:
    """The third article's question, yes or no. `gain`: the model's over the cross-fade in dB, with its interval."""
    by, groups = PSNR.gap(abs(gain["value"])), judged.groups
    said = {
        "better": f"Yes, by {by}",
        "worse": f"No: {by} below it",
        "open": f"Not shown: {undecided(gain, PSNR, groups)}",
    }[outcome(gain, groups)]
    return f"Does {_variant(judged)} beat the cross-fade? {said} ({gain_told(gain, PSNR, groups)})."


def compare_variants(first: Judged, second: Judged, settings: Evaluation) -> Comparison:
    """One sentence on which of two variants answers better: the missing frames of unseen clips, the ratings of unseen
    films. The training is each variant's own, so nothing is asked of its length."""
    kind = KINDS[first.kind]
    measure = kind.primary
    refused = _other_clips(first, second, measure)
    if refused:
        return refused
    if first.places != second.places:
        said = (
            f"Not comparable: {first.name} and {second.name} are not given the same frames or do not answer the same."
        )
        return Comparison(first.name, second.name, False, None, said, measure.key)
    gain, basis = _paired(first, second, settings)
    who = _variant(first), _variant(second)
    if outcome(gain, first.groups) == "open":
        why = undecided(gain, measure, first.groups)
        said = f"neither {who[0]} nor {who[1]} can be said to answer better: {why}"
    else:
        better, worse = who if measure.cost(gain["value"]) < 0 else who[::-1]
        said = f"{better} is {measure.gap(abs(gain['value']))} ahead of {worse}"
    return Comparison(first.name, second.name, True, gain, f"On the same {kind.items}, {said} ({basis}).", measure.key)


DEPTH = "kernel_depth"
IMAGE_ONLY = 1


def image_only(config: dict[str, Any]) -> bool:
    """Whether the kernels of these settings see one frame at a time."""
    return config.get(DEPTH) == IMAGE_ONLY


def looks_at_motion(deep: Judged, flat: Judged, settings: Evaluation) -> Comparison:
    """Whether kernels that reach over several frames name more unseen videos rightly than those of the image-only
    network, and whether that one is above chance."""
    refused = _other_clips(deep, flat, VIDEO_ACCURACY)
    if refused:
        return refused
    gain, basis = _paired(deep, flat, settings)
    who = f"{deep.name} (kernel depth {deep.config[DEPTH]})", f"{flat.name} (image-only, kernel depth 1)"
    by = VIDEO_ACCURACY.gap(abs(gain["value"]))
    said = {
        "better": f"The temporal kernels help: {who[0]} is {by} ahead of {who[1]}",
        "worse": f"The temporal kernels do not help: {who[0]} is {by} behind {who[1]}",
        "open": f"The temporal kernels are not shown to help: {who[0]} against {who[1]}, "
        f"{undecided(gain, VIDEO_ACCURACY, deep.groups)}",
    }[outcome(gain, deep.groups)]
    sentence = f"{said} ({basis}). {_shares(deep, flat)}"
    unlike = _unlike(deep.config, flat.config, {DEPTH}) + _unlike(deep.training, flat.training)
    if unlike:
        sentence += f" They differ in more than that: {', '.join(unlike)}."
    return Comparison(deep.name, flat.name, not unlike, gain, sentence, VIDEO_ACCURACY.key)


def _unlike(one: dict[str, Any], other: dict[str, Any], but: Set[str] = frozenset()) -> list[str]:
    """The settings that differ, with both values; those within a section one by one."""
    found = []
    for key in sorted({*one, *other} - but):
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += [f"{key}.{what}" for what in _unlike(a, b)]
        elif a != b:
            found.append(f"{key} {a} and {b}")
    return found


def _shares(deep: Judged, flat: Judged) -> str:
    """What share of the videos each names rightly, beside chance, and whether the two intervals overlap."""
    one, other = ({k: v or 0.0 for k, v in j.primary.items() if k in ("value", "low", "high")} for j in (deep, flat))
    if flat.groups < metrics.FEWEST_GROUPS:
        shares = " and ".join(VIDEO_ACCURACY.told(p["value"]) for p in (one, other))
        return f"They name {shares} of the videos rightly, all of them of one group."
    told = [f"{VIDEO_ACCURACY.told(p['value'])} ({VIDEO_ACCURACY.span(p)})" for p in (one, other)]
    apart = one["low"] > other["high"] or other["low"] > one["high"]
    said = f"They name {told[0]} and {told[1]} of the videos rightly; the intervals {'do not ' * apart}overlap"
    if flat.chance is None:
        return f"{said}."
    at = "is above" if other["low"] > flat.chance else "is below" if other["high"] < flat.chance else ""
    return (
        f"{said}, and the image-only network {at or 'cannot be told from'} chance ({VIDEO_ACCURACY.told(flat.chance)})."
    )
