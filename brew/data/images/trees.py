"""Zarr stores, netCDF files and DataTrees: EOPF products, and Datasets of any layout."""

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from brew.data.images.array_parts import parts_of_dataset
from brew.data.images.parts import Opened, Statement
from brew.data.images.statements import from_name, from_properties
from brew.errors import BrewError

#: Groups of an EOPF product that hold bands, by increasing size of the pixels.
_REFLECTANCE = ("measurements/reflectance/r10m", "measurements/reflectance/r20m", "measurements/reflectance/r60m")
_CLASSES = "conditions/mask/l2a_classification/r20m"


def is_zarr(source: str) -> bool:
    """Whether a path is a Zarr store, of either format."""
    path = Path(source)
    return path.is_dir() and any((path / name).is_file() for name in (".zgroup", ".zmetadata", "zarr.json"))


def open_zarr(source: str, date: Any) -> Opened:
    """A Zarr store; BrewError if it holds no bands."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated metadata", RuntimeWarning)
            tree = xr.open_datatree(source, engine="zarr", chunks={})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrewError(
            f"{source} cannot be opened ({error}); expected a Zarr of xarray or EOPF. Obtain it again"
        ) from error
    return open_tree(tree, source, date)


def open_netcdf(source: str, date: Any) -> Opened:
    """A netCDF file, by the engines that xarray has."""
    try:
        dataset = xr.open_dataset(source, chunks={})
    except (OSError, ValueError) as error:
        raise BrewError(
            f"{source} cannot be opened ({error}); expected netCDF. Install h5netcdf, or give the bands as GeoTIFFs"
        ) from error
    parts = parts_of_dataset(dataset, source, date)
    said = said_by(dataset.attrs, dataset.coords) + from_name(source)
    return Opened("netCDF", source, parts, tuple(said))


def open_tree(tree: xr.DataTree, source: str, date: Any) -> Opened:
    """A DataTree: bands of an EOPF product at each resolution, else all its Datasets with rows and columns."""
    attributes = tree.root.attrs
    groups = {path.strip("/"): node.to_dataset() for path, node in tree.subtree_with_keys}
    groups = {_below(tree, path): dataset for path, dataset in groups.items()}
    chosen = {path: groups[path] for path in groups if path.endswith(_REFLECTANCE)}
    eopf = bool(chosen)
    chosen = chosen or {path: each for path, each in groups.items() if _has_image(each)}
    if not chosen:
        raise BrewError(
            f"{source}: no group with rows and columns; found {', '.join(groups) or 'none'}. Give the group of the "
            "bands"
        )
    classes = {path: each for path, each in groups.items() if eopf and path.endswith(_CLASSES)}
    system = attributes.get("other_metadata", {})
    code = system.get("horizontal_CRS_code") if isinstance(system, Mapping) else None
    found = {path: _with_crs(each, code) for path, each in (chosen | classes).items()}
    parts = [part for path, each in found.items() for part in parts_of_dataset(each, f"{source}/{path}", date)]
    said = said_by(attributes) + from_name(source)
    aside = tuple(sorted({path.split("/")[0] for path in groups if path and path not in found} - {"measurements"}))
    return Opened(
        "EOPF product" if eopf else "tree of Datasets", source, tuple(parts), tuple(said), aside if eopf else ()
    )


def _below(tree: xr.DataTree, path: str) -> str:
    """A group's name from the root, if the tree is a part of another."""
    start = tree.path.strip("/")
    return f"{start}/{path}".strip("/") if path != "." else start


def _has_image(dataset: xr.Dataset) -> bool:
    return any(array.ndim >= 2 and array.dtype.kind in "iuf" for array in dataset.data_vars.values())


def _with_crs(dataset: xr.Dataset, code: Any) -> xr.Dataset:
    """With the product's coordinate system, if the group has none itself."""
    if dataset.rio.crs is None and code:
        return dataset.rio.write_crs(str(code))
    return dataset


def said_by(attributes: Mapping[Any, Any], coordinates: Any = ()) -> list[Statement]:
    """What attributes and coordinates of arrays say of the offset, as stackstac and EOPF keep STAC's properties."""
    properties: dict[str, Any] = {}
    for discovery in _mappings(attributes.get("stac_discovery"), attributes):
        properties |= {str(key): value for key, value in discovery.items()}
    for name in coordinates:
        if coordinates[name].ndim == 0 or coordinates[name].size == 1:
            properties[str(name)] = coordinates[name].values.reshape(-1)[0]
    return from_properties(properties)


def _mappings(discovery: Any, attributes: Mapping[Any, Any]) -> Iterator[Mapping[Any, Any]]:
    yield attributes
    if isinstance(discovery, str):
        try:
            discovery = json.loads(discovery)
        except ValueError:
            return
    if isinstance(discovery, Mapping) and isinstance(discovery.get("properties"), Mapping):
        yield discovery["properties"]
