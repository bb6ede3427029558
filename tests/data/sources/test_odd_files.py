"""Odd files at every door: damaged, cut, of other types, sizes, bands and keys. Each ends in a BrewError that names the
file, or in the right value: never in another exception, never in a silent wrong answer.
"""

import io
import json
import pickle
import tarfile
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rasterio.transform import Affine

from brew.data.fetch import fetch, unpack
from brew.data.inert import read_inert, to_array
from brew.data.manifest import check_manifest
from brew.data.plain import read_json, read_yaml
from brew.data.rasters import check_digital_numbers, read_image, read_picture, read_raster
from brew.data.sources import bigearthnet_v2, geobench, oscd, pastis, sen1floods11, treesatai
from brew.data.sources.geotiff import GeotiffSettings, list_bands, read_scene
from brew.sensors import SENSORS, SENTINEL2_BANDS
from tests.flood import attempt, few

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
SIZE = 6
BANDS = SENSORS["sentinel2"].band_names

#: Where a file's bytes are changed or cut, as shares of its length.
damages = st.one_of(
    st.floats(0, 0.999).map(lambda share: lambda data: data[: int(share * len(data))]),
    st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=8)).map(
        lambda change: (
            lambda data: (
                data[: int(change[0] * len(data))] + change[1] + data[int(change[0] * len(data)) + len(change[1]) :]
            )
        )
    ),
)
dtypes = st.sampled_from(["uint8", "int16", "uint16", "int32", "float32", "float64"])
#: Values at which types and units part.
numbers = st.sampled_from([0, 1, 2, 255, 256, 3000, 32767, 32768, 65534, 65535, -1, -5, -9999, np.nan, np.inf])
keys = st.sampled_from(["a", "b", "file", "band", "index", "split"])
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def stored(dtype: str, value: float, shape: tuple[int, ...]) -> np.ndarray:
    """A sound image with one pixel of `value`, as that type keeps it."""
    values = np.random.default_rng(0).integers(100, 250, shape).astype(dtype)
    if np.dtype(dtype).kind == "f" or (np.isfinite(value) and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max):
        values[..., 2, 3] = value
    return values


def tif(path: Path, values: np.ndarray, **profile) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # rasterio looks into what it replaces
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=values.dtype, **profile
    ) as file:
        file.write(values)
    return path


def named(path: Path | str) -> tuple[str, str]:
    """What an error says to name the file."""
    return str(path), Path(path).name


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


# --- rasters and pictures ---


@few
@given(
    dtypes, numbers, st.sampled_from([None, 0.0, 255.0, 65535.0, -9999.0, float("nan")]),
    st.sampled_from(["upright", "turned", "none"]),
)  # fmt: skip
def test_a_band_is_its_digital_numbers_or_an_error(folder, dtype, value, nodata, place):
    values = stored(dtype, value, (1, SIZE, SIZE))
    profile = {"none": {}, "upright": {"crs": "EPSG:32632", "transform": Affine(10, 0, 5, 0, -10, 5)}}
    profile["turned"] = {"crs": "EPSG:32632", "transform": Affine(8, 6, 5, 6, -8, 5)}
    if nodata is not None and np.dtype(dtype).kind != "f":
        nodata = nodata if np.isfinite(nodata) and np.iinfo(dtype).min <= nodata <= np.iinfo(dtype).max else None
    path = tif(folder / "band.tif", values, nodata=nodata, **profile[place])
    found = attempt("rasters", lambda: check_digital_numbers(read_raster(path), path, "B4"), *named(path))
    if found is not None:
        assert dtype == "uint16" and place != "turned" and found.dtype == np.uint16
        assert nodata is None or not (values == nodata).any()
        np.testing.assert_array_equal(found, values[0])


