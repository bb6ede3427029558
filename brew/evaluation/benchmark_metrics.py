"""Which metrics a benchmark is scored with: every definition in use, so that scores can stand beside any table's."""

from brew.evaluation.benchmarks import Benchmark


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
