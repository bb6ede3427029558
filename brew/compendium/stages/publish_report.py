"""Stage `site`: the report of a scale, and everything that a reviewer reads, to where git keeps it.

`brew report SCALE` writes the scale's pages, tables, scores and pictures below `reports/SCALE`, and beside that folder
what all scales share: the assets, and the home. The home is made from the tidy tables of all scales in git.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from brew import files
from brew.compendium import scales
from brew.compendium.pipeline import pipeline_file
from brew.compendium.report.charts.answer_chart import sentences
from brew.compendium.report.charts.house import CaptionedChart
from brew.compendium.report.charts.loss_chart import training_curves
from brew.compendium.report.contents import CHAPTERS, LEADS, Chapter
from brew.compendium.report.crowding import left_to_tables
from brew.compendium.report.ledger import headline
from brew.compendium.report.orders import check_orders
from brew.compendium.report.provenance import commit
from brew.compendium.report.site import ANSWER
from brew.compendium.report.site import addresses as at
from brew.compendium.report.site.addresses import slug
from brew.compendium.report.site.case_page import cases_of, patches_of
from brew.compendium.report.site.comparison import comparison
from brew.compendium.report.site.doors import doors
from brew.compendium.report.site.drawn import DRAWN_FROM, charts
from brew.compendium.report.site.exhibits import Exhibit, chart_exhibit, numbered, picture_exhibit, table_exhibit
from brew.compendium.report.site.first_screen import COSTS, commands, paper, statements
from brew.compendium.report.site.home_page import write_home
from brew.compendium.report.site.ledger_page import ledger_table
from brew.compendium.report.site.lineage_graph import graph, stage_nodes
from brew.compendium.report.site.number_cards import cards
from brew.compendium.report.site.one_file import one_file
from brew.compendium.report.site.page_shell import Place, write_page
from brew.compendium.report.site.scale_findings import Findings, read_tables, shown_cells
from brew.compendium.report.site.settings_words import settings_of
from brew.compendium.report.site.shared_assets import write_assets
from brew.compendium.report.site.statement_table import statement_table
from brew.compendium.report.site.table_markup import folded, plain_table, score_table
from brew.compendium.report.style import caption_of
from brew.compendium.report.training_health import health_of_heads
from brew.compendium.settings import Settings, load
from brew.compendium.stages.published_files import keep_files
from brew.evaluation.benchmarks import BENCHMARKS, Task
from brew.files import ROOT, Layout, sha256

_ROOT = "../"
_TASKS: tuple[Task, ...] = ("segmentation", "change", "classification")
#: Table -> the tidy tables that hold its numbers.
_TIDY_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_TASKS, ("results",)), "low-data": ("results",), "ablation": ("results", "means"),
    "ranks": ("orders",), **dict.fromkeys(("differences", "gains", "teachers", "low-data-gains"), ("pairs",)),
    "similarity": ("similarity-values",), "similarity-differences": ("similarity-pairs",),
    "progress-by-benchmark": ("progress-values",),
}  # fmt: skip
_COMPARE, _LINEAGE, _CASES, _PATCHES = (
    f"{at.CHAPTERS}/{name}.html" for name in ("compare", "lineage", "cases", "patches")
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """A scale's report before it is written. exhibits: by title of the chapter. drawn: charts by name."""

    layout: Layout
    settings: Settings
    findings: Findings
    drawn: Mapping[str, CaptionedChart]
    exhibits: Mapping[str, Sequence[Exhibit]]

    @property
    def scale(self) -> str:
        return self.layout.scale

    @property
    def shown(self) -> list[Chapter]:
        """Chapters of which the scale has something."""
        return [chapter for chapter in CHAPTERS if self.exhibits.get(chapter.title)]

    @cached_property
    def places(self) -> list[Place]:
        """Every page of the scale, in the order of the contents."""
        chapters = [
            Place(chapter.title, chapter_address(chapter.title), [
                (each.id, f"{each.title}: {each.spoken}") for each in self.exhibits[chapter.title]
            ])
            for chapter in self.shown
        ]  # fmt: skip
        benchmarks = [
            Place(f"Benchmark {name}", f"{at.BENCHMARKS}/{name}.html") for name in self.findings.tables.benchmarks
        ]
        more = [Place("Compare two", _COMPARE, [("ranks", "Ranks")])] if not self.findings.tables.pairs.empty else []
        if cases := cases_of(self.layout.read("cases"), _ROOT):
            more.append(Place("Cases", _CASES, [(each.id, each.name) for each in cases]))
        if patches_of(self.layout.read("cases"), _ROOT):
            more.append(Place("Alike patches", _PATCHES))
        first = Place("First screen", "index.html", _ON_FIRST)
        return [first, *chapters, *more, *benchmarks, Place("Lineage", _LINEAGE)]

    def write(self, address: str, template: str, **content: Any) -> Path:
        """Write one of `places`."""
        place = next(each for each in self.places if each.address == address)
        others = [(name, f"../{name}/index.html") for name in _elsewhere(self.scale)]
        return write_page(
            self.layout.site, address, template, place=place, places=self.places, scale=self.scale, elsewhere=others,
            rehearsal=scales.is_rehearsal(self.scale), **content,
        )  # fmt: skip


