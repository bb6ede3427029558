"""`brew`: every command, by one door. A command's code is imported once it is asked for.

Exit status 0: done. 1: input that brew cannot use, or a comparison that failed; what to do is said once, on stderr.
2: a command line that is none. 130: interrupted.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from brew.errors import BrewError, nearest


@dataclass(frozen=True)
class Command:
    """summary: one line. place: ``"module:function"`` of the function that takes the arguments, returning a status."""

    summary: str
    place: str

    def __call__(self, arguments: Sequence[str]) -> int:
        module, _, function = self.place.partition(":")
        run: Callable[[list[str]], int] = getattr(import_module(module), function)
        return run(list(arguments))


COMMANDS = {
    "repro": Command("run what changed of a scale's pipeline", "brew.compendium.repro:main"),
    "plan": Command("say what a scale needs, and what it would cost", "brew.compendium.plan.plan_page:main"),
    "rehearse": Command("run every step of a scale in small, on files made here", "brew.compendium.rehearse:main"),
    "sync": Command("write what DVC reads from its sources", "brew.compendium.sync:main"),
    "verify": Command("regenerate a scale and judge it in four tiers", "brew.compendium.verification:main"),
    "noise": Command("measure how far rounding carries every score", "brew.compendium.noise:main"),
    "lock": Command("run a scale in a clone and keep its lock", "brew.compendium.regeneration:main"),
    "audit": Command("look for known advisories on the lock's packages", "brew.compendium.audit:main"),
    "data": Command("fetch and describe a benchmark's files", "brew.compendium.fetching:main"),
    "manifest": Command("describe the files of real sources anew", "brew.data.sources.describe:main"),
    "build-store": Command("build a store from many GeoTIFFs", "brew.data.sources.building:main"),
    "build-fmow": Command("build a store from fMoW's files", "brew.data.sources.fmow.fmow_store:main"),
    "pretrain": Command("train one arm, alone or under torchrun", "brew.compendium.stages.pretrain_arm:main"),
    "teacher": Command("train the miniature's optical teacher", "brew.compendium.stages.train_miniature_teacher:main"),
    "describe": Command("say what is assumed of an image", "brew.data.images.description:main"),
    "embed": Command("write a scene's features", "brew.compendium.scene_features:main"),
    "notebook": Command("run, render or scrub notebooks", "brew.compendium.notebooks.actions:main"),
    "parameters": Command("stage: check a scale's generated parameters", "brew.compendium.sync:note_sources"),
    "arms": Command("stage: write what each arm is", "brew.compendium.stages.list_arms:main"),
    "beginnings": Command("stage: write what machines compare first", "brew.compendium.stages.list_beginnings:main"),
    "metrics": Command("stage: write what dvc metrics compares", "brew.compendium.stages.list_metrics:main"),
    "report": Command("stage: write a scale's report", "brew.compendium.stages.publish_report:main"),
    "docs": Command("write the generated tables of docs/ anew", "brew.compendium.documentation:main"),
}
_WIDTH = max(map(len, COMMANDS))


def usage() -> str:
    """What `brew --help` prints."""
    stages = [name for name, command in COMMANDS.items() if command.summary.startswith("stage: ")]
    lines = [f"  {name:<{_WIDTH}}  {command.summary}" for name, command in COMMANDS.items() if name not in stages]
    lines.append(f"  {'':<{_WIDTH}}  of the pipeline alone: {', '.join(stages)}")
    return "\n".join(["usage: brew COMMAND ...", "", *lines, "", "brew COMMAND --help says what a command takes."])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name (`sys.argv` if none are given) and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(usage(), file=sys.stdout if given else sys.stderr)
        return 0 if given else 2
    name, *rest = given
    if name not in COMMANDS:
        print(f"error: command {name!r} is unknown; {nearest(name, tuple(COMMANDS))}", file=sys.stderr)
        return 2
    try:
        return COMMANDS[name](rest)
    except BrewError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
