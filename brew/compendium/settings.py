"""All parameters of a scale as frozen dataclasses: where params.yaml meets the package.

Each section is the dataclass of the code that uses it; an unknown or mistyped key is an error that names the nearest
one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from brew.compendium import scales, schema
from brew.compendium.scales import Scale
from brew.data.miniature.miniature_store import MiniatureSettings
from brew.data.sources.deo_file import DeoFileSettings
from brew.data.sources.fmow.fmow_samples import FmowSettings
from brew.data.sources.geotiff import GeotiffSettings
from brew.data.sources.oscd import OscdSettings
from brew.data.sources.ssl4eo import Ssl4eoSettings
from brew.errors import BrewError
from brew.evaluation.benchmarks import Benchmark, benchmark
from brew.evaluation.change_detection import ChangeSettings
from brew.evaluation.layer_similarity import SimilaritySettings
from brew.evaluation.protocols import COMMON, check_protocols
from brew.evaluation.segmentation import SegmentationSettings
from brew.evaluation.validation_probe import ProbeSettings
from brew.files import ROOT
from brew.pretraining.optimisation import Optimisation
from brew.views import ViewSettings


@dataclass(frozen=True)
class Sources:
    """The section `data`: what the data stage builds. A source that is null is not part of the scale.

    benchmarks: further ones by name, of those whose source has no numbers of its own.
    """

    miniature: MiniatureSettings | None = None
    oscd: OscdSettings | None = None
    rsscn7: bool = False
    hot_buildings: bool = False
    paired: bool = False
    geotiff: GeotiffSettings | None = None
    fmow: FmowSettings | None = None
    ssl4eo: Ssl4eoSettings | None = None
    deo_file: DeoFileSettings | None = None
    benchmarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        own = {entry.name for entry in fields(self)}
        for name in self.benchmarks:
            if benchmark(name).source in own:
                raise BrewError(
                    f"benchmarks lists {name!r}, whose source has a key of its own; set {benchmark(name).source!r} "
                    "beside it instead"
                )

    def offers(self, entry: Benchmark) -> bool:
        """Whether the scale's data hold what the benchmark reads: of the miniature, radar and a year on request."""
        rendered = self.miniature.products if self.miniature is not None else ()
        held = entry.source != "miniature" or {entry.images, entry.labels} <= set(rendered)
        return entry.source in self.present() and held

    def present(self) -> dict[str, Any]:
        """The sources of the scale with their settings, by name."""
        own = [entry.name for entry in fields(self) if entry.name != "benchmarks"]
        listed: dict[str, Any] = {benchmark(name).source: True for name in self.benchmarks}
        return {name: value for name in own if (value := getattr(self, name))} | listed


@dataclass(frozen=True)
class FeedSettings:
    """One source of training images. variables: of its store. splits: of its samples. batch: samples per step.

    rendered: so many new scenes per epoch, rendered on the training device while training runs, instead of the
        store's; of the miniature alone.
    """

    source: str
    variables: tuple[str, ...]
    splits: tuple[str, ...]
    batch: int
    rendered: int = 0

    def __post_init__(self) -> None:
        if self.rendered and self.source != "miniature":
            raise BrewError(
                f"pretraining.feeds: {self.source!r} is to be rendered; expected 'miniature', the one source that is; "
                "leave `rendered` out"
            )


@dataclass(frozen=True)
class Pretraining:
    """The section `pretraining`. trunk: of TRUNKS. feeds: an arm takes those that have an image for its stems.

    precision: of Lightning Fabric. snapshots: how often the student is kept on its way, at equal distances and at the
    end, for the curve of what it has learned (stage `progress`); 0 keeps the last step alone.
    processes: how many the stage launches on this machine; "auto" takes its accelerators if there are several. torchrun
    and SLURM say it themselves, as for several machines (docs/running-in-parallel.md).
    """

    trunk: str
    feeds: tuple[FeedSettings, ...]
    optimisation: Optimisation
    views: ViewSettings
    precision: str = "32-true"
    snapshots: int = 0
    processes: Literal["auto"] | int = "auto"

    def __post_init__(self) -> None:
        if self.processes != "auto" and self.processes < 1:
            raise BrewError(f"processes is {self.processes}; expected at least 1, or auto")


