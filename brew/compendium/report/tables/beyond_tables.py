"""The answers of the study beyond the paper, by the rule that was fixed before it ran."""

import pandas as pd

from brew.compendium.report.beyond import LEAST, NO, QUESTIONS, UNTOLD, YES, verdict
from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.gains import gain
from brew.compendium.report.scored import Scored
from brew.pretraining.arms import BEYOND


def answers(scored: Scored) -> CaptionedTable | None:
    """One row per question whose arms were run; None if no arm beyond the paper was."""
    table = answers_table(scored)
    if not {*table.get("arm", ())} & {*BEYOND}:
        return None
    caption = (
        "Every row answers one question of docs/study-beyond.md, in points of the mean primary score. The interval is "
        f"Student's 95 % over equal seeds. {YES.capitalize()}: it lies above 0, and the mean is at least {LEAST:g}. "
        f"{NO.capitalize()}: it lies below {LEAST:g}. {UNTOLD.capitalize()}: anything else. No interval is corrected "
        "for the number of intervals."
    )
    return CaptionedTable("beyond-answers", table, caption)


def answers_table(scored: Scored) -> pd.DataFrame:
    """Question, arm, reference, benchmarks, gain with its interval over seeds, seeds, and the answer."""
    rows = []
    for question in QUESTIONS:
        found = gain(scored, question.benchmarks, question.arm, question.reference)
        if found is not None:
            seeds = found.over_seeds
            rows.append({
                "question": question.title, "arm": question.arm, "less": question.reference,
                "decided on": ", ".join(question.benchmarks), "gain": round(found.points, 1),
                "low": round(seeds.low, 1), "high": round(seeds.high, 1), "seeds": seeds.seeds,
                "answer": verdict(found),
            })  # fmt: skip
    return pd.DataFrame(rows)