_ON_FIRST = [
    ("answer", "What the run says"), ("statements", "What the paper states"), ("method", "The method"),
    ("commands", "Commands"), ("made-from", "Made from"), ("cite", "Cite"), ("notebooks", "Notebooks"),
]  # fmt: skip


def chapter_address(title: str) -> str:
    """Of a chapter's page, from the scale's root."""
    return f"{at.CHAPTERS}/{slug(title)}.html"


def build(scale: str) -> Path:
    """Write the report of a scale from what its stages left; returns its first screen.

    Raises BrewError if two of its tables order a pair of compared models differently.
    """
    check_orders({path.stem: _cells(path) for path in sorted(Layout(scale).read("tables").glob("*.csv"))})
    report = gather(scale)
    for chart in report.drawn.values():
        chart.write(report.layout.site / at.FIGURES)
    for chapter in report.shown:
        _write_chapter(report, chapter)
    for name in report.findings.tables.benchmarks:
        _write_benchmark(report, name)
    if content := comparison(report.findings):
        report.write(_COMPARE, "compare", charts=True, sorted=True, **content)
    _write_cases(report)
    _write_lineage(report)
    page = _write_first(report)
    write_assets(files.REPORTS)
    write_home(files.REPORTS)
    return page


def gather(scale: str) -> Report:
    """Read what the stages of a scale left, and copy what the site links to."""
    layout, settings = Layout(scale), load(scale)
    keep_files(layout)
    cells = shown_cells(layout.site / "notebooks")
    findings = Findings(scale, read_tables(layout.site), cells, scales.parameters(scale))
    histories = {
        run: pd.read_csv(file)
        for run in settings.arms
        if (file := layout.read(f"pretrain/{run}") / "history.csv").exists()
    }
    curves = training_curves(histories)
    curves.to_csv(layout.site / at.TABLES / "training.csv", index=False)
    sizes = pd.read_csv(layout.read("similarity") / "parameters.csv")
    drawn = charts(findings, curves, sizes, left_to_tables(settings), health_of_heads(histories))
    exhibits = numbered({chapter.title: _exhibits(chapter, layout, findings, drawn) for chapter in CHAPTERS})
    return Report(layout, settings, findings, drawn, exhibits)


def _exhibits(
    chapter: Chapter, layout: Layout, findings: Findings, drawn: Mapping[str, CaptionedChart]
) -> list[Exhibit]:
    """What the scale has of a chapter."""
    hovering = [
        chart_exhibit(chart, _ROOT, _drawn_from(name))
        for pattern in chapter.charts for name, chart in drawn.items() if fnmatchcase(name, pattern)
    ]  # fmt: skip
    pictures = [
        picture_exhibit(f"{stage} {path.stem}", f"{stage}-{path.stem}.webp", caption_of(path), stage, _ROOT)
        for stage, pattern in chapter.figures
        for path in sorted(layout.read(stage).glob(pattern))
    ]
    folder = layout.read("tables")
    tables = [_table(folder / f"{name}.csv", findings) for name in chapter.tables if (folder / f"{name}.csv").exists()]
    return [*hovering, *pictures, *tables]


