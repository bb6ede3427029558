"""The benchmarks as tables of docs/benchmarks.md, written by `brew docs`."""

from collections.abc import Sequence

from brew.data.sources.catalogue import source
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark
from brew.evaluation.page_tables import TablePlace, table
from brew.evaluation.protocols import STATES, Protocol, State
from brew.files import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
PLACE = TablePlace(PAGE, "<!-- tables: python -m brew docs -->", "<!-- end of tables -->")


def tables() -> str:
    """What is scored, how the authors scored it, where it comes from, and what is known to be wrong with it."""
    entries = list(BENCHMARKS.values())
    protocols = [(entry.name, entry.protocol) for entry in entries if entry.protocol]
    sources = dict.fromkeys(entry.source for entry in entries)
    return "\n\n".join((
        table(("benchmark", "task", "images", "classes", "primary metric", "what it asks for"),
               map(_declared, entries)),
        "How the authors ran the paper's thirteen:",
        table(("benchmark", "input", "statistics", "loss", "optimiser", "learning rate", "warm-up", "epochs", "batch",
                "low-data part", "read from"), (_run(name, protocol) for name, protocol in protocols)),
        "What changed between states of the authors' code, each a protocol by its name:",
        table(("protocol", "commits", "trunk", "bands that a network of three colours got", "Sen1Floods11 trains",
                "its metric", "chosen on validation by"), map(_state, STATES.values())),
        "Where they come from:",
        table(("source", "licence", "to obtain it"), map(_origin, sources)),
        "Known errors that readers mend:",
        "\n".join(f"- `{entry.name}`: {entry.errata}." for entry in entries if entry.errata),
    ))  # fmt: skip


def _declared(entry: Benchmark) -> Sequence[object]:
    task = "multi-label classification" if entry.multilabel else entry.task
    ignored = "" if entry.ignore is None else f", {entry.ignore} ignored"
    return f"`{entry.name}`", task, entry.modality, f"{len(entry.classes)}{ignored}", entry.metric, entry.summary


def _run(name: str, run: Protocol) -> Sequence[object]:
    part = f"`{run.low_data}`" if run.low_data else ""
    rate = f"{run.learning_rate:g}"
    steps = run.warmup, run.epochs, run.batch
    return f"`{name}`", run.size, run.statistics, run.loss, run.optimiser, rate, *steps, part, run.read_from


def _state(state: State) -> Sequence[object]:
    trunk = "frozen" if state.frozen else "trained at the decoder's rate"
    colours = ", ".join(str(position + 1) for position in state.colours)
    floods, classes = state.floods, "dry and water" if state.floods.alone else "three classes"
    return f"`{state.name}`", state.commits, trunk, colours, classes, floods.metric, floods.chosen_by


def _origin(name: str) -> Sequence[object]:
    entry = source(name)
    return f"`{name}`", entry.licence, entry.obtain or "generated"
