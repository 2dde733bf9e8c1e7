"""`rushes explain`: where a registered version comes from, and whether its figures come out again."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from flows import _tables
from flows._project import Json, in_project
from flows._use_commands import Model

SHOWN_FILES, SHOWN_DIFFERENCES = 12, 20


class DifferentFiguresError(RuntimeError):
    """A replay came to other figures than those that were logged."""

    exit_code = 1


def explain(
    model: Model,
    replay: Annotated[
        bool, typer.Option("--replay", help="Evaluate it again in its own state, beside the project, and compare.")
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Of --replay: relative, for figures that are not equal. Default: 1e-5.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain a registered version: commit, data, parameters, scores, environment, decisions, how to rebuild it."""
    from flows import _replay
    from flows.explain import explain as ask

    if tolerance is not None and not replay:
        raise typer.BadParameter("--tolerance is of --replay; add --replay")
    with in_project() as root:
        told = ask(root, model)
        about = told.about
        if not as_json:
            _show(about)
        if not replay:
            if as_json:
                _tables.show(about, True)
            return
        chosen = _replay.TOLERANCE if tolerance is None else tolerance
        done = _replay.replay(root, told, chosen, _say)
    if as_json:
        _tables.show(about | {"replay": done}, True)
    else:
        _show_replay(done)
    if done["different"]:
        raise DifferentFiguresError(
            f"{done['different']} of {done['figures']} figures of models:/{about['model']}/{about['version']} came out"
            " different"
        )


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _line(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")


def _section(title: str, rows: dict[str, Any]) -> None:
    _line(f"\n{title}")
    width = max(map(len, rows), default=0)
    for name, value in rows.items():
        if value is not None:
            _line(f"  {name:{width}}  {value}")


def _show(about: dict[str, Any]) -> None:
    aliases = f" ({', '.join(about['aliases'])})" if about["aliases"] else ""
    _line(f"models:/{about['model']}/{about['version']}{aliases}, {about['kind']}, registered {about['registered']}")
    _line(about["description"])
    code, run = about["code"], about["run"]
    where = "" if code["here"] or not code["commit"] else "  (not in this repository)"
    _section(
        "Code", {"commit": f"{code['commit']}{where}", "": code["subject"], "date": code["date"], "tree": _tree(code)}
    )
    hashes = {key: about["data"][key] for key in ("dvc_lock_sha256", "data_sha256", "evaluation_sha256")}
    _section("Data", {**hashes, "weights_sha256": about["weights_sha256"]})
    _line()
    _tables.show([_data_row(entry) for entry in about["data"]["paths"]], False)
    _section("Parameters", about["parameters"])
    _line("\nScores")
    _tables.show(_scores(about["scores"]), False)
    _section("Decisions", _decisions(about["decisions"]))
    _section("Run", run)
    _section("Environment", {key: value for key, value in about["environment"].items() if key != "packages"})
    packages = about["environment"].get("packages", {})
    _line("  " + ", ".join(f"{name} {version}" for name, version in packages.items()))
    _line("\nRebuild")
    for line in about["rebuild"]:
        _line(f"  {line}")
    if about["unknown"]:
        _line("\nNot known")
        for why in about["unknown"]:
            _line(f"  {why}")


def _decisions(told: dict[str, Any]) -> dict[str, Any]:
    rows: dict[str, str] = {}
    for e in told["history"]:
        words = f"champion from version {e['before'] or 'none'} to {e['after']} ({e['how']}, by {e['by']}): {e['why']}"
        rows[e["at"]] = f"{rows[e['at']]}; then {words}" if e["at"] in rows else words  # of one second
    return rows | {name: value for name, value in told.items() if name != "history"}


def _tree(code: dict[str, Any]) -> str | None:
    if not code["changed"]:
        return {True: "differed from the commit", False: "as the commit", None: None}[code["dirty"]]
    names = code["changed"]
    more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
    kept = "kept with the run" if code["changes_kept"] else "not kept"
    return f"differed from the commit in {', '.join(names[:SHOWN_FILES])}{more}; the changes are {kept}"


def _data_row(entry: dict[str, Any]) -> dict[str, Any]:
    made_by = entry["stage"]
    if made_by is None:
        agrees = "" if entry.get("dvc_file_agrees", True) else ", of another state"
        made_by = f"{entry['dvc_file']} in Git{agrees}" if entry["dvc_file"] else "(yours)"
    return {
        "path": entry["path"], "from": made_by, "md5": entry["md5"], "files": entry["files"], "bytes": entry["bytes"],
        "in DVC's cache": "yes" if entry["in_cache"] else "no",
    }  # fmt: skip


def _scores(scores: dict[str, Any]) -> list[dict[str, Any]]:
    """The model first, then the baselines with the model's gain over each."""
    metric = scores["metric"]
    answers = scores.get("answers") or {"model": scores}
    gains = scores.get("gains", {})
    ordered = ["model", *(name for name in answers if name != "model")]
    return [
        {
            "answer": name, metric: _tables.figure(metric, answers[name]["value"]),
            "95% interval": _tables.interval(metric, answers[name]),
            "gain over it": _tables.figure(metric, gains[name]["value"], gain=True) if name in gains else "",
            "95% interval of it": _tables.interval(metric, gains[name]) if name in gains else "",
        }
        for name in ordered
    ]  # fmt: skip


def _show_replay(done: dict[str, Any]) -> None:
    _line(f"\nReplay, {done['seconds']} s")
    for other in done["environment"]:
        _line(f"  another environment: {other}")
    what = {
        "equal": "equal to the last digit",
        "within tolerance": f"equal, or within the tolerance of {done['tolerance']:g} (relative)",
        "different": f"{done['different']} different, {done['close']} within the tolerance of {done['tolerance']:g}"
        f" (relative), {done['equal']} equal",
    }[done["outcome"]]
    _line(f"  {done['figures']} figures: {what}")
    rows = [
        {**row, "logged": repr(row["logged"]), "now": repr(row["now"]),
         "relative": "" if row["relative"] is None else f"{row['relative']:.1e}"}
        for row in done["differences"][:SHOWN_DIFFERENCES]
    ]  # fmt: skip
    _tables.show(rows, False)
    if len(done["differences"]) > SHOWN_DIFFERENCES:
        _line(f"  and {len(done['differences']) - SHOWN_DIFFERENCES} more: --json has them all")
