"""What the report says of the figures, sentence by sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.params import Evaluation
from tasks.report.questions import Judged, beats_the_cross_fade, compare, compare_variants
from tasks.report.verdicts import against_baselines, against_champion, decibels, on_every_sequence, summary

SETTINGS = Evaluation()
TIMING = {"train_seconds": 100.0, "device": "cpu", "threads": 2}


def score(value: float, low: float, high: float) -> dict[str, Any]:
    return {"psnr_db": {"value": value, "low": low, "high": high}}


def test_against_baselines_says_plainly_what_is_not_beaten() -> None:
    result = {
        "answers": {
            "model": score(30, 29, 31),
            "patch_pca_chosen": {"floats": 1024} | score(29, 28, 30),
            "clip_mean_frame": {"floats": 4096} | score(29.5, 26, 32),
            "frame_pca": {"floats": 1024} | score(31.25, 30, 32),
        },
        "gains": {
            "clip_mean_frame": score(0.5, -1.5, 2.0),
            "frame_pca": score(-1.25, -1.5, -1.0),
            "patch_pca_chosen": score(1.0, 0.8, 1.25),
        },
    }
    verdicts = against_baselines(result)
    assert [(v.answer, v.outcome, v.sentence) for v in verdicts] == [
        ("frame_pca", "worse",
         "Does not beat frame PCA: 1.25 dB below it (1,024 floats; 95% interval of the gain −1.50 to −1.00 dB)."),
        ("clip_mean_frame", "open",
         "Not shown to beat the clip's mean frame: +0.50 dB, the interval contains zero "
         "(4,096 floats; 95% interval of the gain −1.50 to 2.00 dB)."),
        ("patch_pca_chosen", "better",
         "Beats patch PCA with chosen components by 1.00 dB (1,024 floats; 95% interval of the gain 0.80 to 1.25 dB)."),
    ]  # fmt: skip
    assert summary(verdicts) == ("worse", "does not beat frame PCA")
    assert summary(verdicts[1:]) == ("open", "not shown to beat the clip's mean frame")
    assert summary(verdicts[2:]) == ("better", "beats every baseline")


def test_where_nothing_is_compressed_no_floats_are_told() -> None:
    result = {
        "answers": {
            "model": score(33.25, 32, 34),
            "nearest_copy": {"floats": None} | score(29, 28, 30),
            "cross_fade": {"floats": None} | score(31, 30, 32),
            "dis_flow": {"floats": None} | score(33.5, 32, 35),
        },
        "gains": {
            "nearest_copy": score(4.25, 4.0, 4.5),
            "cross_fade": score(2.25, 1.9, 2.7),
            "dis_flow": score(-0.25, -0.75, 0.25),
        },
    }
    verdicts = against_baselines(result)
    assert [(v.answer, v.outcome, v.sentence) for v in verdicts] == [
        ("dis_flow", "open",
         "Not shown to beat DIS flow: −0.25 dB, the interval contains zero "
         "(95% interval of the gain −0.75 to 0.25 dB)."),
        ("cross_fade", "better", "Beats the cross-fade by 2.25 dB (95% interval of the gain 1.90 to 2.70 dB)."),
        ("nearest_copy", "better", "Beats the nearest copy by 4.25 dB (95% interval of the gain 4.00 to 4.50 dB)."),
    ]  # fmt: skip
    assert summary(verdicts) == ("open", "not shown to beat DIS flow")


def by_source(gains: dict[str, float]) -> pd.DataFrame:
    rows = [(source, "model", 30.0 + gain) for source, gain in gains.items()]
    return pd.DataFrame(
        [*rows, *((source, "cross_fade", 30.0) for source in gains)], columns=["source", "answer", "psnr_db"]
    )


@pytest.mark.parametrize(
    ("gains", "outcome", "sentence"),
    [
        ({"crossing": 0.5, "square": 2.0}, "better",
         "Above the cross-fade on each of the 2 held-out sequences, by 0.50 dB or more."),
        ({"square": 2.0}, "better", "Above the cross-fade on the one held-out sequence, by 2.00 dB or more."),
        ({"crossing": 0.5, "square": -2.0, "yard": 0.0}, "open",
         "Above the cross-fade on 1 of 3 held-out sequences; not on square (−2.00 dB), yard (+0.00 dB)."),
        ({"square": -2.0}, "worse", "Above the cross-fade on 0 of 1 held-out sequences; not on square (−2.00 dB)."),
    ],
)  # fmt: skip
def test_every_sequence_counts(gains: dict[str, float], outcome: str, sentence: str) -> None:
    found = on_every_sequence(by_source(gains), "cross_fade")
    assert (found.outcome, found.sentence) == (outcome, sentence)


def judged(name: str, architecture: str, psnr: list[float], **changes: Any) -> Judged:
    """Clips 0 to 5, two each of the groups a, b and c; listed backwards, so that pairing has to go by the id."""
    clips = pd.DataFrame({"clip": range(6), "group": list("aabbcc"), "psnr_db": psnr})[::-1]
    values = {"variant": "default", "latent_floats": 1024, "evaluation_sha256": "same", "timing": TIMING} | changes
    return Judged(
        name=name, architecture=architecture, clips=clips if "clips" not in values else values.pop("clips"), **values
    )


BASE = [20.0, 25.0, 30.0, 35.0, 22.0, 28.0]


def conv(gain: float | list[float], **changes: Any) -> Judged:
    return judged("cnn", "conv3d_autoencoder", list(np.array(BASE) + gain), **changes)


def gru(**changes: Any) -> Judged:
    return judged("rnn", "gru_autoencoder", BASE, **changes)


def test_the_articles_question_is_answered_in_a_sentence() -> None:
    found = compare(conv(0.5), gru(), SETTINGS)
    assert found.sentence == (
        "At equal floats (1,024 a clip) and equal training time (100 and 100 s), the 3-D CNN (cnn) rebuilds unseen "
        "clips 0.50 dB better than the GRU (rnn) (95% interval of the difference 0.50 to 0.50 dB, "
        "6 clips paired, 3 groups)."
    )
    assert found.comparable
    assert found.difference == pytest.approx({"value": 0.5, "low": 0.5, "high": 0.5})
    behind = compare(conv(-1.5), gru(), SETTINGS)
    assert ", the GRU (rnn) rebuilds unseen clips 1.50 dB better than the 3-D CNN (cnn) (" in behind.sentence


def test_a_difference_whose_interval_contains_zero_is_none() -> None:
    found = compare(conv([1.0, 1.0, -0.5, -0.5, 0.1, 0.1]), gru(), SETTINGS)
    assert found.sentence == (
        "At equal floats (1,024 a clip) and equal training time (100 and 100 s), neither the 3-D CNN (cnn) nor the GRU "
        "(rnn) can be said to rebuild unseen clips better: +0.20 dB (95% interval of the difference −0.50 to 1.00 dB, "
        "6 clips paired, 3 groups)."
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"latent_floats": 128}, "cnn spends 1,024 floats a clip, rnn 128"),
        ({"timing": TIMING | {"train_seconds": 89.0}}, "cnn trained for 100 s, rnn for 89 s"),
        ({"timing": None}, "the training time of rnn is unknown"),
        ({"timing": TIMING | {"device": "cuda"}}, "they trained on different devices (cpu and cuda)"),
        ({"timing": TIMING | {"threads": 8}}, "they trained with different numbers of threads (2 and 8)"),
    ],
)
def test_unequal_terms_are_not_comparable(changes: dict[str, Any], why: str) -> None:
    found = compare(conv(-0.5), gru(**changes), SETTINGS)
    assert not found.comparable
    assert found.sentence == (
        f"Not comparable: {why}. As they are, the GRU (rnn) is 0.50 dB ahead of the 3-D CNN (cnn); "
        "95% interval of the difference −0.50 to −0.50 dB, 6 clips paired, 3 groups."
    )


def test_equal_means_within_a_tenth() -> None:
    assert compare(conv(1), gru(timing=TIMING | {"train_seconds": 109.0}, latent_floats=940), SETTINGS).comparable
    other = compare(conv(1), gru(evaluation_sha256="other"), SETTINGS)
    assert (other.comparable, other.difference) == (False, None)
    assert other.sentence == "Not comparable: cnn and rnn were judged on other clips."


@pytest.mark.parametrize(
    ("gain", "answer"),
    [
        ((2.25, 1.9, 2.7), "Yes, by 2.25 dB (95% interval of the gain 1.90 to 2.70 dB)."),
        ((-1.1, -1.5, -0.7), "No: 1.10 dB below it (95% interval of the gain −1.50 to −0.70 dB)."),
        (
            (0.2, -0.1, 0.5),
            "Not shown: +0.20 dB, the interval contains zero (95% interval of the gain −0.10 to 0.50 dB).",
        ),
    ],
)
def test_the_third_articles_question_is_answered_yes_or_no(gain: tuple[float, float, float], answer: str) -> None:
    article = judged("old", "pix2pix", BASE, variant="article", latent_floats=None)
    asked = beats_the_cross_fade(article, score(*gain)["psnr_db"])
    assert asked == f"Does the article's variant (old) beat the cross-fade? {answer}"


def test_two_variants_are_compared_however_long_each_was_trained() -> None:
    new = judged("new", "pix2pix", list(np.array(BASE) + 3), latent_floats=None, timing=None)
    old = judged("old", "pix2pix", BASE, variant="article", latent_floats=None)
    found = compare_variants(old, new, SETTINGS)
    assert found.sentence == (
        "On the same clips, the default variant (new) is 3.00 dB ahead of the article's variant (old) "
        "(95% interval of the difference −3.00 to −3.00 dB, 6 clips paired, 3 groups)."
    )
    assert found.comparable
    assert found.difference == pytest.approx({"value": -3.0, "low": -3.0, "high": -3.0})
    even = list(np.array(BASE) + np.array([1, 1, -1, -1, 0, 0]))
    near = judged("near", "pix2pix", even, variant="small", latent_floats=None)
    assert compare_variants(near, old, SETTINGS).sentence == (
        "On the same clips, neither the variant small (near) nor the article's variant (old) can be said to answer "
        "better: +0.00 dB (95% interval of the difference −1.00 to 1.00 dB, 6 clips paired, 3 groups)."
    )
    other = judged("other", "pix2pix", BASE, latent_floats=None, evaluation_sha256="other")
    assert not compare_variants(other, old, SETTINGS).comparable
    ahead = judged("ahead", "pix2pix", BASE, latent_floats=None, places=((0, 1), (2, 3)))
    assert compare_variants(ahead, old, SETTINGS).sentence == (
        "Not comparable: ahead and old are not given the same frames or do not answer the same."
    )


def test_against_the_champion() -> None:
    assert against_champion(None, "mine")[1].startswith("Not registered yet")
    record = {
        "challenger_version": "2", "champion_version": "2", "champion": {"weights_sha256": "mine"},
        "challenger": {"weights_sha256": "mine"}, "decision": {"promoted": True, "reason": "30.1 beats 29.0."},
    }  # fmt: skip
    assert against_champion(record, "mine") == (
        "better", "These weights are the champion, version 2. The gate said: 30.1 beats 29.0.",
    )  # fmt: skip
    stays = record | {
        "champion_version": "1",
        "champion": {"weights_sha256": "old"},
        "decision": {"reason": "28 is less."},
    }
    assert against_champion(stays, "mine") == (
        "worse", "Version 2 did not become champion; version 1 stays. The gate said: 28 is less.",
    )  # fmt: skip
    assert against_champion(stays, "newer")[1] == (
        "These weights are not registered yet; the champion is version 1, with other weights."
    )
    alone = stays | {"champion_version": None, "champion": None, "decision": {}}
    assert against_champion(alone, "mine") == ("open", "Version 2 is registered; there is no champion yet.")


def test_figures_have_a_true_minus_sign() -> None:
    assert (decibels(-0.5), decibels(0.5, sign=True)) == ("−0.50", "+0.50")
