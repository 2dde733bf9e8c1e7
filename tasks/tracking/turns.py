"""One at a time, among promoters on any number of machines: whose turn it is to move an alias.

MLflow sets an alias unconditionally and has no locks. What it does atomically, in a database as behind a server, is to
number versions: `create_model_version` gives the next number of a registered model to one caller only, and a deleted
number never comes back. So a turn is a version of the registered model `rushes.turn`:

    nobody has a turn  ->  make a version  ->  no lower number is there: it is our turn   ->  delete it when done
                                           ->  a lower number is there: delete ours, wait, begin again

A turn is dead, and anyone may delete it, when somebody has seen it for `TERM_SECONDS` on his own clock: no two
machines' clocks are compared. Its holder, who took it earlier than that, moves nothing after `MOVE_SECONDS` of it,
which leaves time for the request under way and its repetition (`store` allows 15 s each).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.exits import UnreachableError
from tasks.tracking.store import unanswered

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

MODEL = "rushes.turn"  # not a name that a recipe's model can have, which begins with `rushes-`
TERM_SECONDS = 60.0
MOVE_SECONDS = 20.0
PATIENCE_SECONDS = 300.0
_ABOUT = "Whose turn it is to promote or to roll back. A version is a turn; there is none while nobody is at work."


class TurnLostError(RuntimeError):
    """It took too long, and it is, or may soon be, somebody else's turn."""


@dataclass(frozen=True)
class Turn:
    """`number` is larger than that of every turn before."""

    client: MlflowClient
    number: int
    taken: float  # by `time.monotonic`, before it was

    def require(self, *, to_move: bool) -> None:
        """Raises TurnLostError: it is not ours any more, or, where it is `to_move` something, not for long enough."""
        if self.number not in {int(t.version) for t in _turns(self.client)}:
            raise TurnLostError("the turn was taken for dead")
        held = time.monotonic() - self.taken  # after the store has answered, which may take its time
        if to_move and held > MOVE_SECONDS:
            raise TurnLostError(f"the turn took {held:.0f} s, more than {MOVE_SECONDS:.0f}")


def who() -> str:
    """User and machine, for the record."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


@contextlib.contextmanager
def turn(client: MlflowClient) -> Iterator[Turn]:
    """Wait for a turn, and give it back at the end, however the block ends; but for a store that did not answer: it may
    do what it was asked a little later, and that has to fall into our turn, which the next one takes for dead.

    Raises:
        UnreachableError: others had theirs for `PATIENCE_SECONDS`.
    """
    _make_model(client)
    number, taken = _take(client)
    try:
        yield Turn(client, number, taken)
    except BaseException as error:
        if not unanswered(error):
            _delete(client, number)
        raise
    _delete(client, number)


def _take(client: MlflowClient) -> tuple[int, float]:
    """The turn's number, and a time before which nobody can have seen it.

    A holder that is killed costs the next one `TERM_SECONDS`; several that are killed cost no more.
    """
    token, seen, since = uuid.uuid4().hex, dict[int, float](), time.monotonic()
    while True:
        there, now = {int(t.version): t for t in _turns(client)}, time.monotonic()
        for number in there:
            if now - seen.setdefault(number, now) > TERM_SECONDS:
                _delete(client, number)
        if not [number for number in there if now - seen[number] <= TERM_SECONDS]:
            before = time.monotonic()
            _make_turn(client, token)
            made = {int(t.version): t.tags.get("rushes.token") == token for t in _turns(client)}
            own = sorted(number for number in made if made[number])  # two, if a request's answer was lost
            first = bool(own) and own[0] == min(made)
            for number in own[1:] if first else own:
                _delete(client, number)
            if first:
                return own[0], before
        if now - since > PATIENCE_SECONDS:
            held = ", ".join(sorted({t.tags.get("rushes.by", "somebody") for t in there.values()})) or "others"
            raise UnreachableError(f"no turn to promote within {PATIENCE_SECONDS:.0f} s: {held} had it; try again")
        time.sleep(random.uniform(0.25, 0.75))


def _make_turn(client: MlflowClient, token: str) -> None:
    """Or not, if too many others make theirs at the same moment, which MLflow gives up at."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_model_version(MODEL, "rushes:/turn", tags={"rushes.token": token, "rushes.by": who()})
    except MlflowException as error:
        if "Giving up after" not in str(error) and "too many 500" not in str(error):
            raise


def _turns(client: MlflowClient) -> list[ModelVersion]:
    return list(client.search_model_versions(f"name = '{MODEL}'", max_results=1000))


def _delete(client: MlflowClient, number: int) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.delete_model_version(MODEL, str(number))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # somebody else has deleted it
            raise


def _make_model(client: MlflowClient) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        with contextlib.suppress(MlflowException):  # made by another at the same moment; else the next call says why
            client.create_registered_model(MODEL, description=_ABOUT)
