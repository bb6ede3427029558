"""What the first screen of a scale says: the paper, its statements with verdicts, the commands, and what they cost."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from brew.compendium.report.formatting import plural
from brew.compendium.report.site.addresses import slug
from brew.compendium.scales import MINIATURE
from brew.files import ROOT

#: What a run of a scale needs.
COSTS = {
    MINIATURE: "The run took 39 minutes on two CPU cores that other work shared.",
    "study": "The run takes five hours on two CPU cores.",
    "radar": "The run takes half an hour on two CPU cores.",
    "real": "The run takes three hours on two CPU cores, and needs the data that BREW_DATA names.",
    "gpu": "The run takes about an hour on one GPU.",
    "tiny": "The run takes a few minutes on two CPU cores.",
}
#: The table of the paper's statements with their tests, if stage `tables` wrote one.
STATEMENTS = "statements.csv"
#: The metric of a claim that states a gain in the paper's abstract or text.
_GAIN = "pp gain"


@dataclass(frozen=True)
class Paper:
    """The paper that brew reproduces, as CITATION.cff cites it."""

    title: str
    authors: str
    venue: str
    preprint: str
    url: str
    code: str
    code_name: str
    bibtex: str


@cache
def paper() -> Paper:
    """The first reference of CITATION.cff."""
    cited = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["references"][0]
    authors = [f"{author['given-names']} {author['family-names']}" for author in cited["authors"]]
    preprint, title, venue = cited["identifiers"][0]["value"], cited["title"], cited["conference"]["name"]
    bibtex = (
        f"@inproceedings{{deo{cited['year']},\n  title = {{{title}}},\n  author = {{{' and '.join(authors)}}},\n"
        f"  booktitle = {{{venue}}},\n  year = {{{cited['year']}}},\n  note = {{{preprint}}}\n}}"
    )
    return Paper(
        title, ", ".join(authors), venue, preprint, cited["url"], cited["repository-code"],
        cited["repository-code"].split("/")[-1], bibtex,
    )  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """What the paper states. verdict: at the scale. effect: what the scale has measured of it; empty without any.

    address: where its evidence stands, from the scale's root.
    """

    words: str
    verdict: str
    effect: str
    address: str


def statements(tables: Path, claims_page: str) -> list[Statement]:
    """The paper's statements with their tests; without a table of them, the gains that the ledger holds.

    tables: the folder of stage `tables`. claims_page: from the scale's root.
    """
    if (tables / STATEMENTS).exists():
        return _tested(pd.read_csv(tables / STATEMENTS, dtype=str, keep_default_na=False), claims_page)
    ledger = pd.read_csv(tables / "ledger.csv", dtype=str, keep_default_na=False)
    rows = ledger[ledger["metric"] == _GAIN].to_dict("records")
    return [
        Statement(
            f"{row['model']}, {row['data set']}: {row['claimed']} points", row["verdict"], row["ours"],
            f"{claims_page}#{slug(row['id'])}",
        )
        for row in rows
    ]  # fmt: skip


def _tested(table: pd.DataFrame, claims_page: str) -> list[Statement]:
    return [
        Statement(
            str(part["statement"].iloc[0]), str(part["verdict"].iloc[0]), "; ".join(filter(None, map(_effect, rows))),
            f"{claims_page}#{slug(str(part['id'].iloc[0]))}",
        )
        for _, part in table.groupby("id", sort=False)
        for rows in [part.to_dict("records")]
    ]  # fmt: skip


def _effect(row: dict[str, str]) -> str:
    if not row["value"]:
        return ""
    seeds = plural(int(row["seeds"]), "seed") if row["seeds"] else "no seeds"
    ends = f" [{row['low']}, {row['high']}]" if row["low"] else ""
    return f"{row['arm']} less {row['less']} {row['value']}{ends} {row['unit']} ({row['on'].split(':')[0]}, {seeds})"


def commands(scale: str) -> str:
    """The commands that make a scale's report, from a fresh clone."""
    chosen = "" if scale == MINIATURE else f" SCALE={scale}"
    data = "BREW_DATA=/path/to/data " if scale == "real" else ""
    return f"make setup\n{data}make repro{chosen}\nmake verify{chosen}"
