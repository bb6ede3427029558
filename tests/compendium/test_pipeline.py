"""The pipeline's table: complete and exact dependencies, known parameters, and every output where it belongs.

Left out: running it, which takes a notebook per stage.
"""

import functools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import grimp
import nbformat
import pathspec
import pytest
from nbformat import v4

from brew.command import COMMANDS
from brew.compendium import scales
from brew.compendium.imports import Package
from brew.compendium.pipeline import (
    ARM,
    SAY_NOTHING,
    STAGES,
    StageEntry,
    definition,
    dependencies,
    entries,
    pipeline_file,
    plots,
)
from brew.compendium.scales import MINIATURE
from brew.compendium.sync import stale
from brew.files import ROOT

PACKAGE = Package()
#: A scale whose parameters are their own source, and one whose parameters are generated.
KINDS = (MINIATURE, "tiny")
EACH = pytest.mark.parametrize(
    ("scale", "entry"),
    [pytest.param(scale, entry, id=f"{scale}-{entry.name}") for scale in KINDS for entry in entries(scale)],
)
EACH_NOTEBOOK = pytest.mark.parametrize(
    "entry", [entry for entry in STAGES if entry.notebook], ids=lambda entry: str(entry.name)
)


@functools.cache
def stated(entry: StageEntry, scale: str) -> dict[str, Any]:
    return definition(entry, scale, PACKAGE)


def outs(entry: StageEntry, scale: str) -> dict[str, bool]:
    """Path -> whether DVC caches it; a metric counts as an output."""
    listed = [*stated(entry, scale).get("outs", ()), *stated(entry, scale).get("metrics", ())]
    pairs = ((each, {}) if isinstance(each, str) else next(iter(each.items())) for each in listed)
    return {path: options.get("cache", True) for path, options in pairs}


def test_the_files_that_dvc_reads_are_what_the_table_and_the_imports_give() -> None:
    assert stale() == [], "run `make sync`"


@EACH
def test_a_stage_runs_from_the_root_on_what_exists(scale: str, entry: StageEntry) -> None:
    assert stated(entry, scale)["wdir"] == ("." if scale == MINIATURE else "../..")
    made = [out.replace(f"/{ARM}", "") for other in entries(scale) for out in outs(other, scale)]
    for dependency in stated(entry, scale)["deps"]:
        from_a_stage = any(Path(dependency).is_relative_to(out) or Path(out).is_relative_to(dependency) for out in made)
        assert from_a_stage or (ROOT / dependency).exists(), f"{dependency} is neither in the tree nor made by a stage"


@EACH
def test_a_stage_calls_a_command_that_exists(scale: str, entry: StageEntry) -> None:
    found = re.match(r"exec python -m brew (\S+)", stated(entry, scale)["cmd"])
    assert found and found[1] in COMMANDS


@EACH
def test_a_notebook_stage_depends_on_it_and_on_the_environment(scale: str, entry: StageEntry) -> None:
    if entry.notebook:
        assert {f"notebooks/{entry.notebook}.ipynb", "requirements.lock"} <= set(stated(entry, scale)["deps"])
        out = re.search(r"--out (\S+)", stated(entry, scale)["cmd"])
        assert out and outs(entry, scale)[out[1]], "the executed notebook is an output in the DVC cache"


@EACH
def test_parameters_are_sections_of_the_file_that_the_stage_reads(scale: str, entry: StageEntry) -> None:
    known = scales.parameters(scale)
    file = scales.parameter_file(scale).relative_to(ROOT).as_posix()
    for listed in stated(entry, scale).get("params", []):
        assert list(listed) == [file]
        for section in listed[file]:
            functools.reduce(lambda found, name: found[name], section.replace(ARM, known["arms"][0]).split("."), known)


@pytest.mark.parametrize("entry", entries(MINIATURE), ids=lambda entry: str(entry.name))
def test_outputs_are_either_in_git_or_in_the_cache(entry: StageEntry) -> None:
    ignored = pathspec.GitIgnoreSpec.from_lines((ROOT / ".gitignore").read_text().splitlines())
    for out, cached in outs(entry, MINIATURE).items():
        in_folder = out if Path(out).suffix else f"{out}/"
        assert (ignored.match_file(out) or ignored.match_file(in_folder)) == cached, out


