"""The training loop on one accelerator, end to end: from the store on disk to updated weights.

A store of random images is written, and `brew.pretraining.loop.pretrain` trains DEO on it as the paper does: two global
and ten local views, both stems, the student's moving average, a frozen DINOv3 ViT-B/16 (random weights where its own
are absent: they cost the same time), bf16. The loop runs as it is: a feed that notes when it takes a batch tells the
steps apart, and its `make_views` is wrapped to note when views begin and end. Moments are events of the device, so that
noting them makes nobody wait.

Per backbone: arithmetic counted by torch, images per second at several batches, stochastic depth both ways, host waits,
a profile. Then, of the fastest case, speed and profile with fused attention, with a compiled trunk, and with a compiled
trunk in CUDA graphs. What fails is noted with its error in `not-measured.json` and the rest goes on; files are written
after every measurement. They go to `benchmarks/results/`, the tables and traces of profiles to its folder
`accelerator/`; all of them to the folder that OUT names instead, where it is set.

Left out: several accelerators, other precisions, convergence, a compiled moving average.
"""

import argparse
import contextlib
import gc
import io
import itertools
import json
import os
import statistics
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from lightning_fabric import Fabric
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import harness
from brew.data.batches import Batch, Batches
from brew.data.store import IMAGES, Variable, write_store
from brew.errors import BrewError
from brew.files import ROOT, write_bytes
from brew.models.student import build_student
from brew.models.teachers import TEACHERS, OpticalTeacher, TeacherUnavailable, load_teacher
from brew.pretraining import feeds
from brew.pretraining.arms import arm
from brew.pretraining.loop import pretrain
from brew.pretraining.optimisation import Optimisation
from brew.sensors import PAPER_PATHS
from brew.views import ViewSettings

NAME = "accelerator"
#: What one large bf16 product of random matrices reaches on an H200.
PEAK_TFLOPS = 790.0
#: The log reads its numbers from the device once in so many steps; waits are counted over all of them.
_STEPS_PER_FLUSH = 20
_PROFILED_STEPS = 2
_SPLIT = "train"
#: Calls of CUDA's runtime in which the host waits. `cudaMemcpyAsync` is none of them.
_WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy")


@dataclass(frozen=True)
class Sizes:
    """What is trained, and on what.

    batches: per backbone, images per step, tried in turn while memory lasts. side: pixels of a stored image.
    samples: of the store; enough that no epoch ends within a measurement. warmup, steps: before all rounds and in each.
    compiler: torch.compile's backend.
    """

    batches: Mapping[str, tuple[int, ...]]
    views: ViewSettings
    side: int
    samples: int
    teacher: str
    hidden: int
    warmup: int
    steps: int
    compiler: str


