"""The gate, the history of champions, and promoters that are many, slow or killed, against real stores."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from tasks import tracking
from tasks.exits import UnreachableError
from tasks.params import Promotion
from tasks.tracking import history, turns
from tests.tasks._promoters import client, make_version, metrics, promote_all


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri := f"sqlite:///{folder}/mlflow.db")
        patch.setattr(turns, "who", lambda: "kim@desk")
        patch.setattr(history, "who", lambda: "kim@desk")
        yield uri


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server over HTTP."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    env = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | quiet
    uri = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:
                    assert answer.status == 200
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
        yield uri
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def _champion(name: str) -> str | None:
    champion = tracking.registry_record(name)["champion_version"]
    assert champion is None or isinstance(champion, str)
    return champion


def _chain(name: str) -> list[tuple[str | None, str, str]]:
    return [(e.before, e.after, e.how) for e in tracking.champions(name)]


def _turns() -> list[str]:
    return [str(v.version) for v in client().search_model_versions(f"name = '{turns.MODEL}'")]


@pytest.mark.parametrize(
    ("change", "rules", "said"),
    [
        ({"value": 30.5}, {}, None),
        ({"value": 30.0}, {}, "version 2 with psnr_db 30.0000 is not better than champion version 1 with 30.0000 on"
            " evaluation data test-1: gain +0.0000 (+0.0000 to +0.0000, 95% over 3 groups)"),
        ({"value": 30.5}, {"least_gain": 0.75}, "version 2 with psnr_db 30.5000 is not better than champion version 1"
            " with 30.0000 on evaluation data test-1: gain +0.5000 (+0.5000 to +0.5000, 95% over 3 groups), not more"
            " than promotion.least_gain 0.75"),
        ({"value": 30.5}, {"least_gain": 0.25, "certain": True}, None),
        ({"value": 30.5, "spread": (2.5, -3.5, -0.75)}, {}, None),
        ({"value": 30.5, "spread": (2.5, -3.5, -0.75)}, {"certain": True}, "version 2 with psnr_db 30.5000 is not"
            " certain to be better than champion version 1 with 30.0000 on evaluation data test-1: gain +0.5000"
            " (-2.7500 to +2.5000, 95% over 3 groups); the interval does not lie above promotion.least_gain 0 as a"
            " whole (promotion.certain)"),
        ({"value": 29.0, "higher_is_better": False}, {}, None),
        ({"value": 31.0, "low": None, "high": None}, {}, "version 2 has psnr_db 31.0000 without a finite interval (nan"
            " to nan)"),
        ({"value": float("nan")}, {}, "version 2 has no finite psnr_db (nan)"),
        ({"value": 31.0, "rushes.export_verified": "false"}, {}, "version 2 has psnr_db 31.0000, but its export was not"
            " verified against its weights"),
        ({"value": 31.0, "metric": "mse"}, {}, "version 2 with mse 31.0000 and champion version 1 with psnr_db 30.0000"
            " were not judged by the same metric"),
    ],
)  # fmt: skip
def test_the_gate_says_why(
    store: str, change: dict[str, Any], rules: dict[str, Any], said: str | None, request: pytest.FixtureRequest
) -> None:
    name = f"gate{abs(hash(request.node.name))}"
    tags = {key: change[key] for key in change if key.startswith("rushes.")}
    scores = {key: value for key, value in change.items() if key not in tags}
    make_version(name, metrics(30.0, **{k: v for k, v in change.items() if k == "higher_is_better"}))
    assert tracking.promote(name, "1").reason == "version 1 is the first champion: psnr_db 30.0000, export verified"
    make_version(name, metrics(**scores), **tags)
    decision = tracking.promote(name, "2", Promotion(**rules))
    assert (decision.promoted, _champion(name)) == ((True, "2") if said is None else (False, "1")), decision.reason
    assert said is None or decision.reason == said
    assert client().get_model_version(f"rushes-{name}", "1").tags["rushes.challenged_by_2"] == decision.reason
    assert _turns() == []


def test_back_twice_and_by_hand_past_the_gate(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "now", iter(f"2026-01-0{k}T00:00:00+00:00" for k in range(1, 9)).__next__)
    for value in (30.0, 31.0, 32.0, 30.5):
        version = make_version("back", metrics(value))
        tracking.promote("back", version)
    assert _champion("back") == "3"

    entry = tracking.rollback("back", why="green faces")
    assert (entry.before, entry.after, entry.by, entry.at) == ("3", "2", "kim@desk", "2026-01-04T00:00:00+00:00")
    assert entry.why == "version 3 was rolled back to version 2: green faces"
    tags = client().get_model_version("rushes-back", "3").tags
    assert tags["rushes.rolled_back"] == f"2026-01-04T00:00:00+00:00 by kim@desk: {entry.why}"
    refused = tracking.promote("back", "3")
    assert not refused.promoted
    assert refused.reason == (
        "version 3 was rolled back on 2026-01-04T00:00:00+00:00 by kim@desk and is promoted again by hand only: rushes"
        " promote back 3 --anyway"
    )
    assert tracking.rollback("back").after == _champion("back") == "1"
    with pytest.raises(ValueError, match=r"rushes-back cannot be rolled back to an earlier champion: .* 1 were: none"):
        tracking.rollback("back")

    by_hand = tracking.promote("back", "3", anyway=True)
    assert by_hand.reason == f"version 3 was made champion by hand, past the gate: {refused.reason}"
    assert by_hand.promoted
    assert "rushes.rolled_back" not in client().get_model_version("rushes-back", "3").tags
    assert tracking.promote("back", "4", anyway=True).promoted
    with pytest.raises(ValueError, match=r"rolled back to version 2: champions before version 4 were: 1, 3 \("):
        tracking.rollback("back", "2")
    assert tracking.rollback("back", "1").figures == {"rolled_back": ["3", "4"]}
    assert not tracking.promote("back", "3").promoted  # it was left behind, too
    assert _chain("back") == [
        (None, "1", "promote"), ("1", "2", "promote"), ("2", "3", "promote"), ("3", "2", "rollback"),
        ("2", "1", "rollback"), ("1", "3", "by hand"), ("3", "4", "by hand"), ("4", "1", "rollback"),
    ]  # fmt: skip
    last = json.loads(client().get_model_version("rushes-back", "4").tags[tracking.champions("back")[-1].key])
    assert last == {k: v for k, v in asdict(tracking.champions("back")[-1]).items() if k != "key"}
    assert (last["why"], last["done"]) == ("version 4 was rolled back to version 1", True)


def test_versions_that_were_deleted_are_gone_back_past(store: str) -> None:
    for value in (30.0, 31.0, 32.0, 33.0):
        tracking.promote("holes", make_version("holes", metrics(value)))
    client().delete_model_version("rushes-holes", "2")
    assert tracking.rollback("holes", "1").figures == {"rolled_back": ["2", "3", "4"]}
    assert not tracking.promote("holes", "4").promoted
    assert tracking.promote("holes", "3", anyway=True).promoted
    client().delete_model_version("rushes-holes", "3")  # the champion, and its alias with it
    entry = tracking.rollback("holes")
    assert (entry.before, entry.after, entry.why) == (None, "1", "version 3 was rolled back to version 1")
    assert _champion("holes") == "1"


def test_a_history_goes_on_where_somebody_tidied_up_the_turns(store: str) -> None:
    for value in (30.0, 31.0):
        tracking.promote("tidied", make_version("tidied", metrics(value)))
    client().delete_registered_model(turns.MODEL)
    expected = [(None, "1", "promote"), ("1", "2", "promote")]
    for back, (after, before) in enumerate((("1", "2"), ("2", "1")) * 6):
        _ = tracking.promote("tidied", "2", anyway=True) if back % 2 else tracking.rollback("tidied")
        expected.append((before, after, "by hand" if back % 2 else "rollback"))
    assert _chain("tidied") == expected


def test_who_got_no_answer_keeps_the_turn_until_what_was_asked_can_no_more_happen(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    tracking.promote("late", make_version("late", metrics(30.0)))
    make_version("late", metrics(31.0))

    def silent(*_: Any) -> None:
        raise MlflowException("API request to http://127.0.0.1/ failed with exception: Read timed out.")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", silent)
        with pytest.raises(UnreachableError, match="does not answer"):
            tracking.promote("late", "2")
    assert len(_turns()) == 1
    client().set_registered_model_alias("rushes-late", "champion", "2")  # now the server does it
    monkeypatch.setattr(turns, "TERM_SECONDS", 0.3)
    assert tracking.promote("late", "2").champion_version == "2"
    assert (_chain("late"), _turns()) == ([(None, "1", "promote"), ("1", "2", "promote")], [])


def test_an_alias_that_was_moved_by_other_means_is_on_record(store: str) -> None:
    for value in (30.0, 29.0, 29.5):
        make_version("moved", metrics(value))
    client().set_registered_model_alias("rushes-moved", "champion", "2")  # before there was a history
    assert tracking.promote("moved", "1").promoted
    client().set_registered_model_alias("rushes-moved", "champion", "3")
    assert tracking.promote("moved", "3").reason == "version 3 is the champion"
    [key] = [e.key for e in tracking.champions("moved")][2:]
    tags = [client().get_model_version("rushes-moved", v).tags for v in ("1", "3")]
    assert key in tags[0]
    assert tags[0][key] == tags[1][key]
    assert tracking.rollback("moved").after == "1"
    told = [(e.before, e.after, e.how) for e in tracking.champions("moved")]
    assert told == [
        (None, "2", "outside"), ("2", "1", "promote"), ("1", "3", "outside"), ("3", "1", "rollback"),
    ]  # fmt: skip


class _KilledError(BaseException):
    """What a process that is killed sees: nothing."""


def _die_at(patch: pytest.MonkeyPatch, write: int) -> list[str]:
    """The store's writes from number `write` on never happen, nor anything else of this process; those that did."""
    from mlflow import MlflowClient

    done: list[str] = []

    def mortal(method: str) -> Any:
        real = getattr(MlflowClient, method)

        def call(*args: Any, **named: Any) -> Any:
            if len(done) >= write:
                raise _KilledError
            result = real(*args, **named)
            if not method.startswith(("get_", "search_")):
                done.append(method)
            return result

        return call

    verbs = ("create_", "set_", "delete_", "get_", "search_")
    for method in [name for name in dir(MlflowClient) if name.startswith(verbs)]:
        patch.setattr(MlflowClient, method, mortal(method))
    return done


