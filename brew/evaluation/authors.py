"""A state of the authors' evaluation code, applied to a benchmark: what is trained, and with which numbers.

    applied = apply(opened, "authors")
    task = ...                     # of applied.opened, whose benchmark has the state's classes and metric
    backbone = applied.feed(backbone)
    settings = SegmentationSettings(applied.protocol.width, fit=applied.fit)

Known and not executed: augmentation beyond flips (SpaceNet's crops and colours), mixed precision, and EuroSAT's bands
as GEO-Bench misnames them, of which brew's store lacks one. The decoder is brew's.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from brew.evaluation.backbones import Backbone
from brew.evaluation.benchmark_metrics import UNCOUNTED, has_no_data, scored_as
from brew.evaluation.benchmark_stores import OpenedBenchmark
from brew.evaluation.fed_backbones import FedBackbone, Moments, fed_order
from brew.evaluation.fit import ScheduledFit
from brew.evaluation.protocols import STATES, Protocol, State
from brew.sensors import sensor

#: Training images that are in memory together while their statistics are taken.
_READ = 64


@dataclass(frozen=True)
class Applied:
    """A benchmark by a protocol of the authors. opened: with the classes, labels and metric of the state.

    chosen_by: the metric by which validation chooses an epoch.
    """

    opened: OpenedBenchmark
    protocol: Protocol
    state: State
    chosen_by: str

    @property
    def name(self) -> str:
        return self.state.name

    @property
    def numbers(self) -> dict[str, Any]:
        """All that decides a result beside the benchmark, for keys of results."""
        return {"protocol": asdict(self.protocol), "state": asdict(self.state), "chosen by": self.chosen_by}

    @property
    def fit(self) -> ScheduledFit:
        p = self.protocol
        return ScheduledFit(
            p.epochs, p.batch, p.learning_rate, p.weight_decay, p.loss, warmup=p.warmup, last_rate=p.last_rate,
            finetune=0.0 if self.state.frozen else p.learning_rate,
        )  # fmt: skip

    def feed(self, backbone: Backbone) -> FedBackbone:
        """The backbone with its images prepared as the authors prepared them."""
        name = self.opened.benchmark.sensor
        order = fed_order(backbone, name, self.protocol.bands, self.state.colours)
        return FedBackbone(backbone, self.moments, order, self.protocol.size)

    @cached_property
    def moments(self) -> Moments | None:
        """What standardises the images."""
        found = sensor(self.opened.benchmark.sensor)
        if self.protocol.statistics == "backbone":
            return None
        if self.protocol.statistics == "white":
            return (0.0,) * len(found), (found.white,) * len(found)
        return training_moments(self.opened)


def apply(opened: OpenedBenchmark, protocol: str) -> Applied | None:
    """The protocol on the benchmark; None if the authors did not run it. Raises KeyError for a name without a state."""
    benchmark, state = opened.benchmark, STATES[protocol]
    if benchmark.protocol is None:
        return None
    if not has_no_data(benchmark):
        return Applied(opened, benchmark.protocol, state, benchmark.metric)
    return Applied(_floods(opened, state), benchmark.protocol, state, state.floods.chosen_by)


def _floods(opened: OpenedBenchmark, state: State) -> OpenedBenchmark:
    """Sen1Floods11 as the state reads it: labels of three classes, or of the two that are data."""
    labels = opened.labels
    if state.floods.alone:
        labels = np.where(labels == 0, UNCOUNTED, labels.astype(np.int64) - 1)
    return replace(opened, benchmark=scored_as(opened.benchmark, state.name), labels=labels)


def training_moments(opened: OpenedBenchmark) -> Moments:
    """Mean and deviation of each band over the first dates of all training images; a constant band's deviation is 1."""
    train, sums, squares, count = opened.split().train, 0.0, 0.0, 0
    for start in range(0, len(train), _READ):
        images = np.asarray(opened.images.read(train[start : start + _READ]))[:, 0].astype(np.float64)
        sums, squares = sums + images.sum((0, 2, 3)), squares + np.square(images).sum((0, 2, 3))
        count += images[:, 0].size
    mean = np.asarray(sums / count)
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return tuple(mean.tolist()), tuple(np.where(deviation > 0, deviation, 1.0).tolist())
