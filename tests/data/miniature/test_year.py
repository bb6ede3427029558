"""The miniature over a year: today's bytes for a pair, seasons and clouds for days, and a task that lives on time."""

import numpy as np
import pytest
import torch

from brew.data.miniature.clouds import CLOUDS
from brew.data.miniature.legends import CHANGES, CROPS, IGNORE
from brew.data.miniature.legends import MATERIALS as LEGEND
from brew.data.miniature.miniature_store import MiniatureSettings, Misalignment, YearSettings, build
from brew.data.miniature.phenology import CANOPY, CROP_SEASONS, YEAR
from brew.data.miniature.rendering import YEAR_PRODUCTS, render
from brew.data.store import open_store
from brew.errors import BrewError
from brew.evaluation.metrics import iou_macro
from brew.evaluation.ridge_probe import cell_features, choose_cells, ridge_probe

SEED = 5


@pytest.fixture(scope="module")
def year() -> dict[str, torch.Tensor]:
    products = ("multispectral", "crops_year", "materials", "materials_by_date", "clouds", "change")
    return render(torch.arange(48), SEED, products, size=32, optical_ratio=2, dates=YEAR, clouds=0.2)


def test_a_store_of_a_pair_keeps_the_key_of_its_settings():
    assert repr(MiniatureSettings(1, 2, 3, 4)) == (
        "MiniatureSettings(pretrain=1, train=2, validation=3, test=4, seed=1, size=64, optical_ratio=4, sar=False)"
    )


def test_a_day_does_not_depend_on_the_other_days(year):
    some = render(
        torch.tensor([3, 0]), SEED, ("multispectral", "clouds"), size=32, optical_ratio=2, dates=(120, 200), clouds=0.2
    )
    for name in some:
        assert torch.equal(some[name][:, 0], year[name][[3, 0], YEAR.index(120)]), name


def test_fields_follow_their_crop_s_calendar(year):
    image = year["multispectral"].float()
    index = (image[:, :, 6] - image[:, :, 0]) / (image[:, :, 6] + image[:, :, 0])
    clear = (year["clouds"] == CLOUDS.index("clear")).all(1)

    def greenness(crop: str) -> list[float]:
        field = clear & (year["crops_year"] == CROPS.index(crop))
        return [float(index[:, date][field].median()) for date in range(len(YEAR))]

    for name, season in CROP_SEASONS.items():
        published = [season.published[0] + 10 <= day <= season.published[1] - 10 for day in YEAR]
        bare = [not season.published[0] - 25 <= day <= season.published[1] + 25 for day in YEAR]
        green = greenness(name)
        assert min(g for g, known in zip(green, published, strict=True) if known) > 0.35, name
        assert max(g for g, known in zip(green, bare, strict=True) if known) < 0.35, name


def test_woods_lose_their_leaves_and_conifers_keep_them(year):
    image = year["multispectral"].float()
    near = image[:, :, 6]
    clear = (year["clouds"][:, [0, 3]] == CLOUDS.index("clear")).all(1)

    def summer_over_winter(name: str) -> float:
        wood = clear & (year["materials"] == LEGEND.index(name))
        return float(near[:, 3][wood].median() / near[:, 0][wood].median())

    assert summer_over_winter("broadleaf forest") > summer_over_winter("conifer forest") + 0.3


def test_materials_follow_the_date(year):
    dated, canopy = year["materials_by_date"], LEGEND.index(CANOPY)
    assert torch.equal(dated[:, 0], year["materials"])
    field = (year["crops_year"] == CROPS.index("maize")) & (year["change"] == 0)
    assert (dated[:, YEAR.index(230)][field] == canopy).float().mean() > 0.8
    assert (dated[:, YEAR.index(80)][field] == canopy).float().mean() < 0.2


def test_clouds_are_bright_move_and_throw_shadows(year):
    blue, clouds = year["multispectral"][:, :, 2].float(), year["clouds"]
    level = {name: float(blue[clouds == number].median()) for number, name in enumerate(CLOUDS)}
    assert level["cloud"] > 2 * level["clear"] > 2 * level["shadow"]
    assert 0.08 < (clouds == CLOUDS.index("cloud")).float().mean() < 0.35
    assert (clouds[:, 0] != clouds[:, 1]).any()


def test_what_is_built_in_a_year_is_a_change_and_the_harvest_is_none(year):
    change = year["change"]
    assert 0 < (change > 0).float().mean() < 0.2 and int(change.max()) < len(CHANGES)
    harvested = (year["crops_year"] == CROPS.index("rapeseed")) & (change == 0)
    assert harvested.any()


