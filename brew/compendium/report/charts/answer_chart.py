"""The answers of the study beyond the paper, a chart per question of its page (docs/study-beyond.md)."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from brew.compendium.report.beyond import LEAST
from brew.compendium.report.charts.house import CaptionedChart, colours, hiding, named
from brew.compendium.report.formatting import plural, signed

_GREY = "#6b7280"
#: What each question of the page asks, in a clause.
_ASKED = {
    "dates": "what dates of a place add to reading a year",
    "change": "what dates of a place cost the detection of change",
    "labels": "what labels of other tasks add",
    "strength": "how the gain grows with the teacher's own score",
    "alignment": "what is gained from optical images that lie off",
}


def answer_chart(answers: pd.DataFrame, about: str) -> CaptionedChart | None:
    """Gains with their intervals over seeds, and the answers; None if the question was not run.

    answers: of `beyond_tables.answers_table`. A question about the teacher's strength is a plane: score and gain.
    """
    table = answers[answers["about"] == about] if len(answers) else answers
    if table.empty:
        return None
    order = list(table["question"])
    table = named(table.rename(columns={"arm": "backbone"}))
    return _chart(table, about, order, plane=about == "strength" and bool(table["strength"].notna().any()))


def _chart(table: pd.DataFrame, about: str, order: Sequence[str], plane: bool) -> CaptionedChart:
    gain, ends = ("y", ("y", "y2")) if plane else ("x", ("x", "x2"))
    other = (
        {"x": alt.X("strength:Q", title="score of the teacher itself (%)", scale=alt.Scale(zero=False))}
        if plane
        else {"y": alt.Y("question:N", sort=order, title=None)}
    )
    legend = alt.Legend(symbolOpacity=1) if plane else None
    base = alt.Chart(table).encode(**other, color=colours(list(table["backbone"].unique()), legend))
    axis = (alt.Y if plane else alt.X)("gain:Q", title="gain (points)")
    answer = base.mark_text(align="left", dx=9, dy=-9).encode(
        **{gain: "gain:Q"}, text="answer:N", color=alt.value("#374151")
    )
    layers = (
        alt.Chart().mark_rule(strokeDash=[3, 3], color=_GREY).encode(**{gain: alt.datum(0)}),
        alt.Chart().mark_rule(strokeDash=[1, 3], color=_GREY).encode(**{gain: alt.datum(LEAST)}),
        base.mark_rule(strokeWidth=4, opacity=0.4).encode(**{ends[0]: "low:Q", ends[1]: "high:Q"}),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            **{gain: axis}, tooltip=["question", "name", "less", "decided on", "gain", "low", "high", "seeds", "answer"]
        ),
        answer,
    )
    size = {"width": 420, "height": 260} if plane else {"width": 420, "height": alt.Step(34)}
    chart = alt.layer(*layers, data=table).properties(**size)
    caption = (
        f"The figure shows {_ASKED[about]}. Bars are Student's 95 % intervals over seeds of pretraining that both arms "
        f"have. The dashed line is no gain, and the dotted line is the {LEAST:g} point that a gain has to reach. The "
        "word beside each dot is the answer by the rule of docs/study-beyond.md."
    )
    told = sentences(table.set_index("question", drop=False).loc[list(order)])
    return CaptionedChart(f"answers-{about}", hiding(chart, "backbone"), caption, " ".join(told))


def sentences(answers: pd.DataFrame) -> list[str]:
    """Each answer as a sentence, with its interval."""
    return [
        f"{str(row['question']).capitalize()}: {row['answer']} ({signed(row['gain'], row['low'], row['high'])} points, "
        f"{plural(int(row['seeds']), 'seed')})."
        for row in answers.to_dict("records")
    ]
