"""Random networks stand for all weights that have to be obtained, and are read as the real ones are."""

import pytest
import torch

from brew.compendium.rehearsal import random_networks, stand_ins
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.zoo import BACKBONES, networks
from brew.evaluation.zoo.tapped import View
from brew.evaluation.zoo.weights import PackageFile
from brew.models.teachers import TEACHERS
from brew.sensors import SENSORS, SENTINEL2_BANDS

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
STANDING = random_networks.backbones()


def test_whatever_has_to_be_obtained_has_a_stand_in() -> None:
    obtained = {name for name, entry in BACKBONES.items()
                if entry.weights and not isinstance(entry.weights, PackageFile)}  # fmt: skip
    assert set(STANDING) == obtained
    assert all(not entry.needs() for entry in STANDING.values())
    assert {name for name, entry in TEACHERS.items() if "download" in entry.needs} == set(random_networks.teachers())


@pytest.mark.parametrize("name", [name for name in STANDING if name != "croma"])
def test_a_stand_in_is_read_as_what_it_stands_for(name: str) -> None:
    entry = STANDING[name]
    assert entry.contract is BACKBONES[name].contract and entry.sizes == BACKBONES[name].sizes
    sensor = next(each for each in SENSORS if not entry.lacking(each))
    images = torch.full((1, len(SENSORS[sensor]), 32, 32), 100.0)
    one, other = entry.load(), entry.load()
    assert torch.equal(one.pooled(images, sensor), other.pooled(images, sensor))
    assert [tuple(each.shape[2:]) for each in one.pyramid(images, sensor)] == [(8, 8), (4, 4), (2, 2), (1, 1)]


def test_croma_s_stand_in_takes_the_twelve_bands_that_no_sensor_here_has() -> None:
    assert all(STANDING["croma"].lacking(sensor) for sensor in SENSORS)
    bands = tuple(SENTINEL2_BANDS[name] for name in SENTINEL2_BANDS if name != "B10")
    network = STANDING["croma"].load().network
    pooled = networks.CROMA.pooled(network, View(torch.rand(1, 12, 120, 120), bands, 10.0))
    assert pooled.shape == (1, random_networks.WIDTH) and len(networks.CROMA.taps(network)) == 4


@pytest.mark.parametrize("name", random_networks.teachers())
def test_a_random_teacher_has_the_widths_that_it_declares(name: str) -> None:
    entry = random_networks.teachers()[name]
    found = entry.build()(torch.rand(1, 3, 32, 32))
    assert (found.class_token.shape[1], found.late.shape[1], found.middle.shape[1]) == (
        entry.width, entry.late_width, entry.middle_width,
    )  # fmt: skip
    assert entry.multiple == TEACHERS[name].multiple and entry.mean == TEACHERS[name].mean


def test_protocols_of_the_authors_keep_all_but_sizes_and_counts() -> None:
    for name, entry in stand_ins.benchmarks().items():
        found, real = entry.protocol, BENCHMARKS[name].protocol
        assert found is not None and real is not None and found.size <= 64 and found.epochs == 2
        kept = ("loss", "learning_rate", "optimiser", "statistics", "bands", "low_data", "orientations")
        assert all(getattr(found, field) == getattr(real, field) for field in kept)
    assert len(stand_ins.benchmarks()) == 13
