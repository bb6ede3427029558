"""The pipeline as a table: an entry per stage, from which `brew sync` writes every scale's dvc.yaml.

A stage executes one notebook, or one command, from the root, and owns one folder, which DVC keeps in its cache. It
depends on the notebook, every module of brew that the notebook runs, the environment's lock and what earlier stages
left. Its parameters are the sections that it reads, so that a change re-runs that stage and what follows. The last
stage copies what a reviewer reads to where git keeps it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from brew.compendium.imports import Package
from brew.compendium.scales import MINIATURE, PARAMETERS, PIPELINE, SCALES, merged, sources

#: Modules that may change without changing a result: where files lie, how errors read, how parameters are read.
SAY_NOTHING = frozenset({
    "brew",
    "brew.errors",
    "brew.files",
    "brew.compendium.scales",
    "brew.compendium.schema",
    "brew.compendium.settings",
    "brew.compendium.stages",
    "brew.compendium.stage",
    "brew.compendium.processes",
})  # fmt: skip
#: In a command or path, the arm of a stage that runs once per arm; DVC fills it in.
ARM = "${item.arm}"
_LOCK = "requirements.lock"
#: What `brew noise` leaves.
_NOISE = "reports/{scale}/noise.csv"
#: What opening a scale runs beside the settings, and so every notebook: how products are summed, and noise.
_BITS = frozenset({"brew.compendium.portable_kernels", "brew.compendium.nudging"})


@dataclass(frozen=True)
class StageEntry:
    """One stage of the pipeline.

    notebook: its name below notebooks/, if the stage executes one. command: of `brew`, with the scale after it, if not.
    module: what the command runs; its imports are dependencies. per_arm: whether the stage runs once for each arm.
    reads: what earlier stages left, below reports/<scale>/stages. stores: whether it reads the scale's stores.
    files: further dependencies in the tree. parameters: sections of the scale's parameter file.
    stated: modules that it depends on through what an earlier stage writes of them, not through their files.
    once_measured: further ones, which it depends on from the day on which they exist.
    outs: paths that DVC keeps in its cache, beside the stage's own folder and its executed notebook.
    published: paths that git keeps. metrics: those of them whose numbers `dvc metrics` shows. trains: whether weights
    are trained there, which rounding noise may start from (`brew noise`).
    """

    name: str
    notebook: str | None = None
    command: str | None = None
    module: str | None = None
    per_arm: bool = False
    reads: tuple[str, ...] = ()
    stores: bool = False
    files: tuple[str, ...] = ()
    once_measured: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    stated: frozenset[str] = frozenset()
    outs: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    trains: bool = False

    @property
    def run(self) -> str:
        """The name of one run of the stage: with its arm, if it runs once for each."""
        return f"{self.name}/{ARM}" if self.per_arm else self.name


#: The tables of arms. The stage `arms` writes what a scale takes of them, a file for each run.
_ARMS = frozenset({"brew.pretraining.arms", "brew.pretraining.arms_beyond"})
#: What every stage that computes features reads.
_FEATURES = partial(StageEntry, stores=True, reads=("arms", "data", "optical-teacher", "pretrain"), stated=_ARMS)
_EVALUATION = tuple(
    f"evaluation.{name}" for name in ("decoders", "orientations", "samples", "label_fractions", "protocols")
)

#: The stages that measure something, each with a file of metrics.
_MEASURING = (
    "data", "optical-teacher", "pretrain", "similarity", "progress", "segmentation", "change", "classification",
)  # fmt: skip

#: In the order of the report of `dvc dag`. The stage `parameters` belongs to generated parameters, not to `miniature`.
STAGES = (
    StageEntry("parameters", command="parameters"),
    StageEntry(
        "data", notebook="data", reads=("parameters",), files=("data/manifests", "data/splits"), parameters=("data",),
        outs=("data/stores/{scale}",),
    ),
    StageEntry(
        "optical-teacher", notebook="optical_teacher", reads=("parameters",), stores=True, files=("data/weights",),
        parameters=("teacher", "other_teachers", "optical_teacher"),
    ),
    # What every run's arm is, a file each: pretraining depends on these, so that a changed arm reruns alone.
    StageEntry(
        "arms", command="arms", module="brew.compendium.stages.list_arms", reads=("parameters",),
        parameters=("arms", "teacher"),
    ),
    StageEntry(
        "pretrain", notebook="pretrain", per_arm=True, stores=True, trains=True,
        stated=_ARMS,
        reads=(f"arms/{ARM}.json", "data", "optical-teacher"), parameters=("teacher", "pretraining", f"changes.{ARM}"),
    ),
    _FEATURES("features", notebook="features", parameters=("arms", "teacher", "other_teachers", "backbones")),
    _FEATURES(
        "similarity", notebook="similarity",
        parameters=("arms", "teacher", "other_teachers", "backbones", "similarity"),
    ),
    _FEATURES(
        "progress", notebook="progress",
        parameters=("arms", "teacher", "other_teachers", "backbones", "pretraining.snapshots", "progress"),
    ),
    _FEATURES(
        "segmentation", notebook="segmentation", trains=True,
        parameters=("arms", "teacher", "other_teachers", "backbones", *_EVALUATION, "evaluation.segmentation"),
    ),
    _FEATURES(
        "change", notebook="change", trains=True,
        parameters=("arms", "teacher", "other_teachers", "backbones", *_EVALUATION, "evaluation.change",
                    "evaluation.siamese", "evaluation.siamese_networks"),
    ),
    _FEATURES(
        "classification", notebook="classification",
        reads=("arms", "data", "optical-teacher", "pretrain", "features"),
        parameters=("arms", "teacher", "other_teachers", "backbones", "evaluation.decoders",
                    "evaluation.label_fractions", "evaluation.protocols"),
    ),
    _FEATURES(
        "cases", notebook="cases",
        reads=("arms", "data", "optical-teacher", "pretrain", "segmentation", "change", "classification"),
        parameters=("arms", "teacher", "other_teachers", "backbones", "evaluation.samples"),
    ),
    StageEntry(
        "tables", notebook="tables", files=("data/claims.csv",), parameters=("arms", "teacher", "progress.converged"),
        reads=("similarity", "progress", "segmentation", "change", "classification"), once_measured=(_NOISE,),
    ),
    StageEntry(
        "figures", notebook="figures", parameters=("arms",), once_measured=(_NOISE,),
        reads=("pretrain", "similarity", "segmentation", "change", "classification"),
    ),
    StageEntry(
        "metrics", command="metrics", module="brew.compendium.stages.list_metrics", parameters=("arms",),
        reads=_MEASURING,
        metrics=tuple(f"reports/{{scale}}/metrics/{name}.json" for name in _MEASURING),
    ),
    StageEntry(
        "beginnings", command="beginnings", module="brew.compendium.stages.list_beginnings", stores=True,
        parameters=("rehearsal", "arms", "teacher", "other_teachers", "pretraining", "changes"),
        reads=("data", "optical-teacher", "pretrain"), published=("reports/{scale}/beginnings",),
    ),
    StageEntry(
        "pages", command="notebook render reports/{scale}/notebooks reports/{scale}/pages",
        module="brew.compendium.notebooks.pages",
        files=("reports/{scale}/notebooks", "brew/compendium/notebooks/pages.css"),
        published=("reports/{scale}/pages",), parameters=("rehearsal",),
    ),
    StageEntry(
        "site", command="report", module="brew.compendium.stages.publish_report", parameters=("arms", "rehearsal"),
        files=("reports/{scale}/stages", "reports/{scale}/notebooks", "reports/{scale}/pages", "CITATION.cff",
               *(f"brew/compendium/report/site/{name}" for name in ("templates", "site.css", "site.js"))),
        published=tuple(f"reports/{{scale}}/{name}" for name in (
            "index.html", "chapters", "benchmarks", "cases", "scores", "tables", "figures",
        )),
    ),
)  # fmt: skip


def pipeline_file(scale: str) -> str:
    """Where a scale's pipeline lies, from the root."""
    return PIPELINE if scale == MINIATURE else f"{SCALES}/{scale}/{PIPELINE}"


