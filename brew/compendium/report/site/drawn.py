"""Every chart of a scale, from its tidy tables."""

from collections.abc import Iterator, Sequence

import pandas as pd

from brew.compendium.report.beyond import QUESTIONS_ABOUT
from brew.compendium.report.charts.answer_chart import answer_chart
from brew.compendium.report.charts.gain_chart import gain_chart, references_run
from brew.compendium.report.charts.house import CaptionedChart
from brew.compendium.report.charts.label_chart import label_chart
from brew.compendium.report.charts.loss_chart import loss_chart
from brew.compendium.report.charts.plane_chart import plane_chart
from brew.compendium.report.charts.score_chart import score_chart
from brew.compendium.report.charts.teacher_chart import teacher_chart
from brew.compendium.report.site.scale_findings import Findings

#: Chart -> the tidy table that it is drawn from.
DRAWN_FROM = {
    "scores": "results",
    "optical-and-multispectral": "means",
    "few-labels": "results",
    "training": "training",
}


def charts(
    findings: Findings, curves: pd.DataFrame, parameters: pd.DataFrame, left_out: Sequence[str], health: str
) -> dict[str, CaptionedChart]:
    """By name, of those that the scale has.

    curves: of `training_curves`. parameters: of every backbone. left_out: arms that crowded charts leave out.
    health: of training, in words.
    """
    made = _made(findings, curves, parameters, left_out, health)
    return {chart.name: chart for chart in made if chart is not None}


def _made(
    findings: Findings, curves: pd.DataFrame, parameters: pd.DataFrame, left_out: Sequence[str], health: str
) -> Iterator[CaptionedChart | None]:
    results, pairs = findings.tables.results, findings.tables.pairs
    yield score_chart(results, findings.tables.runs)
    yield plane_chart(findings.tables.means, parameters)
    for reference in references_run(pairs):
        for share in sorted(set(pairs["label fraction"]), reverse=True):
            yield gain_chart(pairs, reference, share)
    yield teacher_chart(pairs)
    for about in QUESTIONS_ABOUT:
        yield answer_chart(findings.tables.answers, about)
    yield label_chart(results, list(left_out))
    yield loss_chart(curves[~curves["backbone"].isin(left_out)], health)