@dataclass(frozen=True)
class LearnedTeacher:
    """How a scale trains the optical teachers that are `learned_here`. batch: images per step, of all sources."""

    batch: int
    optimisation: Optimisation
    views: ViewSettings


@dataclass(frozen=True)
class TeacherProbe:
    """The linear probe that says what a teacher knows. train, validation: scenes per source that it uses at most.

    inverse_penalty: scikit-learn's C of the logistic regression. iterations: of its solver, at most.
    """

    train: int
    validation: int
    inverse_penalty: float
    iterations: int


@dataclass(frozen=True)
class OpticalTeacherSettings:
    """The section `optical_teacher`. centre_images: training images per source that a teacher is centred on."""

    centre_images: int
    probe: TeacherProbe
    learned: LearnedTeacher


@dataclass(frozen=True)
class EvaluationSettings:
    """The section `evaluation`. decoders: trained on each model's features. orientations: of cached training maps.

    label_fractions: of the training labels that decoders are trained on; a share below one is drawn for each student.
    Classification, which costs next to nothing, always has those of `SHARES`.
    protocols: of PROTOCOLS, by which every benchmark is trained and scored: brew's own, whose numbers are the fields
    here, and states of the authors' code.
    samples: of train, validation and test that dense tasks use at most, the first of each, by the images' sensor; all
    where a sensor is not named. Scenes that are cut into tiles are never shortened.
    not_scored: benchmarks that the scale's data offer and that it leaves out for all arms, since some learn from their
    labels.
    segmentation, change, siamese: numbers of the fits. The supervised FC-Siam-diff, which is trained whole, has its own
    numbers and count: one of its trainings costs more than all decoders.
    """

    decoders: int
    orientations: int
    samples: Mapping[str, tuple[int, int, int]]
    label_fractions: tuple[float, ...]
    segmentation: SegmentationSettings
    change: ChangeSettings
    siamese: ChangeSettings
    siamese_networks: int
    protocols: tuple[str, ...] = (COMMON,)
    not_scored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_protocols(self.protocols)
        for name in self.not_scored:
            benchmark(name)
        if self.decoders < 1:
            raise BrewError(f"decoders is {self.decoders}; expected at least 1 on each model's features")


@dataclass(frozen=True)
class ProgressSettings:
    """The section `progress`. probe: numbers of the linear probes that students on their way are read with.

    converged: points that the last third of an arm's steps brings at most, if the arm has converged
    (`brew.compendium.report.convergence`).
    """

    probe: ProbeSettings
    converged: float


@dataclass(frozen=True)
class Settings:
    """Every section of params.yaml.

    bits: "portable" gives the same bytes on every x86-64 processor with AVX2, and no accelerator is used; "native" is
        what the machine does fastest. nudge: which rounding noise is added to weights at the start; 0 adds none.
    rehearsal: weights of others are random, and nothing is a result; `brew rehearse` sets it in a folder of its own.
    arms: what is pretrained, in the order of the tables; "deo-seed1" is the arm deo again, from the next seed.
    changes: per entry of `arms`, what it changes in `pretraining.optimisation`.
    teacher: the scale's optical teacher, a name of TEACHERS. other_teachers: those that its arms name beside it.
    backbones: what the arms are compared with, names of BACKBONES.
    """

    scale: Scale
    bits: Literal["portable", "native"]
    nudge: int
    rehearsal: bool
    arms: tuple[str, ...]
    changes: Mapping[str, Mapping[str, int | float]]
    data: Sources
    teacher: str
    other_teachers: tuple[str, ...]
    backbones: tuple[str, ...]
    optical_teacher: OpticalTeacherSettings
    pretraining: Pretraining
    evaluation: EvaluationSettings
    similarity: SimilaritySettings
    progress: ProgressSettings


def load(scale: str, root: Path = ROOT) -> Settings:
    """The settings of a scale of the tree `root`; BrewError naming file and key where they do not fit."""
    found = schema.load(Settings, scales.parameters(scale, root), f"parameters of scale {scale!r}")
    if unfollowed := [run for run in found.arms if run not in found.changes]:
        raise BrewError(
            f"params.yaml: `arms` names {', '.join(unfollowed)}, `changes` does not; expected a key there for each, "
            f"since DVC follows it: add `{unfollowed[0]}: {{}}` to `changes`"
        )
    return found