@pytest.mark.torture
@pytest.mark.parametrize("act", ["promote", "rollback"])
def test_one_that_is_killed_between_any_two_writes_is_gone_on_from(
    store: str, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "TERM_SECONDS", 0.3)
    expected = [(None, "1", "promote"), ("1", "2", "promote")]
    expected += [("2", "1", "rollback")] if act == "rollback" else []
    survived = 0
    for write in range(100):
        name = f"killed_{act}_{write}"
        for value in (30.0, 31.0):
            make_version(name, metrics(value))
        tracking.promote(name, "1")
        if act == "rollback":
            tracking.promote(name, "2")
        before = expected[-2][1]
        with monkeypatch.context() as patch:
            done = _die_at(patch, write)
            try:
                _ = tracking.promote(name, "2") if act == "promote" else tracking.rollback(name)
                survived = write
            except _KilledError:
                pass
        after = expected[-1][1] if "set_registered_model_alias" in done else before
        assert (_champion(name), [e[1] for e in _chain(name)][-1]) == (after, after)
        if after == before:
            _ = tracking.promote(name, "2") if act == "promote" else tracking.rollback(name)
        else:
            tracking.promote(name, "2")  # is champion already, or was rolled back
        assert _champion(name) == expected[-1][1]
        assert _chain(name) == expected
        assert all(e.done for e in tracking.champions(name))
        old, new = (client().get_model_version(f"rushes-{name}", v).tags for v in ("1", "2"))
        key = tracking.champions(name)[-1].key
        assert old[key] == new[key]
        assert new["rushes.promoted"] == ("true" if act == "promote" else "false")
        assert _turns() == []
        if survived:
            break
    assert survived == len(done)


