"""The contract of every benchmark, and the facts of the paper's thirteen against those who published them."""

import pytest
from torchgeo.datasets import LEVIRCD, OSCD, PASTIS, BigEarthNet, So2Sat, SpaceNet1

from brew.data.sources.catalogue import SOURCES
from brew.data.sources.forms import FORMS
from brew.errors import BrewError
from brew.evaluation.benchmark_tables import PAGE, PLACE, tables
from brew.evaluation.benchmarks import BENCHMARKS, benchmark
from brew.evaluation.metrics import METRICS
from brew.sensors import SENSORS

SPLITS = tuple(LEVIRCD.splits.values())
#: The paper's tables 1 to 3.
PAPER = (
    "spacenet1", "m-nz-cattle", "m-pv4ger-seg", "m-chesapeake", "m-sa-crop-type", "m-cashew-plant", "sen1floods11",
    "pastis", "levir-cd", "oscd", "m-bigearthnet", "m-so2sat", "m-eurosat",
)  # fmt: skip


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_entry_is_complete(name):
    entry = BENCHMARKS[name]
    assert entry.name == name and entry.summary
    assert entry.metric in METRICS and entry.sensor in SENSORS and entry.source in SOURCES
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
    assert FORMS["m-bigearthnet"].classes == tuple(BigEarthNet.class_sets[43])
    assert tuple(BigEarthNet.class_sets[19]) == FORMS["bigearthnet-v2"].classes
    assert FORMS["m-so2sat"].classes == So2Sat.classes
    assert [each.replace(",", "").replace(" ", "_") for each in FORMS["pastis"].classes] == list(PASTIS.classes)


def test_archives_and_checksums_are_those_of_torchgeo():
    """torchgeo 0.8 has other addresses of OSCD and LEVIR-CD, and MD5 alone: its host of OSCD's labels is no more."""
    known = {PASTIS.filename: PASTIS.md5, **{each["filename"]: each["md5"] for each in SPLITS}}
    known |= dict(zip(SpaceNet1.tarballs["train"][1], SpaceNet1.md5s["train"][1], strict=True))
    urls = {PASTIS.filename: PASTIS.url}
    if hasattr(OSCD, "sha256s"):
        known |= OSCD.sha256s
        urls |= OSCD.urls | {each["filename"]: each["url"] for each in SPLITS}
    found = [remote for name in ("oscd", "pastis", "levir-cd", "spacenet1") for remote in SOURCES[name].remotes()]
    assert len(found) == 9 and all(remote.url.startswith("https://") for remote in found)
    for remote in found:
        file = remote.file.rpartition("/")[2]
        checksum = remote.md5 or remote.sha256
        assert checksum == known.get(file, checksum) and remote.url == urls.get(file, remote.url)


def test_the_miniature_has_two_benchmarks_of_every_task_and_one_of_radar():
    mine = [entry for entry in BENCHMARKS.values() if entry.source == "miniature" and not entry.over_time]
    assert [entry.name for entry in mine if entry.modality == "radar"] == ["materials-sar"]
    tasks = [entry.task for entry in mine if entry.modality != "radar"]
    assert sorted(tasks) == ["change"] * 2 + ["classification"] * 2 + ["segmentation"] * 2


def test_the_page_of_benchmarks_is_as_the_tables_are_now():
    text = PAGE.read_text()
    assert text == PLACE.renewed(tables()), "run `python -m brew docs`"
    assert all(f"| `{name}` |" in text for name in BENCHMARKS)


def test_an_unknown_benchmark_names_the_nearest():
    with pytest.raises(BrewError, match="did you mean 'm-eurosat'"):
        benchmark("m-eurosta")
