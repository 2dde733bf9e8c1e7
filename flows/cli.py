"""`rushes`, the command people type. Results on standard output, progress on standard error; exit codes: `tasks.exits`.

Heavy imports stand inside the commands, so that `rushes --help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows import (
    _batch_command,
    _clips_command,
    _explain_command,
    _fetch_command,
    _footage_commands,
    _registry_commands,
    _service_commands,
    _study_command,
    _tables,
    _use_commands,
)
from flows._project import Json, in_project

app = typer.Typer(
    help="From raw footage to trained, versioned, honestly judged video models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(_study_command.app, name="study")
Recipes = Annotated[
    list[str] | None, typer.Argument(help="Recipes in params.yaml; none: all of them.", show_default=False)
]


def main() -> None:
    """Run the command line; an error that is the user's to mend is one message and an exit code, not a traceback."""
    # Nobody asked for a phone call home, a first start on a busy machine takes longer than Prefect allows, and its
    # tracebacks are for its own log: here the error is said once, below.
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    }.items():  # fmt: skip
        os.environ.setdefault(name, value)
    from tasks.exits import INTERRUPTED, exit_code

    try:
        app()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was finished is kept, the next run goes on from there\n")
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        code = exit_code(error) or getattr(error, "exit_code", None)
        if code is None:
            raise
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(code) from None


def _lifecycle(recipes: list[str] | None, force: bool) -> dict[str, Any]:
    from flows._progress import showing
    from flows.lifecycle import lifecycle

    with showing():
        result: dict[str, Any] = lifecycle(recipes, Path.cwd(), force)
    return result


@app.command()
def demo(as_json: Json = False) -> None:
    """Draw the built-in footage, run everything, use the champions on a few held-out videos."""
    from flows.demo import demo as run_demo

    with in_project() as root:
        result = _lifecycle(None, force=False)
        used = run_demo(root, say=lambda line: sys.stderr.write(f"{line}\n"))
        summary = json.loads((Path(result["report"]).parent / "metrics.json").read_text())
        if as_json:
            _tables.show({**result, "metrics": summary, **used}, True)
            return
        _tables.show(_tables.scores(root), False)
        for what, written in used.items():
            if written:
                sys.stdout.write(f"\n{what.capitalize()} by the champions:\n" + "".join(f"  {p}\n" for p in written))
        sys.stdout.write(f"\nReport: {result['report']}\n")


@app.command()
def run(
    recipes: Recipes = None,
    force: Annotated[bool, typer.Option(help="Run the stages even where nothing changed.")] = False,
    as_json: Json = False,
) -> None:
    """Run the graph, register, promote, report: what changed, and nothing else."""
    with in_project() as root:
        result = _lifecycle(recipes or None, force)
        if as_json:
            _tables.show(result, True)
            return
        _tables.show(_tables.scores(root), False)
        sys.stdout.write(f"\nReport: {result['report']}\n")


@app.command()
def plan(recipes: Recipes = None, as_json: Json = False) -> None:
    """Show which stages would run, and why."""
    from dataclasses import asdict

    from flows import _dvc

    with in_project() as root:
        planned = _dvc.plan(root, recipes or None)
        if as_json:
            _tables.show([asdict(stage) for stage in planned], True)
            return
        rows = []
        for stage in planned:
            why = "; ".join(stage.reasons[:3]) + (" …" if len(stage.reasons) > 3 else "")
            rows.append({"stage": stage.stage, "runs": "yes" if stage.runs else "-", "why": why})
        _tables.show(rows, False)


@app.command()
def report(
    as_json: Json = False,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Say where the report is, and its figures."""
    from flows import _dvc

    with in_project() as root:
        page = _dvc.outputs(root, "report")[0] / "index.html"
        if as_json:
            _tables.show({"report": str(page), "metrics": json.loads((page.parent / "metrics.json").read_text())}, True)
        else:
            _tables.show(_tables.scores(root), False)
            sys.stdout.write(f"\nReport: {page}\n")
        if open_:
            typer.launch(page.as_uri())


app.command()(_clips_command.clips)
app.command()(_explain_command.explain)
app.command()(_fetch_command.fetch)
app.command()(_footage_commands.ingest)
app.command()(_registry_commands.models)
app.command()(_registry_commands.promote)
app.command()(_registry_commands.rollback)
for _command in (_use_commands.reconstruct, _use_commands.interpolate, _use_commands.features, _use_commands.predict):
    app.command()(_command)

app.command()(_service_commands.serve)
app.command()(_service_commands.up)
app.command()(_service_commands.down)
app.command()(_service_commands.status)
app.command()(_batch_command.batch)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check the environment, ffmpeg, devices, the data folder and the tracking store."""
    from dataclasses import asdict

    from flows._doctor import checks
    from tasks.exits import BAD_INPUT

    found = [asdict(check) for check in checks()]
    _tables.show(found, as_json)
    if any(check["state"] == "wrong" for check in found):
        raise SystemExit(BAD_INPUT)


if __name__ == "__main__":
    main()
