"""`brew plan SCALE`: a scale's plan as a page in the terminal, or as JSON, before anything runs."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence

from brew.compendium.plan.holdings import Holding
from brew.compendium.plan.runs import Scoring, Training
from brew.compendium.plan.scale_plan import Plan, plan
from brew.compendium.plan.stage_states import StageState
from brew.compendium.scales import MINIATURE

_GB = 1e9


def page(made: Plan) -> str:
    """The plan in words."""
    parts = (
        [f"scale {made.scale}"],
        _needed(made.holdings),
        _trained(made),
        _scored(made),
        _staged(made),
        _decided(made),
        [
            f"The rate was measured here: {made.rate.flops / _GB:.1f} GFLOP/s ({made.rate.where}). Hours are the least "
            "that the arithmetic takes: reading, views and waiting come on top.",
            "Memory leaves out activations, and an evaluation's is that of each process that shares it. Stores of data "
            "that are not here are not counted, but for fMoW's.",
            f"{made.free / _GB:.1f} GB are free in this checkout.",
        ],
    )
    return "\n\n".join("\n".join(part) for part in parts)


def _needed(found: Sequence[Holding]) -> list[str]:
    lines = ["data and weights"]
    for each in found:
        size = f", {each.size / _GB:.2f} GB" if each.size else ""
        lines.append(f"  {each.state:<10}  {each.kind:<7}  {each.name}: {each.found}{size} (licence: {each.licence})")
        if each.obtain:
            lines.append(f"{'':>23}to obtain it: {each.obtain}")
    return lines


def _trained(made: Plan) -> list[str]:
    return [f"pretraining ({_states(made.trainings)})", *(_training(made, each) for each in made.trainings)]


def _training(made: Plan, each: Training) -> str:
    reason = f" ({each.reason})" if each.reason else ""
    return (
        f"  {each.state:<10}  {each.run}: {each.steps:,} steps of {each.images} images, {each.flops / 1e15:.3g} PFLOP, "
        f"{_time(made.hours(each.flops))}{reason}"
    )


def _states(parts: Sequence[Training] | Sequence[StageState]) -> str:
    return ", ".join(f"{count} {state}" for state, count in Counter(each.state for each in parts).items())


def _scored(made: Plan) -> list[str]:
    runs, impossible = (sum(getattr(each, name) for each in made.scorings) for name in ("runs", "impossible"))
    return [
        f"evaluation ({runs} runs, of which {impossible} are impossible; kept results are not computed again)",
        *(_scoring(made, each) for each in made.scorings),
    ]


def _scoring(made: Plan, each: Scoring) -> str:
    cost = "cost not known before the data are here" if each.flops is None else _time(made.hours(each.flops))
    state = "impossible" if each.reason else "to run"
    reason = f" ({each.reason})" if each.reason else ""
    return (
        f"  {state:<10}  {each.benchmark}: {each.task}, {each.runs} runs, {each.impossible} impossible, {cost}{reason}"
    )


def _staged(made: Plan) -> list[str]:
    lines = [
        f"stages ({_states(made.stages)}; of results that are kept beside DVC no stage is told)",
        f"  {'':<10}  {'':<20}{'disk':>14}{'memory':>14}{'time':>14}",
    ]
    return [*lines, *(_stage(made, each) for each in made.stages)]


def _stage(made: Plan, each: StageState) -> str:
    cost = made.costs.get(each.name)
    told = (_size(cost.disk), _size(cost.memory), _hours(made, cost.flops)) if cost else ("little",) * 3
    columns = "".join(f"{text:>14}" for text in told)
    return f"  {each.state:<10}  {each.name:<20}{columns}  {each.reason}".rstrip()


def _size(count: int | None) -> str:
    return "unknown" if count is None else f"{count / _GB:.2f} GB" if count else "little"


def _hours(made: Plan, flops: int | None) -> str:
    return "unknown" if flops is None else _time(made.hours(flops)) if flops else "little"


def _time(hours: float) -> str:
    return f"{hours:,.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"


def _decided(made: Plan) -> list[str]:
    able = [each.claim.id for each in made.decisions if not each.lacking]
    lines = [f"claims of the paper: {len(able)} of {len(made.decisions)} would be decided"]
    lines += [f"  decided: {', '.join(able)}"] if able else []
    return [*lines, *_lacking(made)]


def _lacking(made: Plan) -> Iterator[str]:
    for reason, count in Counter(each.lacking for each in made.decisions if each.lacking).most_common():
        yield f"  {count:>4} not: {reason}"


def main(arguments: list[str]) -> int:
    """`brew plan [SCALE] [--json]`."""
    parser = argparse.ArgumentParser(prog="brew plan", description="Say what a scale needs, and what it would cost.")
    parser.add_argument("scale", nargs="?", default=MINIATURE, help="miniature, or a scale of scales/")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    chosen = parser.parse_args(arguments)
    made = plan(chosen.scale)
    print(json.dumps(made.record(), indent=2, default=str) if chosen.json else page(made))
    return 0
