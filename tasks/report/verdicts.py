"""What the figures say of one model, in sentences: against its baselines, sequence by sequence, and the champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

ANSWERS = {
    "model": "This model",
    "train_mean_frame": "Mean training frame",
    "clip_mean_frame": "Clip's mean frame",
    "frame_pca": "Frame PCA",
    "patch_pca": "Patch PCA, equal",
    "patch_pca_chosen": "Patch PCA, chosen",
    "nearest_copy": "Nearest copy",
    "cross_fade": "Cross-fade",
    "dis_flow": "DIS flow",
}
IN_A_SENTENCE = {
    "train_mean_frame": "the mean training frame",
    "clip_mean_frame": "the clip's mean frame",
    "frame_pca": "frame PCA",
    "patch_pca": "patch PCA with equal components",
    "patch_pca_chosen": "patch PCA with chosen components",
    "nearest_copy": "the nearest copy",
    "cross_fade": "the cross-fade",
    "dis_flow": "DIS flow",
}
ARCHITECTURES = {"conv3d_autoencoder": "3-D CNN", "gru_autoencoder": "GRU", "pix2pix": "pix2pix"}

Outcome = Literal["better", "worse", "open"]


@dataclass(frozen=True)
class Verdict:
    """The model against one baseline."""

    answer: str
    outcome: Outcome
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


def by_strength(result: dict[str, Any]) -> list[str]:
    """The baselines of an evaluation's metrics.json, the highest PSNR first."""
    return sorted(result["gains"], key=lambda answer: (-result["answers"][answer]["psnr_db"]["value"], answer))


def gain_told(gain: dict[str, Any]) -> str:
    return f"95% interval of the gain {span(gain)} dB"


def against_baselines(result: dict[str, Any]) -> list[Verdict]:
    """One verdict a baseline, the strongest baseline first. `result` is an evaluation's metrics.json."""
    verdicts = []
    for answer in by_strength(result):
        gain = result["gains"][answer]["psnr_db"]
        name, floats = IN_A_SENTENCE.get(answer, answer), result["answers"][answer]["floats"]
        by = decibels(abs(gain["value"]))
        told = gain_told(gain) if floats is None else f"{floats:,} floats; {gain_told(gain)}"
        said = {
            "better": f"Beats {name} by {by} dB",
            "worse": f"Does not beat {name}: {by} dB below it",
            "open": f"Not shown to beat {name}: {decibels(gain['value'], sign=True)} dB, the interval contains zero",
        }[outcome(gain)]
        verdicts.append(Verdict(answer, outcome(gain), f"{said} ({told})."))
    return verdicts


def on_every_sequence(sources: pd.DataFrame, answer: str) -> Verdict:
    """Whether the model is above a baseline on each held-out sequence, and where it is not.

    Args:
        sources: `sources.csv` of an evaluation, one row a source and answer.
    """
    psnr = sources.pivot(index="source", columns="answer", values="psnr_db")
    gain = (psnr["model"] - psnr[answer]).sort_values(kind="stable")
    name, below = IN_A_SENTENCE.get(answer, answer), gain[gain <= 0]
    if below.empty:
        each = f"each of the {len(gain)} held-out sequences" if len(gain) > 1 else "the one held-out sequence"
        least = f"Above {name} on {each}, by {decibels(gain.iloc[0])} dB or more."
        return Verdict(answer, "better", least)
    where = ", ".join(f"{source} ({decibels(value, sign=True)} dB)" for source, value in below.items())
    said = f"Above {name} on {len(gain) - len(below)} of {len(gain)} held-out sequences; not on {where}."
    return Verdict(answer, "open" if len(below) < len(gain) else "worse", said)


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
