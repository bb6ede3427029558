"""Representation similarity of students and optical teachers, layer by layer, and of contrastive and masked arms."""

from collections.abc import Hashable
from typing import Any

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.formatting import bold, brackets, leaves_out_zero, plural, signed
from brew.compendium.report.gains import EXPLORATORY
from brew.compendium.report.style import label
from brew.evaluation.layer_similarity import MEASURES

_PAIR = ["teacher", "token", "arm", "less", "measure"]


def similarity(found: pd.DataFrame) -> CaptionedTable | None:
    """Every layer of every student beside every token; None if no teacher was at hand. found: of `similarities`."""
    if found.empty:
        return None
    rows = []
    for (teacher, token, arm), runs in found.groupby(["teacher", "token", "backbone"], sort=False):
        for measure in MEASURES:
            cells = {f"stride {stride}": _layer(each, measure) for stride, each in runs.groupby("stride")}
            student = {"teacher": teacher, "token": token, "student": label(str(arm)), "seeds": runs["seed"].nunique()}
            rows.append({**student, "measure": measure, **cells})
    caption = (
        "The table shows the representation similarity of each layer of the student with an optical teacher's class "
        f"token and late and middle patches on {plural(int(found['images'].iloc[0]), 'optical test image')}. The "
        "measure cka is debiased linear CKA. The measure cosine is the mean cosine through a ridge map fitted on "
        "training images, both sides less their mean there. Brackets hold the 95 % interval over images. Of several "
        "seeds of pretraining the mean is given, plus or minus their deviation."
    )
    return CaptionedTable("similarity", pd.DataFrame(rows), caption)


def _layer(runs: pd.DataFrame, measure: str) -> str:
    """One layer: of one seed with its interval, of several with their deviation."""
    if len(runs) > 1:
        return f"{runs[measure].mean():.2f} +/- {runs[measure].std(ddof=1):.2f}"
    (run,) = runs.to_dict("records")
    return f"{run[measure]:.2f} [{run[measure + ' low']:.2f}, {run[measure + ' high']:.2f}]"


def similarity_differences(found: pd.DataFrame) -> CaptionedTable | None:
    """How much closer a student comes by contrast than by masked image modelling; None if no pair was run.

    found: of `brew.compendium.report.similarity.similarity_differences`.
    """
    if found.empty:
        return None
    rows = []
    for keys, lines in found.groupby(_PAIR, sort=False):
        cells = {f"stride {line['stride']}": _closer(line) for line in lines.to_dict("records")}
        rows.append(dict(zip(_PAIR, keys, strict=True)) | cells)
    caption = (
        "The table shows whether a student that learns by contrast comes closer to its teacher. It gives the "
        "representation similarity of the contrastive arm less that of the masked one, mean over the seeds of "
        "pretraining that both share. Brackets hold the 95 % interval over images, both arms on the same halves. After "
        f"a semicolon stands Student's interval over seeds if there are several; one seed is {EXPLORATORY}. A "
        "difference stands in bold if the last of its intervals leaves out 0."
    )
    return CaptionedTable("similarity-differences", pd.DataFrame(rows), caption)


def _closer(line: dict[Hashable, Any]) -> str:
    text = signed(line["difference"], line["low"], line["high"], digits=2)
    if line["seeds"] < 2:
        return bold(text, leaves_out_zero(line["low"], line["high"], digits=2))
    ends = line["low over seeds"], line["high over seeds"]
    told = f"{text}; {plural(line['seeds'], 'seed')} {brackets(*ends, digits=2)}"
    return bold(told, leaves_out_zero(*ends, digits=2))
