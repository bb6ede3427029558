"""The tables of `docs/scaling.md`: what the paper's run needs, derived from counts and measurements.

Counted here, on tensors without values: arithmetic and parameters of brew's own networks. Read from
`benchmarks/results/`: reading, two processes and the accelerator's rate, where they were measured. Everything else is
an assumption and stands in `Assumptions`, which the page prints. Left out: the expansion head and losses (below 1 % of
the arithmetic), evaluation, and the cost of starting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.report import read
from brew.errors import BrewError
from brew.files import ROOT, write_bytes
from brew.models.student import build_student
from brew.sensors import PAPER_PATHS, PATHS

PAGE = ROOT / "docs" / "scaling.md"
_BEGIN, _END = "<!-- tables: python -m benchmarks.scaling -->", "<!-- end of tables -->"
_FLOAT32 = 4


@dataclass(frozen=True)
class Run:
    """The paper's: images, epochs and views; bands and side of a stored sample; how many have a finer optical image."""

    images: int = 500_000
    epochs: int = 100
    globals: int = 2
    global_size: int = 224
    locals: int = 10
    local_size: int = 96
    bands: int = 10
    side: int = 256
    optical_images: int = 150_000
    head_width: int = 256


@dataclass(frozen=True)
class Assumptions:
    """What was not measured: rates in FLOP/s and bytes/s, sizes in bytes. Pairs are ranges, low and high.

    peak: dense bf16 of an H100 or H200. sustained: share of it. optical_zoom: optical pixels per band pixel and side.
    batch: images per accelerator and step. activations: bytes per image that the backward pass needs.
    """

    peak: tuple[float, float] = (790e12, 990e12)
    sustained: tuple[float, float] = (0.2, 0.4)
    optical_zoom: tuple[int, int] = (1, 4)
    batch: int = 32
    activations: float = 2.2e9
    nvlink: float = 300e9
    infiniband: float = 45e9
    ethernet: float = 1.1e9

    def rows(self) -> list[tuple[str, str]]:
        """What is assumed, in words and readable units."""
        return [
            ("dense bf16 of an accelerator (H100 to H200), TFLOP/s", _range(self.peak, 1e12)),
            ("share of it that training sustains", _range(self.sustained)),
            ("optical pixels per band pixel and side", _range(self.optical_zoom)),
            ("images per accelerator and step", f"{self.batch}"),
            ("saved activations per image, GB", f"{self.activations / 1e9:g}"),
            ("NVLink, GB/s", f"{self.nvlink / 1e9:g}"),
            ("InfiniBand, GB/s", f"{self.infiniband / 1e9:g}"),
            ("Ethernet, GB/s", f"{self.ethernet / 1e9:g}"),
        ]


def _range(pair: Sequence[float], unit: float = 1.0) -> str:
    return " to ".join(f"{value / unit:g}" for value in pair)


@dataclass(frozen=True)
class Work:
    """FLOP per training image, and parameters of student and heads."""

    student: float
    teacher: float
    optical_teacher: float
    parameters: int

    @property
    def total(self) -> float:
        return self.student + self.teacher + self.optical_teacher


def count(run: Run, backbone: str = "swin-b") -> Work:
    """Counted by torch on tensors without values; the backward pass counts twice the forward one."""
    with torch.device("meta"):
        student = build_student(backbone, stochastic_depth=0.0).eval()
        optical = timm.create_model("vit_base_patch16_dinov3.lvd1689m", pretrained=False).eval()
        heads = [_head(student.width, run.head_width), *(_head(width, 768) for width in _distilled(student))]

    def through(path: str, size: int) -> float:
        images = torch.empty(1, PATHS[path], size, size, device="meta")
        return _flop(lambda: student.encode(images, path))

    views = ((run.globals, run.global_size), (run.locals, run.local_size))
    forward = sum(number * through(path, size) for path in PAPER_PATHS for number, size in views)
    teacher = run.globals * through("multispectral", run.global_size)
    image = torch.empty(1, 3, run.global_size, run.global_size, device="meta")
    parameters = sum(each.numel() for part in (student, *heads) for each in part.parameters())
    return Work(3 * forward, teacher, run.globals * _flop(lambda: optical(image)), parameters)


def _distilled(student: nn.Module) -> Sequence[int]:
    """Widths of what the three distillation heads see: class token, late and middle patches."""
    return student.width, student.late_width, student.middle_width  # type: ignore[return-value]


def _head(width: int, out: int) -> nn.Module:
    """The method's head: three layers, 2048 wide."""
    return nn.Sequential(nn.Linear(width, 2048), nn.GELU(), nn.Linear(2048, 2048), nn.GELU(), nn.Linear(2048, out))


def _flop(forward: Any) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        forward()
    return float(counter.get_total_flops())


