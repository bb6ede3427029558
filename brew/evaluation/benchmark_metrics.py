"""Which metrics a benchmark is scored with: every definition in use, so that scores can stand beside any table's."""

from dataclasses import replace

from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.protocols import COMMON, STATES

#: A label outside every list of classes.
UNCOUNTED = 255


def metrics_of(benchmark: Benchmark) -> tuple[str, ...]:
    """Names of METRICS; the primary one comes first."""
    names = [benchmark.metric]
    if benchmark.multilabel:
        names += ["f1_multilabel_micro", "f1_multilabel_macro", "accuracy_multilabel"]
    elif benchmark.task == "classification":
        names += ["accuracy", "f1_macro", "f1_micro"]
    else:
        names += ["iou_macro", "iou_micro", "f1_macro", "f1_micro", "accuracy"]
        if len(benchmark.classes) == 2:
            names += ["f1", "precision", "recall", "iou"]
        elif benchmark.background:
            names += ["iou_macro_foreground", "iou_micro_foreground"]
        if benchmark.ignore is not None and benchmark.ignore < len(benchmark.classes):
            names += ["iou_macro_with_ignored", "iou_micro_with_ignored"]
    return tuple(dict.fromkeys(names))


def has_no_data(benchmark: Benchmark) -> bool:
    """Whether its first class is no data, which the authors read in three ways."""
    return benchmark.classes[0] == "no data"


def scored_as(benchmark: Benchmark, protocol: str) -> Benchmark:
    """The benchmark with the classes, the ignored label and the primary metric that a protocol scores."""
    if protocol == COMMON or benchmark.protocol is None or not has_no_data(benchmark):
        return benchmark
    floods = STATES[protocol].floods
    if floods.alone:
        return replace(benchmark, metric=floods.metric, classes=benchmark.classes[1:], ignore=UNCOUNTED)
    return replace(benchmark, metric=floods.metric)
