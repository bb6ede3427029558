"""Which claims of the ledger a run of the scale would decide with the data and weights that are here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from brew.compendium.plan.holdings import Holding
from brew.compendium.report.claims import Claim
from brew.compendium.report.paper import SYNTHETIC, paper_benchmarks
from brew.compendium.settings import Settings
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.zoo import BACKBONES


@dataclass(frozen=True)
class Decision:
    """Whether a claim can be decided. lacking: what stands against it, "" if nothing does."""

    claim: Claim
    lacking: str


def decisions(settings: Settings, claims: Sequence[Claim], held: Mapping[str, Holding]) -> Iterator[Decision]:
    """One per claim of the paper that names a model, a metric and a benchmark or an average. held: by name."""
    for claim in claims:
        if claim.of_paper and claim.metric_kind and (claim.group or claim.benchmark) and claim.status != "superseded":
            yield Decision(claim, _lacking(settings, claim, held))


def _lacking(settings: Settings, claim: Claim, held: Mapping[str, Holding]) -> str:
    if settings.scale.name in SYNTHETIC:
        return "the scale holds no real imagery"
    names = claim.group.members(paper_benchmarks()) if claim.group else [str(claim.benchmark)]
    outside = [name for name in names if not settings.data.offers(BENCHMARKS[name])]
    if outside:
        return f"not in the scale: {', '.join(outside)}"
    absent = [name for name in names if not held[BENCHMARKS[name].source].usable]
    return f"absent: {', '.join(absent)}" if absent else _model(settings, claim, held)


def _model(settings: Settings, claim: Claim, held: Mapping[str, Holding]) -> str:
    backbone, arm = claim.ours.backbone, claim.ours.arm
    if backbone in settings.backbones:
        return "" if backbone not in held or held[backbone].usable else f"absent: {backbone}"
    if arm in settings.arms:
        return "" if settings.scale.name == claim.scale else f"an arm answers at scale {claim.scale} alone"
    if backbone in BACKBONES:
        return f"not among the scale's backbones: {backbone}"
    return f"brew has no counterpart of {claim.model}"
