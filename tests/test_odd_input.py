"""Odd input at every other door: stores, weights, parameters, tables, images, losses and commands.

Each ends in a BrewError that names what is odd, or in the right value: never in another exception, never in a silent
wrong answer. `tests/data/sources/test_odd_files.py` does the same for the readers of files of others.
`make flood` tries many times as many inputs and prints how many each door was given.
"""

import copy
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st

import brew
from brew import sensors
from brew.command import COMMANDS, main
from brew.compendium import scales, schema
from brew.compendium.report.claims import CLAIMS, read_claims
from brew.compendium.settings import EvaluationSettings, Pretraining, Settings, Sources
from brew.data.batches import Batches
from brew.data.sources.chips import read_splits
from brew.data.store import ArrayReader, Variable, open_store, write_store
from brew.evaluation.metrics import METRICS, confusion, metric
from brew.evaluation.result_cache import CachedResult, cached
from brew.evaluation.scores import Run, read_counts, read_scores, scores_of, write_counts, write_scores
from brew.evaluation.splits import NAMES, low_data, split_by_name
from brew.losses.alignment import alignment, patch_alignment
from brew.losses.coding_rate import coding_rate
from brew.losses.reconstruction import reconstruction
from brew.models.miniature_teacher import MiniatureViT, hash_file, load_miniature_teacher, save_miniature_teacher
from brew.models.student import Student, build_student, load_student, save_student
from brew.pretraining import checkpoint
from brew.sensors import SENSORS
from brew.views import ViewSettings
from tests.flood import attempt, few, given_to, refused

