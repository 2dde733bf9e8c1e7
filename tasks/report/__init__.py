"""Stage `report`: one self-contained static site over everything the other stages left, and the same figures as data.

Every page stands alone: style, pictures, charts and videos are inside it, nothing is fetched, no script runs, and
the content policy says so. All text is escaped. Equal inputs give equal bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import files
from tasks.metrics import MOVING_RANGE
from tasks.params import Params
from tasks.report import readme_pictures
from tasks.report.data_page import data_page
from tasks.report.index_page import comparisons, index_set
from tasks.report.kinds import KINDS, Measure, decimal
from tasks.report.pages import bar, data_href, href
from tasks.report.questions import Comparison
from tasks.report.recipe_page import recipe_page
from tasks.report.results import Result
from tasks.report.results import load as load_results
from tasks.report.study_page import study_pages
from tasks.report.verdicts import against_baselines, against_champion, in_order
from tasks.scores import answer_rows, write_csv

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
KEPT = (  # of an evaluation's metrics.json, in the report's own; what a kind has
    "architecture", "variant", "kind", "dataset", "inputs", "outputs", "latent_floats", "parameters", "labels", "clips",
    "videos", "films", "groups", "primary", "answers", "gains", "chance", "calibration", "descriptor_floats", "signal",
    "by_subclip", "conformal", "ratings", "warnings",
)  # fmt: skip


def run(params: Params, data: Path, out: Path) -> None:
    """Write the site into the folder `out`, whole or not at all.

    Writes `index.html`, `recipe-<recipe>.html`, `data-<dataset>.html`, `study-<study>-<recipe>.html`, `metrics.json`,
    `plots/answers.csv`, `plots/losses.csv`, and the README's pictures where a recipe was judged: `strip.png` of models
    that rebuild, `between.png` of models that interpolate, `motion.png` of models that classify, `rating.png` of
    models that rate. A recipe or dataset without results is shown as such.

    Args:
        data: holds cuts, frames, clips, runs, timing, evaluation, registry, studies; any of them may be missing.
    """
    results = load_results(params, data)
    asked = comparisons(results)
    sets = {
        (name, kind): [r for r in results if (r.recipe.dataset, r.kind) == (name, kind)]
        for name in params.datasets
        for kind in KINDS
    }
    sets = {key: members for key, members in sets.items() if members}
    data_pages = [data_page(name, data) for name in params.datasets]
    studies = study_pages(data)
    links = [{"href": "index.html", "text": "Overview", "break": False}]
    links += [{"href": href(r), "text": r.name, "break": n == 0} for n, r in enumerate(results)]
    links += [
        {"href": data_href(name), "text": f"Data: {name}", "break": n == 0} for n, name in enumerate(params.datasets)
    ]
    links += [{"href": s["href"], "text": s["title"], "break": n == 0} for n, s in enumerate(studies)]
    site = {"title": params.report.title, "home": "index.html", "links": links, "moving_range": MOVING_RANGE}
    templates = environment(site | {"kinds": [kind for _, kind in sets]})
    with files.replacing_folder(out) as folder:

        def page(name: str, template: str, **values: Any) -> None:
            files.write_text(folder / name, templates.get_template(template).render(here=name, **values))

        parts = [index_set(name, kind, members) for (name, kind), members in sets.items()]
        page("index.html", "index.html", sets=parts, data_pages=data_pages)
        for members in sets.values():
            scale = bar(members)
            for result in members:
                page(href(result), "recipe.html", page=recipe_page(result, members, scale, asked, params.report.strips))
        for dataset in data_pages:
            page(dataset["href"], "data.html", page=dataset)
        for study in studies:
            page(study["href"], "study.html", page=study)
        files.write_json(folder / "metrics.json", _figures(results, asked))
        _plots(results, folder / "plots")
        readme_pictures.write(list(sets.values()), folder)


def environment(site: dict[str, Any]) -> Environment:
    """The templates; `site` holds what all pages of a site have in common: title, home, links, ..."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    templates.globals |= {"site": site, "style": Markup(style), "style_hash": Markup(f"sha256-{digest}")}
    templates.filters |= {"dec": decimal, "whole": _whole, "signed": _signed, "num": _number}
    return templates


def _whole(value: float | None) -> str:
    return decimal(value, 0)


def _signed(value: float, digits: int) -> str:
    return ("+" if value > 0 else "") + decimal(value, digits)


def _number(value: float | None, measure: Measure) -> str:
    return measure.number(value)


def _figures(results: Sequence[Result], asked: Sequence[Comparison]) -> dict[str, Any]:
    """The report's own metrics.json: what the pages say, for programs."""
    recipes: dict[str, Any] = {}
    for r in results:
        if r.metrics is None:
            recipes[r.name] = {"status": r.status}
            continue
        kept = [key for key in KEPT if key in r.metrics]
        told = {v.answer: {"outcome": v.outcome, "sentence": v.sentence} for v in against_baselines(r.metrics)}
        champion = against_champion(r.record, r.metrics["weights_sha256"])
        recipes[r.name] = {key: r.metrics[key] for key in kept} | {
            "status": "judged",
            "train_seconds": r.timing["train_seconds"] if r.timing else None,
            "baselines": told,
            "champion": {"outcome": champion[0], "sentence": champion[1]},
            "intervals": r.metrics["intervals"],
        }
    pairs = [
        {
            "first": c.first,
            "second": c.second,
            "comparable": c.comparable,
            c.metric: c.difference,
            "sentence": c.sentence,
        }
        for c in asked
    ]
    return {"recipes": recipes, "comparisons": pairs}


def _plots(results: Sequence[Result], folder: Path) -> None:
    """Tables over all recipes for `dvc plots`."""
    import pandas as pd

    folder.mkdir()
    answers: list[dict[str, Any]] = []
    losses = []
    for r in results:
        if r.metrics is not None:
            answers += answer_rows(r.name, in_order(r.metrics["answers"]))
        if r.history is not None:
            losses.append(r.history[["step", "loss"]].assign(recipe=r.name)[["recipe", "step", "loss"]])
    write_csv(pd.DataFrame(answers, columns=None if answers else ["recipe", "answer"]), folder / "answers.csv")
    write_csv(pd.concat(losses) if losses else pd.DataFrame(columns=["recipe", "step", "loss"]), folder / "losses.csv")
