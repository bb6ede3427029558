"""What the documents say holds: their sentences, links, names, numbers, and the program that the README prints."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import yaml

import brew
from brew.compendium.report import model_cards
from brew.evaluation.benchmarks import BENCHMARKS
from brew.files import REPORTS, ROOT
from brew.models.student import build_student, save_student
from brew.sensors import SENSORS

PAGES = sorted(
    {ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "data" / "README.md"}
    | set((ROOT / "docs").rglob("*.md"))
)
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
LONGEST = 40  # words of a sentence
#: A page that `python -m benchmarks.report` writes whole, with a list of machines that are no sentences.
LISTS = {"docs/performance.md"}
#: Pages that tell of names that are gone.
PAST = {"CHANGELOG.md", "docs/log.md", "docs/decisions/0030-four-rooms.md"}
#: What a run makes, so that a fresh clone lacks it.
MADE = r"data/stores|scratch|reports/[^/]+/stages"
#: Names in code style that other programs define.
OTHERS = {"HF_HOME", "TORCH_HOME", "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "cholesky_ex", "clip_gradients", "LD_PRELOAD"}
#: The reader's own files, in examples.
READERS = {"mine.zarr.problems.csv"}

FENCE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`]+)`")


# The form of a page


def without_code(text: str) -> str:
    """A page without fenced blocks and comments."""
    return re.sub(r"<!--.*?-->", "", FENCE.sub("", text), flags=re.DOTALL)


def paragraphs(text: str) -> Iterator[str]:
    """Paragraphs and items of lists, each on one line; neither headings nor tables nor indented blocks."""
    for block in re.split(r"\n\s*\n", without_code(text)):
        item: list[str] = []
        lines = block.strip("\n").splitlines()
        if not lines or lines[0].startswith(("    ", "#SBATCH")):
            continue
        for line in lines:
            begins = re.match(r" *(?:[-*]|\d+\.) ", line)
            if (begins or line.startswith(("#", "|")) or line.lstrip().startswith("|")) and item:
                yield " ".join(item)
                item = []
            if not line.startswith("#") and not line.lstrip().startswith("|"):
                item.append(line[begins.end() :] if begins else line.strip())
        if item:
            yield " ".join(item)


def plain(paragraph: str) -> str:
    """A paragraph as it is read: links by their text, names in code style as one word, no emphasis."""
    return re.sub(r"\*+", "", CODE.sub("name", LINK.sub(r"\1", paragraph)))


def sentences(paragraph: str) -> list[str]:
    return re.split(r"(?<=[.?!])[)\"]? (?=[\"(\[A-Z0-9n])", plain(paragraph))


def test_a_page_is_taken_apart_into_its_sentences():
    page = "# Head\n\nOne `a.b`. Two\n[three](x.md).\n\n| a | b |\n\n- four: (five).\n- six.\n\n    code  here\n"
    assert [sentences(each) for each in paragraphs(page)] == [["One name.", "Two three."], ["four: (five)."], ["six."]]


@pytest.mark.parametrize("name", NAMES)
def test_sentences_are_short_enough_to_be_read_once(name):
    long = [
        (len(words), sentence)
        for paragraph in paragraphs((ROOT / name).read_text(encoding="utf-8"))
        for sentence in sentences(paragraph)
        if len(words := sentence.split()) > LONGEST
    ]
    assert not long, f"{name}: {long}"


#: What begins the description of a field in a docstring: "size: ..." or "low, high: ...".
FIELD = re.compile(r"(?<=[.;?!)]) (?=[a-z_]+(?:, [a-z_]+)*: )|; ")


def docstrings() -> Iterator[tuple[str, str]]:
    """(where, text) of every docstring of the package."""
    for path in sorted((ROOT / "brew").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                yield f"{path.relative_to(ROOT)}, {getattr(node, 'name', 'module')}", text


def test_sentences_of_docstrings_are_short_enough_to_be_read_once():
    said = [(where, part) for where, text in docstrings() for each in paragraphs(text) for part in sentences(each)]
    parts = [(where, part) for where, sentence in said for part in FIELD.split(sentence)]
    assert len(parts) > 1000
    assert [(where, part) for where, part in parts if len(part.split()) > LONGEST] == []


@pytest.mark.parametrize("name", sorted({*NAMES} - LISTS))
def test_paragraphs_end_with_a_stop_and_have_balanced_brackets(name):
    for paragraph in paragraphs((ROOT / name).read_text(encoding="utf-8")):
        words = plain(paragraph)
        assert words.rstrip(')"').endswith((".", ":", "?", "!")) or LINK.fullmatch(paragraph), f"{name}: {paragraph}"
        for opening, closing in ("()", "[]", "{}"):
            assert words.count(opening) == words.count(closing), f"{name}: {opening}{closing} in {paragraph}"


@pytest.mark.parametrize("name", NAMES)
def test_no_space_is_doubled(name):
    text = without_code((ROOT / name).read_text(encoding="utf-8"))
    doubled = [line for line in text.splitlines() if not line.startswith("    ") and re.search(r"\S {2,}\S", line)]
    assert not [line for line in doubled if "|" not in line], name


def test_words_are_spelt_as_codespell_knows_them():
    pytest.importorskip("codespell_lib")
    command = [sys.executable, "-m", "codespell_lib", *map(str, PAGES)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


# Where links and paths lead


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them; of HTML the ids."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".html":
        return set(re.findall(r'id="([^"]+)"', text))
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", plain_head.lower()).strip().replace(" ", "-") for plain_head in heads}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    for _, target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{name} links to {target}"
        assert not anchor or anchor in slugs(found), f"{name} links to {target}, which has no such heading"


# What names in code style stand for


@dataclass(frozen=True)
class Defined:
    """What a module defines: at its top, in each class, anywhere (arguments too), and its short strings."""

    top: frozenset[str]
    members: dict[str, set[str]]
    all: set[str]
    strings: set[str]


def defined(tree: ast.Module) -> Defined:
    found, strings, members = set(), set(), {}
    for node in ast.walk(tree):
        found.update(_bound(node))
        if isinstance(node, ast.arg | ast.keyword) and node.arg:
            found.add(node.arg)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 60:
            strings.add(node.value)
        elif isinstance(node, ast.ClassDef):
            stored = (each for each in ast.walk(node) if isinstance(each, ast.Attribute))
            members[node.name] = {name for child in node.body for name in _bound(child)} | {
                each.attr for each in stored if isinstance(each.ctx, ast.Store)
            }
    return Defined(frozenset(name for node in tree.body for name in _bound(node)), members, found, strings)


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (each.asname or each.name for each in node.names)


@cache
def modules() -> dict[str, Defined]:
    files = [*(ROOT / "brew").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    found = {}
    for file in files:
        dotted = file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        found[dotted] = defined(ast.parse(file.read_text(encoding="utf-8")))
    return found


@cache
def words_of_the_package() -> set[str]:
    """Every name that the package defines, every short string and every parameter."""
    found = {name for module in modules().values() for name in module.all | module.strings}
    return found | stems() | parameters() | set(_keys(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))))


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


@cache
def file_names() -> set[str]:
    listed = [path for folder in ("brew", "benchmarks", "tests", "scales", "data", "notebooks", "reports") for path in
              (ROOT / folder).rglob("*")]  # fmt: skip
    return {path.name for path in listed}


def known(dotted: str) -> bool:
    """Whether the package has the dotted name: a module and its members, a class and its members, a parameter."""
    first, *rest = dotted.split(".")
    if first in {"brew", "benchmarks"}:
        return _in_module(dotted.split("."))
    if any(first in module.members for module in modules().values()):
        return not rest or _is_member(first, rest[0])
    return first in parameters() | stems() and all(part in words_of_the_package() for part in rest)


def _in_module(parts: list[str]) -> bool:
    """A module, or one of its names (some of the package's own are resolved at first use), or a member of its class."""
    for cut in range(len(parts), 0, -1):
        module = modules().get(".".join(parts[:cut]))
        if module is not None:
            first, *rest = parts[cut:] or [""]
            return not first or (first in module.top | module.strings and (not rest or _is_member(first, rest[0])))
    return False


def _is_member(owner: str, name: str) -> bool:
    return any(name in module.members.get(owner, ()) for module in modules().values())


@cache
def stems() -> set[str]:
    return {part for dotted in modules() for part in dotted.split(".")}


@cache
def parameters() -> set[str]:
    """Names of sections and keys of every scale's parameters."""
    files = [ROOT / "params.yaml", *(ROOT / "scales").glob("*/params.yaml")]
    return {key for file in files for key in _keys(yaml.safe_load(file.read_text(encoding="utf-8")))}


def problem(span: str) -> str:
    """What is wrong with a name in code style; nothing for what does not look like a name of the compendium."""
    if span in READERS:
        return ""
    if started := re.search(r"-m ((?:brew|benchmarks)[\w.]*)(?: ([a-z-]+))?", span):
        return _start_problem(started[1], started[2])
    if target := re.fullmatch(r"make ([a-z]+).*", span):
        known_targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        return "" if target[1] in known_targets else f"no target {target[1]}"
    if re.fullmatch(r"[\w.+-]+(/[\w.+-]+)*/?", span) and ("/" in span):
        return _path_problem(span)
    if re.fullmatch(r"[\w+.-]+\.(py|md|csv|yaml|json|toml|txt|ipynb|lock)", span):
        return "" if (ROOT / span).exists() or span in file_names() | words_of_the_package() else f"no file {span}"
    name = re.split(r"[(=\[ ]", span)[0].strip()
    if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", name):
        return "" if _foreign(name) or known(name) else f"no name {name}"
    if re.fullmatch(r"[A-Z][a-z]+[A-Z]\w*|[A-Z][A-Z_]{3,}|[a-z]+(_[a-z0-9]+)+", name) and name not in OTHERS:
        return "" if name in words_of_the_package() else f"no name {name}"
    return ""


def _start_problem(module: str, command: str | None) -> str:
    """What is wrong with `python -m module command`; the commands of `brew` itself stand in `brew.command`."""
    if module == "brew":
        listed = modules()["brew.command"].strings if "brew.command" in modules() else set()
        return "" if command in listed else f"no command {command}"
    runs = f"{module}.__main__" in modules() or (module in modules() and "__main__" in modules()[module].strings)
    return "" if runs else f"no module {module} that runs"


def _path_problem(span: str) -> str:
    top = span.split("/")[0]
    if re.match(MADE, span) or not (ROOT / top).is_dir() or top.startswith("."):
        return ""
    return "" if (ROOT / span).exists() else f"no path {span}"


def _foreign(name: str) -> bool:
    top = name.split(".")[0]
    return top not in {"brew", "benchmarks"} and top in {"torch", "torchgeo", "xarray", "timm", "scene", "student"}


def test_a_stale_name_is_found():
    assert problem("brew/nowhere.py") and problem("brew.files.nothing") and problem("NoSuchClass")
    assert problem("Optimisation.no_such_field") and problem("make nothing") and problem("python -m brew.nothing")
    assert not problem("brew.files.ROOT") and not problem("TEACHERS") and not problem("Optimisation.steps")


@pytest.mark.parametrize("name", sorted({*NAMES} - PAST))
def test_names_in_code_style_exist(name):
    text = without_code((ROOT / name).read_text(encoding="utf-8"))
    stale = {span: wrong for span in CODE.findall(text) if (wrong := problem(span))}
    assert not stale, f"{name}: {stale}"


@pytest.mark.parametrize("name", sorted({*NAMES} - PAST))
def test_commands_that_a_page_prints_exist(name):
    for block in FENCE.finditer((ROOT / name).read_text(encoding="utf-8")):
        for line in block[0].splitlines():
            wrong = problem(line) if " -m " in line else ""
            assert not wrong, f"{name}: {wrong}"


def test_terms_of_the_glossary_stand_in_the_package():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    absent = [
        span
        for span in CODE.findall(text)
        if problem(span) or not (known(span) or (ROOT / span).exists() or span in words_of_the_package())
    ]
    assert not absent, f"docs/glossary.md names {absent}, which the package does not know"


# The README, and the release


def test_the_table_of_the_readme_names_stages_and_every_notebook():
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("## From the paper to the file")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ") and "`" in line]
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    named = {stage.split("@")[0] for row in rows for stage in CODE.findall(row[1])}
    assert named <= set(stages), named - set(stages)
    linked = {target for _, target in LINK.findall(text) if target.endswith(".ipynb")}
    assert linked == {f"notebooks/{file.name}" for file in (ROOT / "notebooks").glob("*.ipynb")}


def test_the_release_is_the_same_everywhere():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.findall(r"^## \[(\d.*)\] - (\S+)$", changes, flags=re.MULTILINE)[0]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], str(citation["date-released"])) == (version, date) and brew.__version__ == version


@pytest.fixture
def printed_paths(tmp_path, monkeypatch) -> Path:
    """A working directory in which the paths that the README prints hold a small student and a small scene."""
    monkeypatch.chdir(tmp_path)
    student = tmp_path / "reports/miniature/stages/pretrain/deo/student.pt"
    student.parent.mkdir(parents=True)
    save_student(student, build_student("swin-nano", seed=0))
    bands = SENSORS["sentinel2"].band_names
    profile = {
        "driver": "GTiff", "height": 64, "width": 64, "count": len(bands), "dtype": "uint16", "crs": "EPSG:32632",
        "transform": rasterio.transform.from_origin(399_995, 5_000_005, 10, 10),
    }  # fmt: skip
    with rasterio.open(tmp_path / "scene.tif", "w", **profile) as file:
        for number, name in enumerate(bands, 1):
            file.write(np.random.default_rng(number).integers(300, 3000, (64, 64), dtype=np.uint16), number)
            file.set_band_description(number, name)
    return tmp_path


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own
def test_the_program_of_the_readme_runs_as_printed(printed_paths):
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(program, "README.md", "exec"), names)
    assert sorted(path.name for path in printed_paths.glob("*.*")) == ["clusters.tif", "features.zarr", "scene.tif"]
    with rasterio.open(printed_paths / "clusters.tif") as written:
        assert written.transform.a == 40 and written.crs.to_epsg() == 32632


# Numbers that a page takes from a table


@cache
def scores(scale: str) -> pd.DataFrame:
    """Primary scores from all labels, in percent, of the compared models (rows) and seeds (columns)."""
    rows = pd.read_csv(REPORTS / scale / "scores" / "scores.csv").query("label_fraction == 1 and subset == 'all'")
    kept = pd.concat(group[group.metric == BENCHMARKS[name].metric] for name, group in rows.groupby("benchmark"))
    return 100 * kept.pivot_table(index=["benchmark", "arm"], columns="seed", values="value")


def test_no_seed_of_a_benchmark_is_scored_by_two_heads_at_once():
    """A mean over duplicate rows would hide what a number stands for."""
    rows = pd.read_csv(REPORTS / "real" / "scores" / "scores.csv").query("label_fraction == 1 and subset == 'all'")
    keys = rows.columns.intersection(["benchmark", "arm", "seed", "decoder", "metric"])
    assert not rows.duplicated(list(keys)).any()


Named = tuple[str, str, str, int | str]

#: Page, its words with scores left out, and those scores: scale, benchmark, compared model, and seed or "mean".
STATED: list[tuple[str, str, list[Named]]] = [
    ("docs/real.md", "the teacher reaches {} on RSSCN7 (one seed)", [("real", "rsscn7", "teacher", 0)]),
    (
        "docs/real.md",
        "At seed 0 `masked` has {} and the random trunk {}; the mean of the three seeds of `masked` is {}",
        [("real", "rsscn7", "masked", 0), ("real", "rsscn7", "random", 0), ("real", "rsscn7", "masked", "mean")],
    ),
    (
        "docs/real.md",
        "At seed 0 they have {} on RSSCN7 and `deo` has {}; the mean of the three seeds of `deo` is {}",
        [("real", "rsscn7", "band-statistics", 0), ("real", "rsscn7", "deo", 0), ("real", "rsscn7", "deo", "mean")],
    ),
    ("docs/real.md", "On HOT buildings they have {} at seed 0", [("real", "hot-buildings", "band-statistics", 0)]),
    (
        "docs/study.md",
        "On `scenes` at seed 0 a random trunk has {} and DEO has {}; the mean of DEO's five seeds is {}",
        [("study", "scenes", "random", 0), ("study", "scenes", "deo", 0), ("study", "scenes", "deo", "mean")],
    ),
]


@pytest.mark.parametrize(("page", "words", "named"), STATED, ids=[words[:40] for _, words, _ in STATED])
def test_scores_that_a_page_names_are_the_table_s(page, words, named):
    found = []
    for scale, benchmark, model, seed in named:
        row = scores(scale).loc[(benchmark, model)]
        found.append(f"{row.mean() if seed == 'mean' else row[seed]:.1f}")
    assert words.format(*found) in " ".join((ROOT / page).read_text(encoding="utf-8").split()), (page, found)


SIGNED = re.compile(r"([+-]\d+\.\d+) (\[[+-]\d+\.\d+, [+-]\d+\.\d+\])")


@pytest.mark.parametrize(
    ("page", "scales"),
    [("docs/study.md", ("study",)), ("docs/real.md", ("real",)), ("docs/decisions/0026-radar.md", ("radar", "study"))],
)
def test_differences_that_a_page_names_stand_in_a_table(page, scales):
    """A difference with its signed interval, over test samples or, behind the former, over seeds."""
    tables = "\n".join(
        file.read_text(encoding="utf-8") for scale in scales for file in (REPORTS / scale / "tables").glob("*.csv")
    )
    named = SIGNED.findall(" ".join((ROOT / page).read_text(encoding="utf-8").split()))
    assert len(named) >= 4
    for difference, interval in named:
        pattern = re.escape(difference) + r" (\[[^\]]*\]; \d seeds )?" + re.escape(interval)
        assert re.search(pattern, tables), f"{page}: {difference} {interval}"


def test_scores_of_radar_are_the_table_s():
    record = (ROOT / "docs/decisions/0026-radar.md").read_text(encoding="utf-8")
    stated = re.findall(r"^\| .* \| (\d+\.\d) \| [\d.]* ?\|$", record, flags=re.MULTILINE)
    table = pd.read_csv(REPORTS / "radar" / "tables" / "radar.csv")
    assert stated == [score.split(" ")[0] for score in table["score"]]


def test_readings_of_deo_lie_in_the_range_of_its_seeds_but_for_the_one_that_the_page_names():
    read, kinds = scores("study"), {"optical": [], "multispectral": []}
    for name in read.index.unique("benchmark"):
        if (modality := BENCHMARKS[name].modality) in kinds:
            kinds[modality].append(name)
    outside = {}
    for kind, names in kinds.items():
        means = read.loc[names].groupby("arm").mean()
        for arm in ("deo-released", "deo-printed", "deo-own-images"):
            above, below = means.loc[arm, 0] - means.loc["deo"].max(), means.loc["deo"].min() - means.loc[arm, 0]
            if max(above, below) > 0:
                outside[kind, arm] = f"{max(above, below):.2f}"
    assert outside == {("optical", "deo-printed"): "0.14"}
    page = " ".join((ROOT / "docs/study.md").read_text(encoding="utf-8").split())
    assert "`deo-printed` lies 0.14 of a point above that range on optical tasks" in page


def test_no_repeated_arm_reaches_the_statistics_on_hot_buildings_with_any_seed():
    read = scores("real").loc["hot-buildings"]
    repeated = read[read.notna().sum(axis=1) > 1]
    assert len(repeated) == 5 and repeated.to_numpy().max() < read.loc["band-statistics", 0]


# Model cards, and where results stand


def test_model_cards_are_what_parameters_and_tables_say():
    place = model_cards.PLACE
    assert place.renewed(model_cards.cards()) == place.page.read_text(encoding="utf-8"), "run `python -m brew docs`"


def test_every_committed_report_has_its_card():
    assert set(model_cards.WORLDS) == {table.parents[1].name for table in REPORTS.glob("*/tables/ablation.csv")}


def test_ten_results_name_at_most_two_files_that_exist():
    text = (ROOT / "docs/methodology.md").read_text(encoding="utf-8").split("## Ten results and their files")[1]
    rows = [CODE.findall(line) for line in text.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) == 10
    for files in rows:
        assert 1 <= len(files) <= 2 and all((ROOT / file).is_file() for file in files), files
