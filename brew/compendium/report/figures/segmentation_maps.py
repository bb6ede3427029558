"""Test images of a segmentation benchmark, their labels and the map from every model."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import seaborn as sns
from jaxtyping import Float, Int64, Integer
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from brew.compendium.report.figures.picture_grid import Picture, picture_grid
from brew.evaluation.benchmarks import Benchmark

#: Width and height of a picture's place, in inches; characters of a title's line; columns of the legend at most.
_SIZE, _LINE, _ACROSS = (1.7, 1.75), 22, 6


def most_classes(
    labels: Integer[np.ndarray, "sample y x"], ignore: int | None, count: int
) -> Int64[np.ndarray, " few"]:
    """The images whose labels show most classes; of equals, those with more pixels of the rarer classes."""
    shown = []
    for image in labels:
        values, pixels = np.unique(image if ignore is None else image[image != ignore], return_counts=True)
        shown.append((len(values), int(pixels.sum() - pixels.max(initial=0))))
    return np.array(sorted(range(len(labels)), key=lambda index: shown[index], reverse=True)[:count], dtype=np.int64)


def class_colours(count: int) -> Colormap:
    """A colour for each of so many classes, white for what is not scored."""
    name = "tab10" if count <= 10 else "tab20" if count <= 20 else "husl"
    return ListedColormap(sns.color_palette(name, count)).with_extremes(bad="white")


def segmentation_maps(
    images: Float[np.ndarray, "sample row column 3"],
    labels: Integer[np.ndarray, "sample y x"],
    maps: Mapping[str, Integer[np.ndarray, "sample y x"]],
    classes: Sequence[str],
    ignore: int | None = None,
) -> Figure:
    """A row per test image: the image, its label, and the maps by model. ignore: a label that is not scored."""
    colours = class_colours(len(classes))
    hidden = np.zeros(labels.shape, dtype=bool) if ignore is None else labels == ignore
    columns = {"label": labels, **maps}

    def row(sample: int) -> list[Picture]:
        shown = {title: np.ma.masked_array(each[sample], hidden[sample]) for title, each in columns.items()}
        heads = {title: fill(title, _LINE) if sample == 0 else "" for title in ("image", *shown)}
        image = Picture(images[sample], title=heads["image"])
        return [image, *(Picture(each, colours, -0.5, colours.N - 0.5, heads[title]) for title, each in shown.items())]

    figure = picture_grid([row(sample) for sample in range(len(images))], _SIZE)
    handles = [Rectangle((0, 0), 1, 1, color=colours(place)) for place in range(colours.N)]
    figure.legend(handles, classes, loc="outside lower center", ncols=min(_ACROSS, len(classes)), fontsize=8)
    return figure


def caption(benchmark: Benchmark, finetuned: bool) -> str:
    """The figure's caption. finetuned: the backbones were trained with their decoders."""
    state = "fine-tuned" if finetuned else "frozen"
    return (
        f"Each row shows a test image of {benchmark.name}, its label, and the map from each {state} backbone under the "
        f"same decoder. The benchmark asks for {benchmark.summary}. The images are those whose labels show most "
        "classes; white is not scored."
    )
