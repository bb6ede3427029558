"""What the notebook `explore/your_images` opens: images and points of one's own, or a rendered scene instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
import xarray as xr
from matplotlib.colors import ListedColormap

from brew.data.miniature.materials import MATERIALS
from brew.data.miniature.rendering import render
from brew.files import Layout
from brew.models.student import Student, load_student
from brew.sensors import SENSORS

#: Points along each side of a rendered scene.
_POINTS = 12
#: Where a rendered scene is put: UTM zone 32 north, and its upper left corner in metres.
_CRS, _CORNER, _PIXEL = "EPSG:32632", (400_000, 5_000_000), 10
#: The rendered world, and the scene in it: one with a change that is large.
_SEED, _SCENE = 1, 7


@dataclass(frozen=True)
class Given:
    """image, later: of two dates, as `brew.embed` takes them. points: with a column `class`."""

    image: Any
    later: Any
    points: Any
    student: Student


def begin(
    image: Any = None, later: Any = None, points: Any = None, student: str | Path | None = None, size: int = 256
) -> Given:
    """What was given. If no image was, a rendered scene of `size` pixels per side with points and a second date.

    student: its file; None takes the one that `make repro` trains, and is a BrewError if there is none.
    """
    weights = Layout("miniature").read("pretrain") / "deo" / "student.pt" if student is None else student
    if image is None:
        image, later, points = rendered(size)
    return Given(image, later, points, load_student(weights))


def show(found: xr.DataArray, title: str, names: Sequence[str] = (), **drawn: Any) -> None:
    """Draw a map (y, x), or colours (y, x, 3), upright and to scale.

    names: of the values 0, 1, ... of a map of classes. drawn: what xarray's `imshow` takes besides.
    """
    axes = plt.figure(figsize=(6.5, 5), layout="constrained").subplots()
    if names:
        colours = ListedColormap(sns.color_palette("colorblind", len(names)).as_hex())
        drawn |= {"cmap": colours, "vmin": -0.5, "vmax": len(names) - 0.5}
        drawn["cbar_kwargs"] = {"ticks": range(len(names)), "format": lambda value, _: names[int(value)]}
        found = found.where(found >= 0)
    found.plot.imshow(ax=axes, **drawn)
    metres = " (m)" if found.rio.crs is not None and found.rio.crs.is_projected else ""
    axes.set(title=title, aspect="equal", xlabel=f"x{metres}", ylabel=f"y{metres}")
    axes.locator_params(nbins=5)


def rendered(size: int) -> tuple[xr.DataArray, xr.DataArray, Any]:
    """Two dates of a scene (band, y, x), and what covers the ground at points on a lattice."""
    import geopandas

    images = render(torch.tensor([_SCENE]), _SEED, ("multispectral", "materials"), size)
    x, y = (_CORNER[axis] + sign * _PIXEL * (np.arange(size) + 0.5) for axis, sign in ((0, 1), (1, -1)))
    coords = {"band": list(SENSORS["sentinel2"].band_names), "y": y, "x": x}
    dates = [
        xr.DataArray(values.numpy(), dims=("band", "y", "x"), coords=coords).rio.write_crs(_CRS)
        for values in images["multispectral"][0]
    ]
    places = (np.arange(_POINTS) * size + size // 2) // _POINTS
    rows, columns = (each.ravel() for each in np.meshgrid(places, places, indexing="ij"))
    groups = [entry.group for entry in MATERIALS.values()]
    names = [groups[number] for number in images["materials"][0].numpy()[rows, columns]]
    points = geopandas.points_from_xy(x[columns], y[rows], crs=_CRS)
    return dates[0], dates[1], geopandas.GeoDataFrame({"class": names}, geometry=points)
