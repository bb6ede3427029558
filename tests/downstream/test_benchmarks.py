"""The contract of every benchmark, and the facts of the paper's thirteen against those who published them."""

import pytest
from torchgeo.datasets import PASTIS, BigEarthNet, So2Sat

from brew.data.geobench import GEOBENCH
from brew.data.pastis import CLASSES
from brew.downstream.benchmarks import BENCHMARKS, benchmark
from brew.downstream.metrics import METRICS
from brew.errors import BrewError
from brew.sensors import SENSORS

#: The paper's tables 1 to 3.
PAPER = (
    "spacenet1", "m-nz-cattle", "m-pv4ger-seg", "m-chesapeake", "m-sa-crop-type", "m-cashew-plant", "sen1floods11",
    "pastis", "levir-cd", "oscd", "m-bigearthnet", "m-so2sat", "m-eurosat",
)  # fmt: skip


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_entry_is_complete(name):
    entry = BENCHMARKS[name]
    assert entry.name == name and entry.summary
    assert entry.metric in METRICS and entry.sensor in SENSORS
    assert len(entry.classes) == len(set(entry.classes)) >= 2
    assert entry.task == "classification" or not entry.multilabel
    assert (entry.images == "optical") == (entry.modality == "optical")


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_thirteen_have_a_protocol(name):
    protocol = BENCHMARKS[name].protocol
    assert protocol is not None and protocol.size >= 32 and 0 < protocol.learning_rate < 1 and protocol.read_from


def test_no_other_benchmark_claims_a_protocol_of_the_authors():
    assert {name for name, entry in BENCHMARKS.items() if entry.protocol} == set(PAPER)


def test_classes_are_those_of_the_libraries_that_publish_them():
    assert GEOBENCH["m-bigearthnet"].classes == tuple(BigEarthNet.class_sets[43])
    assert GEOBENCH["m-so2sat"].classes == So2Sat.classes
    assert [each.replace(",", "").replace(" ", "_") for each in CLASSES] == list(PASTIS.classes)


def test_the_miniature_has_two_benchmarks_of_every_task():
    tasks = [entry.task for entry in BENCHMARKS.values() if entry.source == "miniature"]
    assert sorted(tasks) == ["change"] * 2 + ["classification"] * 2 + ["segmentation"] * 2


def test_an_unknown_benchmark_names_the_nearest():
    with pytest.raises(BrewError, match="did you mean 'm-eurosat'"):
        benchmark("m-eurosta")
