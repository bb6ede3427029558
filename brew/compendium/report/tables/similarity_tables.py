"""Representation similarity of students and optical teachers, layer by layer, and of contrastive and masked arms."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.formatting import bold, brackets, corrected, established, plural, signed
from brew.compendium.report.gains import EXPLORATORY
from brew.compendium.report.similarity import PRIMARY
from brew.compendium.report.style import label
from brew.evaluation.layer_similarity import MEASURES
from brew.evaluation.statistics import holm

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
    several = found["seeds"] > 1
    corrected_p = holm(found["p over seeds"].where(several, found["p"]).to_numpy())
    rows = []
    for keys, lines in found.assign(corrected=corrected_p).groupby(_PAIR, sort=False):
        cells = {f"stride {line['stride']}": _closer(line) for line in lines.to_dict("records")}
        rows.append(dict(zip(_PAIR, keys, strict=True)) | cells)
    measure, token, stride = PRIMARY
    caption = (
        "The table shows whether a student that learns by contrast comes closer to its teacher. It gives the "
        "representation similarity of the contrastive arm less that of the masked one, mean over the seeds of "
        "pretraining that both share. Brackets hold the 95 % interval over images, both arms on the same halves. After "
        f"a semicolon stands Student's interval over seeds if there are several; one seed is {EXPLORATORY}. The p "
        "behind them is corrected by Holm's method over the table. A difference stands in bold if the last of its "
        f"intervals leaves out 0 and its p lies below 0.05. The measure {measure} of the {token} patches at stride "
        f"{stride} decides, which was fixed beforehand. {_disagreement(found)}"
    )
    return CaptionedTable("similarity-differences", pd.DataFrame(rows), caption)


def _closer(line: dict[Hashable, Any]) -> str:
    text, p = signed(line["difference"], line["low"], line["high"], digits=2), line["corrected"]
    if line["seeds"] < 2:
        return bold(text, established(line["low"], line["high"], p, digits=2)) + corrected(p)
    ends = line["low over seeds"], line["high over seeds"]
    told = f"{text}; {plural(line['seeds'], 'seed')} {brackets(*ends, digits=2)}"
    return bold(told, established(*ends, p, digits=2)) + corrected(p)


def _disagreement(found: pd.DataFrame) -> str:
    """In how many places the measures name different arms, in a sentence."""
    signs = found.pivot_table(index=[*_PAIR[:-1], "stride"], columns="measure", values="difference").map(np.sign)
    count = int((signs.nunique(axis=1) > 1).sum())
    arms = f"the measures name different arms in {count} of {plural(len(signs), 'place')}"
    return f"Both measures are told, since {arms}."
