"""What one does with a scene's features, each in one call that returns xarray on the features' grid.

    features = brew.embed("scene.tif", student)
    maps.picture(features)                             # principal components in colour
    maps.similarity(features, x=399_995, y=5_000_005)  # of one place to all others
    maps.clusters(features, 8)
    maps.classes(features, "points.geojson", "class")  # with its score on blocks that were left out
    maps.change("before.SAFE", "after.SAFE", student)  # with the registration, and a threshold

Left out: plotting (`.plot()` of xarray, or a GIS that opens `.rio.to_raster`), and training of any trunk.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Integer, Shaped
from rasterio.crs import CRS

from brew.embedding import opened_image
from brew.errors import BrewError, nearest
from brew.feature_files import decoded
from brew.feature_rows import FeatureRows, Scene
from brew.models.student import Student

__all__ = ["change", "classes", "clusters", "decoded", "picture", "registration", "similarity"]

#: Cells that components and clusters are learned from, at most; rows of cells that are worked on together.
_LEARNED, _ROWS = 50_000, 128
#: A picture's darkest and brightest shade: percentiles of a component.
_SHADES = (2, 98)
#: Pixels per side of the windows whose shift is measured, and how many are looked at along each side.
_WINDOW, _WINDOWS = 512, 3
#: Frequencies that count for a shift: deviation of their weight, in cycles per pixel.
_FREQUENCY = 0.15
#: Pixels of two dates lie on each other if they are apart by no more than this share of a pixel.
_OFF_GRID = 0.01
#: Deviations above the median from which a distance counts as change, if no ground is known to be stable.
_DEVIATIONS = 3
#: Turns a median absolute deviation into a standard deviation.
_NORMAL = 1.4826

Vectors = Float[np.ndarray, "cell feature"]


def picture(features: xr.Dataset, components: int = 3) -> xr.DataArray:
    """(y, x, component) from 0 to 1: the first principal components of the features; NaN where there are none.

    With three components, `.plot.imshow()` shows them as red, green and blue.
    """
    from sklearn.decomposition import PCA

    sample = _sample(features)
    if components > min(sample.shape):
        raise BrewError(f"{components} components of {sample.shape[1]} features and {len(sample)} cells; take fewer")
    fitted = PCA(components, random_state=0).fit(sample)
    low, high = np.percentile(fitted.transform(sample), _SHADES, axis=0)

    def shades(vectors: Vectors) -> Float[np.ndarray, "cell component"]:
        return ((fitted.transform(vectors) - low) / (high - low).clip(1e-12)).clip(0, 1).astype(np.float32)

    explained = fitted.explained_variance_ratio_.tolist()
    return _mapped(features, shades, "picture", np.nan, components).assign_attrs(explained_variance=explained)


def similarity(features: xr.Dataset, x: float | int, y: float | int) -> xr.DataArray:
    """(y, x): cosine similarity, from -1 to 1, of every cell's features to those of the cell at x, y.

    x, y: in the coordinate system of the features. Raises BrewError for a place outside, or without features.
    """
    row, column = _cell(features, np.array([float(x)]), np.array([float(y)]))
    if row[0] < 0:
        raise BrewError(f"x={x:g}, y={y:g} lies outside the features; expected {_extent(features)}. Correct the place")
    chosen = decoded(features.isel(y=row[0], x=column[0])).values
    if not np.isfinite(chosen).all():
        raise BrewError(f"x={x:g}, y={y:g} has no features; expected pixels with a value there. Choose another place")
    direction = chosen / np.linalg.norm(chosen).clip(1e-12)
    found = _mapped(features, lambda vectors: _unit(vectors) @ direction, "similarity", np.nan)
    return found.assign_attrs(of_x=float(x), of_y=float(y))


def clusters(features: xr.Dataset, count: int = 8, seed: int = 0) -> xr.DataArray:
    """(y, x) int16: which of `count` clusters of directions a cell belongs to; -1 where there are no features."""
    from sklearn.cluster import KMeans

    sample = _unit(_sample(features))
    if not 1 < count <= len(sample):
        raise BrewError(f"{count} clusters of {len(sample)} cells; expected 2 or more, and no more than cells")
    fitted = KMeans(count, n_init=3, random_state=seed).fit(sample)
    return _mapped(features, lambda vectors: fitted.predict(_unit(vectors)).astype(np.int16), "cluster", np.int16(-1))


def classes(features: xr.Dataset, points: Any, column: str = "class", block: float | int | None = None) -> xr.DataArray:
    """(y, x) int16: the class of every cell, learned from labelled points; -1 where there are no features.

    points: a file that geopandas reads (GeoJSON), or a GeoDataFrame; `column` names the classes. A ridge classifier on
        standardised features learns them; classes weigh alike.
    block: side of the squares that are left out one by one, in units of the coordinate system; None takes a quarter of
        the scene's longer side. Points near each other look alike, so a score over single points would flatter.
    Attributes: `names` of the classes; `balanced_accuracy` and `accuracy` of points in blocks that were left out, and
    the number of points and of blocks. Raises BrewError for points that do not suffice.
    """
    from sklearn.metrics import accuracy_score, balanced_accuracy_score
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

    x, y, labels = _labelled(features, points, column)
    row, across = _cell(features, x, y)
    at_points = decoded(features).isel(y=xr.DataArray(row, dims="point"), x=xr.DataArray(across, dims="point"))
    vectors = at_points.transpose("point", "feature").values
    usable = (row >= 0) & np.isfinite(vectors).all(1)
    names, codes = np.unique(labels[usable], return_inverse=True)
    side = _longer_side(features) / 4 if block is None else block
    blocks = np.unique(np.stack([x // side, y // side])[:, usable], axis=1, return_inverse=True)[1]
    if len(names) < 2 or blocks.max(initial=0) < 1:
        raise BrewError(
            f"{usable.sum()} of {len(labels)} points have features, of {len(names)} classes in "
            f"{len(np.unique(blocks))} blocks; expected two classes and two blocks at least. Add points, or lower "
            "`block`"
        )
    left_out = cross_val_predict(_classifier(), vectors[usable], codes, groups=blocks, cv=LeaveOneGroupOut())
    fitted = _classifier().fit(vectors[usable], codes)
    found = _mapped(features, lambda each: fitted.predict(each).astype(np.int16), "class", np.int16(-1))
    return found.assign_attrs(
        names=[str(name) for name in names],
        balanced_accuracy=float(balanced_accuracy_score(codes, left_out)),
        accuracy=float(accuracy_score(codes, left_out)),
        points=int(usable.sum()),
        blocks=int(blocks.max()) + 1,
    )


def change(
    before: Any,
    after: Any,
    student: Student,
    *,
    stride: int = 4,
    stable: xr.DataArray | Bool[np.ndarray, "y x"] | None = None,
    alarms: float | int = 0.01,
    largest_shift: float | int = 1,
    **reading: Any,
) -> xr.Dataset:
    """What changed between two dates: ``distance`` (y, x), the features' cosine distance, and ``changed`` (y, x).

    before, after: two images as `brew.embed` takes them; both become digital numbers without an offset. Extents may
        differ: what both show is compared, if pixels lie on each other. reading: options of both. If they differ, open
        each by `brew.data.images.open_image`.
    stable: cells that are known not to have changed. The threshold is then what a share `alarms` of them exceeds.
        None: the median of all cells plus three deviations (of their median absolute deviation); most of the scene has
        to be stable then.
    largest_shift: in pixels; a larger one between the images, by phase correlation, is a BrewError.
    Attributes: threshold and where it is from, the shift, and what was assumed of each image. Raises BrewError for
    images without common ground, and for pixels that do not lie on each other.
    """
    scenes = _on_shared_ground(*(opened_image(image, "sentinel2", reading) for image in (before, after)))
    shift = registration(*scenes)
    if max(map(abs, shift)) > largest_shift:
        raise BrewError(
            f"the later image lies {shift[0]:+.2f} rows and {shift[1]:+.2f} columns from the earlier one; expected at "
            f"most {largest_shift:g} px. Register one to the other, or pass a larger `largest_shift` if this is wrong"
        )
    rows = [FeatureRows(scene, student, "sentinel2", stride) for scene in scenes]
    for each in rows:
        each.check()
    distance = _distances(*rows)
    known = None if stable is None else _as_mask(stable, distance.shape)
    threshold, origin = _threshold(distance, known, alarms)
    return xr.Dataset(
        {"distance": (("y", "x"), distance), "changed": (("y", "x"), distance > threshold)},
        coords=rows[0].grid().coords,
        attrs={
            "threshold": threshold, "threshold_from": origin, "shift_rows": shift[0], "shift_columns": shift[1],
            "before": str(scenes[0].record), "after": str(scenes[1].record), "stride": stride,
        },
    )  # fmt: skip


def registration(before: Scene, after: Scene) -> tuple[float, float]:
    """By how many rows and columns the later image's content lies further down and right, by phase correlation.

    Measured in the window that has most pixels with a value in both images. Source: Kuglin and Hines 1975; the peak of
    a Gaussian is interpolated from the logarithms of three values.
    """
    best: tuple[float, np.ndarray] = (-1.0, np.zeros((2, 1, 1)))
    for window in _windows(before.shape):
        pair = [image.read(*window) for image in (before, after)]
        valid = np.logical_and(*(valid for _, valid in pair))
        if valid.mean() > best[0]:
            best = float(valid.mean()), np.stack([_contrast(values, valid) for values, _ in pair])
    if best[0] <= 0:
        raise BrewError("the images have no pixel with a value in common; expected two dates of one place")
    spectra = np.fft.fft2(best[1])
    cross = spectra[1] * spectra[0].conj()
    frequencies = [np.fft.fftfreq(side) for side in cross.shape]
    weight = np.outer(*(np.exp(-((each / _FREQUENCY) ** 2) / 2) for each in frequencies))
    peaks = np.fft.ifft2(cross / np.abs(cross).clip(1e-12) * weight).real
    row, column = np.unravel_index(peaks.argmax(), peaks.shape)
    return _interpolated(peaks[:, column], int(row)), _interpolated(peaks[row], int(column))


def _windows(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    starts = [np.linspace(0, max(0, side - _WINDOW), _WINDOWS).astype(int) for side in shape]
    return [
        (slice(y, min(y + _WINDOW, shape[0])), slice(x, min(x + _WINDOW, shape[1])))
        for y in np.unique(starts[0]).tolist()
        for x in np.unique(starts[1]).tolist()
    ]


def _contrast(values: Float[np.ndarray, "band y x"], valid: Bool[np.ndarray, "y x"]) -> Float[np.ndarray, "y x"]:
    """Mean of the bands around its own mean, faded towards the window's border; 0 where a pixel has no value."""
    grey = values.mean(0)
    grey = np.where(valid, grey - grey[valid].mean() if valid.any() else 0, 0)
    return grey * np.outer(*(np.hanning(side + 2)[1:-1] for side in grey.shape))


