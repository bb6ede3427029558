"""Grids hold each picture in its place, under its title: a swapped band, date, label or map is seen."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from brew.compendium.report.figures import change_maps as of_change
from brew.compendium.report.figures import colours_of_features as of_features
from brew.compendium.report.figures import scene_colours as of_scenes
from brew.compendium.report.figures import segmentation_maps as of_segmentation
from brew.compendium.report.figures.picture_grid import Picture, picture_grid
from brew.compendium.report.figures.spectrum_curves import band_distributions
from brew.compendium.report.pictures import false_colour, true_colour
from brew.compendium.report.style import label
from brew.data.tiles import Scene
from brew.evaluation.benchmarks import BENCHMARKS
from brew.sensors import SENSORS

GENERATOR = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def shown(axis: Axes) -> np.ndarray:
    (image,) = axis.get_images()
    return image.get_array()


def rows(figure: Figure, columns: int) -> list[list[Axes]]:
    return [figure.axes[start : start + columns] for start in range(0, len(figure.axes), columns)]


def test_pictures_stand_in_rows_under_their_titles() -> None:
    values = GENERATOR.random((2, 3, 4, 4))
    figure = picture_grid(
        [[Picture(each, "gray", 0.0, 2.0, f"{row} {column}") for column, each in enumerate(part)]
         for row, part in enumerate(values)],
        (1.5, 2.0), ["above", "below"],
    )  # fmt: skip
    assert tuple(figure.get_size_inches()) == (4.5, 4.0)
    for row, axes in enumerate(rows(figure, 3)):
        assert axes[0].get_ylabel() == ["above", "below"][row] and axes[1].get_ylabel() == ""
        for column, axis in enumerate(axes):
            np.testing.assert_array_equal(shown(axis), values[row, column])
            assert axis.get_title() == f"{row} {column}" and axis.get_images()[0].get_clim() == (0, 2)
            assert not axis.get_xticks().size and not axis.get_yticks().size


def test_a_long_row_goes_on_below_in_lines_of_like_length() -> None:
    pictures = [[Picture(np.full((2, 2), 10.0 * row + place)) for place in range(7)] for row in (0, 1)]
    figure = picture_grid(pictures, (1.0, 1.5), ["above", "below"], across=6)
    assert tuple(figure.get_size_inches()) == (4.0, 6.0)
    lines = rows(figure, 4)
    assert [[int(shown(axis)[0, 0]) for axis in line if axis.axison] for line in lines] == [
        [0, 1, 2, 3], [4, 5, 6], [10, 11, 12, 13], [14, 15, 16],
    ]  # fmt: skip
    assert [line[0].get_ylabel() for line in lines] == ["above", "", "below", ""]


def test_scenes_are_shown_by_their_optical_true_and_false_colours() -> None:
    multispectral = GENERATOR.integers(0, 3000, (2, 10, 4, 4))
    optical = GENERATOR.integers(0, 256, (2, 3, 8, 8))
    above, middle, below = rows(of_scenes.scene_colours(multispectral, optical), 2)
    for scene in (0, 1):
        np.testing.assert_array_equal(shown(above[scene]), true_colour(optical[scene], "rgb"))
        np.testing.assert_array_equal(shown(middle[scene]), true_colour(multispectral[scene], "sentinel2"))
        np.testing.assert_array_equal(shown(below[scene]), false_colour(multispectral[scene]))
    assert [axes[0].get_ylabel().split(",")[0] for axes in (above, middle, below)] == [
        "optical", "true colour", "false colour",
    ]  # fmt: skip
    assert len(of_scenes.scene_colours(multispectral, None).axes) == 4


def test_a_scene_is_laid_from_the_tiles_of_one_date() -> None:
    tiles = GENERATOR.integers(0, 3000, (2, 10, 4, 4))
    scene = Scene("x", 4, 8, np.array([0, 1]), np.array([0, 0]), np.array([0, 4]))
    laid = of_change.scene_in_true_colour(tiles, scene, "sentinel2")
    np.testing.assert_array_equal(laid, np.hstack([true_colour(tile, "sentinel2") for tile in tiles]))


def test_change_is_shown_from_the_first_date_to_the_second() -> None:
    before, after = GENERATOR.random((2, 8, 8, 3))
    truth, maps = GENERATOR.integers(0, 2, (4, 4)), {"cva": np.full((4, 4), 1.5), "deo": np.full((4, 4), 0.2)}
    figure = of_change.change_maps([of_change.ShownScene("lagos", (before, after), truth, maps)])
    first, second, told, vectors, model = figure.axes
    assert [axis.get_title() for axis in (first, second, told)] == ["date 1", "date 2", "label"]
    np.testing.assert_array_equal(shown(first), before)
    np.testing.assert_array_equal(shown(second), after)
    np.testing.assert_array_equal(shown(told), truth)
    assert first.get_ylabel() == "lagos" and model.get_title().replace("\n", " ") == label("deo")
    assert (shown(vectors).max(), vectors.get_images()[0].get_clim()) == (1.5, (0, 2))
    assert (shown(model).max(), model.get_images()[0].get_clim()) == (0.2, (0, 1))


def test_segmentation_is_shown_as_image_label_and_maps() -> None:
    images, labels = GENERATOR.random((2, 8, 8, 3)), GENERATOR.integers(0, 3, (2, 4, 4))
    labels[0, 0, 0] = 9
    maps = {"one": GENERATOR.integers(0, 3, (2, 4, 4)), "other": GENERATOR.integers(0, 3, (2, 4, 4))}
    figure = of_segmentation.segmentation_maps(images, labels, maps, ("a", "b", "c"), ignore=9)
    for sample, axes in enumerate(rows(figure, 4)):
        np.testing.assert_array_equal(shown(axes[0]), images[sample])
        for axis, values in zip(axes[1:], (labels, *maps.values()), strict=True):
            assert np.ma.getmaskarray(shown(axis)).tolist() == (labels[sample] == 9).tolist()
            np.testing.assert_array_equal(shown(axis).filled(9), np.where(labels[sample] == 9, 9, values[sample]))
    assert [axis.get_title() for axis in figure.axes] == ["image", "label", "one", "other", *[""] * 4]
    colours = of_segmentation.class_colours(3)
    handles = figure.legends[0].get_patches()
    assert [handle.get_facecolor() for handle in handles] == [colours(place) for place in range(3)]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]
    assert colours.get_bad()[:3].tolist() == list(to_rgb("white"))


def test_images_that_show_most_classes_come_first() -> None:
    labels = np.array([[[0, 0, 0, 0]], [[0, 1, 2, 2]], [[0, 0, 0, 1]], [[0, 0, 1, 1]], [[9, 9, 0, 1]]])
    assert of_segmentation.most_classes(labels, None, 4).tolist() == [1, 4, 3, 2]
    assert of_segmentation.most_classes(labels, 9, 5).tolist() == [1, 3, 2, 4, 0]


def test_features_stand_below_their_images() -> None:
    images, components = GENERATOR.random((2, 8, 8, 3)), {"a model": GENERATOR.random((2, 4, 4, 3))}
    above, below = rows(of_features.colours_of_features(images, components), 2)
    for place in (0, 1):
        np.testing.assert_array_equal(shown(above[place]), images[place])
        np.testing.assert_array_equal(shown(below[place]), components["a model"][place])
    assert [above[0].get_ylabel(), below[0].get_ylabel()] == ["image", "a model"]


def test_bands_are_drawn_by_wavelength_each_with_its_own_pixels() -> None:
    sensor = SENSORS["sentinel2"]
    pixels = np.stack([np.full((2, 2), 100 * number) for number in range(len(sensor))])[None]
    (axis,) = band_distributions(pixels).axes
    order = np.argsort(sensor.wavelengths_um)
    names = [tick.get_text().split("\n")[0] for tick in axis.get_xticklabels()]
    assert names == [sensor.band_names[band] for band in order] and names[0] == "B2"
    medians = [line.get_ydata()[0] for line in axis.get_lines()[5::6][: len(order)]]
    assert medians == [100 * band for band in order]


@pytest.mark.parametrize("name", ["oscd", "new-sites", "roofs"])
def test_captions_name_the_benchmark_and_credit_whose_images_it_shows(name: str) -> None:
    benchmark = BENCHMARKS[name]
    if benchmark.task == "change":
        assert ("CC BY-NC-SA" in of_change.caption(benchmark)) == (name == "oscd")
        assert f"test scene of {name} shows both dates" in of_change.caption(benchmark)
    else:
        assert "each frozen backbone" in of_segmentation.caption(benchmark, finetuned=False)
        assert "each fine-tuned backbone" in of_segmentation.caption(benchmark, finetuned=True)