pytestmark = [
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # rasterio's own
]
names = st.sampled_from(["a", "train", "test", "format", "state", "deo", "sentinel2", "B4", "1", ""])
numbers = st.sampled_from([0, 1, -1, 2, 3, 2**31, 2**70, 0.5, 1e308, -1e-3, float("nan"), float("inf"), True])
odd = st.recursive(
    st.none() | numbers | names | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | numbers, inner, max_size=3),
    max_leaves=5,
)
#: Where bytes are cut or replaced, as shares of their length.
damages = st.one_of(
    st.floats(0, 0.999).map(lambda share: lambda data: data[: int(share * len(data))]),
    st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=6)).map(
        lambda cut: lambda data: data[: (at := int(cut[0] * len(data)))] + cut[1] + data[at + len(cut[1]) :]
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd")


def mutated(tree: Any, data: st.DataObject) -> Any:
    """`tree` with one value at some depth replaced, removed, or joined by an unknown key."""
    tree = copy.deepcopy(tree)
    at = tree
    while True:
        places = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not places:
            return tree
        place = data.draw(st.sampled_from(places))
        if isinstance(at[place], dict | list) and at[place] and data.draw(st.integers(0, 3)):
            at = at[place]
            continue
        change = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "replace":
            at[place] = data.draw(odd)
        elif change == "remove":
            del at[place]
        elif isinstance(at, dict):
            at[data.draw(names)] = data.draw(odd)
        else:
            at.append(data.draw(odd))
        return tree


# --- stores and batches ---


@pytest.fixture(scope="module")
def store(folder: Path) -> Path:
    path, count = folder / "sound.zarr", 6
    variables = {
        "multispectral": Variable(("sample", "time", "band", "y", "x"), (2, 10, 4, 4), "uint16"),
        "split": Variable(("sample",), (), "text"),
        "hash": Variable(("sample",), (), "text"),
    }
    block = {
        "multispectral": np.arange(count * 320, dtype=np.uint16).reshape(count, 2, 10, 4, 4),
        "split": np.array(["train"] * 4 + ["test"] * 2, dtype=object),
        "hash": np.array([f"h{i}" for i in range(count)], dtype=object),
    }
    write_store(path, count, variables, [block], {"source": "test"})
    return path


@few
@given(st.data())
def test_a_damaged_store(folder: Path, store: Path, data: st.DataObject) -> None:
    path = folder / "damaged.zarr"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(store, path)
    file = data.draw(st.sampled_from(sorted(each for each in path.rglob("*") if each.is_file())))
    sound = file.read_bytes()
    texts = file.name == "zarr.json"
    ways = ["cut", "remove", *["bytes", "value"] * texts]
    way = data.draw(st.sampled_from(ways))
    if way == "value":
        file.write_text(json.dumps(mutated(json.loads(sound), data)))
    elif way == "remove":
        file.unlink()
    else:
        file.write_bytes(
            data.draw(damages)(sound) if way == "bytes" else sound[: data.draw(st.integers(0, len(sound) - 1))]
        )

    def read() -> tuple[xr.Dataset, np.ndarray]:
        dataset = open_store(path)
        dataset.load()
        return dataset, ArrayReader(path, "multispectral").read(range(6))

    found = attempt("store", read, path, path.name)
    if found is not None and way != "value":
        expected = open_store(store)["multispectral"].values
        assert way == "bytes"
        np.testing.assert_array_equal(found[1], expected)


@few
@given(
    st.lists(st.integers(-9, 9) | st.sampled_from([2**40, -(2**40)]), max_size=4),
    st.none() | st.lists(st.integers(-3, 3), max_size=4), st.sampled_from(["multispectral", "optical", "split", ""]),
)  # fmt: skip
def test_samples_that_a_store_may_lack(store: Path, samples: list[int], times: list[int] | None, name: str) -> None:
    def read() -> np.ndarray:
        return ArrayReader(store, name).read(samples, None if times is None else np.array(times, np.int64))

    found = attempt("array reader", read)
    if found is not None:
        whole = open_store(store)["multispectral"].values[np.array(samples, int)]
        expected = whole if times is None else whole[np.arange(len(samples)), np.array(times, int)]
        np.testing.assert_array_equal(found, expected)


@few
@given(
    st.lists(st.sampled_from(["multispectral", "optical", "split", "?"]), max_size=2),
    st.lists(st.sampled_from(["train", "test", "tran", ""]), max_size=2), st.integers(-1, 5),
    st.integers(-1, 2), st.integers(-1, 3),
)  # fmt: skip
def test_batches_that_do_not_fit(
    store: Path, variables: list[str], splits: list[str], size: int, rank: int, world: int
) -> None:
    def read() -> list[Any]:
        return list(Batches("feed", store, variables, splits, size, 0, rank=rank, world=world).epoch(0))

    found = attempt("batches", read)
    if found is not None:
        assert variables in ([], ["multispectral"], ["multispectral"] * 2) and 0 <= rank < world
        assert {len(batch.samples) for batch in found} == {size // world}


# --- weights ---


@pytest.fixture(scope="module")
def student() -> Student:
    return build_student("swin-nano", seed=0).eval()


@pytest.fixture(scope="module")
def weights(folder: Path, student: Student) -> bytes:
    save_student(folder / "student.pt", student, {"arm": "deo"})
    return (folder / "student.pt").read_bytes()


def same(found: Student, expected: Student) -> bool:
    return all(torch.equal(value, expected.state_dict()[name]) for name, value in found.state_dict().items())


@few
@given(damages)
def test_a_damaged_student(folder: Path, student: Student, weights: bytes, damage: Callable[[bytes], bytes]) -> None:
    path = folder / "damaged.pt"
    path.write_bytes(damage(weights))
    found = attempt("student file", lambda: load_student(path), path)
    assert found is None or same(found, student)


tensors = st.sampled_from([
    torch.zeros(()), torch.zeros(0), torch.ones(2, 3), torch.ones(128, dtype=torch.int64), torch.full((8,), torch.nan),
    torch.ones(128, dtype=torch.complex64), torch.ones(128).to_sparse(), torch.ones(128, dtype=torch.bool),
])  # fmt: skip


@few
@given(st.data())
def test_a_student_of_odd_content(folder: Path, student: Student, weights: bytes, data: st.DataObject) -> None:
    content = torch.load(io.BytesIO(weights), weights_only=True)
    if data.draw(st.booleans()):
        content["state"][data.draw(st.sampled_from(sorted(content["state"])))] = data.draw(tensors | odd)
    else:
        content[data.draw(st.sampled_from(sorted(content)))] = data.draw(odd | tensors)
    path = folder / "odd.pt"
    torch.save(content, path)
    found = attempt("student's content", lambda: load_student(path), path, path.name)
    if found is not None:
        assert all(value.isfinite().all() for value in found.state_dict().values())
        assert isinstance(found.provenance, dict)


@few
@given(st.data())
def test_a_released_checkpoint_of_odd_content(folder: Path, student: Student, data: st.DataObject) -> None:
    state: dict[Any, Any] = {f"features.{i}.0.norm1.weight": torch.ones(8) for i in (0, 2)} | {
        "norm.weight": torch.ones(8)
    }
    state[data.draw(names | st.sampled_from([*state, "head.x", "features.0.0.attn.relative_position_index", 3]))] = (
        data.draw(tensors | odd)
    )
    path = folder / "released.pth"
    torch.save({"student": state} if data.draw(st.booleans()) else state, path)
    assert attempt("released checkpoint", lambda: load_student(path), path.name) is None


@pytest.fixture(scope="module")
def small_teacher(folder: Path) -> bytes:
    model = MiniatureViT(width=8, depth=2, heads=1, image_size=16)
    save_miniature_teacher(folder / "teacher.pt", model, {"seed": 0})
    return (folder / "teacher.pt").read_bytes()


@few
@given(st.data())
def test_a_teacher_of_odd_content(folder: Path, small_teacher: bytes, data: st.DataObject) -> None:
    path, content = folder / "odd-teacher.pt", small_teacher
    if data.draw(st.booleans()):
        content = data.draw(damages)(content)
    else:
        values = torch.load(io.BytesIO(content), weights_only=True)
        part = data.draw(st.sampled_from([values, values["architecture"], values["state"]]))
        part[data.draw(st.sampled_from(sorted(part)))] = data.draw(odd | tensors)
        stream = io.BytesIO()
        torch.save(values, stream)
        content = stream.getvalue()
    path.write_bytes(content)
    told = hashlib.sha256(content if data.draw(st.integers(0, 3)) else small_teacher).hexdigest()
    hash_file(path).write_text(f"{told}  {path.name}\n")
    found = attempt("miniature teacher", lambda: load_miniature_teacher(path), path)
    if found is not None:
        assert all(value.isfinite().all() for value in found[0].state_dict().values())


@few
@given(st.data())
def test_a_checkpoint_of_odd_content(folder: Path, data: st.DataObject) -> None:
    def parts() -> tuple[torch.nn.Module, torch.nn.Module, torch.optim.Optimizer]:
        learner, own = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        return learner, own, torch.optim.AdamW(learner.parameters(), lr=0.1)

    path, rows = folder / "unfinished.pt", [{"step": 1, "loss": 0.5}]
    checkpoint.save(path, checkpoint.state_of(3, *parts(), rows))
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(damages)(path.read_bytes()))
    else:
        content = torch.load(path, weights_only=True)
        part = data.draw(st.sampled_from([content, content["learner"], content["optimiser"]]))
        part[data.draw(st.sampled_from(sorted(part)))] = data.draw(odd | tensors)
        torch.save(content if data.draw(st.integers(0, 5)) else data.draw(odd), path)
    found = attempt("checkpoint", lambda: checkpoint.resume(path, *parts()), path)
    if found is not None:
        step, history = found
        assert type(step) is int and step >= 0 and isinstance(history, list)


# --- parameters ---


@few
@given(st.binary(max_size=30) | st.text(st.sampled_from("ab:{}[],-\n '\"&*!#|>?%@1.e~\t"), max_size=30).map(str.encode))
@example(b"? [a, b]\n: 1\n")
@example(b"{[1]: 2}")
@example(b"a: 2001-99-99\n")
@example(b"\xff\xfe")
def test_parameters_that_are_no_yaml(folder: Path, content: bytes) -> None:
    path = folder / "params.yaml"
    path.write_bytes(content)
    found = attempt("parameter file", lambda: scales.read_yaml(path), path)
    assert found is None or isinstance(found, dict)


TINY = scales.parameters("tiny")


@few
@given(st.data())
def test_settings_with_one_odd_value(data: st.DataObject) -> None:
    section = data.draw(st.sampled_from(sorted(TINY)))
    content = dict(TINY)
    changed = mutated({section: TINY[section]}, data)
    del content[section]
    found = attempt("settings", lambda: schema.load(Settings, content | changed, "tiny"), "tiny")
    assert found is None or isinstance(found, Settings)


@few
@given(st.data(), st.sampled_from([ViewSettings, EvaluationSettings, Pretraining, Sources]))
def test_sections_with_odd_values(data: st.DataObject, kind: type) -> None:
    pretraining = TINY["pretraining"]
    section = {
        ViewSettings: pretraining["views"], EvaluationSettings: TINY["evaluation"], Pretraining: pretraining,
        Sources: TINY["data"],
    }[kind]  # fmt: skip
    changed = section
    for _ in range(data.draw(st.integers(1, 3))):
        changed = mutated(changed, data) if isinstance(changed, dict) and changed else changed
    attempt(f"section {kind.__name__}", lambda: schema.load(kind, changed, "here"), "here")


@few
@given(st.data())
def test_a_scale_of_odd_changes(folder: Path, data: st.DataObject) -> None:
    root = folder / "tree"
    (root / "scales").mkdir(parents=True, exist_ok=True)
    base = {"scale": {"name": "miniature"}, "arms": ["deo"], "changes": {"deo": {}}, "data": {"a": {"b": 1}}}
    (root / "params.yaml").write_text(json.dumps(mutated(base, data) if data.draw(st.booleans()) else base))
    changes = {"arms": ["deo"], "changes": {"deo": {"x": 1}}, "data": {"a": {"b": 2}}}
    (root / "scales" / "own.yaml").write_text(json.dumps(mutated(changes, data)))
    attempt("scale", lambda: scales.merged("own", root), root, "params.yaml", "own")


# --- tables ---

RUN = Run("oscd", "change", "deo", 0, "abc")
COUNTS = np.arange(12).reshape(3, 2, 2)


@few
@given(st.data())
def test_tables_with_an_odd_field(folder: Path, data: st.DataObject) -> None:
    path = folder / "scores.csv"
    path.unlink(missing_ok=True)
    write_scores(path, scores_of(RUN, COUNTS, ("f1", "iou"), replicates=20))
    claims = data.draw(st.booleans())
    lines = CLAIMS.read_text().splitlines()[:4] if claims else path.read_text().splitlines()
    row = data.draw(st.integers(0, len(lines) - 1))
    way = data.draw(st.sampled_from(["field", "less", "more", "double", "quote", "bytes"]))
    fields = lines[row].split(",")
    place = data.draw(st.integers(0, len(fields) - 1))
    if way == "field":
        fields[place] = data.draw(st.sampled_from(["", "nan", "x", "1e999", "-1", "0.5", "2", " 1", "\0", "1_0", "٣"]))
    elif way in ("less", "more"):
        fields = fields[:place] if way == "less" else [*fields, "1"]
    elif way == "quote":
        fields[place] = '"' + fields[place]
    lines[row] = ",".join(fields)
    lines += [lines[row]] * (way == "double")
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(data.draw(damages)(text) if way == "bytes" else text)
    if claims:
        found = attempt("claims", lambda: read_claims(path), path)
        # A statement may name no number.
        assert found is None or all(claim.id and (claim.words or np.isfinite(claim.value)) for claim in found)
        return
    rows = attempt("scores", lambda: read_scores(path), path)
    if rows is not None:
        assert len({each.identity for each in rows}) == len(rows), "one number twice"
        assert all(0 <= each.value <= 1 and 0 < each.label_fraction <= 1 and each.n >= 1 for each in rows), rows


@few
@given(damages | st.sampled_from([("picture,", ""), (",split", ",part"), (",train", ",tain"), ("a.jpg", "")]))
def test_a_damaged_file_of_splits(folder: Path, damage: Any) -> None:
    sound, path = "picture,split\na.jpg,train\nb.jpg,test\n", folder / "splits.csv"
    path.write_bytes(damage(sound.encode()) if callable(damage) else sound.replace(*damage).encode())
    found = attempt("splits files", lambda: read_splits(path, "picture"), path)
    assert found is None or ({*found.values()} <= {*NAMES, "left out"} and all(found))


@few
@given(damages, st.booleans())
def test_damaged_arrays_of_an_evaluation(folder: Path, damage: Callable[[bytes], bytes], kept: bool) -> None:
    if not kept:
        path = folder / "counts.npz"
        write_counts(path, COUNTS, ["a", "b", "c"])
        path.write_bytes(damage(path.read_bytes()))
        found = attempt("counts", lambda: read_counts(path), path)
        assert found is None or (found[0] == COUNTS).all()
        return
    place = folder / "results"
    shutil.rmtree(place, ignore_errors=True)
    cached("one", {"a": 1}, lambda: CachedResult({"epoch": 3}, {"counts": COUNTS}), place)
    for file in ("key.json", "values.json", "arrays.npz"):
        (path,) = place.rglob(file)
        sound = path.read_bytes()
        path.write_bytes(damage(sound))
        found = attempt("kept results", lambda: cached("one", {"a": 1}, pytest.fail, place), path.parent)
        assert found is None or file == "values.json" or (found.arrays["counts"] == COUNTS).all()
        path.write_bytes(sound)


@few
@given(
    st.lists(st.sampled_from([*NAMES, "Train", "", "val"]), max_size=6), st.none() | st.lists(names, max_size=6),
    numbers.map(float), st.integers(-1, 2**40),
)  # fmt: skip
@example([*NAMES, "train"], None, 0.5, -1)
def test_splits_of_odd_names(listed: list[str], origin: list[str] | None, share: float, seed: int) -> None:
    def work() -> Any:
        split = split_by_name(np.array(listed), None if origin is None else np.array(origin))
        return low_data(split, share, "x", seed)

    found = attempt("splits", work)
    if found is not None:
        assert set(listed) == set(NAMES) and 0 < share <= 1
        assert {listed[place] for place in found.train} == {"train"}


@few
@given(
    st.lists(st.integers(-2, 5), min_size=1, max_size=6), st.lists(numbers, min_size=1, max_size=6), st.integers(-1, 4),
    st.none() | st.integers(-1, 300), names | st.sampled_from(sorted(METRICS)),
)  # fmt: skip
def test_counts_of_odd_predictions(
    labels: list[int], predicted: list[Any], classes: int, ignore: int | None, name: str
) -> None:
    def work() -> tuple[np.ndarray, np.ndarray]:
        counts = confusion(np.array([labels]), np.array([predicted], float), classes, ignore)
        chosen = metric(name)
        return counts, chosen(counts.sum(0), ignore if chosen.ignores else None) if chosen.axes == 2 else np.array(0.0)

    found = attempt("confusion", work)
    if found is not None:
        counted = [(t, p) for t, p in zip(labels, predicted, strict=True) if t != ignore]
        assert found[0].sum() == len(counted)
        assert all(found[0][0, t, int(p)] == counted.count((t, p)) for t, p in counted if float(p).is_integer())
        assert all(float(p).is_integer() for _, p in counted) and 0 <= found[1] <= 1


# --- images ---

dtypes = st.sampled_from(
    ["uint8", "int16", "uint16", "int32", "int64", "float16", "float32", "float64", "bool", "complex64"]
)


@st.composite
def images(draw: st.DrawFn, bands: int = 10, most: int = 70) -> np.ndarray:
    """(band, y, x) of any type, size and unit, with one odd pixel."""
    side = st.sampled_from([0, 1, 3, 4, 31, 32, 33, most])
    shape = draw(st.sampled_from([bands, bands, bands, 3, 1, 0])), draw(side), draw(side)
    low, high = draw(st.sampled_from([(0, 1), (0, 250), (100, 3000), (-20, 5), (0, 70000)]))
    with np.errstate(all="ignore"):
        values = np.random.default_rng(0).uniform(low, high, shape).astype(draw(dtypes))
    value = draw(st.sampled_from([None, None, 0, 65535, -9999, float("nan"), float("inf")]))
    wide = values.dtype.kind == "f" or (value in (0, 65535) and values.dtype.itemsize > 2)
    if value is not None and values.size and wide:
        with np.errstate(all="ignore"):
            values[0, 0, 0] = value
    return values


@few
@given(st.data(), st.sampled_from([*SENSORS, "sentinel3", ""]), st.booleans())
def test_odd_images_of_a_student(student: Student, data: st.DataObject, sensor: Any, normalised: bool) -> None:
    values = data.draw(images(data.draw(st.sampled_from([10, 3, 2])), 33))
    shape = data.draw(st.sampled_from([(1,), (1,), (2,), (0,), (), (1, 1)]))
    stacked: Any = np.broadcast_to(values, (*shape, *values.shape)).copy()
    stacked = torch.from_numpy(stacked)
    with torch.no_grad():
        found = attempt("images", lambda: student(stacked, sensor, normalised))
    if found is not None:
        source = SENSORS[sensor]
        assert found.pooled.isfinite().all() and values.shape[0] == len(source) and values.dtype.kind in "uif"
        assert normalised or (source.valid[0] <= values.min() and values.max() <= source.valid[1])


@few
@given(st.data(), st.sampled_from(["array", "tif"]))
def test_odd_scenes_to_embed(folder: Path, student: Student, data: st.DataObject, kind: str) -> None:
    values = data.draw(images(10, 40))
    called = data.draw(st.permutations([*SENSORS["sentinel2"].band_names]).map(list))
    if data.draw(st.integers(0, 2)) == 0:
        called[data.draw(st.integers(0, 9))] = data.draw(st.sampled_from(["B4", "", "b04", "red", "B99"]))
    called = called[: len(values)] + ["?"] * (len(values) - len(called))
    options: dict[str, Any] = {"tile": data.draw(st.sampled_from([32, 64, 0, -32, 33, 256]))}
    options |= {
        "overlap": data.draw(st.sampled_from([0, 32, -32, 64])),
        "stride": data.draw(st.sampled_from([4, 32, 0, 5])),
    }
    image: Any = xr.DataArray(values, dims=("band", "y", "x"), coords={"band": called})
    if data.draw(st.booleans()) and values.shape[1]:
        image = image.assign_coords(
            y=data.draw(st.sampled_from([np.arange, np.zeros, lambda n: np.full(n, np.nan)]))(values.shape[1])
        )
    if kind == "tif":
        image = folder / "scene.tif"
        image.unlink(missing_ok=True)
        if not values.size or values.dtype.kind in "bc" or values.dtype in ("int64", "float16"):
            image.write_bytes(values.tobytes()[:50])
        else:
            count, height, width = values.shape
            profile = {"count": count, "height": height, "width": width, "dtype": values.dtype}
            with rasterio.open(image, "w", driver="GTiff", **profile) as file:
                file.write(values)
                file.descriptions = called
    found = attempt("embed", lambda: brew.embed(image, student, **options))
    if found is not None:
        stride = options["stride"]
        there = np.isfinite(found["features"].values)
        assert (there.all(0) == (found["valid"].values >= 0.5)).all() and (there.all(0) == there.any(0)).all()
        assert values.dtype.kind in "uif"
        assert found["features"].shape[1:] == tuple(-(-side // stride) for side in values.shape[1:])
        assert np.isfinite(found["y"].values).all() and np.isfinite(found["x"].values).all()


@few
@given(names | st.text(max_size=12))
def test_sensors_of_odd_names(name: str) -> None:
    assert attempt("sensor", lambda: sensors.sensor(name), "sensor") is None or name in SENSORS


# --- losses ---

features = st.builds(
    lambda shape, value, dtype: torch.nn.functional.normalize(
        torch.randn(shape, generator=torch.Generator().manual_seed(0)), dim=-1
    ).to(dtype).index_fill(-1, torch.tensor([0]), value) if 0 not in shape else torch.zeros(shape, dtype=dtype),
    st.sampled_from([(2, 4, 3), (1, 4, 3), (2, 1, 3), (2, 4, 8), (3, 4, 3), (0, 4, 3), (2, 0, 3)]),
    st.sampled_from([0.5, 0.5, 0.0, float("nan"), float("inf"), 1e3]),
    st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
)  # fmt: skip


@few
@given(features, features, st.booleans(), numbers.map(float), st.booleans())
def test_odd_features_of_losses(one: torch.Tensor, other: torch.Tensor, skip: bool, eps: float, hidden: bool) -> None:
    if one.shape[1:] != other.shape[1:]:  # shapes are checked by their annotations
        other = one[:1]
    found = attempt("alignment", lambda: alignment(one, other, skip))
    sound = bool(one.isfinite().all() and other.isfinite().all())
    assert found is None or not sound or -1.01 <= found.item() <= 1.01, "no cosine"
    rate = attempt("coding rate", lambda: coding_rate(one, eps))
    assert rate is None or not rate.numel() or not sound or rate.isfinite().all()
    if 0 in one.shape or other.shape != one.shape:
        return
    maps = one[None], other[None]
    patches = attempt("patch alignment", lambda: patch_alignment(*maps))
    assert patches is None or not sound or -1.01 <= patches.item() <= 1.01
    restored = attempt("reconstruction", lambda: reconstruction(*maps, torch.full((1, *maps[0].shape[2:]), hidden)))
    assert restored is None or not sound or restored.item() <= 0


# --- the command line ---

#: What commands would take for a place, a scale or a name, and none of them is one.
arguments = st.lists(
    st.sampled_from(["--scale", "--arm", "--no", "-x", "tinyy", "nowhere.tif", "nowhere.pt", "out.tif", "--stride", "x",
                     "", "-1", "--set", "a", "=", "ä\ud800", "--out"]), min_size=1, max_size=5,
)  # fmt: skip


@few
@given(st.sampled_from(sorted({*COMMANDS} - {"docs", "sync"})), arguments)
def test_odd_commands(name: str, words: list[str]) -> None:
    given_to["command line"] += 1
    try:
        status = main([name, *words])
    except SystemExit as end:
        status = int(end.code or 0)
    refused["command line"] += status in (1, 2)
    assert status in (1, 2)
