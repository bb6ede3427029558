"""Every backbone keeps one contract; wrong bands are refused before anything is computed."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brew.errors import BrewError
from brew.evaluation.backbones import STRIDES, BandStatistics, StudentBackbone, TeacherBackbone, random_backbone
from brew.models.student import build_student
from brew.sensors import PATHS, SENSORS


@dataclass
class Seen:
    class_token: Tensor
    late: Tensor
    middle: Tensor


class FakeTeacher(nn.Module):
    """Keeps the display image that it was shown."""

    def forward(self, display: Tensor) -> Seen:
        self.display = display
        patches = nn.functional.avg_pool2d(display, 16)
        return Seen(display.mean((2, 3)), patches, 2 * patches)


BACKBONES = {
    "student": lambda: random_backbone("student", lambda: build_student("swin-nano", tuple(PATHS)), seed=1),
    "teacher": lambda: TeacherBackbone("teacher", FakeTeacher()),
    "statistics": lambda: BandStatistics(),
}


def _images(sensor: str, size: int = 64) -> Tensor:
    found = SENSORS[sensor]
    values = np.random.default_rng(0).normal(
        np.array(found.mean)[:, None, None], np.array(found.std)[:, None, None] / 4, (2, len(found), size, size)
    )
    return torch.from_numpy(values.clip(*found.valid)).round().to(getattr(torch, found.dtype))


@pytest.mark.parametrize("name", sorted(BACKBONES))
@pytest.mark.parametrize(("size", "coarsest"), [(90, {2, 3}), (20, {1})])
def test_sides_that_are_no_multiples_of_a_stride_give_maps_too(name, size, coarsest):
    maps = BACKBONES[name]().pyramid(_images("sentinel2", size), "sentinel2")
    assert maps[0].shape[2:] == (size // 4, size // 4)
    assert maps[3].shape[2] in coarsest


@pytest.mark.parametrize(
    ("name", "sensor"),
    [pair for pair in product(sorted(BACKBONES), sorted(SENSORS)) if pair != ("teacher", "sentinel1")],
)
def test_maps_have_their_strides_and_no_gradient(name, sensor):
    backbone = BACKBONES[name]()
    maps = backbone.pyramid(_images(sensor), sensor)
    assert [tuple(level.shape[2:]) for level in maps] == [(64 // stride, 64 // stride) for stride in STRIDES]
    pooled = backbone.pooled(_images(sensor), sensor)
    assert pooled.ndim == 2
    for values in (*maps, pooled):
        assert values.shape[0] == 2
        assert torch.isfinite(values).all()
        assert not values.requires_grad


def test_an_optical_teacher_refuses_radar():
    with pytest.raises(BrewError, match="VV, VH; expected red, green and blue"):
        BACKBONES["teacher"]().pyramid(_images("sentinel1"), "sentinel1")


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_wrong_band_count_is_refused(name):
    with pytest.raises(BrewError, match="B8A"):
        BACKBONES[name]().pyramid(_images("rgb"), "sentinel2")


@pytest.mark.parametrize("name", ["student", "statistics"])
def test_standardised_images_skip_the_sensor_statistics(name):
    backbone, found = BACKBONES[name](), SENSORS["sentinel2"]
    images = _images("sentinel2").float()
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (found.mean, found.std))
    for one, other in zip(
        backbone.pyramid(images, "sentinel2"),
        backbone.pyramid((images - mean) / std, "sentinel2", standardised=True),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-4)


def test_random_backbone_repeats_and_leaves_global_state():
    state = torch.get_rng_state()
    images = _images("sentinel2")
    one, other = (random_backbone("r", lambda: build_student("swin-nano"), seed=5) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.pooled(images, "sentinel2"), other.pooled(images, "sentinel2"))
    third = random_backbone("r", lambda: build_student("swin-nano"), seed=6)
    assert not torch.equal(one.pooled(images, "sentinel2"), third.pooled(images, "sentinel2"))
    assert isinstance(one, StudentBackbone) and not one.student.training


def test_the_teacher_is_shown_true_colour_in_the_unit_interval():
    teacher = FakeTeacher()
    images = _images("sentinel2")
    TeacherBackbone("teacher", teacher).pooled(images, "sentinel2")
    assert torch.allclose(teacher.display, (images[:, :3].float() / 3558).clamp(0, 1))
    standardised = torch.randn(2, 10, 64, 64)
    TeacherBackbone("teacher", teacher, patch=14, magnify=2.0).pooled(standardised, "sentinel2", standardised=True)
    assert teacher.display.shape == (2, 3, 126, 126)
    assert teacher.display.min() >= 0 and teacher.display.max() <= 1
    assert teacher.display[:, 0].mean() == pytest.approx(0.485, abs=0.02)
    with pytest.raises(BrewError, match="photographs"):
        plain = TeacherBackbone("teacher", teacher, (0.0,) * 3, (1.0,) * 3)
        plain.pooled(standardised, "sentinel2", standardised=True)


def test_band_statistics_lose_no_pixel_at_stride_4():
    images = torch.randn(1, 10, 32, 32)
    finest = BandStatistics().pyramid(images, "sentinel2", standardised=True)[0]
    assert torch.equal(nn.functional.pixel_shuffle(finest, 4), images)