def tables(run: Run, work: Work, given: Assumptions, results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The generated part of the page, as Markdown."""
    return "\n".join(
        (_counted(work), _time(run, work, given), _storage(run), _network(run, work, given), _known(results, given))
    )


def _counted(work: Work) -> str:
    return _table(
        ("per training image", "GFLOP"),
        [
            ("student, both stems, forward and backward (3 x forward)", f"{work.student / 1e9:.0f}"),
            ("multispectral teacher, global views", f"{work.teacher / 1e9:.0f}"),
            ("optical teacher, global views", f"{work.optical_teacher / 1e9:.0f}"),
            ("together", f"{work.total / 1e9:.0f}"),
        ],
    )


def rates(work: Work, given: Assumptions) -> tuple[float, float]:
    """Images per second of one accelerator, low and high."""
    low, high = (peak * share / work.total for peak, share in zip(given.peak, given.sustained, strict=True))
    return low, high


def _time(run: Run, work: Work, given: Assumptions) -> str:
    low, high = rates(work, given)
    sample = run.bands * run.side**2 * 2
    rows = []
    for number in (1, 8, 16):
        days = [run.images * run.epochs / (rate * number) / 86400 for rate in (high, low)]
        read = [rate * number * sample / 1e6 for rate in (low, high)]
        rows.append((
            str(number), f"{low * number:.0f}-{high * number:.0f}", f"{days[0]:.1f}-{days[1]:.1f}",
            f"{read[0]:.0f}-{read[1]:.0f}",
        ))  # fmt: skip
    return _table(("accelerators", "images/s", "days", "reading, MB/s"), rows)


def _storage(run: Run) -> str:
    bands = run.images * run.bands * run.side**2 * 2
    rows = [("ten bands, uint16", f"{run.images:,} x {run.bands} x {run.side}² x 2", f"{bands / 1e9:.0f}")]
    for zoom in Assumptions().optical_zoom:
        size = run.optical_images * 3 * (zoom * run.side) ** 2
        formula = f"{run.optical_images:,} x 3 x ({zoom} x {run.side})²"
        rows.append((f"finer optical, uint8, zoom {zoom}", formula, f"{size / 1e9:.0f}"))
    return _table(("stored, uncompressed", "bytes", "GB"), rows)


def _network(run: Run, work: Work, given: Assumptions) -> str:
    gradients, covariance = work.parameters * _FLOAT32, run.globals * run.head_width**2 * _FLOAT32
    step = [given.batch / rate for rate in reversed(rates(work, given))]
    rows = [
        ("gradients per step, MB", f"{gradients / 1e6:.0f}"),
        ("covariances of the coding rate per step, MB", f"{covariance / 1e6:.2f}"),
        ("step, s", f"{step[0]:.2f}-{step[1]:.2f}"),
    ]
    for name in ("nvlink", "infiniband", "ethernet"):
        # A ring moves every gradient out and in: twice (n - 1) / n, here for sixteen.
        seconds = 2 * 15 / 16 * (gradients + covariance) / getattr(given, name)
        rows.append((f"all-reduce over {name}, 16 accelerators, s (not overlapped)", f"{seconds:.3f}"))
    # Weights, gradients, two moments of AdamW; the multispectral teacher's weights.
    memory = 5 * work.parameters * _FLOAT32
    checkpoint = 4 * work.parameters * _FLOAT32
    rows += [
        ("weights, gradients, optimiser, teacher, GB", f"{memory / 1e9:.1f}"),
        (f"saved activations at {given.batch} images, GB", f"{given.batch * given.activations / 1e9:.0f}"),
        ("checkpoint (weights, teacher, two moments), GB", f"{checkpoint / 1e9:.1f}"),
    ]
    return _table(("network and memory of one accelerator", ""), rows)


def _known(results: Mapping[str, Sequence[Mapping[str, Any]]], given: Assumptions) -> str:
    rows = [
        (f"{file}: {record['name']}", f"{record['ours']:.4g} {record['unit']}")
        for file in ("reading", "accelerator", "weak_scaling")
        for record in results.get(file, ())
    ]
    measured = (
        _table(("measured", ""), rows)
        if rows
        else "Measured so far: neither reading nor an accelerator nor two processes.\n"
    )
    return f"{measured}\n" + _table(("assumed", ""), given.rows())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def replaced(text: str, generated: str) -> str:
    """The page with its generated part renewed; BrewError where the marks are absent."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise BrewError(f"the page lacks {_BEGIN!r} or {_END!r}; expected both: put them back around the tables")
    return f"{before}{_BEGIN}\n\n{generated}\n{_END}{after}"


def main(page: Path = PAGE) -> None:
    run = Run()
    generated = tables(run, count(run), Assumptions(), read())
    write_bytes(page, replaced(page.read_text(), generated).encode())
    print(f"wrote {page}")


if __name__ == "__main__":
    main()