@pytest.mark.parametrize("scale", scales.scales())
def test_no_scale_reads_what_another_leaves(scale: str) -> None:
    """So DVC may read one scale's pipeline alone (`brew.compendium.one_pipeline`)."""
    read = {path for entry in entries(scale) for path in dependencies(entry, scale, PACKAGE)}
    made = {path for path in read if path.startswith(("reports/", "data/stores/"))}
    assert made, "stages read what earlier ones leave"
    assert {Path(path).parts[2 if path.startswith("data/") else 1] for path in made} == {scale}


@pytest.mark.parametrize("scale", KINDS)
def test_every_run_s_loss_is_a_plot_of_what_its_stage_leaves(scale: str) -> None:
    (plot,) = plots(scale, scales.parameters(scale)["arms"])
    start = (ROOT / pipeline_file(scale)).parent
    for file in plot["loss"]["y"]:
        place = (start / file).resolve().relative_to(ROOT)
        assert place.parent.parent == Path("reports", scale, "stages", "pretrain") and place.name == "history.csv"


@EACH
def test_outputs_in_git_are_kept_to_the_cheap_stages(scale: str, entry: StageEntry) -> None:
    assert not (entry.notebook and (entry.published or entry.metrics)), (
        "DVC's run-cache leaves out a stage with outputs in git"
    )


def test_at_most_fifteen_notebooks_run_by_default() -> None:
    arms = len(scales.parameters(MINIATURE)["arms"])
    assert sum(arms if entry.per_arm else 1 for entry in STAGES if entry.notebook) <= 15


def test_imports_are_read_as_another_reader_reads_them() -> None:
    graph = grimp.build_graph("brew", cache_dir=None)
    assert set(PACKAGE.modules) == graph.modules
    for module in PACKAGE.modules:
        assert PACKAGE.imported_by(module) == graph.find_modules_directly_imported_by(module), module


@pytest.mark.parametrize("baseline", ["unet", "fcsiam"])
def test_a_supervised_baseline_is_code_of_its_own_task_alone(baseline: str) -> None:
    depend = {entry.name for entry in STAGES if f"brew/evaluation/{baseline}.py" in stated(entry, MINIATURE)["deps"]}
    # Cases read the scenes of change as its stage does, and rerun with its maps in any case.
    assert depend - {"cases"} == {"segmentation" if baseline == "unet" else "change"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package of four modules, of which a notebook names one."""
    for name, text in {
        "__init__.py": "", "errors.py": "from brew import unseen\n", "unseen.py": "",
        "used.py": "def late():\n    if True:\n        from brew import deep\n", "deep.py": "import brew.errors\n",
    }.items():  # fmt: skip
        path = tmp_path / "brew" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "notebooks").mkdir()
    cells = [v4.new_markdown_cell("from brew import deep"), v4.new_code_cell("1\nfrom brew import used")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "notebooks" / "one.ipynb")
    return tmp_path


def test_a_stage_depends_on_all_that_its_notebook_imports_past_what_says_nothing(tree: Path) -> None:
    entry = StageEntry("one", notebook="one")
    read = ["notebooks/one.ipynb", "requirements.lock"]
    assert "brew.errors" in SAY_NOTHING
    assert list(dependencies(entry, MINIATURE, Package(tree))) == [*read, "brew/deep.py", "brew/used.py"]
    through_another = replace(entry, stated=frozenset({"brew.deep"}))
    assert list(dependencies(through_another, MINIATURE, Package(tree))) == [*read, "brew/used.py"]


def test_a_stage_depends_on_what_was_measured_once_it_was(tree: Path) -> None:
    entry, noise = StageEntry("one", once_measured=("reports/{scale}/noise.csv",)), tree / "reports/tiny/noise.csv"
    assert not list(dependencies(entry, "tiny", Package(tree)))
    noise.parent.mkdir(parents=True)
    noise.touch()
    assert list(dependencies(entry, "tiny", Package(tree))) == ["reports/tiny/noise.csv"]


@EACH_NOTEBOOK
def test_a_notebook_declares_the_parameters_that_its_stage_passes(entry: StageEntry) -> None:
    from brew.compendium.notebooks.execution import check_parameters, read

    names = re.findall(r"--set (\w+)=", stated(entry, MINIATURE)["cmd"])
    notebook = Path("notebooks", f"{entry.notebook}.ipynb")
    check_parameters(notebook, read(notebook), dict.fromkeys([*names, "scale"]))


def test_no_two_modules_share_a_stem() -> None:
    stems = Counter(path.stem for path in (ROOT / "brew").rglob("*.py"))
    assert {stem for stem, count in stems.items() if count > 1} <= {"__init__", "__main__"}, "one file name, one place"
