"""A protocol of the authors is executed as it is written down: what is fed, trained, chosen and scored."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from brew.data.store import ArrayReader
from brew.errors import BrewError
from brew.evaluation.authors import Applied, apply, training_moments
from brew.evaluation.backbones import StudentBackbone, TeacherBackbone
from brew.evaluation.benchmark_metrics import UNCOUNTED, metrics_of, scored_as
from brew.evaluation.benchmark_stores import OpenedBenchmark
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.classification import ClassificationResult
from brew.evaluation.dense_losses import LOSSES
from brew.evaluation.fed_backbones import FedBackbone, fed_order
from brew.evaluation.fine_tuning import trainable
from brew.evaluation.fit import ScheduledFit, batches_of
from brew.evaluation.protocols import AUTHORS, COMMON, PROTOCOLS, STATES, check_protocols
from brew.evaluation.splits import NAMES, Split
from brew.evaluation.trained_probe import Labelled, StudentWithHead, linear_head, train
from brew.models.student import build_student
from brew.sensors import SENSORS
from tests.evaluation.conftest import AveragedBands

BANDS = SENSORS["sentinel2"].band_names
FLOODS = BENCHMARKS["sen1floods11"]


class Held(ArrayReader):
    """A reader of an array in memory."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def read(self, indices: np.ndarray) -> np.ndarray:
        return self.array[indices]