def _interpolated(values: Float[np.ndarray, " place"], peak: int) -> float:
    """Where between places a peak lies; the second half of the places stands for negative ones."""
    count = len(values)
    below, here, above = np.log(values[[peak - 1, peak, (peak + 1) % count]].clip(1e-12))
    curvature = below - 2 * here + above
    part = (below - above) / (2 * curvature) if count > 2 and curvature < 0 else 0.0
    return float((peak + count // 2) % count - count // 2 + part)


class _Part:
    """A window of an image, as an image."""

    def __init__(self, image: Scene, rows: slice, columns: slice):
        self._image, self._corner = image, (rows.start, columns.start)
        self.shape = (rows.stop - rows.start, columns.stop - columns.start)
        self.y, self.x, self.crs = image.y[rows], image.x[columns], image.crs

    @property
    def record(self) -> dict[str, Any]:
        return self._image.record

    def read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        down, across = self._corner
        return self._image.read(
            slice(rows.start + down, rows.stop + down), slice(columns.start + across, columns.stop + across)
        )


def _on_shared_ground(before: Scene, after: Scene) -> tuple[Scene, Scene]:
    """What both images show, on one grid; BrewError if pixels do not lie on each other or nothing is shared."""
    if not _same_system(before.crs, after.crs):
        raise BrewError(
            f"the images lie in different coordinate systems ({_name(before.crs)}, {_name(after.crs)}); expected one. "
            f"Bring the later to the earlier's grid: {_warp(before)}"
        )
    down, across = _shared(before.y, after.y), _shared(before.x, after.x)
    if down is None or across is None:
        raise BrewError(
            f"the images lie on different grids: {before.shape} px from {before.x[0]:.10g}, {before.y[0]:.10g} and "
            f"{after.shape} px from {after.x[0]:.10g}, {after.y[0]:.10g}; expected pixels that lie on each other. "
            f"Bring the later to the earlier's grid: {_warp(before)}"
        )
    if any(side.stop <= side.start for side in (down[0], across[0])):
        raise BrewError("the images show no common ground; expected two dates of one place. Give such images")
    return _cut(before, down[0], across[0]), _cut(after, down[1], across[1])


def _shared(one: np.ndarray, other: np.ndarray) -> tuple[slice, slice] | None:
    """The places of both axes that they share; None if steps differ or places lie between each other."""
    steps = [float(axis[-1] - axis[0]) / (len(axis) - 1) for axis in (one, other) if len(axis) > 1] or [1.0]
    apart = float(other[0] - one[0]) / steps[0]
    drift = abs(steps[-1] / steps[0] - 1) * max(len(one), len(other))
    first = round(apart)
    if max(abs(apart - first), drift) > _OFF_GRID:
        return None
    start, stop = max(0, first), min(len(one), first + len(other))
    return slice(start, stop), slice(start - first, stop - first)


def _cut(image: Scene, rows: slice, columns: slice) -> Scene:
    whole = (rows.stop - rows.start, columns.stop - columns.start) == tuple(image.shape)
    return image if whole else _Part(image, rows, columns)


def _same_system(one: Any, other: Any) -> bool:
    if not one or not other:
        return not one and not other
    return bool(CRS.from_user_input(one) == CRS.from_user_input(other))


def _name(system: Any) -> str:
    if not system:
        return "none"
    found = CRS.from_user_input(system)
    return f"EPSG:{code}" if (code := found.to_epsg()) else found.to_string()


def _warp(image: Scene) -> str:
    """The command that brings another image to the grid of this one."""
    across, down = (abs(float(axis[1] - axis[0])) if len(axis) > 1 else 10.0 for axis in (image.x, image.y))
    left, right = float(image.x.min()) - across / 2, float(image.x.max()) + across / 2
    bottom, top = float(image.y.min()) - down / 2, float(image.y.max()) + down / 2
    system = f"-t_srs {_name(image.crs)} " if image.crs else ""
    return (
        f"gdalwarp {system}-te {left:.10g} {bottom:.10g} {right:.10g} {top:.10g} -tr {across:.10g} {down:.10g} "
        "-r bilinear later.tif moved.tif"
    )


def _distances(before: FeatureRows, after: FeatureRows) -> Float[np.ndarray, "y x"]:
    """Cosine distance of two dates' features; NaN where one of them lacks half a cell's pixels."""
    distance = np.empty(before.shape, dtype=np.float32)
    for start in range(0, len(distance), _ROWS):
        stop = min(start + _ROWS, len(distance))
        (first, valid), (second, also_valid) = before.take(start, stop), after.take(start, stop)
        cosine = torch.cosine_similarity(torch.from_numpy(first), torch.from_numpy(second), 0)
        distance[start:stop] = np.where(np.minimum(valid, also_valid) < 0.5, np.nan, 1 - cosine.numpy())
    return distance


def _threshold(
    distance: Float[np.ndarray, "y x"], stable: Bool[np.ndarray, "y x"] | None, alarms: float
) -> tuple[float, str]:
    known = distance[np.isfinite(distance) & (True if stable is None else stable)]
    if not known.size:
        raise BrewError("no stable cell has features at both dates; expected some. Give other stable ground")
    if stable is not None:
        return float(np.quantile(known, 1 - alarms)), f"quantile {1 - alarms:g} of {known.size} stable cells"
    middle = np.median(known)
    spread = _NORMAL * np.median(np.abs(known - middle))
    return float(middle + _DEVIATIONS * spread), f"median plus {_DEVIATIONS} deviations of all {known.size} cells"


def _as_mask(stable: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "y x"]:
    mask = np.asarray(stable).astype(bool)
    if mask.shape != shape:
        raise BrewError(f"stable ground of {mask.shape} cells; expected {shape}, a value for each cell of the features")
    return mask


def _mapped(
    features: xr.Dataset,
    function: Callable[[Vectors], Shaped[np.ndarray, "cell *value"]],
    name: str,
    empty: Any,
    values: int | None = None,
) -> xr.DataArray:
    """The function of every cell's vector, a few rows at a time; `empty` for cells without features."""
    height, width = features.sizes["y"], features.sizes["x"]
    more = () if values is None else (values,)
    out = np.full((height, width, *more), empty, dtype=np.float32 if isinstance(empty, float) else None)
    for start in range(0, height, _ROWS):
        vectors = _vectors(features.isel(y=slice(start, start + _ROWS)))
        there = np.isfinite(vectors).all(1)
        if there.any():
            out[start : start + _ROWS].reshape(-1, *more)[there] = function(vectors[there])
    dims = ("y", "x", "component")[: out.ndim]
    kept = {each: features.coords[each] for each in ("y", "x", "spatial_ref") if each in features.coords}
    return xr.DataArray(out, dims=dims, coords=kept, name=name)


def _vectors(features: xr.Dataset) -> Vectors:
    return decoded(features).transpose("y", "x", "feature").values.reshape(-1, features.sizes["feature"])


def _sample(features: xr.Dataset) -> Vectors:
    """Vectors of cells at even steps; BrewError if none has features."""
    step = max(1, int(np.ceil(np.sqrt(features.sizes["y"] * features.sizes["x"] / _LEARNED))))
    vectors = _vectors(features.isel(y=slice(step // 2, None, step), x=slice(step // 2, None, step)))
    vectors = vectors[np.isfinite(vectors).all(1)]
    if not len(vectors):
        raise BrewError("no cell has features; expected an image whose pixels have values")
    return vectors


def _unit(vectors: Vectors) -> Vectors:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)


def _cell(
    features: xr.Dataset, x: Float[np.ndarray, " point"], y: Float[np.ndarray, " point"]
) -> tuple[Integer[np.ndarray, " point"], Integer[np.ndarray, " point"]]:
    """Row and column of the cells that hold the points; -1 for points outside."""
    found = []
    for name, places in (("y", y), ("x", x)):
        centres = features[name].values
        spacing = (centres[-1] - centres[0]) / (len(centres) - 1) if len(centres) > 1 else features.attrs["stride"] * 10
        found.append(np.floor((places - centres[0]) / spacing + 0.5).astype(int))
    inside = (found[0] >= 0) & (found[0] < features.sizes["y"]) & (found[1] >= 0) & (found[1] < features.sizes["x"])
    return np.where(inside, found[0], -1), np.where(inside, found[1], -1)


def _extent(features: xr.Dataset) -> str:
    x, y = features["x"].values, features["y"].values
    return f"x from {x.min():.10g} to {x.max():.10g} and y from {y.min():.10g} to {y.max():.10g}"


def _longer_side(features: xr.Dataset) -> float:
    return max(float(np.ptp(features[name].values)) for name in ("x", "y"))


def _labelled(
    features: xr.Dataset, points: Any, column: str
) -> tuple[Float[np.ndarray, " point"], Float[np.ndarray, " point"], np.ndarray]:
    """Places in the features' coordinate system, and labels."""
    import geopandas

    frame = geopandas.read_file(points) if isinstance(points, str | Path) else points
    if column not in frame.columns:
        raise BrewError(f"the points have no column {column!r}; {nearest(column, tuple(map(str, frame.columns)))}")
    if not len(frame) or not (frame.geometry.geom_type == "Point").all():
        raise BrewError(f"{len(frame)} places of which some are no points; expected points. Take centroids")
    crs = features.rio.crs
    if crs is not None and frame.crs is not None:
        frame = frame.to_crs(crs.to_wkt())
    elif (crs is None) != (frame.crs is None):
        raise BrewError("either features or points have no coordinate system; expected both or none. Set it by set_crs")
    return frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy(), frame[column].to_numpy()


def _classifier() -> Any:
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-1, 4, 6), class_weight="balanced"))
