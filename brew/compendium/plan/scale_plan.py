"""The plan of a scale: what it needs, what is here, and what it would cost.

Operations are counted and the rate is measured here. The rate is that of the trunk alone in training, so that hours
leave out reading, views and waiting: they are the least that the scale takes.
"""

from dataclasses import asdict, dataclass
from typing import Any

from brew.compendium.plan.decided import Decision, decisions
from brew.compendium.plan.holdings import Holding, holdings
from brew.compendium.plan.rate import Rate, measure
from brew.compendium.plan.runs import Scoring, Training, scorings, trainings
from brew.compendium.plan.stage_costs import StageCost, costs
from brew.compendium.plan.stage_states import StageState, stage_states
from brew.compendium.rehearsal import stand_ins
from brew.compendium.report.claims import read_claims
from brew.compendium.settings import load
from brew.compendium.stage import Stage
from brew.files import ROOT, Layout, free_bytes

_HOUR = 3600


@dataclass(frozen=True)
class Plan:
    """All that `brew plan` says. free: bytes that may still be written in the checkout."""

    scale: str
    rate: Rate
    free: int
    holdings: list[Holding]
    trainings: list[Training]
    scorings: list[Scoring]
    stages: list[StageState]
    costs: dict[str, StageCost]
    decisions: list[Decision]

    def hours(self, flops: int) -> float:
        """At the measured rate."""
        return flops / self.rate.flops / _HOUR

    def record(self) -> dict[str, Any]:
        """What `--json` writes."""
        return asdict(self) | {
            "decisions": [{"claim": each.claim.id, "lacking": each.lacking} for each in self.decisions],
            "hours": {
                "pretraining": sum(self.hours(each.flops) for each in self.trainings if each.state == "to run"),
                "evaluation": sum(self.hours(each.flops or 0) for each in self.scorings),
            },
        }


def plan(scale: str) -> Plan:
    """The plan of a scale; BrewError for an unknown one."""
    settings = load(scale)
    if settings.rehearsal:
        stand_ins.use()
    stage = Stage(settings, Layout(scale))
    found = holdings(settings)
    held = {each.name: each for each in found}
    numbers = settings.pretraining
    rate = measure(numbers.trunk, numbers.views.global_size, numbers.precision)
    trained, scored = list(trainings(stage, held)), list(scorings(stage, held))
    absent = [each.name for each in found if each.kind == "data" and not each.usable]
    impossible = {"data": f"{len(absent)} sources absent or incomplete"} if absent else {}
    return Plan(
        scale, rate, free_bytes(ROOT), found, trained, scored, stage_states(scale, settings.arms, impossible),
        costs(stage, trained, scored), list(decisions(settings, read_claims(), held)),
    )  # fmt: skip
