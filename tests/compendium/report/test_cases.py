"""Cases are best, median and worst images, errors are told pixel by pixel, and patches come back from bytes."""

import base64
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from brew.compendium.report.cases import change_errors, class_errors, palette, picked, write_map
from brew.compendium.report.patch_likeness import likeness, packed


def test_the_best_the_median_and_the_worst_image_are_picked() -> None:
    scores = np.array([10.0, 90.0, 50.0, 70.0, 30.0])
    assert [(pick.place, pick.index) for pick in picked(scores, every=False)] == [
        ("best", 1), ("median", 2), ("worst", 0),
    ]  # fmt: skip
    assert [(pick.place, pick.index) for pick in picked(scores[:2], every=True)] == [("1 of 2", 1), ("2 of 2", 0)]


def test_every_pixel_has_its_kind_of_error(tmp_path: Path) -> None:
    label = np.array([[0, 0, 1, 1]])
    assert change_errors(label, np.array([[0, 1, 0, 1]])).tolist() == [[0, 1, 2, 3]]
    assert class_errors(np.array([[3, 3, 255]]), np.array([[3, 1, 0]]), ignore=255).tolist() == [[0, 1, 2]]
    name = write_map(tmp_path, np.array([[0, 1, 9]]), palette(["#102030", "#ff0000"]))
    assert np.asarray(Image.open(tmp_path / name).convert("RGB")).tolist() == [
        [[16, 32, 48], [255, 0, 0], [255, 255, 255]]
    ]
    assert name == write_map(tmp_path, np.array([[0, 1, 9]]), palette(["#102030", "#ff0000"]))


def test_likeness_is_the_cosine_of_patches() -> None:
    maps = torch.tensor([[[[1.0, 0.0], [2.0, -1.0]], [[0.0, 1.0], [0.0, 0.0]]]])
    found = likeness(maps, grid=2)[0]
    assert found[0].round(6).tolist() == [1.0, 0.0, 1.0, -1.0]
    assert list(base64.b64decode(packed(found))) == [127, 254, 0, 127, 127, 0]
