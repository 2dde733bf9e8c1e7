"""dvc.yaml tells the whole truth: what a stage imports is among its deps, and no key is one that DVC overlooks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from tasks import params

ROOT = Path(__file__).parent.parent
STAGE_MODULE = {"footage": "tasks.render"}


def _imports(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports anywhere in it, functions included, when it runs."""
    for node in _run(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in {"tasks", "models"}:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield from _with_parents(node.module)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in {"tasks", "models"}:
                    yield from _with_parents(alias.name)


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but what is there for the type checker."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield node
            yield from _run(node)


def _with_parents(module: str) -> Iterator[str]:
    """A module and the packages it lies in, whose `__init__.py` Python runs first."""
    parts = module.split(".")
    yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _file(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _closure(module: str) -> set[str]:
    found: set[str] = set()
    waiting = [module]
    while waiting:
        path = _file(waiting.pop())
        if path is None or (path.name == "__init__.py" and path.parent.name == "tasks"):
            continue
        name = path.relative_to(ROOT).as_posix()
        if name not in found:
            found.add(name)
            waiting.extend(_imports(path))
    return found


def _stage(name: str) -> dict[str, list[str]]:
    stage = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"][name]
    return stage.get("do", stage)


@pytest.mark.parametrize("stage", ["footage", "subclips", "sample", "assemble", "train", "evaluate", "report"])
def test_every_file_that_a_stage_imports_is_among_its_deps(stage: str) -> None:
    plumbing = {"tasks/__main__.py", "tasks/exits.py", *_closure("tasks.params")}
    expected = _closure(STAGE_MODULE.get(stage, f"tasks.{stage}")) | plumbing
    listed = {dep for dep in _stage(stage)["deps"] if dep.startswith(("tasks/", "models/"))}
    if "models/__init__.py" in expected:  # an architecture is found by name, so no import shows it
        expected |= {f"models/{p.name}" for p in (ROOT / "models").glob("_*.py")} | {"models/${item.architecture}.py"}
    if stage == "report":
        expected.add("tasks/report/templates")
    assert listed == expected


def test_no_stage_asks_the_package_that_imports_its_parts_by_name() -> None:
    for stage in ("footage", "subclips", "sample", "assemble", "train", "evaluate", "report"):
        files = [ROOT / name for name in _closure(STAGE_MODULE.get(stage, f"tasks.{stage}"))]
        by_name = [path for path in files if {"tasks.tracking"} & set(_named(path))]
        assert by_name == []  # the walk above would not see what it needs


def test_the_package_gives_every_name_that_it_promises() -> None:
    from tasks import tracking

    assert all(getattr(tracking, name).__name__ == name for name in tracking.__all__)


def _named(path: Path) -> Iterator[str]:
    """What `from a import b` names, whole."""
    for node in _run(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            if node.module == "tasks.tracking" and any(_file(f"{node.module}.{a.name}") is None for a in node.names):
                yield node.module


def test_every_stage_of_the_graph_has_its_test_above() -> None:
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    assert list(stages) == ["footage", "subclips", "sample", "assemble", "train", "evaluate", "report"]


def _keys(model: type[BaseModel], seen: set[type] | None = None) -> Iterator[str]:
    seen = seen if seen is not None else set()
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        yield name
        for part in [field.annotation, *getattr(field.annotation, "__args__", ())]:
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _keys(part, seen)


def test_no_parameter_has_a_name_that_the_run_cache_ignores() -> None:
    keys = set(_keys(params.Params))
    assert "height_px" in keys  # the walk reaches the leaves
    assert not keys & {"size", "nfiles"}


def test_params_yaml_is_valid_and_its_recipes_stand_on_its_datasets() -> None:
    p = params.load(ROOT / "params.yaml")
    assert {r.dataset for r in p.recipes.values()} <= set(p.datasets)
    assert set(p.rendered) == {"figures", "streets", "directions", "trailers"}
