"""Moving the alias `champion`: promote and roll back, one at a time, each move on record before it is made.

    turn > settle > gate > note what is meant > still our turn? > set alias > read it back > note on both versions

A process that is killed anywhere in it leaves the old champion or the new one. The next one that gets a turn drops or
finishes what it finds noted (`history.settle`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.exits import UnreachableError
from tasks.params import Promotion
from tasks.tracking import gate, history, judged, turns
from tasks.tracking.gate import Decision
from tasks.tracking.history import Entry
from tasks.tracking.store import connected, tracking_uri
from tasks.tracking.versions import CHAMPION, PREFIX, aliased, pick, version_numbered, versions_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

ATTEMPTS = 3  # of turns that take too long
LONGEST_WHY = 500  # characters
Told = TypeVar("Told")


@dataclass(frozen=True)
class _Place:
    """One recipe's registered model as a turn finds it, settled; `entries` are all done."""

    client: MlflowClient
    turn: turns.Turn
    full: str
    entries: list[Entry]
    champion: str | None


@dataclass(frozen=True)
class _Move:
    """Of the alias, to version `after`."""

    after: str
    how: history.How
    why: str
    figures: dict[str, Any]


class _LostError(turns.TurnLostError):
    """The turn was lost after the alias had been moved as `meant`."""

    def __init__(self, message: str, meant: Entry) -> None:
        super().__init__(message)
        self.meant = meant


def promote(name: str, version: str, rules: Promotion | None = None, *, anyway: bool = False) -> Decision:
    """Make `version` the champion if the gate lets it, compared with whoever is champion at that moment.

    Both versions get tags that say why, in words and figures.

    Args:
        rules: `params.promotion`; None: its defaults.
        anyway: also if the gate does not; what it said stands in the record.

    Raises:
        ValueError: no such model or version, or one without scores.
        UnreachableError: the store does not answer, or others are at work for minutes.
    """

    def plan(place: _Place) -> tuple[Decision, _Move | None]:
        client, full = place.client, place.full
        challenger = version_numbered(client, full, version)
        champion = None if place.champion is None else version_numbered(client, full, place.champion)
        out = history.rolled_back(place.entries)
        decision = gate.decide(client, challenger, champion, rules or Promotion(), out)
        if place.champion == decision.version:
            return decision, None
        how: history.How = "promote"
        if anyway and not decision.promoted:
            how, reason = "by hand", f"version {version} was made champion by hand, past the gate: {decision.reason}"
            decision = replace(decision, promoted=True, champion_version=decision.version, rejudge=False, reason=reason)
        if decision.promoted:
            return decision, _Move(decision.version, how, decision.reason, decision.figures())
        place.turn.require(to_move=True)
        client.set_model_version_tag(full, version, "rushes.promoted", "false")
        client.set_model_version_tag(full, version, "rushes.promotion", decision.reason)
        if place.champion is not None:
            client.set_model_version_tag(full, place.champion, f"rushes.challenged_by_{version}", decision.reason)
        return decision, None

    return _in_turn(PREFIX + name, plan)[0]


def rollback(name: str, to: str | None = None, why: str = "") -> Entry:
    """Make the champion before the present one champion again; done twice, it goes back twice.

    What it leaves behind is not promoted again but by hand (`promote(..., anyway=True)`).

    Args:
        to: a version that was champion before, instead of the last one.
        why: for the record.

    Raises:
        ValueError: nothing to go back to, or too many words.
        UnreachableError: as for `promote`.
    """
    if len(why) > LONGEST_WHY:
        raise ValueError(f"the reason has {len(why)} characters; at most {LONGEST_WHY} are kept")

    def plan(place: _Place) -> tuple[None, _Move | None]:
        line, there = history.line(place.entries), {str(v.version) for v in versions_of(place.client, place.full)}
        if not line:
            pick(place.client, place.full, CHAMPION, None)  # raises, and says what there is
        last = line[-1]  # the champion, or what was it until it, or its alias, was deleted
        before = [v for v in line if v in there and v != last]
        if not before or (to is not None and to not in before):
            asked = "an earlier champion" if to is None else f"version {to}"
            raise ValueError(
                f"{place.full} cannot be rolled back to {asked}: champions before version {last} were:"
                f" {', '.join(before) or 'none'} (rushes models --history {name}); another version is made champion by"
                f" hand: rushes promote {name} VERSION --anyway"
            )
        after = before[-1] if to is None else to
        left = line[len(line) - line[::-1].index(after) :]
        words = f"version {last} was rolled back to version {after}" + (f": {why}" if why else "")
        return None, _Move(after, "rollback", words, {"rolled_back": list(dict.fromkeys(left))})

    moved = _in_turn(PREFIX + name, plan)[1]
    assert moved is not None
    return moved


