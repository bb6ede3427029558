"""Images in native units as pictures that a reader recognises."""

import numpy as np

from brew.sensors import SENSORS


def true_colour(values: np.ndarray, name: str) -> np.ndarray:
    """(y, x, 3) in [0, 1] of an image (band, y, x) in the sensor's units."""
    return np.clip(values[:3].astype(float) / SENSORS[name].white, 0, 1).transpose(1, 2, 0)


def picture(values: np.ndarray, name: str) -> np.ndarray:
    """In true colour, or in greys of the first band over two deviations about its mean where there are no three."""
    sensor = SENSORS[name]
    if len(sensor) >= 3:
        return true_colour(values, name)
    grey = (values[0].astype(float) - sensor.mean[0]) / (4 * sensor.std[0]) + 0.5
    return np.clip(np.stack([grey] * 3, axis=-1), 0, 1)


def false_colour(values: np.ndarray) -> np.ndarray:
    """(y, x, 3) of near infrared, red and green (B8 B4 B3): vegetation shows red."""
    names = SENSORS["sentinel2"].band_names
    bands = np.stack([values[names.index(band)].astype(float) for band in ("B8", "B4", "B3")])
    return np.clip(bands / np.array([5000, 3000, 3000])[:, None, None], 0, 1).transpose(1, 2, 0)
