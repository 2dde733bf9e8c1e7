"""What the report says of the figures, sentence by sentence."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.params import Evaluation
from tasks.report.kinds import KINDS, MSE, PSNR, SHARPNESS, VIDEO_ACCURACY, Measure
from tasks.report.questions import Judged, beats_the_cross_fade, compare, compare_variants, looks_at_motion
from tasks.report.verdicts import (
    against_baselines,
    against_champion,
    by_strength,
    of_the_descriptor,
    on_every_sequence,
    summary,
)

SETTINGS = Evaluation()
TIMING = {"train_seconds": 100.0, "device": "cpu", "threads": 2}


def score(value: float, low: float, high: float, metric: str = "psnr_db") -> dict[str, Any]:
    return {metric: {"value": value, "low": low, "high": high}}


def test_against_baselines_says_plainly_what_is_not_beaten() -> None:
    result = {
        "kind": "reconstruct",
        "groups": ["1", "2"],
        "latent_floats": 1024,
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
        "kind": "interpolate",
        "groups": ["1", "2", "3"],
        "latent_floats": None,
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


def test_classes_are_told_in_percentage_points() -> None:
    accuracy = {"majority_class": 0.25, "mean_frame_svm": 0.70, "difference_energy_svm": 0.70}
    gains = {
        "majority_class": score(0.68, 0.6, 0.75, "video_accuracy"),
        "mean_frame_svm": score(0.231, 0.104, 0.3, "video_accuracy"),
        "difference_energy_svm": score(-0.05, -0.2, 0.1, "video_accuracy"),
    }
    answers = {name: {"floats": 64} | score(value, 0, 1, "video_accuracy") for name, value in accuracy.items()}
    told = {"kind": "classify", "groups": ["1", "2"], "latent_floats": None, "answers": answers, "gains": gains}
    verdicts = against_baselines(told)
    assert [(v.answer, v.outcome, v.sentence) for v in verdicts] == [
        ("difference_energy_svm", "open",
         "Not shown to beat the linear SVM on difference energy: −5.0 points, the interval contains zero "
         "(95% interval of the gain −20.0 to 10.0 points)."),
        ("mean_frame_svm", "better",
         "Beats the linear SVM on the mean frame by 23.1 points (95% interval of the gain 10.4 to 30.0 points)."),
        ("majority_class", "better",
         "Beats the majority class by 68.0 points (95% interval of the gain 60.0 to 75.0 points)."),
    ]  # fmt: skip


def test_one_group_cannot_tell() -> None:
    """Its interval has no width: whatever was gained would count as shown."""
    answers = {"cross_fade": {"floats": None} | score(31, 31, 31), "dis_flow": {"floats": None} | score(33, 33, 33)}
    gains = {"cross_fade": score(1.5, 1.5, 1.5), "dis_flow": score(-0.5, -0.5, -0.5)}
    told = {"kind": "interpolate", "groups": ["7"], "latent_floats": None, "answers": answers, "gains": gains}
    verdicts = against_baselines(told)
    assert [(v.answer, v.outcome, v.sentence) for v in verdicts] == [
        ("dis_flow", "open", "Not shown to beat DIS flow: −0.50 dB, one group cannot tell (no interval of the gain)."),
        ("cross_fade", "open",
         "Not shown to beat the cross-fade: +1.50 dB, one group cannot tell (no interval of the gain)."),
    ]  # fmt: skip
    assert summary(verdicts) == ("open", "not shown to beat DIS flow, the cross-fade")


def test_the_strongest_baseline_is_that_of_the_kinds_own_metric() -> None:
    answers = {
        "majority_class": score(0.2, 0, 1, "video_accuracy"),
        "mean_frame_svm": score(0.9, 0, 1, "video_accuracy"),
        "descriptor_svm": score(1.0, 0, 1, "video_accuracy"),
    }
    found = by_strength(
        {"kind": "classify", "answers": answers, "gains": dict.fromkeys(("majority_class", "mean_frame_svm"))}
    )
    assert found == ["mean_frame_svm", "majority_class"]  # the descriptor is the model's own


def votes(model: str, descriptor: str) -> pd.DataFrame:
    """Whether the two answers are right on as many videos, 1 or 0, two videos a group."""
    rows = [
        {"source": f"v{n}", "group": str(n // 2), "answer": answer, "correct": mark == "1"}
        for answer, marks in (("model", model), ("descriptor_svm", descriptor))
        for n, mark in enumerate(marks)
    ]
    return pd.DataFrame(rows[::-1])


@pytest.mark.parametrize(
    ("model", "descriptor", "outcome", "sentence"),
    [
        ("11011111", "11011111", "open",
         "87.5% with a linear SVM on its descriptor: as good as the network's own answer "
         "(95% interval of the difference 0.0 to 0.0 points)."),
        ("01010101", "11111111", "better",
         "100.0% with a linear SVM on its descriptor: 50.0 points above the network's own answer "
         "(95% interval of the difference 50.0 to 50.0 points)."),
        ("11111111", "01010101", "worse",
         "50.0% with a linear SVM on its descriptor: 50.0 points below the network's own answer "
         "(95% interval of the difference −50.0 to −50.0 points)."),
        ("11111100", "00111111", "open",
         "75.0% with a linear SVM on its descriptor: as good as the network's own answer "
         "(95% interval of the difference −75.0 to 75.0 points)."),
        ("01111111", "11111111", "open",
         "100.0% with a linear SVM on its descriptor: not told from the network's own answer: +12.5 points, the "
         "interval contains zero (95% interval of the difference 0.0 to 37.5 points)."),
        ("01", "11", "open",
         "100.0% with a linear SVM on its descriptor: not told from the network's own answer: +50.0 points, one group "
         "cannot tell (no interval of the difference)."),
    ],
)  # fmt: skip
def test_the_descriptor_is_held_against_the_network(model: str, descriptor: str, outcome: str, sentence: str) -> None:
    found = of_the_descriptor(votes(model, descriptor), SETTINGS)
    assert found is not None
    assert (found.outcome, found.sentence) == (outcome, sentence)
    alone = votes(model, descriptor).query("answer == 'model'")
    assert of_the_descriptor(alone, SETTINGS) is None


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
        ({"square": 2.0}, "open", "Above the cross-fade on the one held-out sequence, by 2.00 dB or more."),
        ({"crossing": 0.5, "square": -2.0, "yard": 0.0}, "open",
         "Above the cross-fade on 1 of 3 held-out sequences; not on square (−2.00 dB), yard (+0.00 dB)."),
        ({"square": -2.0}, "open", "Above the cross-fade on 0 of 1 held-out sequences; not on square (−2.00 dB)."),
        ({"square": -2.0, "yard": -1.0}, "worse",
         "Above the cross-fade on 0 of 2 held-out sequences; not on square (−2.00 dB), yard (−1.00 dB)."),
    ],
)  # fmt: skip
def test_every_sequence_counts(gains: dict[str, float], outcome: str, sentence: str) -> None:
    found = on_every_sequence(by_source(gains), "cross_fade")
    assert (found.outcome, found.sentence) == (outcome, sentence)


def judged(name: str, architecture: str, psnr: list[float], **changes: Any) -> Judged:
    """Clips 0 to 5, two each of the groups a, b and c; listed backwards, so that pairing has to go by the id."""
    values = {
        "kind": "reconstruct", "variant": "default", "latent_floats": 1024, "evaluation_sha256": "same",
        "timing": TIMING, "primary": {}, "config": {},
    } | changes  # fmt: skip
    kind = KINDS[values["kind"]]
    scores = pd.DataFrame({kind.item: range(6), "group": list("aabbcc"), kind.primary.key: psnr})[::-1]
    return Judged(name=name, architecture=architecture, scores=scores, **values)


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


def test_neither_is_better_where_one_group_was_judged() -> None:
    both = [dataclasses.replace(j, scores=j.scores.assign(group="a")) for j in (conv(0.5), gru())]
    assert compare(both[0], both[1], SETTINGS).sentence == (
        "At equal floats (1,024 a clip) and equal training time (100 and 100 s), neither the 3-D CNN (cnn) nor the GRU "
        "(rnn) can be said to rebuild unseen clips better: +0.50 dB, one group cannot tell (no interval of the "
        "difference, 6 clips paired, 1 group)."
    )
    article = dataclasses.replace(both[0], kind="interpolate", variant="article")
    new = dataclasses.replace(both[1], kind="interpolate")
    assert compare_variants(article, new, SETTINGS).sentence == (
        "On the same clips, neither the article's variant (cnn) nor the default variant (rnn) can be said to answer "
        "better: +0.50 dB, one group cannot tell (no interval of the difference, 6 clips paired, 1 group)."
    )
    assert beats_the_cross_fade(article, score(2.0, 2.0, 2.0)["psnr_db"]) == (
        "Does the article's variant (cnn) beat the cross-fade? Not shown: +2.00 dB, one group cannot tell (no interval "
        "of the gain)."
    )


def test_a_difference_whose_interval_contains_zero_is_none() -> None:
    found = compare(conv([1.0, 1.0, -0.5, -0.5, 0.1, 0.1]), gru(), SETTINGS)
    assert found.sentence == (
        "At equal floats (1,024 a clip) and equal training time (100 and 100 s), neither the 3-D CNN (cnn) nor the GRU "
        "(rnn) can be said to rebuild unseen clips better: +0.20 dB, the interval contains zero (95% interval of the "
        "difference −0.50 to 1.00 dB, 6 clips paired, 3 groups)."
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
        "better: +0.00 dB, the interval contains zero (95% interval of the difference −1.00 to 1.00 dB, 6 clips "
        "paired, 3 groups)."
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


def classifier(name: str, right: str, depth: int, low: float, high: float, **changes: Any) -> Judged:
    marks = [float(mark) for mark in right]
    values = {"config": {"kernel_depth": depth, "width": 8}, "kind": "classify", "chance": 0.25} | changes
    primary = {"value": float(np.mean(marks)), "low": low, "high": high}
    return judged(name, "c3d", marks, primary=primary, **values)


def test_whether_temporal_kernels_help_is_answered_in_a_sentence() -> None:
    deep = classifier("moving", "111111", 3, 0.95, 1.0)
    found = looks_at_motion(deep, classifier("still", "100100", 1, 0.2, 0.5), SETTINGS)
    assert found.sentence == (
        "The temporal kernels help: moving (kernel depth 3) is 66.7 points ahead of still (image-only, kernel depth 1) "
        "(95% interval of the difference 50.0 to 100.0 points, 6 videos paired, 3 groups). They name 100.0% "
        "(95.0 to 100.0) and 33.3% (20.0 to 50.0) of the videos rightly; the intervals do not overlap, and the "
        "image-only network cannot be told from chance (25.0%)."
    )
    assert (found.comparable, found.metric) == (True, "video_accuracy")
    assert found.difference == pytest.approx({"value": 2 / 3, "low": 0.5, "high": 1.0})


def test_temporal_kernels_may_not_help() -> None:
    deep, flat = classifier("moving", "100110", 3, 0.3, 0.7), classifier("still", "011001", 1, 0.4, 0.6)
    found = looks_at_motion(deep, flat, SETTINGS).sentence
    assert found.startswith(
        "The temporal kernels are not shown to help: moving (kernel depth 3) against still (image-only, kernel depth 1)"
        ", +0.0 points, the interval contains zero ("
    )
    assert found.endswith("the intervals overlap, and the image-only network is above chance (25.0%).")
    worse = classifier("moving", "000000", 3, 0.0, 0.0)
    better = classifier("still", "111111", 1, 1.0, 1.0, config={"kernel_depth": 1, "width": 16})
    found = looks_at_motion(worse, better, SETTINGS).sentence
    assert found.startswith("The temporal kernels do not help: moving (kernel depth 3) is 100.0 points behind still")
    assert found.endswith("They differ in more than that: width 8 and 16.")
    assert not looks_at_motion(worse, better, SETTINGS).comparable
    elsewhere = classifier("still", "111111", 1, 1.0, 1.0, evaluation_sha256="other")
    assert looks_at_motion(worse, elsewhere, SETTINGS).difference is None


def test_another_training_is_another_network() -> None:
    augment = {"shift_px": 4, "mirror": True}
    deep = classifier("moving", "111111", 3, 0.9, 1.0, training={"steps": 600, "seed": 0, "augment": augment})
    alike = classifier("still", "100100", 1, 0.2, 0.5, training=dict(deep.training))
    assert looks_at_motion(deep, alike, SETTINGS).comparable
    other = {"steps": 300, "seed": 0, "augment": augment | {"mirror": False}, "precision": "32-true"}
    found = looks_at_motion(deep, classifier("still", "100100", 1, 0.2, 0.5, training=other), SETTINGS)
    assert not found.comparable
    assert found.sentence.endswith(
        " They differ in more than that: augment.mirror True and False, precision None and 32-true, steps 600 and 300."
    )


def test_one_group_does_not_show_that_temporal_kernels_help() -> None:
    deep, flat = classifier("moving", "111111", 3, 1.0, 1.0), classifier("still", "100100", 1, 1 / 3, 1 / 3)
    deep, flat = (dataclasses.replace(j, scores=j.scores.assign(group="a")) for j in (deep, flat))
    assert looks_at_motion(deep, flat, SETTINGS).sentence == (
        "The temporal kernels are not shown to help: moving (kernel depth 3) against still (image-only, kernel depth "
        "1), +66.7 points, one group cannot tell (no interval of the difference, 6 videos paired, 1 group). They name "
        "100.0% and 33.3% of the videos rightly, all of them of one group."
    )


@pytest.mark.parametrize(
    ("measure", "value", "written", "gap"),
    [
        (PSNR, 31.254, "31.25 dB", "+31.25 dB"),
        (PSNR, -0.5, "−0.50 dB", "−0.50 dB"),
        (VIDEO_ACCURACY, 0.9642, "96.4%", "+96.4 points"),
        (MSE, 0.00125, "1.25 × 10⁻³", "+1.25 × 10⁻³"),
    ],
)
def test_a_figure_is_written_in_its_unit_with_a_true_minus_sign(
    measure: Measure, value: float, written: str, gap: str
) -> None:
    assert (measure.told(value), measure.gap(value, sign=True)) == (written, gap)


def test_the_best_is_what_the_metric_says() -> None:
    assert min((30.0, 31.0), key=PSNR.cost) == 31.0
    assert min((0.1, 0.2), key=MSE.cost) == 0.1
    assert min((0.5, 0.9, 1.2), key=SHARPNESS.cost) == 0.9
