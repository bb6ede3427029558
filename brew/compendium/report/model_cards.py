"""The model cards of docs/models.md: `brew docs` writes them.

A card holds what the parameters of a scale and its committed table of the ablation say of the students that the scale
trains. Left out: what no file knows, such as the intended use, which the page says in its own words.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from brew.compendium.scales import arm_and_seed
from brew.compendium.settings import FeedSettings, Settings, load
from brew.evaluation.page_tables import TablePlace, table
from brew.files import REPORTS, ROOT
from brew.pretraining.arms import ARMS, Arm

#: The scales whose reports are in git, with the world that each trains on.
WORLDS = {
    "miniature": "the rendered miniature; no real image",
    "study": "the rendered miniature, another world; no real image",
    "radar": "the rendered miniature with radar, a third world; no real image",
    "real": "OSCD's training cities, and the training images of RSSCN7 and HOT buildings",
}
PLACE = TablePlace(ROOT / "docs" / "models.md", "<!-- cards: python -m brew docs -->", "<!-- end of cards -->")


def cards() -> str:
    """The cards of all scales whose reports are in git."""
    return "\n\n".join(card(scale) for scale in WORLDS)


def card(scale: str) -> str:
    """The card of one scale: its facts, its arms, and their scores."""
    settings = load(scale)
    runs = _runs(settings)
    scores = pd.read_csv(REPORTS / scale / "tables" / "ablation.csv", dtype=str).set_index("arm").loc[list(runs)]
    facts = "\n".join(f"- {what}: {value}." for what, value in _facts(scale, settings))
    arms = table(
        ("arm", "what it is", "optical teacher", "steps", "seeds"), [_arm(settings, name, runs[name]) for name in runs]
    )
    columns = [column for column in scores.columns if column.startswith(("optical: ", "multispectral: "))]
    rows = [(f"`{name}`", *scores.loc[name, columns]) for name in runs]
    return f"## Scale {scale}\n\n{facts}\n\n{arms}\n\n{table(('arm', *columns), rows)}"


def _runs(settings: Settings) -> dict[str, list[str]]:
    """Arm -> the entries of `arms` that repeat it."""
    runs: dict[str, list[str]] = {name: [] for name in ARMS}
    for run in settings.arms:
        runs[arm_and_seed(run)[0]].append(run)
    return {name: found for name, found in runs.items() if found}


def _facts(scale: str, settings: Settings) -> Sequence[tuple[str, str]]:
    training, views = settings.pretraining, settings.pretraining.views
    return (
        ("Training data", WORLDS[scale]),
        ("Images per step", "; ".join(map(_feed, training.feeds))),
        ("Trunk", f"`{training.trunk}`"),
        ("Views", f"2 of {views.global_size} px and {views.locals} of {views.local_size} px per image"),
        ("Report", f"[reports/{scale}](../reports/{scale})"),
    )


def _feed(feed: FeedSettings) -> str:
    return f"{feed.batch} of `{feed.source}` ({', '.join(feed.variables)})"


def _arm(settings: Settings, name: str, runs: Sequence[str]) -> Sequence[Any]:
    entry: Arm = ARMS[name].with_teacher(settings.teacher)
    teachers = ", ".join(f"`{teacher}`" for teacher in entry.teachers) or "none"
    steps = settings.changes[runs[0]].get("steps", settings.pretraining.optimisation.steps)
    return f"`{name}`", entry.summary, teachers, f"{steps:,}", len(runs)
