"""Index arithmetic: whole expected lists, and properties over all small cases."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tasks import sampling
from tasks.params import Clips, Subclips


def test_spans() -> None:
    assert sampling.spans(4.2, None) == [(0.0, 4.2)]
    three = Subclips(count=3, seconds=0.1, start_seconds=0.1)
    assert sampling.spans(10.0, three) == [(0.1, 0.2), (0.2, 0.3), (0.3, 0.4)]
    assert sampling.spans(0.25, three) == [(0.1, 0.2), (0.2, 0.25)]
    assert sampling.spans(0.2, three) == [(0.1, 0.2)]
    assert sampling.spans(0.1, three) == []


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
    assert sampling.span_windows([0, 0, 0, 0, 2, 2, 2, 3, 3], clips, 1) == [(0, 0), (0, 1), (2, 4)]
    assert sampling.span_windows([], clips, 1) == []


def test_windows_of_a_gap_of_six_stay_within_shots_and_gaps() -> None:
    spans = [0] * 10 + [1] * 6 + [2] * 7 + [3] * 13
    clips = Clips(gap_frames=6, train_stride_frames=1, stride_frames=3)
    assert sampling.span_windows(spans, clips, clips.train_stride_frames) == [
        *[(0, first) for first in (0, 1, 2, 3)],
        (2, 16),
        *[(3, first) for first in (23, 24, 25, 26, 27, 28, 29)],
    ]
    assert sampling.span_windows(spans, clips, clips.stride_frames) == [
        (0, 0), (0, 3), (2, 16), (3, 23), (3, 26), (3, 29),
    ]  # fmt: skip
    assert list(range(36))[sampling.clip_rows(29, clips.length_frames, 1)] == [29, 30, 31, 32, 33, 34, 35]
    apart = Clips(gap_frames=6, step_frames=2, train_stride_frames=1, stride_frames=3)
    assert sampling.span_windows(spans, apart, 1) == [(3, 23)]


@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 5), st.integers(1, 9))
def test_windows_are_all_that_fit(stored: int, length: int, step: int, stride: int) -> None:
    fitting = [f for f in range(stored) if f % stride == 0 and f + (length - 1) * step < stored]
    assert sampling.windows(stored, length, step, stride) == fitting
    for first in fitting:
        assert len(range(stored)[sampling.clip_rows(first, length, step)]) == length
