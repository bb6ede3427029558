"""The pipeline's declaration: complete dependencies, known parameters, and every output where it belongs.

Left out: running it, which takes a notebook per stage.
"""

import ast
import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grimp
import nbformat
import pathspec
import pytest

from brew.compendium import scales
from brew.files import ROOT

#: Modules that may change without changing a result: where files lie, how errors read, how parameters are read.
SAY_NOTHING = {
    "brew",
    "brew.errors",
    "brew.files",
    "brew.compendium.scales",
    "brew.compendium.processes",
    "brew.compendium.schema",
    "brew.compendium.stage",
    "brew.compendium.stages",
    "brew.compendium.settings",
}
#: Code that reaches a stage through what another stage writes of it.
THROUGH = {"reports/miniature/stages/arms": "brew/pretraining/arms.py"}


@dataclass(frozen=True)
class Stage:
    """One stage of the default scale, with the names in braces replaced."""

    name: str
    definition: dict[str, Any]

    @property
    def notebook(self) -> str | None:
        found = re.search(r"brew\.notebooks run (\S+)", self.definition["cmd"])
        return found[1] if found else None

    @property
    def deps(self) -> list[str]:
        return self.definition["deps"]

    @property
    def outs(self) -> dict[str, bool]:
        """Path -> whether DVC caches it."""
        entries = self.definition["outs"]
        pairs = ((entry, {}) if isinstance(entry, str) else next(iter(entry.items())) for entry in entries)
        return {path: options.get("cache", True) for path, options in pairs}


def stages() -> Iterator[Stage]:
    parameters = scales.parameters(scales.MINIATURE)
    for name, definition in scales.read_yaml(ROOT / "dvc.yaml")["stages"].items():
        matrix = fill(definition.get("matrix", {}), parameters)
        for values in itertools.product(*matrix.values()):
            item = dict(zip(matrix, values, strict=True))
            rest = {key: value for key, value in definition.items() if key != "matrix"}
            yield Stage("@".join([name, *map(str, values)]), fill(rest, {**parameters, "item": item}))


def fill(value: Any, names: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {fill(key, names): fill(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, names) for item in value]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> Any:
        return functools.reduce(lambda found, name: found[name], match[1].split("."), names)

    whole = re.fullmatch(r"\$\{([^}]+)\}", value)
    return look_up(whole) if whole else re.sub(r"\$\{([^}]+)\}", lambda match: str(look_up(match)), value)


STAGES = list(stages())
EACH = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
EACH_NOTEBOOK = pytest.mark.parametrize("notebook", sorted({s.notebook for s in STAGES if s.notebook}))


def covers(dependency: str, path: str) -> bool:
    return Path(path).is_relative_to(dependency)


@EACH
def test_a_stage_runs_from_the_root_on_what_exists(stage: Stage) -> None:
    assert stage.definition["wdir"] == "."
    made = [out for other in STAGES for out in other.outs]
    for dependency in stage.deps:
        from_a_stage = any(covers(dependency, out) or covers(out, dependency) for out in made)
        assert from_a_stage or (ROOT / dependency).exists(), f"{dependency} is neither in the tree nor made by a stage"


@EACH
def test_a_notebook_stage_depends_on_it_and_on_the_environment(stage: Stage) -> None:
    if stage.notebook:
        assert {stage.notebook, "requirements.lock"} <= set(stage.deps)
        out = re.search(r"--out (\S+)", stage.definition["cmd"])
        assert out and stage.outs[out[1]], "the executed notebook is an output in the DVC cache"


@EACH
def test_parameters_are_sections_of_the_parameter_file(stage: Stage) -> None:
    known = scales.parameters(scales.MINIATURE)
    for entry in stage.definition.get("params", []):
        assert list(entry) == ["params.yaml"]
        for section in entry["params.yaml"]:
            functools.reduce(lambda found, name: found[name], section.split("."), known)


@EACH
def test_outputs_are_either_in_git_or_in_the_cache(stage: Stage) -> None:
    ignored = pathspec.GitIgnoreSpec.from_lines((ROOT / ".gitignore").read_text().splitlines())
    for out, cached in stage.outs.items():
        in_folder = f"{out}/" if "." not in Path(out).name else out
        assert (ignored.match_file(out) or ignored.match_file(in_folder)) == cached, out


@EACH
def test_outputs_in_git_are_kept_to_the_cheap_stages(stage: Stage) -> None:
    assert all(stage.outs.values()) or not stage.notebook, "DVC's run-cache leaves out a stage with outputs in git"


def test_at_most_fourteen_notebooks_run_by_default() -> None:
    assert sum(stage.notebook is not None for stage in STAGES) <= 14


@EACH
def test_a_stage_depends_on_all_code_that_it_imports(stage: Stage) -> None:
    if stage.notebook:
        start = imported(ROOT / stage.notebook)
    else:
        module = re.match(r"exec python -m (\S+)", stage.definition["cmd"])
        assert module
        start = {module[1]} - {"brew.compendium.notebooks"}
    graph = package()
    needed = upstream(graph, start)
    files = {module: source(module) for module in needed}
    stated = [
        *stage.deps,
        *(THROUGH[str(Path(each).parent)] for each in stage.deps if str(Path(each).parent) in THROUGH),
    ]
    missing = {file for file in files.values() if not any(covers(dependency, file) for dependency in stated)}
    assert missing == set(), "name these files, or their folder, under deps in dvc.yaml"


def upstream(graph: grimp.ImportGraph, start: set[str]) -> set[str]:
    """Everything that `start` imports, directly or not, past modules of `SAY_NOTHING` alone.

    `brew.compendium.settings` names the dataclasses of every part of brew to read parameters into; what a stage
    computes with them it imports by itself.
    """
    found, waiting = set[str](), set(start)
    while waiting:
        module = waiting.pop()
        if module in found or module in SAY_NOTHING:
            continue
        found.add(module)
        waiting |= graph.find_modules_directly_imported_by(module)
    return found


@functools.cache
def package() -> grimp.ImportGraph:
    return grimp.build_graph("brew", cache_dir=None)


def source(module: str) -> str:
    base = module.replace(".", "/")
    return f"{base}/__init__.py" if (ROOT / base).is_dir() else f"{base}.py"


def imported(notebook: Path) -> set[str]:
    """The modules of brew that a notebook's cells name in import statements."""
    known = package().modules
    found: set[str] = set()
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found & known


@EACH_NOTEBOOK
def test_a_notebook_declares_the_parameters_that_its_stage_passes(notebook: str) -> None:
    from brew.compendium.notebooks.execution import check_parameters, read

    for stage in STAGES:
        if stage.notebook == notebook:
            names = re.findall(r"--set (\w+)=", stage.definition["cmd"])
            passed = dict.fromkeys([*names, "scale"] if "--scale" in stage.definition["cmd"] else names)
            check_parameters(Path(notebook), read(Path(notebook)), passed)