def _drawn_from(chart: str) -> str:
    return "beyond-answers" if chart.startswith("answers-") else DRAWN_FROM.get(chart, "pairs")


def _table(path: Path, findings: Findings) -> Exhibit:
    name, html = path.stem, ""
    if name.startswith("ledger"):
        html = ledger_table(_cells(path), name)
    elif name == "statements":
        html = statement_table(_cells(path))
    elif name in _TASKS:
        chosen = [each for each in findings.tables.benchmarks if BENCHMARKS[each].task == name]
        html = score_table(findings.tables.results, chosen, _ROOT, averages=_averages(_cells(path)))
    elif name == "low-data":
        html = _few_labels(findings)
    else:
        frame, absent = folded(_cells(path))
        shown = "" if frame.empty else plain_table(frame, name, _ROOT, doors(findings, name))
        html = shown + _not_run(absent)
    cell = findings.cells.get(("tables", name))
    return table_exhibit(name, caption_of(path), cell, _TIDY_OF.get(name, ()), html)


def _not_run(names: Sequence[str]) -> str:
    """What a table leaves out, with the way to what it needs."""
    if not names:
        return ""
    needs = f'<a href="{_ROOT}{chapter_address("Paper tables")}#table-needs">what they need</a>'
    return f'<p class="left-out">Not run at this scale ({needs}): {", ".join(names)}.</p>'


