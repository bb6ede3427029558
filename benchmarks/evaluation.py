"""Frozen features, computed once and reused by every probe; neighbours and a linear probe at a benchmark's size.

Features: pooled vectors of patches of 10 x 120 x 120 (BigEarthNet's size) through a random Swin-B, whose weights cost
as much as trained ones. Each round has a cell of patches: the first call computes and keeps it ("conventional": what
every probe would pay), the next one reads it back ("ours": what every probe but the first pays).
Probes: 20,000 training vectors of 1,024 values, 43 labels, 1,000 validation and test vectors each (m-bigearthnet's
size), synthetic, their covariance's eigenvalues falling as 1/k as those of real features do. The conventional way is
scikit-learn's, with the same choices on the validation set. Its linear probe fits label by label, minutes for all 43:
both ways are compared on four labels, and ours is timed on all of them beside. Four favour the conventional way, whose
cost per label does not fall with their number. Nearest neighbours are compared with one label per image, of 43 classes.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import Comparison, Measurement, arguments, compare, machine, seconds_of, single, write
from brew.evaluation.backbones import Backbone, random_backbone
from brew.evaluation.classification import NEIGHBOURS, STRENGTHS, linear_probe_multilabel, neighbours
from brew.evaluation.frozen_features import InMemory, extract_pooled
from brew.evaluation.result_cache import CachedResult, cached
from brew.evaluation.splits import Split
from brew.models.student import build_student

_SIDE = 120
_TEMPERATURE = 0.07


@dataclass(frozen=True)
class Sizes:
    """patches: in all rounds together. held_out: validation vectors, and as many test ones. compared: of the labels."""

    backbone: str = "swin-b"
    patches: int = 1000
    batch: int = 20
    train: int = 20_000
    held_out: int = 1000
    width: int = 1024
    labels: int = 43
    compared: int = 4


QUICK = Sizes("swin-nano", 40, 4, 200, 50, 32, 5, 2)


@dataclass(frozen=True)
class Vectors:
    """Features, their labels (0/1 per label), and a class each: the first label that scores highest."""

    features: Float[np.ndarray, "sample width"]
    labels: Int64[np.ndarray, "sample label"]
    classes: Int64[np.ndarray, " sample"]
    split: Split


def vectors(sizes: Sizes, seed: int = 0) -> Vectors:
    """Correlated features, and labels that depend on them linearly with logistic noise, one in six present."""
    generator = np.random.default_rng(seed)
    count, width = sizes.train + 2 * sizes.held_out, sizes.width
    rotation = np.linalg.qr(generator.standard_normal((width, width)))[0]
    latent = generator.standard_normal((count, width)) / np.sqrt(np.arange(1, width + 1))
    scores = latent @ generator.standard_normal((width, sizes.labels)) + 0.5 * generator.logistic(
        size=(count, sizes.labels)
    )
    labels = (scores > np.quantile(scores, 5 / 6, axis=0)).astype(np.int64)
    parts = np.split(np.arange(count), (sizes.train, sizes.train + sizes.held_out))
    return Vectors((latent @ rotation).astype(np.float32), labels, scores.argmax(1), Split(*parts))


def reuse(backbone: Backbone, sizes: Sizes, rounds: int) -> Comparison:
    """First and next call for the features of a cell of patches, a new cell each round."""
    count = sizes.patches // rounds
    images = np.random.default_rng(0).integers(0, 4000, (count, 10, _SIDE, _SIDE), dtype=np.uint16)
    found, first, later = machine(), [], []

    def compute() -> CachedResult:
        pooled = extract_pooled(backbone, InMemory(images), np.arange(count), "sentinel2", batch=sizes.batch)
        return CachedResult({"patches": count}, {"features": pooled})

    compute_once = extract_pooled(backbone, InMemory(images), np.arange(1), "sentinel2")  # warms up
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):

            def call(key: int = turn) -> CachedResult:
                return cached("features", {"part": key}, compute, Path(folder))

            first.append(seconds_of(call))
            later.append(seconds_of(call))
    settings = {
        "backbone": sizes.backbone,
        "patches": count * rounds,
        "patch": [10, _SIDE, _SIDE],
        "batch": sizes.batch,
        "width": compute_once.shape[1],
        "ms_per_patch": [round(1000 * seconds / count, 2) for seconds in first],
    }
    both = (Measurement("features reused", "patches/s", count, tuple(each), settings, found) for each in (later, first))
    return Comparison(*both)


def probes(sizes: Sizes, rounds: int) -> list[Comparison | Measurement]:
    """Both probes with their choice on the validation set, beside scikit-learn's."""
    data = vectors(sizes)
    some = replace(data, labels=data.labels[:, : sizes.compared])
    vectors_used = {"train": sizes.train, "validation": sizes.held_out, "test": sizes.held_out, "width": sizes.width}

    def settings(labels: int, grid: Sequence[float]) -> dict[str, object]:
        return vectors_used | {"labels": labels, "grid": list(grid)}

    # No warm-up: a round takes seconds to a minute, and nothing but imports, done by then, would be warm after it.
    return [
        compare(
            "nearest neighbours",
            lambda: neighbours(data.features, data.classes, sizes.labels, data.split),
            lambda: conventional_neighbours(data),
            unit="probes/min", work=60, rounds=rounds, warmup=0, settings=settings(sizes.labels, NEIGHBOURS),
        ),
        compare(
            f"linear probe, {sizes.compared} labels",
            lambda: linear_probe_multilabel(some.features, some.labels, some.split),
            lambda: conventional_probe(some),
            unit="labels/min", work=60 * sizes.compared, rounds=rounds, warmup=0,
            settings=settings(sizes.compared, STRENGTHS),
        ),
        single(
            f"linear probe, {sizes.labels} labels",
            lambda: linear_probe_multilabel(data.features, data.labels, data.split),
            unit="labels/min", work=60 * sizes.labels, rounds=rounds, warmup=0,
            settings=settings(sizes.labels, STRENGTHS),
        ),
    ]  # fmt: skip


