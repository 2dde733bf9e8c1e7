"""How much of the footage may be left out before a run is worth nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from tasks.footage import UNRATED, Reject

SHOWN_REASONS = 5


def check(footage: Path, used: Collection[str], rejects: Sequence[Reject], max_reject_fraction: float) -> None:
    """Raise a ValueError if nothing is left, or if too much was left out.

    Args:
        used: paths of the sources that are used. A reject of one of these is a part of it, and does not count; nor does
            what has no rating.
    """
    if not used:
        first = _first_reasons(rejects)
        raise ValueError(f"{footage} holds no source that can be used; {len(rejects)} rejects\n{first}".rstrip())
    counted = [reject for reject in rejects if reject.path not in used and reject.stage != UNRATED]
    left_out = len({reject.path for reject in counted})
    if left_out / (len(used) + left_out) > max_reject_fraction:
        raise ValueError(
            f"{left_out} of {len(used) + left_out} sources in {footage} were rejected, more than "
            f"max_reject_fraction {max_reject_fraction:g} allows; correct them, take them out, or raise it. "
            f"The first:\n{_first_reasons(counted)}"
        )


def _first_reasons(rejects: Sequence[Reject]) -> str:
    return "\n".join(f"  {reject.path}: {reject.reason}" for reject in rejects[:SHOWN_REASONS])