def _averages(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of a table of scores that are means of several benchmarks, by backbone."""
    table = table.set_index("backbone")
    return table[[column for column in table if ":" not in column]]


def _cells(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _few_labels(findings: Findings) -> str:
    results = findings.tables.results
    shares = sorted({share for share in results["label fraction"] if share < 1}, reverse=True)
    return "\n".join(
        f"<h3>From {100 * share:g} % of the labels</h3>{score_table(results, chosen, _ROOT, share)}"
        for share in shares
        for chosen in [list(dict.fromkeys(results.loc[results["label fraction"] == share, "benchmark"]))]
    )


def _write_chapter(report: Report, chapter: Chapter) -> None:
    exhibits = report.exhibits[chapter.title]
    report.write(
        chapter_address(chapter.title), "chapter", text=chapter.text, exhibits=exhibits, sorted=True,
        charts=any(each.chart for each in exhibits), choice=bool(chapter.charts) and chapter.charts != ("training",),
        arms=report.findings.tables.backbones, benchmarks=report.findings.tables.benchmarks,
    )  # fmt: skip


def _write_benchmark(report: Report, name: str) -> None:
    def shown_at(share: float) -> str:
        title = "Few labels" if share < 1 else "Results"
        return chapter_address(title)

    entry = BENCHMARKS[name]
    found = cards(report.findings, name, shown_at)
    settings = settings_of(report.findings.parameters, entry.task)
    report.write(f"{at.BENCHMARKS}/{name}.html", "benchmark", benchmark=entry, cards=found, settings=settings)


def _write_cases(report: Report) -> None:
    folder = report.layout.read("cases")
    if cases := cases_of(folder, _ROOT):
        report.write(_CASES, "cases", benchmarks=cases)
    if content := patches_of(folder, _ROOT):
        every = [each for part in report.exhibits.values() for each in part]
        still = next((each for each in every if each.name == "cases patches"), None)
        report.write(_PATCHES, "patches", still=still, **content)


def _write_lineage(report: Report) -> None:
    nodes = stage_nodes(ROOT / pipeline_file(report.scale))
    pages = sorted(path.stem for path in (report.layout.site / at.NOTEBOOKS).glob("*.html"))
    stages = [
        {
            **vars(node),
            "pages": [(page, f"{at.NOTEBOOKS}/{page}.html") for page in pages
                      if page == node.name or page.startswith(f"{node.name}-")],
            "exhibits": _made_by(report, node.name),
        }
        for node in nodes
    ]  # fmt: skip
    report.write(_LINEAGE, "lineage", graph=graph(nodes), stages=stages)


def _made_by(report: Report, stage: str) -> list[tuple[str, str]]:
    """The exhibits whose files a stage left, as (title, address)."""
    drawn = {"tables": "table", "site": "chart"}.get(stage)
    return [
        (each.title, f"{chapter_address(title)}#{each.id}")
        for title, part in report.exhibits.items() for each in part
        if (drawn == "table" and each.kind == "table") or (drawn == "chart" and each.chart)
        or each.name.startswith(f"{stage} ")
    ]  # fmt: skip


def _write_first(report: Report) -> Path:
    folder = report.layout.read("tables")
    claims = headline(_cells(folder / "ledger.csv"))
    gains = next((chart for name, chart in report.drawn.items() if name.startswith("gains-over-")), None)
    shown = next(
        (each for part in report.exhibits.values() for each in part if gains and each.name == gains.name), None
    )
    return report.write(
        "index.html", "first", paper=paper(), lead=LEADS.get(report.scale, f"Scale {report.scale}."),
        answer=(folder / ANSWER).read_text(encoding="utf-8"), claims=claims,
        beyond=sentences(report.findings.tables.answers), charts=shown is not None,
        gains=chart_exhibit_at(shown, gains) if shown and gains else None,
        statements=statements(folder, chapter_address("Claims")), commands=commands(report.scale),
        cost=COSTS.get(report.scale, ""), facts=facts(report.layout),
        notebooks=[(path.stem, f"{at.NOTEBOOKS}/{path.name}")
                   for path in sorted((report.layout.site / at.NOTEBOOKS).glob("*.html"))],
    )  # fmt: skip


def chart_exhibit_at(exhibit: Exhibit, chart: CaptionedChart) -> Exhibit:
    """A chart of a chapter as the first screen shows it, with the number that it has there."""
    first = chart_exhibit(chart, "", _drawn_from(chart.name))
    return Exhibit(first.kind, first.name, first.caption, first.html, first.files, first.chart, exhibit.number)


def facts(layout: Layout) -> dict[str, str]:
    """What the report was made from: the scale, the commit, and the hashes of parameters, environment and data.

    A file's SHA-256 is given whole, as `sha256sum` prints it. A store is a folder: its digest is made from the
    names and SHA-256 of its files.
    """
    settings = scales.parameter_file(layout.scale)
    sources = pd.read_csv(layout.read("data") / "sources.csv")
    stores = {
        f"data: {name}": f"{part['samples'].sum()} samples, store with digest {part['store'].iloc[0]}, made from "
        f"{part['made from'].iloc[0]}, licence: {part['licence'].iloc[0]}"
        for name, part in sources.groupby("source")
    }
    return {
        "scale": layout.scale,
        "commit": commit(),
        "parameters": _hashed(settings),
        "environment": _hashed(ROOT / "requirements.lock"),
        **stores,
    }


def _hashed(file: Path) -> str:
    return f"{file.relative_to(ROOT).as_posix()}, SHA-256 {sha256(file)}"


def _elsewhere(scale: str) -> list[str]:
    """Other scales that have a report."""
    return [name for name in LEADS if name != scale and (files.REPORTS / name / "index.html").exists()]


def main(arguments: list[str]) -> int:
    """`brew report SCALE`."""
    parser = argparse.ArgumentParser(
        prog="brew report", description="Write a scale's report from what its stages left."
    )
    parser.add_argument("scale")
    parser.add_argument("--one-file", action="store_true", help="write the report in git as one HTML file instead")
    chosen = parser.parse_args(arguments)
    if chosen.one_file:
        path = files.SCRATCH / f"report-{chosen.scale}.html"
        files.write_bytes(path, one_file(Layout(chosen.scale).site).encode())
        print(f"{path.relative_to(ROOT)}, {path.stat().st_size / 1e6:.1f} MB")
    else:
        print(build(chosen.scale).relative_to(ROOT))
    return 0
