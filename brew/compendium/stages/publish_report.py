"""Stage `site`: the report of a scale, and everything that a reviewer reads, to where git keeps it.

`python -m brew.compendium.stages.publish_report SCALE` writes the scale's page (``reports/index.html`` for the default
scale, else ``reports/SCALE/index.html``) and ``reports/SCALE/`` with figures/, tables/ and scores/.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from brew.compendium import scales
from brew.compendium.report import site
from brew.compendium.report.claims import headline
from brew.compendium.report.paper import TASKS
from brew.compendium.report.provenance import commit
from brew.compendium.report.site import ANSWER
from brew.compendium.scales import MINIATURE
from brew.compendium.settings import load
from brew.files import ROOT, Layout, sha256

_EARTH = (
    "the embedded miniature: a procedural Earth rendered from spectra and shapes, no real imagery. No number here can "
    "be compared with the paper's, and none can reproduce one of its claims."
)
_LEADS = {
    MINIATURE: f"Dual-teacher distillation run end to end, to show that every step works, on {_EARTH}",
    "study": "What does each teacher add? The whole ablation, its core arms pretrained five times, the others once, in "
    f"a way that was fixed before the answer was known (docs/study.md), on {_EARTH}",
    "radar": f"A third teacher, for Sentinel-1: what a student learns of radar (record 0026), on {_EARTH}",
    "gpu": f"A larger student, with views of the paper's sizes, on {_EARTH}",
    "real": "Dual-teacher distillation on real imagery at hand (docs/real.md): OSCD's training cities for ten bands, "
    "aerial images for the optical stem, an ImageNet network as optical teacher and once another that learned by "
    "itself, a small Swin trained on two CPU cores, five arms with three seeds each. The paper's numbers belong to a "
    "Swin-B pretrained on 500,000 images and are not comparable.",
}


def _sections(layout: Layout, pages: str, tables: str) -> list[site.Section]:
    """The report's order: results first, then how they came about, then what they were made from.

    pages, tables: the folders of the notebooks' pages and of the tables, from the report.
    """

    def figures(stage: str, page: str | None = None, pattern: str = "*.png") -> list[site.Exhibit]:
        return [site.figure(path, f"{pages}/{page or stage}.html") for path in sorted(layout.read(stage).glob(pattern))]

    def shown(*names: str) -> list[site.Exhibit]:
        paths = [layout.read("tables") / f"{name}.csv" for name in names]
        return [site.table(path, f"{pages}/tables.html", f"{tables}/{path.name}") for path in paths if path.exists()]

    progress = shown("progress", "progress-by-benchmark")
    progress = [*figures("progress"), *progress] if progress else []
    return [
        site.Section(
            "Results",
            "Frozen features of every backbone under one protocol: one decoder or probe, the best validation epoch "
            "tested once.",
            [
                *figures("figures", pattern="scores.png"),
                *figures("figures", pattern="models.png"),
                *shown(*TASKS, "ranks", "differences"),
            ],
        ),
        site.Section(
            "Ablation",
            "Which teacher, path, token and view brings what: every arm, and its gains over the same student without.",
            [
                *figures("figures", pattern="gains.png"),
                *figures("figures", pattern="teachers.png"),
                *shown("ablation", "gains", "teachers"),
            ],
        ),
        site.Section(
            "Radar", "Beside chance and the untrained trunk, since no other backbone reads it.", shown("radar")
        ),
        site.Section(
            "Few labels",
            "The same benchmarks from a share of the training labels.",
            [*figures("figures", pattern="low-data.png"), *shown("low-data-gains", "low-data")],
        ),
        site.Section(
            "Paper tables",
            "The same tables over the paper's thirteen benchmarks; numbers of the paper are marked as such.",
            shown(*(f"paper-{task}" for task in TASKS), "paper-ranks", "paper-ablation", "paper-low-data", "needs"),
        ),
        site.Section(
            "Claims",
            "What has been claimed of the method and its like, and what this scale can say to it.",
            shown("claims", "ledger"),
        ),
        site.Section(
            "Change",
            "Change between two dates, beside change vector analysis and a supervised network.",
            [*figures("change"), *shown("change-differences", "oscd-cities")],
        ),
        site.Section("Segmentation", "Maps of the test images that show most classes.", figures("segmentation")),
        site.Section("Features", "What the backbones tell apart without any label.", figures("features")),
        site.Section(
            "Alignment",
            "How close each student comes to the optical teacher, layer by layer, and whether contrast helps.",
            [*figures("alignment"), *shown("alignment-differences", "alignment")],
        ),
        site.Section(
            "Pretraining",
            "What each arm maximises, by name, and what it has learned along the way where the scale kept that.",
            [*figures("figures", pattern="training.png"), *progress],
        ),
        site.Section(
            "Optical teacher",
            "The frozen model that the student is distilled from.",
            figures("optical-teacher"),
        ),
        site.Section("Data", "What everything above was made from.", figures("data")),
    ]


def _lead(layout: Layout) -> list[str]:
    """Paragraphs: what the scale is, what DEO gains there, and how many claims it could test."""
    folder = layout.read("tables")
    claims = headline(pd.read_csv(folder / "ledger.csv", dtype=str, keep_default_na=False))
    what = _LEADS.get(layout.scale, f"Dual-teacher distillation at scale {layout.scale}.")
    return [part for part in (what, (folder / ANSWER).read_text(encoding="utf-8"), claims) if part]


def _facts(layout: Layout) -> dict[str, str]:
    settings = scales.parameter_file(layout.scale).relative_to(ROOT).as_posix()
    sources = pd.read_csv(layout.read("data") / "sources.csv")
    stores = {
        f"data: {name}": f"{part['samples'].sum()} samples, store {part['store'].iloc[0]}, made from "
        f"{part['made from'].iloc[0]}, licence: {part['licence'].iloc[0]}"
        for name, part in sources.groupby("source")
    }
    return {
        "scale": layout.scale,
        "commit": commit(),
        "parameters": f"{settings}, SHA-256 {sha256(ROOT / settings)[:16]}",
        "environment": f"requirements.lock, SHA-256 {sha256(ROOT / 'requirements.lock')[:16]}",
        **stores,
    }


def build(scale: str) -> Path:
    """Write the report of a scale from what its stages left; returns its index."""
    layout, settings = Layout(scale), load(scale)
    _copy(layout, layout.site)
    page = ROOT / settings.scale.report

    def link(file: Path) -> str:
        return Path(os.path.relpath(file, page.parent)).as_posix()

    folder = layout.site / "pages"
    sections = _sections(layout, link(folder), link(layout.site / "tables"))
    pages = [(path.stem, link(path)) for path in sorted(folder.glob("*.html"))]
    others = {name: ROOT / load(name).scale.report for name in scales.scales() if name != scale}
    shown = [section for section in sections if section.exhibits]
    elsewhere = [(name, link(other)) for name, other in others.items() if other.exists()]
    html = site.render(f"brew, scale {scale}", _lead(layout), _facts(layout), shown, pages, elsewhere)
    page.write_text(html, encoding="utf-8")
    return page


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


def main(arguments: Sequence[str]) -> int:
    """`python -m brew.compendium.stages.publish_report SCALE`."""
    print(build(arguments[0]).relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