def conventional_neighbours(data: Vectors) -> Int64[np.ndarray, " test"]:
    """Predictions of scikit-learn's weighted nearest neighbours, k chosen on validation."""
    scaler = StandardScaler().fit(data.features[data.split.train])
    train, validation, test = _scaled(scaler, data)

    def fitted(count: int) -> KNeighborsClassifier:
        model = KNeighborsClassifier(
            count, metric="cosine", algorithm="brute", weights=lambda distance: np.exp(-distance / _TEMPERATURE)
        )
        return model.fit(train, data.classes[data.split.train])

    models = [fitted(count) for count in NEIGHBOURS]
    scores = [model.score(validation, data.classes[data.split.validation]) for model in models]
    return models[int(np.argmax(scores))].predict(test)


def conventional_probe(data: Vectors) -> Int64[np.ndarray, "test label"]:
    """Predictions of scikit-learn's logistic regressions, one per label, strength chosen on validation by micro F1."""
    scaler = StandardScaler().fit(data.features[data.split.train])
    train, validation, test = _scaled(scaler, data)
    models = [
        MultiOutputClassifier(LogisticRegression(C=strength, max_iter=1000)).fit(train, data.labels[data.split.train])
        for strength in STRENGTHS
    ]
    truth = data.labels[data.split.validation]
    scores = [f1_score(truth, model.predict(validation), average="micro", zero_division=0) for model in models]
    return models[int(np.argmax(scores))].predict(test)


def _scaled(scaler: StandardScaler, data: Vectors) -> list[np.ndarray]:
    split = data.split
    return [
        scaler.transform(data.features[part].astype(np.float64)) for part in (split.train, split.validation, split.test)
    ]


def main(given: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, given)
    sizes = QUICK if chosen.quick else Sizes()
    backbone = random_backbone(sizes.backbone, lambda: build_student(sizes.backbone), seed=0)
    results = [reuse(backbone, sizes, chosen.rounds), *probes(sizes, chosen.rounds)]
    write("evaluation", *results, quick=chosen.quick)


if __name__ == "__main__":
    main()