def test_crops_of_a_year_need_the_year(year):
    """Per-band readings of the best single day are at least ten points behind those of all days."""
    labels = year["crops_year"].numpy()
    cells, truth = choose_cells(labels, labels.shape[1:], 96, IGNORE)
    days = [cell_features([year["multispectral"][:, d].float()], labels.shape[1:], cells) for d in range(len(YEAR))]
    half = len(labels) // 2

    def iou(features: np.ndarray) -> float:
        parts = features[:half], truth[:half], features[half:], truth[half:]
        return float(iou_macro(ridge_probe(*parts, len(CROPS), IGNORE).sum(0)))

    assert iou(np.concatenate(days, 2)) > max(map(iou, days)) + 0.10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dates": (120, 80)}, r"expected them in order: \(80, 120\)"),
        ({"dates": (80, 120, 120)}, r"name \[120\] more than once"),
        ({"dates": (80,)}, "at least two between 1 and 365"),
        ({"dates": (0, 80)}, "at least two between 1 and 365"),
        ({"dates": YEAR, "clouds": 0.9}, "hidden on every date"),
        ({"dates": 2, "clouds": 0.2}, "expected 0, or the days of a year"),
        ({"dates": YEAR, "products": ("crops",)}, "did you mean 'crops_year'"),
        ({"dates": 2, "products": ("crops_year",)}, "did you mean 'crops'"),
    ],
)
def test_a_year_that_cannot_be_is_refused(change, message):
    with pytest.raises(BrewError, match=message):
        render(torch.arange(1), SEED, **({"products": ("multispectral",), "size": 16} | change))
    if set(change) == {"dates"}:
        with pytest.raises(BrewError, match=message):
            YearSettings(change["dates"])


def test_a_store_holds_a_year_and_its_optical_images_lie_off_in_pretraining_alone(tmp_path):
    settings = MiniatureSettings(
        1, 1, 0, 0, size=32, year=YearSettings((80, 190), clouds=0.0), misaligned=Misalignment(2.0, margin=4)
    )
    build(tmp_path / "a.zarr", settings)
    dataset = open_store(tmp_path / "a.zarr")
    assert set(YEAR_PRODUCTS) - {"sar"} <= set(dataset.data_vars)
    assert dataset.sizes["time"] == 2 and dataset.attrs["days"] == [80, 190]
    fine, coarse = dataset["optical"].values[:, 0, 0], dataset["multispectral"].values[:, 0, 0].astype(float)
    mean = fine.reshape(2, 32, 4, 32, 4).mean((2, 4))
    alike = [np.corrcoef(mean[sample].ravel(), coarse[sample].ravel())[0, 1] for sample in (0, 1)]
    assert alike[1] > 0.97 > alike[0] + 0.05


def test_the_optical_image_lies_off_by_what_was_asked_for():
    images = torch.randint(0, 255, (3, 1, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    products = {"optical": images, "multispectral": images[..., :20, :20], "scene": torch.arange(3)}

    def cut(moved: bool, **off) -> dict[str, torch.Tensor]:
        return Misalignment(margin=4, **off).cut(products, torch.arange(3), SEED, ratio=2, moved=moved)

    straight, moved, turned = cut(False), cut(True, shift=2.0), cut(True, turn=2.0)
    assert straight["optical"].shape[-2:] == (24, 24) and straight["multispectral"].shape[-2:] == (12, 12)
    assert torch.equal(cut(True)["optical"], straight["optical"])
    assert torch.equal(moved["multispectral"], straight["multispectral"])
    assert not torch.equal(turned["optical"], straight["optical"])
    # Two pixels of 10 m are four of the optical grid, in whole ones.
    places = {(y, x): images[0, 0, :, 8 + y : 32 + y, 8 + x : 32 + x] for y in range(-5, 6) for x in range(-5, 6)}
    (found,) = (place for place, image in places.items() if torch.equal(image, moved["optical"][0, 0]))
    assert np.hypot(*found) == pytest.approx(4, abs=0.71)


def test_the_optical_image_shows_another_date_in_pretraining_alone():
    def cut(dates: int, moved: bool) -> list[float]:
        images = torch.arange(dates, dtype=torch.uint8)[None, :, None, None, None].expand(2, dates, 3, 12, 12)
        products = {"optical": images, "multispectral": images}
        off = Misalignment(margin=4, other_date=True).cut(products, torch.arange(2), SEED, ratio=1, moved=moved)
        assert off["multispectral"][0, :, 0, 0, 0].tolist() == list(range(dates))
        return off["optical"][1, :, 0, 0, 0].tolist()

    assert cut(2, moved=True) == [1, 0] and cut(2, moved=False) == [0, 1]
    assert cut(6, moved=True) == [3, 4, 5, 0, 1, 2]


def test_a_misalignment_beyond_the_margin_is_refused():
    with pytest.raises(BrewError, match="margin 4 px; expected at least 9"):
        MiniatureSettings(1, 1, 1, 1, misaligned=Misalignment(8.0, margin=4))
    with pytest.raises(BrewError, match="0 to 2"):
        Misalignment(turn=3.0)
