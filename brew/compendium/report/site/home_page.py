"""The home of the site: what brew is, and the same questions over all scales whose reports are in git."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brew.compendium.report.charts.gain_chart import directed
from brew.compendium.report.contents import LEADS
from brew.compendium.report.formatting import plural, signed
from brew.compendium.report.site.first_screen import paper
from brew.compendium.report.site.page_shell import write_page
from brew.compendium.report.site.scale_findings import TIDY
from brew.compendium.report.style import label
from brew.compendium.scales import is_rehearsal

#: The tidy tables of a scale, by name.
Tables = Mapping[str, pd.DataFrame]
_NOT_RUN = "not run"


@dataclass(frozen=True)
class _Question:
    words: str
    answers: Sequence[str]


def write_home(reports: Path) -> Path:
    """Write `index.html` below `reports`, from the tidy tables of the scales that have a report there."""
    found = {name: tables for name in LEADS if (tables := _tables(reports / name))}
    columns = [
        {"name": name, "address": f"{name}/index.html", "rehearsal": is_rehearsal(name),
         "lead": LEADS[name].split(",")[0].split(":")[0]}
        for name in found
    ]  # fmt: skip
    questions = [_Question(words, [answer(each) for each in found.values()]) for words, answer in _QUESTIONS.items()]
    questions += [
        _Question(f"The paper states: {words}", [_verdict(each, words) for each in found.values()])
        for words in dict.fromkeys(name for each in found.values() for name in each["statements"]["statement"])
    ]
    return write_page(reports, "index.html", "home", paper=paper(), scales=columns, questions=questions)


def _tables(folder: Path) -> Tables:
    """Empty if the scale has no report of this form."""
    files = {name: folder / "tables" / f"{name}.csv" for name in (*TIDY, "statements")}
    return {name: pd.read_csv(file) for name, file in files.items()} if files["pairs"].exists() else {}


def _verdict(tables: Tables, statement: str) -> str:
    """Of a statement at a scale, without its reason."""
    table = tables["statements"]
    found = table.loc[table["statement"] == statement, "verdict"]
    return str(found.iloc[0]).partition(":")[0] if len(found) else _NOT_RUN


def _gain(arm: str, less: str, on: str, share: float = 1.0) -> Callable[[Tables], str]:
    def answer(tables: Tables) -> str:
        pairs = directed(tables["pairs"])
        chosen = pairs[
            (pairs["arm"] == arm) & (pairs["less"] == less) & (pairs["on"] == on) & (pairs["label fraction"] == share)
        ]
        if chosen.empty:
            return _NOT_RUN
        row = chosen.iloc[0]
        kind = " over seeds" if row["seeds"] > 1 else ""
        return f"{signed(row['value'], row[f'low{kind}'], row[f'high{kind}'])}, {plural(int(row['seeds']), 'seed')}"

    return answer


def _best(group: str) -> Callable[[Tables], str]:
    def answer(tables: Tables) -> str:
        means = tables["means"]
        chosen = means[means["group"] == group]
        if chosen.empty:
            return _NOT_RUN
        row = chosen.loc[chosen["value"].idxmax()]
        return f"{label(row['backbone'])}: {row['value']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"

    return answer


def _benchmarks(tables: Tables) -> str:
    return ", ".join(dict.fromkeys(tables["results"]["benchmark"]))


_QUESTIONS: Mapping[str, Callable[[Tables], str]] = {
    "On which benchmarks?": _benchmarks,
    "What does DEO gain over MS self-distillation on optical benchmarks (points)?": _gain("deo", "ms-only", "optical"),
    "And on multispectral ones?": _gain("deo", "ms-only", "multispectral"),
    "And on optical ones from 10 % of the labels?": _gain("deo", "ms-only", "optical", 0.1),
    "What does the optical teacher add to masked image modelling on optical benchmarks?": _gain(
        "masked+distillation", "masked", "optical"
    ),
    "Who is best on optical benchmarks (mean, %)?": _best("optical"),
    "Who is best on multispectral benchmarks (mean, %)?": _best("multispectral"),
}
