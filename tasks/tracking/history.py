"""Which version was champion, from when to when, and why: the entries on a recipe's registered model.

An entry is a tag `rushes.history.<turn>.<place>` (JSON), written before the alias moves and marked `done` after it has:
so whoever comes after one that was killed in between knows what he meant to do. The numbers of turns only grow
(`turns`), so the entries' order is that of what happened, and no two ever have one key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from tasks.tracking.turns import who
from tasks.tracking.versions import CHAMPION, aliased, versions_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "rushes.history."
ROLLED_BACK = "rushes.rolled_back"
LONGEST = 5000  # characters of an entry: what MLflow's table of a registered model's tags holds
How = Literal["promote", "by hand", "rollback", "outside"]


@dataclass(frozen=True)
class Entry:
    """The champion went from version `before` (None: there was none) to version `after`.

    `how`: `promote` through the gate, `by hand` past it, `rollback`, or `outside`: the alias was found moved.
    `at`: UTC. `figures`: what the gate compared.
    """

    before: str | None
    after: str
    how: How
    why: str
    by: str
    at: str
    figures: dict[str, Any]
    key: str
    done: bool = False

    def told(self) -> str:
        """As JSON."""
        text = json.dumps({name: value for name, value in asdict(self).items() if name != "key"}, ensure_ascii=False)
        assert len(text) <= LONGEST, text
        return text


def entry(
    entries: Sequence[Entry],
    turn: int,
    before: str | None,
    after: str,
    how: How,
    why: str,
    figures: dict[str, Any] | None = None,
) -> Entry:
    """The one behind `entries`, also where the turns' numbers began anew: somebody has deleted their model."""
    last, place = order(entries[-1].key) if entries else (0, 0)
    number, place = (turn, 0) if turn > last else (last, place + 1)
    return Entry(before, after, how, why, who(), now(), figures or {}, f"{KEY}{number:08d}.{place}")


def order(key: str) -> tuple[int, int]:
    """Turn and place in it, of an entry's key."""
    turn, place = key.removeprefix(KEY).split(".")
    return int(turn), int(place)


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read(client: MlflowClient, full: str) -> list[Entry]:
    """Oldest first, with what was meant and not done."""
    tags = client.get_registered_model(full).tags
    keys = sorted((key for key in tags if key.startswith(KEY)), key=order)
    return [Entry(**json.loads(tags[key]), key=key) for key in keys]


def write(client: MlflowClient, full: str, told: Entry) -> None:
    client.set_registered_model_tag(full, told.key, told.told())


def settle(client: MlflowClient, full: str, turn: int, strayed: Entry | None = None) -> tuple[list[Entry], str | None]:
    """Make history and alias agree, whatever became of those before: the entries, all done, and the champion's version.

    What was meant and did not happen is dropped; what happened and was not noted to the end is. An alias that somebody
    has moved by other means stays where it is, and that is noted, too.

    Args:
        strayed: what this process has just done in a turn that it had lost: if it went over somebody's head, it is
            taken back.
    """
    found = aliased(client, full).get(CHAMPION)
    champion = None if found is None else str(found.version)
    entries = read(client, full)
    if entries and not entries[-1].done and entries[-1].after == champion:
        entries[-1] = complete(client, full, entries[-1])
    for meant in [e for e in entries if not e.done]:
        client.delete_registered_model_tag(full, meant.key)
    entries = [e for e in entries if e.done]
    known = entries[-1].after if entries else None
    if strayed is not None and strayed.after == champion and known is not None and known != champion:
        client.set_registered_model_alias(full, CHAMPION, known)
        champion = known
    if champion is not None and champion != known:
        why = "the alias was moved by other means" if entries else "it was champion when this history began"
        outside = entry(entries, turn, known, champion, "outside", why)
        write(client, full, outside)
        entries.append(complete(client, full, outside))
    return entries, champion


def complete(client: MlflowClient, full: str, told: Entry) -> Entry:
    """Note on the versions that are still there what happened, then that it is done. To do it again changes nothing."""
    done, there = replace(told, done=True), {str(v.version): v for v in versions_of(client, full)}

    def note(version: str | None, tags: dict[str, str]) -> None:
        for key, value in tags.items() if version in there else ():
            client.set_model_version_tag(full, version, key, value)

    for version in (told.before, told.after):
        note(version, {told.key: done.told()})
    if told.how == "rollback":
        back = f"{told.at} by {told.by}: {told.why}"
        for version in told.figures["rolled_back"]:
            note(version, {ROLLED_BACK: back, "rushes.promoted": "false", "rushes.promotion": told.why})
    elif told.how != "outside":  # which is not for the gate to have said
        note(told.after, {"rushes.promoted": "true", "rushes.promotion": told.why})
        note(told.before, {f"rushes.challenged_by_{told.after}": told.why})
    if ROLLED_BACK in there[told.after].tags:
        client.delete_model_version_tag(full, told.after, ROLLED_BACK)
    write(client, full, done)
    return done


def line(entries: Sequence[Entry]) -> list[str]:
    """The versions that a rollback goes back through, the champion last: a rollback to one of them drops those after
    it, anything else adds one."""
    versions: list[str] = []
    for e in entries:
        if e.how == "rollback" and e.after in versions:
            last = len(versions) - 1 - versions[::-1].index(e.after)
            versions = versions[: last + 1]
        elif not versions or versions[-1] != e.after:
            versions.append(e.after)
    return versions


def rolled_back(entries: Sequence[Entry]) -> dict[str, Entry]:
    """The versions that were rolled back and not made champion since, each with when and why."""
    out: dict[str, Entry] = {}
    for e in entries:
        if e.how == "rollback":
            out |= dict.fromkeys(e.figures["rolled_back"], e)
        out.pop(e.after, None)
    return out
