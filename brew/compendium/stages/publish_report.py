"""Stage `site`: the report of a scale, and everything that a reviewer reads, to where git keeps it.

`brew report SCALE` writes the scale's page (``reports/index.html`` for the default
scale, else ``reports/SCALE/index.html``) and ``reports/SCALE/`` with figures/, tables/ and scores/.
"""

import argparse
import os
import shutil
from pathlib import Path

import pandas as pd

from brew.compendium import scales, stamp
from brew.compendium.report import site
from brew.compendium.report.contents import CHAPTERS, LEADS, Chapter
from brew.compendium.report.ledger import headline
from brew.compendium.report.orders import check_orders
from brew.compendium.report.provenance import commit
from brew.compendium.report.site import ANSWER
from brew.compendium.settings import load
from brew.files import ROOT, Layout, sha256


def build(scale: str) -> Path:
    """Write the report of a scale from what its stages left; returns its index.

    Raises BrewError if two of its tables order a pair of compared models differently.
    """
    layout, settings = Layout(scale), load(scale)
    check_orders({path.stem: _cells(path) for path in sorted(layout.read("tables").glob("*.csv"))})
    _copy(layout, layout.site)
    page = ROOT / settings.scale.report

    def link(file: Path) -> str:
        return Path(os.path.relpath(file, page.parent)).as_posix()

    folder, tables = layout.site / "pages", layout.site / "tables"
    sections = [_section(chapter, layout, link(folder), link(tables)) for chapter in CHAPTERS]
    pages = [(path.stem, link(path)) for path in sorted(folder.glob("*.html"))]
    others = {name: ROOT / load(name).scale.report for name in scales.scales() if name != scale}
    shown = [section for section in sections if section.exhibits]
    elsewhere = [(name, link(other)) for name, other in others.items() if other.exists()]
    html = site.render(f"brew, scale {scale}", _lead(layout), facts(layout), shown, pages, elsewhere)
    page.write_text(stamp.page(html) if settings.rehearsal else html, encoding="utf-8")
    return page


def _cells(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _section(chapter: Chapter, layout: Layout, pages: str, tables: str) -> site.Section:
    """A chapter with what the scale has of it.

    pages, tables: the folders of the notebooks' pages and of the tables, from the report.
    """
    figures = [
        site.figure(path, f"{pages}/{stage}.html")
        for stage, pattern in chapter.figures
        for path in sorted(layout.read(stage).glob(pattern))
    ]
    paths = [layout.read("tables") / f"{name}.csv" for name in chapter.tables]
    shown = [site.table(path, f"{pages}/tables.html", f"{tables}/{path.name}") for path in paths if path.exists()]
    return site.Section(chapter.title, chapter.text, [*figures, *shown])


def _lead(layout: Layout) -> list[str]:
    """Paragraphs: what the scale is, what DEO gains there, and how many claims it could test."""
    folder = layout.read("tables")
    claims = headline(_cells(folder / "ledger.csv"))
    what = LEADS.get(layout.scale, f"Dual-teacher distillation at scale {layout.scale}.")
    return [part for part in (what, (folder / ANSWER).read_text(encoding="utf-8"), claims) if part]


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


def _copy(layout: Layout, target: Path) -> None:
    """Scores, tables and figures to their folders in git."""
    tables = layout.read("tables")
    for kind, files in {
        "scores": [("scores.csv", tables / "scores.csv")],
        "tables": [(path.name, path) for path in sorted(tables.glob("*.csv")) if path.stem != "scores"],
        "figures": [(path.name, path) for path in sorted(layout.read("figures").glob("*.png"))],
    }.items():
        folder = target / kind
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, source in files:
            if source.exists():
                shutil.copyfile(source, folder / name)


def main(arguments: list[str]) -> int:
    """`brew report SCALE`."""
    parser = argparse.ArgumentParser(
        prog="brew report", description="Write a scale's report from what its stages left."
    )
    parser.add_argument("scale")
    print(build(parser.parse_args(arguments).scale).relative_to(ROOT))
    return 0
