"""`rushes study`: the studies as commands."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from flows import _tables
from flows._project import Json, in_project

app = typer.Typer(help="Train a recipe again and again with one thing changed, and sum up.", no_args_is_help=True)


@app.callback()
def _studies() -> None:
    """Train a recipe again and again with one thing changed, and sum up."""


@app.command()
def kernel_depth(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A recipe whose architecture has the setting kernel_depth. Default: the only one.", show_default=False
        ),
    ] = None,
    depths: Annotated[str, typer.Option(help="Kernel depths, with commas.")] = "1,3,5,7,increasing,decreasing",
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Trainings of each depth.")] = 3,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of each training. Default: the recipe's own.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """How far convolutions should see in time: a DVC experiment for each depth and seed, none of them run twice."""
    from flows._progress import showing
    from flows.study import ExperimentsFailedError
    from flows.study import kernel_depth as study
    from tasks.studies import parse_depths

    asked = parse_depths(depths)
    failed = None
    with in_project() as root, showing():
        try:
            result = study(recipe, asked, seeds, steps, root)
        except ExperimentsFailedError as error:
            result, failed = error.result, error
    if as_json:
        _tables.show(result, True)
    else:
        _tables.show([_row(row) for row in result["study"]["table"]], False)
        sys.stdout.write(f"\nReport: {result['report']}\n")
    if failed is not None:
        raise failed


def _row(row: dict[str, Any]) -> dict[str, Any]:
    judged = row["mean"] is not None
    seeds = zip(row["seeds"], row["outcomes"], strict=True)
    return {
        "depth": row["depth"],
        "video accuracy": f"{row['mean']:.1%}" if judged else "",
        "95% interval": f"{row['low']:.1%} to {row['high']:.1%}" if judged else "",
        "each seed": ", ".join(how if accuracy is None else f"{accuracy:.1%}" for accuracy, how in seeds),
        "parameters": f"{row['parameters']:,}" if judged else "",
    }