def test_a_promoter_that_slept_through_its_turn_takes_back_what_it_did(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes with its request under way: the alias moves, although turn and champion are another's by now."""
    from mlflow import MlflowClient

    for value in (30.0, 31.0, 32.0):
        make_version("slept", metrics(value))
    tracking.promote("slept", "1")
    real, slept = MlflowClient.set_registered_model_alias, list[str]()

    def late(self: Any, name: str, alias: str, version: str) -> None:
        if not slept:
            slept.append(version)
            monkeypatch.setattr(turns, "TERM_SECONDS", 0.3)
            assert tracking.promote("slept", "3").promoted
        real(self, name, alias, version)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", late)
    decision = tracking.promote("slept", "2")
    assert slept == ["2"]
    assert not decision.promoted
    assert "version 2 with psnr_db 31.0000 is not better than champion version 3 with 32.0000" in decision.reason
    assert (_champion("slept"), _chain("slept")) == ("3", [(None, "1", "promote"), ("1", "3", "promote")])
    assert _turns() == []


@pytest.mark.parametrize("where", ["store", pytest.param("server", marks=pytest.mark.torture)])
def test_of_eight_at_once_the_best_is_champion_though_one_is_killed_in_its_turn(
    where: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = request.getfixturevalue(where)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("TERM_SECONDS", "3")
    values = (30.0, 33.0, 29.0, 35.0, 31.0, 36.0, 34.0, 32.0)
    versions = [make_version("eight", metrics(value)) for value in values]
    told = promote_all(uri, "eight", versions, killed=["5"])
    assert sorted(decision["version"] for decision in told) == sorted(set(versions) - {"5"})
    _check_chain("eight", dict(zip(versions, values, strict=True)), best="6")


def _check_chain(name: str, values: dict[str, float], best: str) -> None:
    """Each champion was better than the one before; the best is it; nobody has a turn."""
    assert _champion(name) == best
    entries = tracking.champions(name)
    assert [e.before for e in entries] == [None, *(e.after for e in entries[:-1])]
    line = [values[e.after] for e in entries]
    assert line == sorted(set(line))
    assert [e.figures["gain"] for e in entries[1:]] == [b - a for a, b in itertools.pairwise(line)]
    assert all(e.done and e.how == "promote" for e in entries)
    with pytest.MonkeyPatch.context() as patch:  # who was killed last is passed over by the next one, whenever it comes
        patch.setattr(turns, "TERM_SECONDS", 0.3)
        assert tracking.promote(name, best).champion_version == best
    assert _turns() == []


@pytest.mark.torture
@pytest.mark.parametrize("where", ["store", "server"])
def test_many_rounds_of_many(where: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = request.getfixturevalue(where)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("TERM_SECONDS", "8")
    values: dict[str, float] = {}
    for round_ in range(6):
        new = {make_version("many", metrics(v)): v for v in [30.0 + round_ + (k * 7 % 12) / 16 for k in range(12)]}
        values |= new
        promote_all(uri, "many", list(new), killed=sorted(new)[:3])
        lived = {version: value for version, value in values.items() if version not in sorted(new)[:3]}
        _check_chain("many", values, max(lived, key=lambda version: lived[version]))
        values = lived
