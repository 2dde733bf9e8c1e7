"""Index arithmetic: whole expected lists, and properties over all small cases."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import sampling
from tasks.params import Clips, Subclips


def test_spans() -> None:
    assert sampling.spans(4.2, None) == [(0.0, 4.2)]
    three = Subclips(count=3, seconds=0.1, start_seconds=0.1)
    assert sampling.spans(10.0, three) == [(0.1, 0.2), (0.2, 0.3), (0.3, 0.4)]
    assert sampling.spans(0.26, three) == [(0.1, 0.2), (0.2, 0.26)]
    assert sampling.spans(0.25, three) == [(0.1, 0.2)]  # half of the second is there
    assert sampling.spans(0.1, three) == []


def test_what_is_left_out_is_said() -> None:
    trailer = Subclips(count=3, seconds=30, start_seconds=10)
    assert sampling.spans(100.0, trailer) == [(10.0, 40.0), (40.0, 70.0), (70.0, 100.0)]
    assert sampling.left_out(100.0, trailer) == []
    assert sampling.spans(52.2, trailer) == [(10.0, 40.0)]
    assert sampling.left_out(52.2, trailer) == [
        "subclip 2 of 3: 12.20 s of 30 s are there, half or less",
        "subclip 3 of 3: begins at 70 s, the source ends at 52.20 s",
    ]
    assert sampling.spans(25.0, trailer) == []
    assert sampling.left_out(25.0, trailer)[0] == "subclip 1 of 3: 15.00 s of 30 s are there, half or less"
    assert sampling.left_out(7.0, None) == []


def test_subclips_begin_at_anchors() -> None:
    """At the nearest within 5 s that the one before does not cover; where there is none, where they were asked to."""
    four = Subclips(count=4, seconds=10, start_seconds=10)
    anchors = [0.0, 7.0, 12.5, 21.0, 24.0, 38.0, 45.0]
    #  asked 10: 12.5 (7 is 3 away).  asked 20: 24 (21 is covered).  asked 30: 34, where that ends.  asked 40: 45
    assert sampling.spans(100.0, four, anchors) == [(12.5, 22.5), (24.0, 34.0), (34.0, 44.0), (45.0, 55.0)]
    assert sampling.spans(100.0, four, []) == [(10.0, 20.0), (20.0, 30.0), (30.0, 40.0), (40.0, 50.0)]
    assert sampling.spans(100.0, four, [8.0]) == [(8.0, 18.0), (20.0, 30.0), (30.0, 40.0), (40.0, 50.0)]
    assert sampling.spans(48.0, four, anchors) == [(12.5, 22.5), (22.5, 32.5), (32.5, 42.5), (42.5, 48.0)]
    assert sampling.spans(44.5, four, anchors) == [(12.5, 22.5), (24.0, 34.0), (34.0, 44.0)]
    assert sampling.left_out(44.5, four, anchors) == ["subclip 4 of 4: 0.50 s of 10 s are there, half or less"]


def test_no_subclip_is_lost_to_an_anchor() -> None:
    trailer = Subclips(count=3, seconds=30, start_seconds=10)
    assert sampling.spans(100.0, trailer, [0.0, 95.0]) == [(0.0, 30.0), (40.0, 70.0), (70.0, 100.0)]
    assert sampling.spans(90.0, trailer, [10.0, 50.0, 85.0]) == [(10.0, 40.0), (40.0, 70.0), (70.0, 90.0)]
    assert sampling.spans(90.0, trailer, [10.0, 44.0]) == [(10.0, 40.0), (44.0, 74.0), (74.0, 90.0)]
    assert sampling.spans(84.0, trailer, [66.0]) == [(10.0, 40.0), (40.0, 70.0)]
    assert sampling.spans(84.0, trailer, [0.0, 30.0, 66.0]) == [(0.0, 30.0), (30.0, 60.0), (66.0, 84.0)]


@given(
    st.integers(1, 1300),
    st.lists(st.integers(0, 1300), unique=True, max_size=20).map(sorted),
    st.integers(0, 300),
    st.integers(1, 400),
)
def test_with_anchors_there_are_no_fewer_subclips(lasts: int, anchors: list[int], start: int, length: int) -> None:
    """In tenths of a second; they do not overlap, and begin at most half a subclip from where they were asked to."""
    asked = Subclips(count=4, seconds=length / 10, start_seconds=start / 10)
    plain, snapped = (sampling.spans(lasts / 10, asked, [a / 10 for a in places]) for places in ([], anchors))
    assert len(snapped) >= len(plain)
    for number, (a, b) in enumerate(snapped):
        assert number == 0 or snapped[number - 1][1] <= a + 1e-9
        assert abs(a - (start + number * length) / 10) <= length / 20 + 1e-9
        assert 2 * (b - a) > length / 10


def test_by_time_the_first_frame_at_or_after_each_place_is_stored() -> None:
    """Two a second from 10 s on: 10, 10.5, 11, ... Nothing stands between 10.9 and 12.2: two places have no frame."""
    times = [9.9, 10.1, 10.3, 10.4995, 10.6, 10.9, 12.2, 12.4, 12.6, 13.0, 20.2, 20.3, 20.5, 20.9, 21.0]
    sampler = sampling.SpanSampler([(10.0, 13.0), (20.0, 21.0)], frames_per_second=2)
    assert [(t, sampler.span) for t in times if sampler(t)] == [
        (10.1, 0), (10.4995, 0), (12.2, 0), (12.6, 0), (20.2, 1), (20.5, 1),
    ]  # fmt: skip
    sampler = sampling.SpanSampler([(10.0, 13.0), (20.0, 21.0)], every_frames=2, frames_per_second=2)
    assert [t for t in times if sampler(t)] == [10.1, 12.2, 20.2]
    sampler = sampling.SpanSampler([(0.0, 9.0)], frames_per_second=1)
    kept = []
    for t in [0.5, 0.9, 1.2, 4.7, 5.5, 5.8, 6.9]:  # after 1.2 frames are missing: a new run, and a new count
        if t == 4.7:
            sampler.interrupt()
        if sampler(t):
            kept.append((t, sampler.span))
    assert kept == [(0.5, 0), (1.2, 0), (4.7, 1), (5.8, 1), (6.9, 1)]


@pytest.mark.parametrize(
    "time_base", [Fraction(1, 30), Fraction(1, 1000), Fraction(1, 90000)], ids=["exact", "ms", "90k"]
)
def test_by_time_a_film_gives_the_same_frames_in_every_container(time_base: Fraction) -> None:
    """Frames of 1/30 s, as the clock of the container rounds them."""
    times = [float(round(Fraction(k, 30) / time_base) * time_base) for k in range(1000)]
    kept = {rate: sampling.SpanSampler([(0.0, 40.0)], frames_per_second=rate) for rate in (15, 10, 6, 1.5)}
    for rate, sampler in kept.items():
        assert [k for k, t in enumerate(times) if sampler(t)] == list(range(0, 1000, round(30 / rate)))


@given(
    st.lists(st.integers(0, 20_000), unique=True, min_size=1, max_size=120).map(sorted),
    st.sampled_from([0.3, 1.0, 2.5, 7.0, 24.0, 31.0]),
    st.integers(0, 8_000),
    st.integers(200, 8_000),
)
def test_by_time_each_place_has_its_frame_once(milliseconds: list[int], rate: float, start: int, length: int) -> None:
    """Frames at any times: what is stored are the first frames at or after start + k / rate, and no others."""
    a, b = start / 1000, (start + length) / 1000
    times = [t / 1000 for t in milliseconds]
    sampler = sampling.SpanSampler([(a, b)], frames_per_second=rate)
    kept = [t for t in times if sampler(t)]
    inside = [t for t in times if a <= t < b]
    places = [a + k / rate - sampling.CLOCK_SECONDS for k in range(math.ceil((b - a) * rate) + 1)]
    firsts = {next((t for t in inside if t >= place), None) for place in places} - {None}
    near = {t for t in inside for place in places if abs(t - place) < 1e-9}  # which side, is the arithmetic's to say
    assert set(kept) ^ firsts <= near | {t for n in near for t in inside if t > n}
    if not near:
        assert kept == sorted(firsts)
    assert kept == sorted(set(kept))


def test_sampler_counts_from_the_first_frame_of_each_span() -> None:
    sampler = sampling.SpanSampler([(0.2, 0.5), (0.5, 0.8), (0.95, 9.0)], every_frames=2)
    kept = [(k, sampler.span) for k in range(12) if sampler(k / 10)]
    assert kept == [(2, 0), (4, 0), (5, 1), (7, 1), (10, 2)]


def test_an_interruption_begins_a_new_span_and_counts_anew() -> None:
    sampler = sampling.SpanSampler([(0.0, 1.0), (1.0, 2.0)], every_frames=2)
    kept = []
    for k in [0, 1, 2, 5, 6, 7, 10, 11, 12]:  # 3 and 4 are missing, and 8 and 9: there a new span begins anyway
        if k in (5, 10):
            sampler.interrupt()
            sampler.interrupt()  # said twice, it is still one
        if sampler(k / 10):
            kept.append((k, sampler.span))
    assert kept == [(0, 0), (2, 0), (5, 1), (7, 1), (10, 2), (12, 2)]


def test_spans_are_cut_where_shots_begin() -> None:
    spans = [(0.0, 2.0), (2.0, 3.0), (5.0, 6.0)]
    assert sampling.cut_spans(spans, []) == spans
    assert sampling.cut_spans(spans, [0.0, 0.5, 2.0, 4.0, 5.5, 6.0, 9.0]) == [
        (0.0, 0.5), (0.5, 2.0), (2.0, 3.0), (5.0, 5.5), (5.5, 6.0),
    ]  # fmt: skip


def test_windows() -> None:
    assert sampling.windows(10, 4, 1, 1) == [0, 1, 2, 3, 4, 5, 6]
    assert sampling.windows(10, 4, 1, 4) == [0, 4]
    assert sampling.windows(10, 4, 3, 1) == [0]
    assert sampling.windows(9, 4, 3, 1) == []
    assert sampling.windows(0, 1, 1, 1) == []
    assert list(range(20))[sampling.clip_rows(2, 4, 3)] == [2, 5, 8, 11]


def test_no_window_crosses_a_span() -> None:
    clips = Clips(length_frames=2, step_frames=2, train_stride_frames=1, stride_frames=1)
    assert sampling.span_windows([0, 0, 0, 0, 2, 2, 2, 3, 3], clips, 1) == [(0, 0, 2), (0, 1, 2), (2, 4, 2)]
    assert sampling.span_windows([], clips, 1) == []


def test_windows_of_a_gap_of_six_stay_within_shots_and_gaps() -> None:
    spans = [0] * 10 + [1] * 6 + [2] * 7 + [3] * 13
    clips = Clips(gap_frames=6, train_stride_frames=1, stride_frames=3)
    assert sampling.span_windows(spans, clips, clips.train_stride_frames) == [
        *[(0, first, 7) for first in (0, 1, 2, 3)],
        (2, 16, 7),
        *[(3, first, 7) for first in (23, 24, 25, 26, 27, 28, 29)],
    ]
    assert sampling.span_windows(spans, clips, clips.stride_frames) == [
        (0, 0, 7), (0, 3, 7), (2, 16, 7), (3, 23, 7), (3, 26, 7), (3, 29, 7),
    ]  # fmt: skip
    assert list(range(36))[sampling.clip_rows(29, clips.length_frames, 1)] == [29, 30, 31, 32, 33, 34, 35]
    apart = Clips(gap_frames=6, step_frames=2, train_stride_frames=1, stride_frames=3)
    assert sampling.span_windows(spans, apart, 1) == [(3, 23, 7)]


def test_a_span_shorter_than_a_clip_is_one_clip_of_all_it_has() -> None:
    clips = Clips(length_frames=4, least_frames=2, train_stride_frames=3, stride_frames=4)
    spans = [0] * 4 + [1] * 3 + [2] * 2 + [3] + [4] * 9
    assert sampling.span_windows(spans, clips, 4) == [(0, 0, 4), (1, 4, 3), (2, 7, 2), (4, 10, 4), (4, 14, 4)]
    assert sampling.span_windows(spans, clips, 3)[3:] == [(4, 10, 4), (4, 13, 4)]


@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 5), st.integers(1, 9))
def test_windows_are_all_that_fit(stored: int, length: int, step: int, stride: int) -> None:
    fitting = [f for f in range(stored) if f % stride == 0 and f + (length - 1) * step < stored]
    assert sampling.windows(stored, length, step, stride) == fitting
    for first in fitting:
        assert len(range(stored)[sampling.clip_rows(first, length, step)]) == length