PAPER = Sizes(
    {"swin-t": (64, 128, 192), "swin-b": (24, 40, 52)}, ViewSettings(), side=256, samples=4096,
    teacher="dinov3-vitb16", hidden=2048, warmup=4, steps=3, compiler="inductor",
)  # fmt: skip
SMALL = Sizes(
    {"swin-nano": (2, 4)}, ViewSettings(global_size=32, local_size=16, locals=2, blur_kernel=5), side=32, samples=64,
    teacher="miniature", hidden=32, warmup=1, steps=1, compiler="eager",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One way to train. fixed_count: stochastic depth drops the same share of every batch, before computing it.

    fused: windows attend in brew's own kernel. compiled: the trunk is. graphs: its kernels are launched together.
    """

    backbone: str
    batch: int
    fixed_count: bool = True
    compiled: bool = False
    fused: bool = False
    graphs: bool = False

    def __post_init__(self) -> None:
        if self.graphs and not self.compiled:
            raise BrewError(
                "graphs are asked for without a compiler; expected compiled=True beside graphs=True; set it"
            )

    def __str__(self) -> str:
        depth = "" if self.fixed_count else ", depth drawn per sample"
        return f"{self.backbone}, batch {self.batch}{depth}{''.join(f', {each}' for each in self.ways)}"

    @property
    def ways(self) -> tuple[str, ...]:
        """What of this case is not the default, in words."""
        asked = {"fused attention": self.fused, "compiled": self.compiled, "CUDA graphs": self.graphs}
        return tuple(name for name, wanted in asked.items() if wanted)


@dataclass(frozen=True)
class Result:
    """Values of one quantity, one per round. details: what else the run told; the JSON file alone keeps it."""

    name: str
    unit: str
    values: tuple[float, ...]
    settings: Mapping[str, object]
    details: Mapping[str, object] = field(default_factory=dict)
    machine: Mapping[str, object] = field(default_factory=harness.machine)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def record(self) -> dict[str, Any]:
        """In the harness's form, to four significant digits."""
        return {
            "name": self.name,
            "ratio": None,
            "ours": _rounded(self.median),
            "conventional": None,
            "unit": self.unit,
            "rounds": len(self.values),
            "spread": {"ours": [_rounded(min(self.values)), _rounded(max(self.values))]},
            "settings": dict(self.settings),
            "machine": dict(self.machine),
            "details": dict(self.details),
        }

    def __str__(self) -> str:
        return f"{self.name}: {self.median:.4g} ({min(self.values):.4g}-{max(self.values):.4g}) {self.unit}"


@dataclass(frozen=True)
class Bench:
    """Where cases run. weights: the teacher's, "own" or "random"."""

    sizes: Sizes
    device: torch.device
    precision: str
    store: Path
    teacher: OpticalTeacher
    weights: str

    @property
    def on_accelerator(self) -> bool:
        return self.device.type == "cuda"

    def settings(self, case: Case) -> dict[str, object]:
        """What a reader needs to repeat the case."""
        views, side = self.sizes.views, self.sizes.side
        return {
            "backbone": case.backbone,
            "batch": case.batch,
            "stochastic depth": "fixed count" if case.fixed_count else "drawn per sample",
            "attention": "fused" if case.fused else "torch's",
            "compiled": f"trunk, {self.sizes.compiler}" if case.compiled else "no",
            "CUDA graphs": "yes" if case.graphs else "no",
            "precision": self.precision,
            "teacher": f"{self.sizes.teacher} ({self.weights} weights)",
            "images": f"random, 10 x {side} x {side} uint16 and 3 x {side} x {side} uint8",
            "views": f"2 x {views.global_size} and {views.locals} x {views.local_size} px",
        }


class Timeline:
    """Moments on the device's own clock, noted without waiting for it.

    steps: when each step began. host: the same by the host's clock. views: when making views began and ended.
    at_step: called with the number of the step that begins.
    """

    def __init__(self, device: torch.device, at_step: Callable[[int], None]):
        self._device, self._at_step = device, at_step
        self.steps: list[Any] = []
        self.host: list[float] = []
        self.views: list[tuple[Any, Any]] = []

    def begin_step(self) -> None:
        self._at_step(len(self.steps))
        self.steps.append(self._now())
        self.host.append(time.perf_counter())

    def timed(self, make_views: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose calls are noted in `views`."""

        def run(*arguments: Any, **named: Any) -> Any:
            begin = self._now()
            views = make_views(*arguments, **named)
            self.views.append((begin, self._now()))
            return views

        return run

    def rounds(self, warmup: int, steps: int) -> list[float]:
        """Seconds of rounds of `steps` steps each after the warm-up; the step that ends the last one is in none."""
        return [self._seconds(*each) for each in itertools.pairwise(self.steps[warmup::steps])]

    def views_share(self, warmup: int, steps: int) -> list[float]:
        """Share of each of `rounds` that making views took, with one feed."""
        taken = [self._seconds(*view) for view in self.views[warmup:]]
        rounds = self.rounds(warmup, steps)
        return [sum(taken[i * steps : (i + 1) * steps]) / seconds for i, seconds in enumerate(rounds)]

    def _seconds(self, begin: Any, end: Any) -> float:
        return begin.elapsed_time(end) / 1e3 if self._device.type == "cuda" else end - begin

    def _now(self) -> Any:
        if self._device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


class Watched:
    """A feed that says when the loop takes a batch."""

    def __init__(self, feed: Batches, begin: Callable[[], None]):
        self._feed, self._begin, self.name = feed, begin, feed.name

    def __len__(self) -> int:
        return len(self._feed)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        for batch in self._feed.epoch(epoch, start_step):
            self._begin()
            yield batch


class Training:
    """A case that can be trained, several times over: what was compiled stays compiled."""

    def __init__(self, bench: Bench, case: Case):
        self.bench, self.case = bench, case
        self._arm = arm("deo").with_teacher(bench.sizes.teacher)
        self._student = build_student(
            case.backbone, self._arm.paths, fixed_count=case.fixed_count, fused_attention=case.fused, seed=0
        )
        if case.graphs and not bench.on_accelerator:
            raise BrewError(f"device {bench.device}; expected an accelerator, whose launches CUDA graphs put together")
        if case.compiled:
            graphs = {"options": {"triton.cudagraphs": True}} if case.graphs else {}
            self._student.trunk.compile(backend=bench.sizes.compiler, dynamic=False, **graphs)
        self._feed = Batches("images", bench.store, PAPER_PATHS, (_SPLIT,), case.batch, 0, bench.device)

    def run(self, steps: int, at_step: Callable[[int], None] = lambda step: None) -> Timeline:
        """Train for so many steps, and wait for their end."""

        def begin(step: int) -> None:
            if self.case.graphs:  # what graphs gave earlier in the step is still read
                torch.compiler.cudagraph_mark_step_begin()
            at_step(step)

        bench, timeline = self.bench, Timeline(self.bench.device, begin)
        optimisation = Optimisation(
            steps=steps, learning_rate=5e-4 * self.case.batch / 256, hidden=bench.sizes.hidden,
            fused_attention=self.case.fused, checkpoint_every_s=float("inf"),
        )  # fmt: skip
        with (
            patch.object(feeds, "make_views", timeline.timed(feeds.make_views)),
            contextlib.redirect_stderr(io.StringIO()),  # progress bars would bury the results
        ):
            pretrain(
                self._arm, self._student, {bench.teacher.name: bench.teacher},
                [Watched(self._feed, timeline.begin_step)], bench.sizes.views, optimisation,
                bench.store.with_name("unfinished.pt"),
                Fabric(accelerator=bench.device.type, devices=1, precision=bench.precision),  # type: ignore[arg-type]
            )  # fmt: skip
        if bench.on_accelerator:
            torch.cuda.synchronize()
        return timeline


def arithmetic(bench: Bench, case: Case) -> list[Result]:
    """FLOP per image, counted by torch in one step: teachers, student, heads, backward pass; without the views.

    Branches that stochastic depth drops before computing them are not counted.
    """
    views = 0

    def apart(make_views: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            nonlocal views
            with FlopCounterMode(display=False) as counter:
                made = make_views(*arguments, **named)
            views += counter.get_total_flops()
            return made

        return run

    training = Training(bench, case)
    with patch.object(feeds, "make_views", apart(feeds.make_views)), FlopCounterMode(display=False) as counter:
        training.run(1)
    gflop = (counter.get_total_flops() - views) / case.batch / 1e9
    details = {"views, GFLOP per image": _rounded(views / case.batch / 1e9)}
    return [Result(f"{case}: arithmetic per image", "GFLOP", (gflop,), bench.settings(case), details)]


def speed(training: Training, rounds: int, gflop: float | None) -> list[Result]:
    """Images per second first; then the share of the views and, on an accelerator, memory and the share of its peak."""
    bench, case, sizes = training.bench, training.case, training.bench.sizes
    if bench.on_accelerator:
        torch.cuda.reset_peak_memory_stats()
    timeline = training.run(sizes.warmup + rounds * sizes.steps + 1)
    rates = tuple(sizes.steps * case.batch / seconds for seconds in timeline.rounds(sizes.warmup, sizes.steps))
    shares = tuple(100 * share for share in timeline.views_share(sizes.warmup, sizes.steps))
    settings = bench.settings(case)
    others = [Result(f"{case}: views", "% of the step", shares, settings)]
    if bench.on_accelerator:
        memory = torch.cuda.max_memory_allocated() / 1e9
        others.append(Result(f"{case}: most memory in use", "GB", (memory,), settings))
    if bench.on_accelerator and gflop is not None:
        used = tuple(100 * rate * gflop / (PEAK_TFLOPS * 1e3) for rate in rates)
        others.append(Result(f"{case}: arithmetic", f"% of {PEAK_TFLOPS:g} TFLOP/s", used, settings))
    # The first step compiles, chooses algorithms and takes memory.
    details = {"first step, s": _rounded(timeline.host[1] - timeline.host[0])}
    details |= {f"{other.name.rpartition(': ')[2]}, {other.unit}": _rounded(other.median) for other in others}
    return [Result(f"{case}: end to end", "images/s", rates, settings, details), *others]


def host_waits(training: Training) -> list[Result]:
    """How often a step makes the host wait for the device, as far as torch knows, and the lines of code that do."""
    bench, case = training.bench, training.case
    if not bench.on_accelerator:
        raise BrewError(f"device {bench.device}; expected an accelerator, without which nobody waits for one")
    begin = bench.sizes.warmup
    end = begin + _STEPS_PER_FLUSH

    def switch(step: int) -> None:
        if step in (begin, end):
            torch.cuda.set_sync_debug_mode("warn" if step == begin else "default")

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            training.run(end + 1, switch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    waits = [each for each in caught if "synchronizing CUDA operation" in str(each.message)]
    lines = Counter(f"{_from_root(each.filename)}:{each.lineno}" for each in waits)
    details = {line: count / _STEPS_PER_FLUSH for line, count in lines.most_common()}
    count = len(waits) / _STEPS_PER_FLUSH
    return [Result(f"{case}: host waits", "per step", (count,), bench.settings(case), details)]


def profiled(training: Training, folder: Path) -> list[Result]:
    """Profile some steps into `folder`: the operations that take longest as a table, and a trace for a trace viewer.

    Returns how often the host waited in CUDA's runtime, calls by libraries included; nothing without an accelerator.
    """
    bench, case = training.bench, training.case
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if bench.on_accelerator else [])]
    profiler, begin = profile(activities=activities), bench.sizes.warmup

    def switch(step: int) -> None:
        if step == begin:
            profiler.start()
        elif step == begin + _PROFILED_STEPS:
            if bench.on_accelerator:
                torch.cuda.synchronize()
            profiler.stop()

    training.run(begin + _PROFILED_STEPS + 1, switch)
    events = profiler.key_averages()
    by = "self_device_time_total" if bench.on_accelerator else "self_cpu_time_total"
    table = events.table(sort_by=by, row_limit=50, max_name_column_width=100)
    label = "-".join((case.backbone, *case.ways)).replace(" ", "-").lower()
    write_bytes(folder / f"profile-{label}.txt", f"{case}, {_PROFILED_STEPS} steps\n{table}\n".encode())
    profiler.export_chrome_trace(str(folder / f"trace-{label}.json.gz"))
    if not bench.on_accelerator:
        return []
    calls = {event.key: event.count / _PROFILED_STEPS for event in events if event.key in _WAITS}
    count = sum(calls.values()) - 1 / _PROFILED_STEPS  # the synchronisation above is no part of the steps
    return [Result(f"{case}: host waits seen by the profiler", "per step", (count,), bench.settings(case), calls)]


class Ledger:
    """Everything measured so far, on disk after each measurement, so that a run that is cut off leaves what it had.

    folder: of profiles and `not-measured.json`. budget_s: after so many seconds nothing new is begun.
    backbones: those measured now; earlier results of others stay in the file.
    """

    def __init__(self, quick: bool, out: Path | None, budget_s: float, backbones: Sequence[str]):
        self._quick, self._out, self._end = quick, out, time.monotonic() + budget_s
        results = harness.QUICK_RESULTS if quick else harness.RESULTS
        self.folder = out or results / NAME
        self.folder.mkdir(parents=True, exist_ok=True)
        earlier = results / f"{NAME}.json"
        records = json.loads(earlier.read_text()) if earlier.exists() else []
        self._kept = [_Kept(each) for each in records if each["settings"]["backbone"] not in backbones]
        self._results: list[Result] = []
        self._absent: list[dict[str, str]] = []

    def measure(
        self, name: str, run: Callable[[], list[Result]], needs_s: float, keep: int | None = None
    ) -> list[Result]:
        """What `run` gives, of which the first `keep` are written; nothing where it fails or time is short.

        needs_s: seconds of the budget without which it is not begun.
        """
        left = self._end - time.monotonic()
        try:
            if left < needs_s:
                raise BrewError(
                    f"{max(left, 0):.0f} s of the budget are left; expected {needs_s:g} s; raise --budget-s"
                )
            results = run()
        except Exception as error:  # whatever an accelerator or a compiler meets must not end the other measurements
            reason = f"{type(error).__name__}: {str(error).strip()[:1000]}"
            print(f"not measured: {name}: {reason.splitlines()[0]}", flush=True)
            self._absent.append({"name": name, "reason": reason})
            results = []
        gc.collect()  # what a failed one held would be missing in the next
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        self.add(results[:keep])
        return results

    def add(self, results: Sequence[Result]) -> None:
        for result in results:
            print(result, flush=True)
        self._results += results
        with contextlib.redirect_stdout(io.StringIO()):  # it prints all of them, each time
            written = harness.write(NAME, *self._kept, *self._results, quick=self._quick)  # type: ignore[arg-type]
        write_bytes(self.folder / "not-measured.json", f"{json.dumps(self._absent, indent=1)}\n".encode())
        if self._out is not None:
            write_bytes(self._out / written.name, written.read_bytes())


@dataclass(frozen=True)
class _Kept:
    """A record of an earlier run."""

    content: Mapping[str, Any]

    def record(self) -> Mapping[str, Any]:
        return self.content


def measure_eager(ledger: Ledger, bench: Bench, backbone: str, rounds: int) -> tuple[Case, float | None] | None:
    """A backbone as it is: arithmetic, speed at each batch, host waits, profile, speed with depth drawn per sample.

    Returns its fastest case and the GFLOP per image of that; None where none ran.
    """
    smallest, *_ = cases = [Case(backbone, batch) for batch in bench.sizes.batches[backbone]]

    def counted(case: Case) -> float | None:
        results = ledger.measure(f"{case}: arithmetic per image", partial(arithmetic, bench, case), 15)
        return results[0].values[0] if results else None

    def timed(case: Case, gflop: float | None) -> list[Result]:
        return ledger.measure(str(case), lambda: speed(Training(bench, case), rounds, gflop), 25, keep=1)

    gflop, speeds = counted(smallest), {}
    for case in cases:
        results = timed(case, gflop)
        if not results:  # what does not fit into memory leaves nothing to larger batches
            break
        speeds[case] = results
    if not speeds:
        return None
    best = max(speeds, key=lambda case: speeds[case][0].median)
    ledger.add(speeds[best][1:])
    ledger.measure(f"{best}: host waits", lambda: host_waits(Training(bench, smallest)), 25)
    ledger.measure(f"{best}: profile", lambda: profiled(Training(bench, best), ledger.folder), 30)
    drawn = [replace(case, fixed_count=False) for case in speeds]
    of_drawn = counted(drawn[0])
    for case in reversed(drawn):  # every branch is computed, so the largest batch may not fit
        if timed(case, of_drawn):
            break
    return best, gflop


def measure_fused(ledger: Ledger, bench: Bench, case: Case, rounds: int, gflop: float | None) -> None:
    """Speed and profile with fused attention, whose kernels are compiled in the first step."""
    if ledger.measure(str(case), lambda: speed(Training(bench, case), rounds, gflop), 60):
        ledger.measure(f"{case}: profile", lambda: profiled(Training(bench, case), ledger.folder), 30)


def measure_compiled(ledger: Ledger, bench: Bench, case: Case, rounds: int, gflop: float | None) -> None:
    """Speed and profile with a compiled trunk; compiling takes minutes, all of them in the first step."""
    torch._dynamo.reset()
    trainings: list[Training] = []

    def run() -> list[Result]:
        trainings.append(Training(bench, case))
        return speed(trainings[0], rounds, gflop)

    if ledger.measure(str(case), run, 120):
        ledger.measure(f"{case}: profile", lambda: profiled(trainings[0], ledger.folder), 30)


def write_images(path: Path, samples: int, side: int) -> None:
    """A store of random images; their values spread over what sensors give."""
    random = np.random.default_rng(0)
    images = {"multispectral": ((1, 10, side, side), "uint16", 8000), "optical": ((1, 3, side, side), "uint8", 256)}
    variables = {name: Variable(IMAGES[name][1], shape, dtype) for name, (shape, dtype, _) in images.items()}
    variables |= {name: Variable(("sample",), (), "text") for name in ("split", "hash")}

    def blocks(size: int = 64) -> Iterator[dict[str, np.ndarray]]:
        for first in range(0, samples, size):
            count = min(size, samples - first)
            block = {
                name: random.integers(0, end, (count, *shape), dtype) for name, (shape, dtype, end) in images.items()
            }
            yield block | {"split": np.full(count, _SPLIT), "hash": np.arange(first, first + count).astype(str)}

    write_store(path, samples, variables, blocks(), {"source": "random numbers", "licence": "none"})


def find_teacher(name: str) -> tuple[OpticalTeacher, str]:
    """The frozen teacher and what its weights are, its own or, where these are absent, random ones."""
    try:
        return load_teacher(name), "own"
    except TeacherUnavailable:
        return TEACHERS[name].build(random=True), "random"


def _from_root(file: str) -> str:
    """The file's path from the repository's root; its name alone where it lies elsewhere."""
    path = Path(file)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{NAME}", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement of speed")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the script; no measurement")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--backbones", help="those to measure, comma-separated; all where none is named")
    parser.add_argument("--budget-s", type=float, default=540.0, help="seconds after which nothing new is begun")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    chosen = arguments(given)
    if chosen.device == "cpu" and not chosen.quick:
        print("no accelerator: nothing measured. `--quick` tries the script without one")
        return
    sizes = SMALL if chosen.quick else PAPER
    backbones = chosen.backbones.split(",") if chosen.backbones else list(sizes.batches)
    unknown = sorted(set(backbones) - set(sizes.batches))
    if unknown:
        raise BrewError(f"backbones {', '.join(unknown)} have no batches here; expected {', '.join(sizes.batches)}")
    ledger = Ledger(chosen.quick, Path(os.environ["OUT"]) if "OUT" in os.environ else None, chosen.budget_s, backbones)
    device, precision = ("cuda:0", "bf16-mixed") if chosen.device == "cuda" else ("cpu", "32-true")
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder) / "images", sizes.samples, sizes.side)
        teacher, weights = find_teacher(sizes.teacher)
        bench = Bench(sizes, torch.device(device), precision, Path(folder) / "images", teacher.to(device), weights)
        fastest = [measure_eager(ledger, bench, backbone, chosen.rounds) for backbone in backbones]
        ran = [each for each in fastest if each is not None]
        for best, gflop in ran:
            measure_fused(ledger, bench, replace(best, fused=True), chosen.rounds, gflop)
        for graphs, (best, gflop) in itertools.product((False, True), ran):
            case = replace(best, compiled=True, graphs=graphs)
            measure_compiled(ledger, bench, case, chosen.rounds, gflop)


if __name__ == "__main__":
    main()
