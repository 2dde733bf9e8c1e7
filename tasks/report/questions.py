"""What the figures say of two models, in sentences: the articles' questions, answered on the same unseen clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import metrics
from tasks.report.verdicts import ARCHITECTURES, decibels, gain_told, outcome, span

if TYPE_CHECKING:
    import pandas as pd

    from tasks.params import Evaluation

THE_QUESTION = ("conv3d_autoencoder", "gru_autoencoder")
VARIANTS = {"default": "default variant", "article": "article's variant"}
EQUAL_WITHIN = 0.10  # floats or seconds that differ by more are not equal


@dataclass(frozen=True)
class Judged:
    """What a comparison needs of a recipe: `clips` has one row a test clip of the model's answer."""

    name: str
    architecture: str
    variant: str
    latent_floats: int | None  # None where nothing is compressed
    evaluation_sha256: str
    clips: pd.DataFrame
    timing: dict[str, Any] | None
    places: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())  # in the clip: given, answered


@dataclass(frozen=True)
class Comparison:
    """`first` against `second`; the difference is first minus second in dB, None if the clips are not the same."""

    first: str
    second: str
    comparable: bool
    difference: dict[str, float | None] | None
    sentence: str


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


def _other_clips(first: Judged, second: Judged) -> Comparison | None:
    if first.evaluation_sha256 == second.evaluation_sha256:
        return None
    said = f"Not comparable: {first.name} and {second.name} were judged on other clips."
    return Comparison(first.name, second.name, False, None, said)


def _paired(first: Judged, second: Judged, settings: Evaluation) -> tuple[dict[str, Any], str]:
    """The difference first minus second over clips paired by their id, and what it rests on."""
    pair = first.clips.merge(second.clips, on="clip", suffixes=("", "_second"), validate="one_to_one").sort_values(
        "clip"
    )
    groups = [str(g) for g in pair["group"]]
    values = np.asarray(pair["psnr_db"] - pair["psnr_db_second"])
    gain = metrics.bootstrap(values, groups, samples=settings.bootstrap_samples, seed=settings.bootstrap_seed).as_dict()
    assert gain["value"] is not None  # a clip always has a PSNR
    number = len(set(groups))
    basis = (
        f"95% interval of the difference {span(gain)} dB, {len(pair)} clips paired, {number} group{'s' * (number > 1)}"
    )
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
        aside = f"As they are, {ahead} is {decibels(abs(value))} dB ahead of {behind}; {basis}."
        return Comparison(first.name, second.name, False, gain, f"Not comparable: {'; '.join(obstacles)}. {aside}")
    assert first.timing is not None
    assert second.timing is not None
    seconds = f"{first.timing['train_seconds']:,.0f} and {second.timing['train_seconds']:,.0f} s"
    terms = f"At equal floats ({first.latent_floats:,} a clip) and equal training time ({seconds})"
    if outcome(gain) == "open":
        said = (
            f"neither {who[0]} nor {who[1]} can be said to rebuild unseen clips better: {decibels(value, sign=True)} dB"
        )
    else:
        better, worse = who if value > 0 else who[::-1]
        said = f"{better} rebuilds unseen clips {decibels(abs(value))} dB better than {worse}"
    return Comparison(first.name, second.name, True, gain, f"{terms}, {said} ({basis}).")


def _variant(judged: Judged) -> str:
    return f"the {VARIANTS.get(judged.variant, f'variant {judged.variant}')} ({judged.name})"


def beats_the_cross_fade(judged: Judged, gain: dict[str, Any]) -> str:
    """The third article's question, yes or no. `gain`: the model's over the cross-fade in dB, with its interval."""
    by = decibels(abs(gain["value"]))
    said = {
        "better": f"Yes, by {by} dB",
        "worse": f"No: {by} dB below it",
        "open": f"Not shown: {decibels(gain['value'], sign=True)} dB, the interval contains zero",
    }[outcome(gain)]
    return f"Does {_variant(judged)} beat the cross-fade? {said} ({gain_told(gain)})."


def compare_variants(first: Judged, second: Judged, settings: Evaluation) -> Comparison:
    """One sentence on which of two variants answers the missing frames of unseen clips better. The training is each
    variant's own, so nothing is asked of its length."""
    refused = _other_clips(first, second)
    if refused:
        return refused
    if first.places != second.places:
        said = (
            f"Not comparable: {first.name} and {second.name} are not given the same frames or do not answer the same."
        )
        return Comparison(first.name, second.name, False, None, said)
    gain, basis = _paired(first, second, settings)
    who = _variant(first), _variant(second)
    if outcome(gain) == "open":
        value = decibels(gain["value"], sign=True)
        said = f"neither {who[0]} nor {who[1]} can be said to answer better: {value} dB"
    else:
        better, worse = who if gain["value"] > 0 else who[::-1]
        said = f"{better} is {decibels(abs(gain['value']))} dB ahead of {worse}"
    return Comparison(first.name, second.name, True, gain, f"On the same clips, {said} ({basis}).")
