"""What the figures say, in sentences: a model against its baselines, the champion, and another model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tasks import metrics

if TYPE_CHECKING:
    import pandas as pd

    from tasks.params import Evaluation

ANSWERS = {
    "model": "This model",
    "train_mean_frame": "Mean training frame",
    "clip_mean_frame": "Clip's mean frame",
    "frame_pca": "Frame PCA",
    "patch_pca": "Patch PCA, equal",
    "patch_pca_chosen": "Patch PCA, chosen",
}
IN_A_SENTENCE = {
    "train_mean_frame": "the mean training frame",
    "clip_mean_frame": "the clip's mean frame",
    "frame_pca": "frame PCA",
    "patch_pca": "patch PCA with equal components",
    "patch_pca_chosen": "patch PCA with chosen components",
}
ARCHITECTURES = {"conv3d_autoencoder": "3-D CNN", "gru_autoencoder": "GRU"}
THE_QUESTION = ("conv3d_autoencoder", "gru_autoencoder")
EQUAL_WITHIN = 0.10  # floats or seconds that differ by more are not equal

Outcome = Literal["better", "worse", "open"]


@dataclass(frozen=True)
class Verdict:
    """The model against one baseline."""

    answer: str
    outcome: Outcome
    sentence: str


@dataclass(frozen=True)
class Judged:
    """What a comparison needs of a recipe: `clips` has one row a test clip of the model's answer."""

    name: str
    architecture: str
    latent_floats: int
    evaluation_sha256: str
    clips: pd.DataFrame
    timing: dict[str, Any] | None


@dataclass(frozen=True)
class Comparison:
    """`first` against `second`; the difference is first minus second in dB, None if the clips are not the same."""

    first: str
    second: str
    comparable: bool
    difference: dict[str, float | None] | None
    sentence: str


def in_order(answers: dict[str, Any]) -> dict[str, Any]:
    """The answers as `ANSWERS` lists them, unknown ones last: JSON has them by the alphabet."""
    return {
        key: answers[key] for key in [*(k for k in ANSWERS if k in answers), *(k for k in answers if k not in ANSWERS)]
    }


def decibels(value: float, sign: bool = False) -> str:
    """Two digits with a true minus sign."""
    return f"{value:{'+' if sign else ''}.2f}".replace("-", "−")


def span(interval: dict[str, Any]) -> str:
    return f"{decibels(interval['low'])} to {decibels(interval['high'])}"


def outcome(interval: dict[str, Any]) -> Outcome:
    """Better or worse only where the whole interval of the gain lies on one side of zero."""
    if interval["low"] > 0:
        return "better"
    return "worse" if interval["high"] < 0 else "open"


def against_baselines(result: dict[str, Any]) -> list[Verdict]:
    """One verdict a baseline, the strongest baseline first. `result` is an evaluation's metrics.json."""
    by_strength = sorted(result["gains"], key=lambda answer: (-result["answers"][answer]["psnr_db"]["value"], answer))
    verdicts = []
    for answer in by_strength:
        gain = result["gains"][answer]["psnr_db"]
        name, floats = IN_A_SENTENCE.get(answer, answer), result["answers"][answer]["floats"]
        by, told = decibels(abs(gain["value"])), f"({floats:,} floats; 95% interval of the gain {span(gain)} dB)"
        said = {
            "better": f"Beats {name} by {by} dB",
            "worse": f"Does not beat {name}: {by} dB below it",
            "open": f"Not shown to beat {name}: {decibels(gain['value'], sign=True)} dB, the interval contains zero",
        }[outcome(gain)]
        verdicts.append(Verdict(answer, outcome(gain), f"{said} {told}."))
    return verdicts


def summary(verdicts: list[Verdict]) -> tuple[Outcome, str]:
    """The shortest honest form, for a table."""
    lost = [IN_A_SENTENCE.get(v.answer, v.answer) for v in verdicts if v.outcome == "worse"]
    unsure = [IN_A_SENTENCE.get(v.answer, v.answer) for v in verdicts if v.outcome == "open"]
    if lost:
        return "worse", f"does not beat {', '.join(lost)}"
    if unsure:
        return "open", f"not shown to beat {', '.join(unsure)}"
    return "better", "beats every baseline"


def against_champion(record: dict[str, Any] | None, weights_sha256: str) -> tuple[Outcome, str]:
    """The registry's decision, as `data/registry/<recipe>.json` has it."""
    if not record:
        return "open", "Not registered yet: run the lifecycle to register it and let it challenge the champion."
    challenger, champion = record.get("challenger_version"), record.get("champion_version")
    known = {role: (record.get(role) or {}).get("weights_sha256") for role in ("champion", "challenger")}
    decision = record.get("decision") or {}
    reason = f" The gate said: {decision['reason']}" if decision.get("reason") else ""
    if champion is not None and known["champion"] == weights_sha256:
        said = reason if champion == challenger else ""
        return "better", f"These weights are the champion, version {champion}.{said}"
    if known["challenger"] != weights_sha256:
        live = (
            f"the champion is version {champion}, with other weights"
            if champion is not None
            else "there is no champion"
        )
        return "open", f"These weights are not registered yet; {live}."
    if champion is None:
        return "open", f"Version {challenger} is registered; there is no champion yet.{reason}"
    return "worse", f"Version {challenger} did not become champion; version {champion} stays.{reason}"


def _unequal(a: float, b: float) -> bool:
    return max(a, b) > (1 + EQUAL_WITHIN) * min(a, b)


def _obstacles(first: Judged, second: Judged) -> list[str]:
    """Why floats or seconds are not equal; empty when they are."""
    reasons = []
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


def compare(first: Judged, second: Judged, settings: Evaluation) -> Comparison:
    """One sentence on which of two models rebuilds unseen clips better, from clips paired by their id."""
    a, b = (ARCHITECTURES.get(j.architecture, j.architecture) for j in (first, second))
    who = f"the {a} ({first.name})", f"the {b} ({second.name})"
    if first.evaluation_sha256 != second.evaluation_sha256:
        return Comparison(
            first.name,
            second.name,
            False,
            None,
            f"Not comparable: {first.name} and {second.name} were judged on other clips.",
        )
    pair = first.clips.merge(second.clips, on="clip", suffixes=("", "_second"), validate="one_to_one").sort_values(
        "clip"
    )
    groups = [str(g) for g in pair["group"]]
    values = np.asarray(pair["psnr_db"] - pair["psnr_db_second"])
    gain = metrics.bootstrap(values, groups, samples=settings.bootstrap_samples, seed=settings.bootstrap_seed).as_dict()
    value = gain["value"]
    assert value is not None  # a clip always has a PSNR
    number = len(set(groups))
    basis = (
        f"95% interval of the difference {span(gain)} dB, {len(pair)} clips paired, {number} group{'s' * (number > 1)}"
    )
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
