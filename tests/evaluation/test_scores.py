"""Score files are the same bytes whatever the order of writing."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.metrics import f1_binary, iou_macro
from brew.evaluation.protocols import AUTHORS, BATCHES, COMMON, IMAGES, SET, Protocol
from brew.evaluation.scores import (
    Run,
    read_counts,
    read_scores,
    readings_of,
    scene_scores,
    scores_of,
    write_counts,
    write_scores,
)

COUNTS = np.random.default_rng(0).integers(1, 50, (10, 2, 2))
RUN = Run("oscd", "change", "deo", 0, "abc")


def test_rows_carry_value_interval_and_what_was_resampled():
    (row,) = scores_of(RUN, COUNTS, ("iou_macro",))
    assert row.value == pytest.approx(float(iou_macro(COUNTS.sum(0))))
    assert row.low < row.value < row.high
    assert (row.n, row.unit, row.subset, row.settings) == (10, "sample", "all", "abc")
    (other,) = scores_of(RUN, COUNTS, ("iou_macro",), ignore=0)
    assert other.value != row.value
    (same,) = scores_of(RUN, COUNTS, ("f1",), ignore=0)
    assert same.value == pytest.approx(float(f1_binary(COUNTS.sum(0))))


def test_a_prediction_is_read_over_images_and_over_batches():
    sizes = np.array([1] * 9 + [50])[:, None, None]
    counts = COUNTS * sizes
    entry = replace(BENCHMARKS["spacenet1"], protocol=Protocol(8, "dice", 0.1, batch=4))
    images, batches = readings_of(Run("spacenet1", "segmentation", "deo", 0, "abc", protocol=AUTHORS), counts, entry)
    assert (images.reading, images.metric, images.n, images.unit) == (IMAGES, "iou_macro", 10, "sample")
    assert images.value == pytest.approx(iou_macro(counts).mean())
    summed = [counts[:4].sum(0), counts[4:8].sum(0), counts[8:].sum(0)]
    assert (batches.reading, batches.n) == (BATCHES, 3)
    assert batches.value == pytest.approx(np.mean([float(iou_macro(each)) for each in summed]))
    assert [row.reading for row in readings_of(RUN, counts, BENCHMARKS["roofs"])] == [IMAGES]


def test_protocol_and_reading_are_columns_only_where_a_row_needs_them(tmp_path):
    path, plain = tmp_path / "scores.csv", scores_of(RUN, COUNTS, ("f1",))
    write_scores(path, plain)
    assert "protocol" not in path.read_text() and all(row.plain for row in read_scores(path))
    theirs = [replace(plain[0], protocol=AUTHORS), replace(plain[0], reading=IMAGES)]
    write_scores(path, theirs)
    assert path.read_text().splitlines()[0].endswith(",decoder,protocol,reading")
    assert {(row.protocol, row.reading) for row in read_scores(path)} == {
        (COMMON, SET), (AUTHORS, SET), (COMMON, IMAGES),
    }  # fmt: skip
    assert len({row.identity for row in read_scores(path)}) == 3
    path.write_text(path.read_text().replace(IMAGES, "pixels"))
    with pytest.raises(BrewError, match="reading 'pixels'; expected one of common"):
        read_scores(path)


def test_scenes_are_pooled_averaged_and_listed():
    names = [f"city{index}" for index in range(10)]
    rows = {(row.metric, row.subset): row for row in scene_scores(RUN, names, COUNTS, ("f1",), left_out=("city3",))}
    kept = [index for index in range(10) if index != 3]
    each = f1_binary(COUNTS)
    assert rows["f1", "all"].value == pytest.approx(float(f1_binary(COUNTS.sum(0))))
    assert rows["f1", "without city3"].value == pytest.approx(float(f1_binary(COUNTS[kept].sum(0))))
    assert rows["f1_scene_mean", "all"].value == pytest.approx(each.mean())
    assert rows["f1_scene_mean", "without city3"].value == pytest.approx(each[kept].mean())
    assert rows["f1", "city7"].value == pytest.approx(each[7])
    assert math.isnan(rows["f1", "city7"].low)
    assert (rows["f1", "without city3"].n, rows["f1", "city7"].n) == (9, 1)
    assert len(rows) == 2 + 2 + 10
    with pytest.raises(BrewError, match="city9"):
        scene_scores(RUN, names, COUNTS, ("f1",), left_out=("lyon",))


def test_files_do_not_depend_on_the_order_of_writing(tmp_path):
    rows = [*scores_of(RUN, COUNTS, ("f1", "iou")), *scores_of(Run("oscd", "change", "ms", 0, "x"), COUNTS, ("f1",))]
    contents = set()
    for index, order in enumerate(itertools.permutations(rows)):
        path = tmp_path / str(index) / "scores.csv"
        for row in order:
            write_scores(path, [row])
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert len(read_scores(path)) == 3


def test_rows_of_the_same_identity_are_replaced_and_round_trip(tmp_path):
    path = tmp_path / "scores.csv"
    old, new = scores_of(RUN, COUNTS, ("f1",)), scores_of(RUN, COUNTS[:5], ("f1",))
    write_scores(path, old)
    write_scores(path, new)
    (row,) = read_scores(path)
    assert row.value == pytest.approx(new[0].value, rel=1e-9)
    assert (row.n, row.seed, row.arm) == (5, 0, "deo")
    assert [file.name for file in tmp_path.iterdir()] == ["scores.csv"]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(BrewError, match="recompute"):
        write_scores(path, new)


def test_counts_round_trip_in_reproducible_bytes(tmp_path):
    names = [f"city{index}" for index in range(10)]
    for folder in ("one", "other"):
        write_counts(tmp_path / folder / "counts.npz", COUNTS, names)
    counts, units = read_counts(tmp_path / "one" / "counts.npz")
    assert (counts == COUNTS).all() and units.tolist() == names
    assert (tmp_path / "one" / "counts.npz").read_bytes() == (tmp_path / "other" / "counts.npz").read_bytes()
    with pytest.raises(BrewError, match="one name each"):
        write_counts(tmp_path / "counts.npz", COUNTS, names[:3])