def pipeline_text(scale: str, package: Package) -> str:
    """The scale's dvc.yaml."""
    stream = StringIO()
    writer = YAML()
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    stages = {entry.name: definition(entry, scale, package) for entry in entries(scale)}
    writer.dump({"stages": stages, "plots": plots(scale, merged(scale, package.root)["arms"])}, stream)
    return (
        f"# Generated by `brew sync` from brew/compendium/pipeline.py and what notebooks import.\n{stream.getvalue()}"
    )


def plots(scale: str, runs: Sequence[str]) -> list[dict[str, Any]]:
    """What `dvc plots` draws: the loss of every run, step by step."""
    above = "" if scale == MINIATURE else "../../"
    losses = {f"{above}reports/{scale}/stages/pretrain/{run}/history.csv": "loss" for run in runs}
    return [{"loss": {"title": "loss of pretraining", "x": "step", "y": losses}}]


def entries(scale: str) -> tuple[StageEntry, ...]:
    """The stages of a scale: `miniature` has no generated parameters to check."""
    return tuple(entry for entry in STAGES if scale != MINIATURE or entry.name != "parameters")


def definition(entry: StageEntry, scale: str, package: Package) -> dict[str, Any]:
    """A stage as dvc.yaml states it. `exec`: a shell between DVC and a notebook would leave the notebook behind."""
    parameter_file = PARAMETERS if scale == MINIATURE else f"{SCALES}/{scale}/{PARAMETERS}"
    cached = [*_filled(entry.outs, scale), *_own(entry, scale)]
    published, metrics = (
        [{path: {"cache": False}} for path in _filled(paths, scale)] for paths in (entry.published, entry.metrics)
    )
    stated: dict[str, Any] = {"matrix": {"arm": "${arms}"}} if entry.per_arm else {}
    stated |= {"wdir": "." if scale == MINIATURE else "../..", "cmd": f"exec python -m brew {_command(entry, scale)}"}
    stated["deps"] = list(dependencies(entry, scale, package))
    if read := _parameters(entry):
        stated["params"] = [{parameter_file: read}]
    for kind, outs in (("outs", cached + published), ("metrics", metrics)):
        if outs:
            stated[kind] = outs
    return stated


