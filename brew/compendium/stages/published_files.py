"""Part of stage `site`: what a reviewer reads beside the pages, copied to where git keeps it."""

import shutil

from brew.compendium.notebooks.kept_pictures import keep_picture
from brew.compendium.report.contents import CHAPTERS
from brew.compendium.report.site import addresses as at
from brew.compendium.report.site.scale_findings import TIDY
from brew.files import Layout

#: Tables of other stages that are tidy as they are: stage and file -> the name that the site gives them.
_OTHERS = {
    ("similarity", "similarity.csv"): "similarity-values", ("similarity", "differences.csv"): "similarity-pairs",
    ("progress", "gains.csv"): "progress-values", ("cases", "images.csv"): "images",
}  # fmt: skip


def keep_files(layout: Layout) -> None:
    """Scores, tables and pictures of a scale, in place of those of an earlier report, so that git keeps nothing old."""
    for name in (at.CHAPTERS, at.BENCHMARKS, at.FIGURES, at.TABLES, at.CASES, "scores"):
        shutil.rmtree(layout.site / name, ignore_errors=True)
    folder, site = layout.read("tables"), layout.site
    copied = {site / at.TABLES / path.name: path for path in sorted(folder.glob("*.csv")) if path.stem != "scores"}
    copied |= {site / at.TABLES / f"{name}.csv": folder / "tidy" / f"{name}.csv" for name in TIDY}
    copied |= {site / at.TABLES / f"{name}.csv": layout.read(stage) / file for (stage, file), name in _OTHERS.items()}
    copied[site / "scores" / "scores.csv"] = folder / "scores.csv"
    cases = layout.read("cases")
    copied |= {site / at.CASES / path.name: path for path in sorted(cases.glob("pictures/*"))}
    for target, source in copied.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for chapter in CHAPTERS:
        for stage, pattern in chapter.figures:
            for path in sorted(layout.read(stage).glob(pattern)):
                keep_picture(path, site / at.FIGURES / f"{stage}-{path.stem}.webp")