@few
@given(damages, st.sampled_from(["none", "deflate", "lzw"]), st.integers(1, 4))
def test_a_damaged_raster(folder, damage, compress, bands):
    path = tif(folder / "image.tif", stored("uint16", 7, (bands, SIZE, SIZE)), compress=compress)
    path.write_bytes(damage(path.read_bytes()))
    found = attempt("rasters", lambda: read_image(path, bands), *named(path))
    assert found is None or len(found) == bands


@few
@given(damages, st.sampled_from(["png", "jpg", "bmp", "gif", "tif", "webp"]), st.sampled_from(["RGB", "L", "1"]))
def test_a_damaged_picture(folder, damage, suffix, mode):
    path = folder / f"picture.{suffix}"
    Image.fromarray(stored("uint8", 7, (SIZE, SIZE))).convert(mode).save(path)
    path.write_bytes(damage(path.read_bytes()))
    attempt("pictures", lambda: read_picture(path, (mode,)), *named(path))


# --- tables and texts ---


@few
@given(st.binary(max_size=60) | plain.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_texts_of_others(folder, content, as_json):
    path = folder / "text"
    path.write_bytes(content)
    attempt("texts of others", lambda: (read_json if as_json else read_yaml)(path), *named(path))


@few
@given(st.dictionaries(keys, st.integers(), min_size=1), keys)
def test_a_key_that_stands_twice(folder, mapping, key):
    path, items = folder / "text", [*mapping.items(), (key, 0)]
    for text, read in (
        ("{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in items) + "}", read_json),
        ("".join(f"{name}: {value}\n" for name, value in items), read_yaml),
    ):
        path.write_text(text)
        assert (attempt("texts of others", lambda read=read: read(path), *named(path)) is None) == (key in mapping)


rows = st.lists(
    st.dictionaries(st.sampled_from(["file", "band", "index", "scene", "split", "x"]), plain | numbers, max_size=5),
    max_size=3,
)


@few
@given(rows | plain)
def test_a_table_of_bands_as_yaml(folder, content):
    (folder / "bands.yaml").write_text(yaml.safe_dump(content))
    attempt("tables of bands", lambda: list_bands(GeotiffSettings(folder, "own", table="bands.yaml")), *named(folder))


@few
@given(st.text(st.sampled_from('file,band;\n\r"0123B4\ufeff\0ä'), max_size=60), st.sampled_from(["utf-8", "utf-16"]))
def test_a_table_of_bands_as_csv(folder, content, encoding):
    (folder / "bands.csv").write_bytes(content.encode(encoding))
    attempt("tables of bands", lambda: list_bands(GeotiffSettings(folder, "own", table="bands.csv")), *named(folder))


@few
@given(st.lists(st.sampled_from([*BANDS, "B1", "B09", "b4", "", "?"]), min_size=1, max_size=12), dtypes)
def test_a_scene_of_any_bands(folder, names, dtype):
    place = folder / "scene"
    path = tif(place / "a.tif", stored(dtype, 7, (len(names), SIZE, SIZE)))
    with rasterio.open(path, "r+") as file:
        file.descriptions = [name or None for name in names]
        values = file.read()
    found = attempt("data sets", lambda: read_scene(list_bands(GeotiffSettings(place, "own"))["a"]), *named(place))
    assert (found is not None) == (
        dtype == "uint16" and {*BANDS} <= {name.upper() for name in names} and len(names) == len(set(names))
        and not {"", "?"} & set(names) and not {"B4", "b4"} <= set(names)
    )  # fmt: skip
    if found is not None:
        np.testing.assert_array_equal(found.values[1], values[[name.upper() for name in names].index("B3")])


@few
@given(plain | st.fixed_dictionaries({"files": plain, "patterns": plain, "obtain": plain}))
def test_a_manifest(folder, content):
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(content))
    attempt("manifests", lambda: check_manifest(path, folder / "nothing"), *named("manifest.yaml"))


# --- archives and records ---


