"""Test scenes of a change benchmark: both dates, the label, and every model's probability of change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
from jaxtyping import Float, Integer, Shaped
from matplotlib.figure import Figure

from brew.compendium.report.figures.picture_grid import Picture, picture_grid
from brew.compendium.report.pictures import true_colour
from brew.compendium.report.style import label
from brew.data.tiles import Scene, lay
from brew.evaluation.benchmarks import Benchmark

#: Width and height of a picture's place, in inches; pictures on a line; characters of a model's line.
_SIZE, _ACROSS, _LINE = (1.75, 2.1), 6, 24
#: Values that are shown as brightest; change vector analysis gives lengths over its threshold, not probabilities.
_BRIGHTEST = {"cva": 2.0}


@dataclass(frozen=True)
class ShownScene:
    """A test scene. dates: both in true colour. label: 0 no change, 1 change. probabilities: by model."""

    name: str
    dates: tuple[Float[np.ndarray, "row column 3"], Float[np.ndarray, "row column 3"]]
    label: Integer[np.ndarray, "y x"]
    probabilities: Mapping[str, Float[np.ndarray, "y x"]]


def scene_in_true_colour(
    tiles: Shaped[np.ndarray, "tile band y x"], scene: Scene, sensor: str
) -> Float[np.ndarray, "row column 3"]:
    """One date of a scene from its tiles, in the sensor's units. scene: on the grid of the images."""
    return true_colour(np.stack([lay(band, scene) for band in tiles[:, :3].swapaxes(0, 1)]), sensor)


def change_maps(scenes: Sequence[ShownScene]) -> Figure:
    """A scene's pictures after one another, on as many lines as they need."""
    return picture_grid([_row(scene) for scene in scenes], _SIZE, [scene.name for scene in scenes], _ACROSS)


def _row(scene: ShownScene) -> list[Picture]:
    dates = [Picture(date, title=f"date {number}") for number, date in enumerate(scene.dates, 1)]
    maps = [
        Picture(values, "cividis", 0.0, _BRIGHTEST.get(model, 1.0), fill(label(model), _LINE))
        for model, values in scene.probabilities.items()
    ]
    return [*dates, Picture(scene.label, "gray", title="label"), *maps]


def caption(benchmark: Benchmark) -> str:
    """The figure's caption, with the credit that the imagery asks for."""
    credit = " The imagery is Copernicus Sentinel data; the labels are OSCD's, under CC BY-NC-SA 4.0."
    return (
        f"Beside its name each test scene of {benchmark.name} shows both dates, the label, and each model's "
        f"probability of change from dark (0) to bright (1). The benchmark asks for {benchmark.summary}. Change vector "
        "analysis shows the lengths of its vectors over their threshold."
        f"{credit if benchmark.source == 'oscd' else ''}"
    )
