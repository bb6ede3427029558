"""The benchmarks as tables of docs/benchmarks.md, written by `brew docs`."""

from collections.abc import Sequence

from brew.data.sources.catalogue import source
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark, Protocol
from brew.evaluation.page_tables import TablePlace, table
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
        table(("benchmark", "input", "loss", "optimiser", "learning rate", "epochs", "batch", "low-data part",
                "read from"), (_run(name, protocol) for name, protocol in protocols)),
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
    return f"`{name}`", run.size, run.loss, run.optimiser, rate, run.epochs, run.batch, part, run.read_from


def _origin(name: str) -> Sequence[object]:
    entry = source(name)
    return f"`{name}`", entry.licence, entry.obtain or "generated"
