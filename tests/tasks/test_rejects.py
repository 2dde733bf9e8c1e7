"""How much may be left out, and what does not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import rejects as rejects_
from tasks.footage import UNRATED, Reject


def test_too_many_rejects_fail_with_the_first_reasons() -> None:
    rejects = [Reject(f"{k}.mp4", "subclips", f"reason {k}") for k in range(7)]
    rejects_.check(Path("f"), {f"u{k}" for k in range(63)}, rejects, 0.1)
    with pytest.raises(
        ValueError, match=r"7 of 69 sources in f were rejected, more than max_reject_fraction 0.1"
    ) as caught:
        rejects_.check(Path("f"), {f"u{k}" for k in range(62)}, rejects, 0.1)
    assert str(caught.value).splitlines()[1:] == [f"  {k}.mp4: reason {k}" for k in range(5)]


def test_parts_of_a_source_and_films_without_a_rating_do_not_count() -> None:
    part = [Reject("u0", "subclips", f"subclip {k} of 3: ...") for k in (2, 3)]
    unrated = [Reject(f"x{k}.mp4", UNRATED, "no row of r.csv has its title") for k in range(9)]
    twice = [Reject("lost.mp4", "sample", "damaged"), Reject("lost.mp4", "subclips", "subclip 3 of 3: ...")]
    rejects_.check(Path("f"), {"u0"}, [*part, *unrated], 0.0)
    rejects_.check(Path("f"), {"u0"}, [*part, *unrated, *twice], 0.5)
    with pytest.raises(ValueError, match=r"1 of 2 sources in f were rejected(?s:.*)lost\.mp4: damaged"):
        rejects_.check(Path("f"), {"u0"}, [*part, *unrated, *twice], 0.4)
    with pytest.raises(ValueError, match=r"f holds no source that can be used; 9 rejects\n  x0\.mp4: no row of"):
        rejects_.check(Path("f"), set(), unrated, 1.0)
