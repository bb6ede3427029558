"""Pictures show each band as the colour that its name promises: a swapped band is seen."""

import numpy as np
import pytest

from brew.compendium.report.pictures import false_colour, picture, true_colour
from brew.sensors import SENSORS


def image(sensor: str) -> np.ndarray:
    """Every band has a brightness of its own: the first one's is 100, the next one's 200."""
    return np.stack([np.full((2, 3), 100 * (number + 1)) for number in range(len(SENSORS[sensor]))])


def brightness(sensor: str, band: str) -> int:
    return 100 * (SENSORS[sensor].band_names.index(band) + 1)


def test_true_colour_shows_red_green_and_blue() -> None:
    shown = true_colour(image("sentinel2"), "sentinel2")
    assert shown.shape == (2, 3, 3)
    expected = [brightness("sentinel2", band) / SENSORS["sentinel2"].white for band in ("B4", "B3", "B2")]
    assert shown[0, 0] == pytest.approx(expected)
    assert true_colour(image("rgb") / 2, "rgb")[0, 0] == pytest.approx([50 / 255, 100 / 255, 150 / 255])
    assert true_colour(image("rgb") * 9, "rgb").max() == 1, "brighter than white is white"


def test_false_colour_shows_near_infrared_red_and_green() -> None:
    expected = [brightness("sentinel2", band) / white for band, white in (("B8", 5000), ("B4", 3000), ("B3", 3000))]
    assert false_colour(image("sentinel2"))[0, 0] == pytest.approx(expected)


def test_radar_is_shown_in_greys_of_its_first_band() -> None:
    sensor = SENSORS["sentinel1"]
    values = np.stack([np.full((2, 2), sensor.mean[0] + sensor.std[0]), np.zeros((2, 2))])
    assert picture(values, "sentinel1")[0, 0] == pytest.approx([0.75] * 3)
    np.testing.assert_array_equal(
        picture(image("sentinel2"), "sentinel2"), true_colour(image("sentinel2"), "sentinel2")
    )