def add_scores(name: str, version: str, metrics: Mapping[str, Any]) -> None:
    """Keep another evaluation's `metrics.json` with the version that it judged, for the gate.

    Raises:
        ValueError: no such version, or it judged other weights.
    """
    with connected(tracking_uri()) as client:
        full = PREFIX + name
        judged.note(client, full, version_numbered(client, full, version), metrics)


def judged_on(name: str, version: str) -> list[str]:
    """The evaluation data (their hashes) that a version has scores on, the latest of its own first."""
    with connected(tracking_uri()) as client:
        return judged.judged_on(version_numbered(client, PREFIX + name, version))


def champions(name: str) -> list[Entry]:
    """The history of a recipe's champions, oldest first: what was done, not what somebody only meant to do.

    Raises:
        ValueError: no such model.
    """
    full = PREFIX + name
    with connected(tracking_uri()) as client:
        _require_model(client, full)
        entries, champion = history.read(client, full), aliased(client, full).get(CHAMPION)
    now = None if champion is None else str(champion.version)
    return [e for k, e in enumerate(entries) if e.done or (k == len(entries) - 1 and e.after == now)]


def _require_model(client: MlflowClient, full: str) -> None:
    if not versions_of(client, full):
        pick(client, full, CHAMPION, None)  # raises, and says what there is


def _in_turn(full: str, plan: Callable[[_Place], tuple[Told, _Move | None]]) -> tuple[Told, Entry | None]:
    """Plan and move in a turn; what was planned, and what was done if the alias moved."""
    strayed: Entry | None = None
    told: Told | None = None
    trouble = ""
    with connected(tracking_uri()) as client:
        _require_model(client, full)
        for _ in range(ATTEMPTS):
            try:
                with turns.turn(client) as turn:
                    entries, champion = history.settle(client, full, turn.number, strayed)
                    finished = [e for e in entries if strayed is not None and e.key == strayed.key]
                    if finished and told is not None:
                        return told, finished[0]  # by whoever had the turn after us
                    place = _Place(client, turn, full, entries, champion)
                    told, move = plan(place)
                    return told, None if move is None else _move(place, move)
            except _LostError as lost:
                strayed, trouble = lost.meant, str(lost)
            except turns.TurnLostError as lost:
                strayed, trouble = None, str(lost)
    raise UnreachableError(f"the tracking store is too slow to move an alias: {trouble}; try again")


def _move(place: _Place, move: _Move) -> Entry:
    client, full, turn = place.client, place.full, place.turn
    words = (move.after, move.how, move.why, move.figures)
    meant = history.entry(place.entries, turn.number, place.champion, *words)
    history.write(client, full, meant)
    turn.require(to_move=True)
    client.set_registered_model_alias(full, CHAMPION, move.after)
    found = str(client.get_model_version_by_alias(full, CHAMPION).version)
    try:
        turn.require(to_move=False)
    except turns.TurnLostError as lost:
        raise _LostError(str(lost), meant) from lost
    if found != move.after:
        raise ValueError(
            f"{full}: the alias {CHAMPION} was set to version {move.after}, and something else moved it to {found}"
        )
    return history.complete(client, full, meant)
