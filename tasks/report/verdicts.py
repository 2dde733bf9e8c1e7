"""What the figures say of one model, in sentences: against its baselines, sequence by sequence, and the champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tasks import metrics
from tasks.report.kinds import ANSWERS, IN_A_SENTENCE, PSNR, VIDEO_ACCURACY, Measure, kind_of
from tasks.scores import DESCRIPTOR_SVM

if TYPE_CHECKING:
    import pandas as pd

    from tasks.params import Evaluation

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


def outcome(interval: dict[str, Any], groups: int) -> Outcome:
    """Better or worse only where the whole interval of the gain lies on one side of zero.

    Args:
        groups: that were drawn from. One group cannot tell: its interval has no width.
    """
    if groups < metrics.FEWEST_GROUPS:
        return "open"
    if interval["low"] > 0:
        return "better"
    return "worse" if interval["high"] < 0 else "open"


def by_strength(result: dict[str, Any]) -> list[str]:
    """The baselines of an evaluation's metrics.json, the one that scores best in the kind's metric first."""
    measure = kind_of(result).primary
    return sorted(result["gains"], key=lambda name: (measure.cost(result["answers"][name][measure.key]["value"]), name))


def undecided(gain: dict[str, Any], measure: Measure, groups: int) -> str:
    """A gain whose outcome is open, and why it is."""
    why = "the interval contains zero" if groups >= metrics.FEWEST_GROUPS else "one group cannot tell"
    return f"{measure.gap(gain['value'], sign=True)}, {why}"


def gain_told(gain: dict[str, Any], measure: Measure, groups: int, what: str = "gain") -> str:
    if groups < metrics.FEWEST_GROUPS:
        return f"no interval of the {what}"
    return f"95% interval of the {what} {measure.span(gain)} {measure.gap_unit}"


def against_baselines(result: dict[str, Any]) -> list[Verdict]:
    """One verdict a baseline, the strongest baseline first. `result` is an evaluation's metrics.json."""
    verdicts, measure, groups = [], kind_of(result).primary, len(result["groups"])
    for answer in by_strength(result):
        gain = result["gains"][answer][measure.key]
        name, floats = IN_A_SENTENCE.get(answer, answer), result["answers"][answer]["floats"]
        by = measure.gap(abs(gain["value"]))
        told = gain_told(gain, measure, groups)
        told = told if result["latent_floats"] is None else f"{floats:,} floats; {told}"
        said = {
            "better": f"Beats {name} by {by}",
            "worse": f"Does not beat {name}: {by} {measure.worse_side} it",
            "open": f"Not shown to beat {name}: {undecided(gain, measure, groups)}",
        }[outcome(gain, groups)]
        verdicts.append(Verdict(answer, outcome(gain, groups), f"{said} ({told})."))
    return verdicts


def on_every_sequence(sources: pd.DataFrame, answer: str) -> Verdict:
    """Whether the model is above a baseline on each held-out sequence, and where it is not. One alone decides nothing.

    Args:
        sources: `sources.csv` of an evaluation, one row a source and answer.
    """
    psnr = sources.pivot(index="source", columns="answer", values=PSNR.key)
    gain = (psnr["model"] - psnr[answer]).sort_values(kind="stable")
    name, below = IN_A_SENTENCE.get(answer, answer), gain[gain <= 0]
    if below.empty:
        each = f"each of the {len(gain)} held-out sequences" if len(gain) > 1 else "the one held-out sequence"
        least = f"Above {name} on {each}, by {PSNR.gap(gain.iloc[0])} or more."
        return Verdict(answer, "better" if len(gain) > 1 else "open", least)
    where = ", ".join(f"{source} ({PSNR.gap(value, sign=True)})" for source, value in below.items())
    said = f"Above {name} on {len(gain) - len(below)} of {len(gain)} held-out sequences; not on {where}."
    return Verdict(answer, "worse" if len(below) == len(gain) > 1 else "open", said)


def of_the_descriptor(videos: pd.DataFrame, settings: Evaluation) -> Verdict | None:
    """Whether a linear SVM on the model's descriptor is as good as the model itself, over the same videos.

    Args:
        videos: `videos.parquet` of an evaluation, one row a video and answer; None without such an answer in it.
    """
    right = videos.pivot(index="source", columns="answer", values="correct").astype(float)
    if DESCRIPTOR_SVM not in right:
        return None
    of_video = videos.drop_duplicates("source").set_index("source")["group"].loc[right.index]
    gap = metrics.bootstrap(
        right[DESCRIPTOR_SVM] - right["model"],
        [str(group) for group in of_video],
        samples=settings.bootstrap_samples,
        seed=settings.bootstrap_seed,
    ).as_dict()
    assert gap["value"] is not None
    by, groups = VIDEO_ACCURACY.gap(abs(gap["value"])), of_video.nunique()
    state = outcome(gap, groups)
    said = {
        "better": f"{by} above the network's own answer",
        "worse": f"{by} below the network's own answer",
        "open": f"not told from the network's own answer: {undecided(gap, VIDEO_ACCURACY, groups)}"
        if gap["value"]
        else "as good as the network's own answer",
    }[state]
    said = f"{VIDEO_ACCURACY.told(right[DESCRIPTOR_SVM].mean())} with a linear SVM on its descriptor: {said}"
    told = gain_told(gap, VIDEO_ACCURACY, groups, "difference")
    return Verdict(DESCRIPTOR_SVM, state, f"{said} ({told}).")


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