def opened(name: str, labels: np.ndarray, side: int = 16) -> OpenedBenchmark:
    """A benchmark of a few random images, a third in each split."""
    entry, count = BENCHMARKS[name], len(labels)
    bands = len(SENSORS[entry.sensor])
    images = np.random.default_rng(0).uniform(1000, 2000, (count, 1, bands, side, side)).astype(np.float32)
    splits = np.repeat(NAMES, -(-count // 3))[:count]
    return OpenedBenchmark(entry, xr.Dataset(), Held(images), labels, splits)


def floods(state: str) -> Applied:
    found = apply(opened("sen1floods11", np.tile(np.arange(3, dtype=np.uint8), (6, 16, 6))[:, :, :16]), state)
    assert found is not None
    return found


@pytest.mark.parametrize("state", STATES)
def test_sen1floods11_is_read_as_each_state_of_the_code_reads_it(state: str) -> None:
    found, told = floods(state), STATES[state].floods
    benchmark = found.opened.benchmark
    assert (benchmark.metric, found.chosen_by) == (told.metric, told.chosen_by)
    assert benchmark == scored_as(FLOODS, state) and benchmark.metric in metrics_of(benchmark)
    values = set(np.unique(found.opened.labels).tolist())
    if told.alone:
        assert benchmark.classes == ("dry", "water") and benchmark.ignore == UNCOUNTED and values == {0, 1, UNCOUNTED}
    else:
        assert benchmark.classes == FLOODS.classes and benchmark.ignore == 0 and values == {0, 1, 2}
    assert (found.fit.finetune > 0) == (not STATES[state].frozen)


def test_one_prediction_of_floods_carries_every_metric_that_a_state_took() -> None:
    taken = {state.floods.metric for state in STATES.values()}
    assert len(taken) == 3 and taken <= set(metrics_of(FLOODS))


@pytest.mark.parametrize("name", [name for name, entry in BENCHMARKS.items() if entry.protocol])
def test_every_protocol_gives_a_fit(name: str) -> None:
    entry = BENCHMARKS[name]
    found = apply(opened(name, np.zeros((6, 4, 4), np.uint8)), AUTHORS)
    assert found is not None and entry.protocol is not None
    assert found.fit.loss in LOSSES and found.fit.epochs == entry.protocol.epochs
    assert scored_as(entry, COMMON) is entry
    assert set(entry.protocol.bands) <= set(SENSORS[entry.sensor].band_names)


def test_a_benchmark_that_the_authors_did_not_run_has_none() -> None:
    assert apply(opened("rsscn7", np.zeros(6, np.int64)), AUTHORS) is None


def test_the_rate_rises_and_falls_as_it_is_written_down() -> None:
    fit = ScheduledFit(epochs=50, learning_rate=1e-4, warmup=5, last_rate=1e-6)
    assert [fit.share(step, 500) for step in (0, 25, 50)] == [0.0, 0.5, 1.0]
    assert fit.share(500, 500) == pytest.approx(0.01) and fit.share(275, 500) == pytest.approx(0.505)
    assert fit.passes(10) == 1, "an epoch of a tenth of the labels is a tenth as long"


class Plain(nn.Module):
    """A student that shows what it is given."""

    def forward(self, images: Tensor, sensor: str, normalised: bool) -> Tensor:
        raise NotImplementedError


def test_bands_and_colours_stand_where_each_state_put_them() -> None:
    student, teacher = StudentBackbone("student", Plain()), TeacherBackbone("teacher", Plain())
    file_order = ("B2", "B3", "B4", *BANDS[3:])
    named = [BANDS.index(band) for band in ("B2", "B3", "B4")]
    order = fed_order(student, "sentinel2", file_order, (0, 1, 2))
    assert order is not None and list(order[:3]) == named, "students were fed PASTIS blue first"
    assert fed_order(student, "sentinel2", (), (3, 2, 1)) is None, "colours are for networks of three"
    assert fed_order(teacher, "sentinel2", (), (0, 1, 2)) is None
    swapped = fed_order(teacher, "sentinel2", (), (3, 2, 1))
    assert swapped is not None and [BANDS[place] for place in swapped[:3]] == ["B5", "B2", "B3"]
    assert fed_order(teacher, "rgb", (), (3, 2, 1)) is None
    assert fed_order(AveragedBands([]), "sentinel2", file_order, (3, 2, 1)) is None, "others name their bands"


def test_a_fed_backbone_sees_standardised_reordered_images_of_the_protocol_s_size() -> None:
    images = torch.rand(2, len(BANDS), 32, 32) * 1000
    order = (2, 1, 0, *range(3, len(BANDS)))
    mean, std = tuple(float(number) for number in range(10)), (2.0,) * 10
    seen = FedBackbone(AveragedBands([]), (mean, std), order, 32).pyramid(images, "sentinel2")[0]
    expected = (images - torch.arange(10).view(1, -1, 1, 1)) / 2
    assert torch.allclose(seen, nn.functional.avg_pool2d(expected[:, list(order)], 4), atol=1e-4)
    assert FedBackbone(AveragedBands([]), None, None, 64).pyramid(images, "sentinel2")[0].shape[-1] == 16
    with pytest.raises(BrewError, match="standardised already"):
        FedBackbone(AveragedBands([]), (mean, std), None, 32).pyramid(images, "sentinel2", standardised=True)


def test_moments_are_those_of_the_training_images_alone() -> None:
    found = opened("pastis", np.zeros((9, 16, 16), np.uint8))
    mean, std = training_moments(found)
    values = found.images.array[:3, 0]  # type: ignore[attr-defined]
    assert np.allclose(mean, values.mean((0, 2, 3))) and np.allclose(std, values.std((0, 2, 3)))
    white = apply(opened("spacenet1", np.zeros((9, 16, 16), np.uint8)), AUTHORS)
    assert white is not None and white.moments == ((0.0,) * 3, (255.0,) * 3)


def labelled(multilabel: bool) -> tuple[Labelled, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(90, 6, generator=generator)
    labels = (vectors[:, :3] > 0).long().numpy() if multilabel else vectors[:, :3].argmax(1).numpy()
    return Labelled(labels, 3, Split(*np.array_split(np.arange(90), 3))), vectors


@pytest.mark.parametrize(("multilabel", "loss", "metric"), [
    (False, "cross-entropy", "accuracy"), (True, "one-hot-cross-entropy", "f1_multilabel_micro"),
])  # fmt: skip
def test_a_head_learns_and_the_best_epoch_on_validation_is_tested(multilabel: bool, loss: str, metric: str) -> None:
    data, vectors = labelled(multilabel)

    def run() -> ClassificationResult:
        fit = ScheduledFit(20, 8, 5e-2, loss=loss, warmup=2, last_rate=1e-6)
        return train(linear_head(6, 3, seed=0), lambda samples: vectors[samples], data, fit, metric, seed=0)

    result = run()
    hits = np.trace(result.counts.sum(0), axis1=-2, axis2=-1).sum() / result.counts.sum()
    assert hits > 0.75 and result.validation > 0.6
    assert (result.log_odds is None) == (not multilabel)
    assert np.array_equal(run().counts, result.counts)


def test_a_student_is_trained_with_its_head_and_itself_stays() -> None:
    student = build_student("swin-nano", ("multispectral",), stochastic_depth=0.0, seed=0)
    before = {name: value.clone() for name, value in student.state_dict().items()}
    fed = FedBackbone(StudentBackbone("s", student), ((0.0,) * 10, (1000.0,) * 10), None, 32)
    width = fed.pooled(torch.zeros(1, 10, 32, 32), "sentinel2").shape[1]
    network = StudentWithHead(fed, "sentinel2", width, 2, 0, "cpu")
    data = Labelled(np.array([0, 1] * 6), 2, Split(*np.array_split(np.arange(12), 3)))
    images = torch.rand(12, 10, 32, 32, generator=torch.Generator().manual_seed(0)) * 1000
    train(network, lambda samples: images[samples], data, ScheduledFit(1, 2, 1e-2), "accuracy", seed=0)
    assert all(torch.equal(before[name], value) for name, value in student.state_dict().items())
    assert any(not torch.equal(before[name], value) for name, value in network.student.state_dict().items())
    with pytest.raises(BrewError, match="expected a student"):
        trainable(FedBackbone(AveragedBands([]), None, None, 32), "cpu")


def test_protocols_are_checked_by_name() -> None:
    check_protocols(PROTOCOLS)
    with pytest.raises(BrewError, match="did you mean 'authors'"):
        check_protocols(("common", "author"))
    for names in ((), ("common", "common")):
        with pytest.raises(BrewError, match="each once"):
            check_protocols(names)


def test_epochs_end_where_the_schedule_says() -> None:
    assert len(list(batches_of(range(3), 10, 2, seed=0))) == 6
    assert replace(ScheduledFit(3), warmup=0).share(0, 6) == 1.0