def packed(kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("deep/a.txt", "content" * 30)
    else:
        with tarfile.open(fileobj=stream, mode=f"w:{kind}") as file:
            entry = tarfile.TarInfo("deep/a.txt")
            entry.size = 210
            file.addfile(entry, io.BytesIO(b"content" * 30))
    return stream.getvalue()


@few
@given(damages, st.sampled_from(["zip", "gz", "bz2", "xz"]))
def test_a_damaged_archive(damage, kind):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data" / "a.archive"
        path.parent.mkdir()
        path.write_bytes(damage(packed(kind)))
        attempt("archives", lambda: unpack(path), *named(path))
        assert {file.name for file in Path(folder).iterdir()} == {"data"}


@few
@given(st.binary(max_size=40) | plain.map(lambda value: yaml.safe_dump(value).encode()))
def test_a_record_of_fetched_files(content):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fetched.yaml").write_bytes(content)
        attempt("manifests", lambda: fetch([], Path(folder), ""), *named("fetched.yaml"))


@few
@given(damages, st.sampled_from(["<i8", ">f4", "u1", "?"]), st.integers(2, 5))
def test_a_damaged_pickle(damage, dtype, protocol):
    value = {"label": np.arange(6).astype(dtype).reshape(2, 3), "text": "x", "bands_order": ["a", "b"]}
    content = damage(pickle.dumps(value, protocol))

    def read():
        found = read_inert(content, frozenset({"numpy", "_codecs"}))
        to_array(found["label"] if isinstance(found, dict) and "label" in found else found)

    attempt("pickles", read)


# --- readers of data sets ---


@few
@given(dtypes, numbers, st.integers(12, 14), st.sampled_from([SIZE, SIZE + 1]))
def test_a_chip_of_floods(folder, dtype, value, bands, size):
    image, label = (folder / name for name in sen1floods11.files("A_1"))
    values = stored(dtype, value, (bands, SIZE, SIZE))
    tif(image, values)
    tif(label, np.ones((1, size, size), np.int16))
    found = attempt("data sets", lambda: sen1floods11.read_chip(folder, "A_1"), *named("A_1"))
    if found is not None:
        assert (bands == 13 and size == SIZE and 0 <= values[0, 2, 3] <= 65534) or found.label[2, 3] == 0
        hole = found.label == 0
        order = [list(SENTINEL2_BANDS).index(band) for band in BANDS]
        np.testing.assert_array_equal(found.image[0], np.where(hole, 0, values[order]))


@few
@given(dtypes, numbers, st.integers(11, 13), damages | st.none())
def test_a_patch_of_bigearthnet(folder, dtype, value, bands, damage):
    path, values = folder / "p__s2.tif", stored(dtype, value, (bands, SIZE, SIZE))
    tif(path, values)
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    found = attempt("data sets", lambda: bigearthnet_v2.read_patch(folder, {"p": ["Pastures"]}, "p"), *named(path))
    if found is not None and damage is None:
        assert bands == 12 and found.image[0, 0, 2, 3] == values[3, 2, 3]


listed = st.lists(
    st.dictionaries(st.sampled_from(["tortilla:id", "tortilla:data_split", "labels"]), plain, max_size=3), max_size=3
)


@few
@given(listed | plain)
def test_lists_of_places(folder, content):
    (folder / "meta.json").write_text(json.dumps(content))
    attempt("lists of splits", lambda: treesatai.read_pairs(folder), *named(folder))
    attempt("lists of splits", lambda: bigearthnet_v2.read_list(folder / "meta.json"), *named(folder))
    (folder / "metadata.geojson").write_text(json.dumps({"features": content}))
    attempt("lists of splits", lambda: pastis.read_patches(folder / "metadata.geojson"), *named("metadata.geojson"))
    patches = [{"properties": {"ID_PATCH": fold, "Fold": fold, "dates-S2": content}} for fold in (1, 4, 5)]
    (folder / "PASTIS-R").mkdir(exist_ok=True)
    (folder / "PASTIS-R" / "metadata.geojson").write_text(json.dumps({"features": patches}))
    attempt("lists of splits", lambda: pastis.build_year(folder, folder / "a.zarr"), *named("metadata.geojson"))


@few
@given(
    dtypes, numbers, st.sampled_from([(), (3,), (0, 10), (1, 9), (2, 10), (3, 11)]), damages | st.none(), st.booleans()
)
def test_a_patch_of_pastis(folder, dtype, value, shape, damage, sound):
    for name in ("DATA_S2", "ANNOTATIONS"):
        (folder / name).mkdir(exist_ok=True)
    file, series = folder / "DATA_S2" / "S2_1.npy", stored(dtype, value, (*shape, SIZE, SIZE))
    np.save(file, series)
    np.save(folder / "ANNOTATIONS" / "TARGET_1.npy", np.zeros((3 if sound else 0, SIZE, SIZE), int))
    if damage:
        file.write_bytes(damage(file.read_bytes()))
    found = attempt("data sets", lambda: pastis.read_patch(folder, "1"), *named("_1.npy"))
    if found is not None and damage is None:
        assert shape == (2, 10) and sound
        expected = np.sort(series, axis=0)[0].clip(0)
        np.testing.assert_array_equal(found.image[0], expected[[2, 1, 0, 3, 4, 5, 6, 7, 8, 9]])


@pytest.fixture(scope="module")
def city(folder):
    images = folder / "oscd" / "Onera Satellite Change Detection dataset - Images" / "x"
    for date in (1, 2):
        for name in BANDS:
            tif(images / f"imgs_{date}_rect" / f"B{name[1:].zfill(2)}.tif", stored("uint16", 7, (1, SIZE, SIZE)))
    mask = folder / "oscd" / "Onera Satellite Change Detection dataset - Train Labels" / "x" / "cm" / "cm.png"
    mask.parent.mkdir(parents=True)
    return images, mask


@few
@given(dtypes, numbers, st.sampled_from(["B4", "B04", "B10"]), damages | st.none())
def test_a_city_of_oscd(city, dtype, value, band, damage):
    (images, mask), root = city, city[0].parent.parent
    Image.fromarray(np.zeros((SIZE, SIZE), np.uint8)).save(mask)
    mask.write_bytes((damage or bytes)(mask.read_bytes()))
    file = images / "imgs_2_rect" / f"{band}.tif"
    before = file.read_bytes() if file.exists() else None
    values = stored(dtype, value, (1, SIZE, SIZE))
    tif(file, values)
    found = attempt("data sets", lambda: oscd.read_city(root, "x", "train"), *named(root))
    if found is not None:
        assert band == "B10" or (band == "B04" and dtype == "uint16" and (found.images[1, 0] == values[0]).all())
    file.write_bytes(before) if before else file.unlink()


@few
@given(dtypes, numbers, st.sampled_from(["sound", "missing", "doubled", "size", "attribute"]), damages | st.none())
def test_a_sample_of_geobench(folder, dtype, value, fault, damage):
    path, entry = folder / "s.hdf5", geobench.GEOBENCH["m-bigearthnet"]
    names = [name for name, band in entry.bands.items() if band != "B10"]
    order = {"missing": names[1:], "doubled": [*names, names[0]]}.get(fault, names)
    attributes = {"bands_order": order, "label": np.zeros(43, int)}
    with h5py.File(path, "w") as file:
        for place, name in enumerate(names):
            side = SIZE + (fault == "size" and place == 3)
            file.create_dataset(name, data=stored(dtype, value, (side, side)))
        file.attrs["pickle"] = "7" if fault == "attribute" else str(pickle.dumps(attributes))
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    found = attempt("data sets", lambda: geobench.read_sample(folder, entry, "s"), *named(path))
    if found is not None and damage is None:
        assert fault == "sound" and (found.image[0, 0] == stored(dtype, value, (SIZE, SIZE))).all()