def dependencies(entry: StageEntry, scale: str, package: Package) -> Iterable[str]:
    """The notebook, data and lock, then every module that can change what the stage leaves, file by file."""
    start: frozenset[str] = frozenset({entry.module} if entry.module else ())
    if entry.notebook:
        yield f"notebooks/{entry.notebook}.ipynb"
        start = package.imported_by_notebook(Path("notebooks", f"{entry.notebook}.ipynb"))
        start |= _BITS if "brew.compendium.stages" in start else frozenset()
    if entry.name == "parameters":
        yield from sources(scale)
    if entry.stores:
        yield f"data/stores/{scale}"
    read = [name for name in entry.reads if scale != MINIATURE or name != "parameters"]
    yield from (f"reports/{scale}/stages/{name}" for name in read)
    yield from _filled(entry.files, scale)
    yield from (path for path in _filled(entry.once_measured, scale) if (package.root / path).is_file())
    if entry.notebook:
        yield _LOCK
    yield from sorted(package.modules[module] for module in package.closure(start, SAY_NOTHING) - entry.stated)


def _parameters(entry: StageEntry) -> list[str]:
    """Sections of the parameter file; every notebook computes with its scale's bits, and rehearses as it says."""
    nudged = ["nudge"] if entry.trains else []
    return [*(["bits", "rehearsal"] if entry.notebook else []), *nudged, *entry.parameters]


def _command(entry: StageEntry, scale: str) -> str:
    if entry.notebook is None:
        command = str(entry.command)
        return command.format(scale=scale) if "{scale}" in command else f"{command} {scale}"
    arm = f" --set arm={ARM}" if entry.per_arm else ""
    notebook = f"notebooks/{entry.notebook}.ipynb"
    return f"notebook run {notebook} --scale {scale} --set explore=false{arm} --out {_executed(entry, scale)}"


def _own(entry: StageEntry, scale: str) -> Iterable[str]:
    """The stage's own folder and its executed notebook; a stage whose outputs are in git has neither."""
    if not entry.published and not entry.metrics:
        yield f"reports/{scale}/stages/{entry.run}"
    if entry.notebook:
        yield _executed(entry, scale)


def _executed(entry: StageEntry, scale: str) -> str:
    return f"reports/{scale}/notebooks/{entry.run.replace('/', '-')}.ipynb"


def _filled(paths: Iterable[str], scale: str) -> Iterable[str]:
    return (path.format(scale=scale) for path in paths)
