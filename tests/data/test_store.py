"""The one on-disk form: round trips, equal bytes, and no store that only looks complete."""

import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from brew import files
from brew.data import store
from brew.data.store import ArrayReader, Variable, image_hashes, open_store, write_store
from brew.errors import BrewError
from brew.sensors import SENSORS

SAMPLES = 11
VARIABLES = {
    "multispectral": Variable(("sample", "time", "band", "y", "x"), (2, 10, 8, 8), "uint16"),
    "optical": Variable(("sample", "time", "optical_band", "optical_y", "optical_x"), (2, 3, 16, 16), "uint8"),
    "change": Variable(("sample", "y", "x"), (8, 8), "uint8"),
    "scene": Variable(("sample",), (), "int64"),
    "split": Variable(("sample",), (), "text"),
    "hash": Variable(("sample", "time"), (2,), "text"),
}


def arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "multispectral": generator.integers(0, 2**16, (SAMPLES, 2, 10, 8, 8), dtype=np.uint16),
        "optical": generator.integers(0, 2**8, (SAMPLES, 2, 3, 16, 16), dtype=np.uint8),
        "change": np.zeros((SAMPLES, 8, 8), dtype=np.uint8),
        "scene": generator.integers(-5, 5, SAMPLES),
        "split": np.array(["train"] * 6 + ["validation"] * 3 + ["test"] * 2, dtype=object),
        "hash": np.array([[f"{sample}a", f"{sample}b"] for sample in range(SAMPLES)], dtype=object),
    }


def write(path: Path, lengths: tuple[int, ...] = (4, 4, 3)) -> dict[str, np.ndarray]:
    values, starts = arrays(), np.cumsum((0, *lengths))
    blocks = [
        {name: array[start : start + length] for name, array in values.items()}
        for start, length in zip(starts[:-1], lengths, strict=True)
    ]
    write_store(path, SAMPLES, VARIABLES, blocks, {"source": "test", "licence": "none"})
    return values


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch):
    """Chunks of two to four samples, so that blocks and chunks do not line up."""
    monkeypatch.setattr(store, "_CHUNK_BYTES", 2 * 10 * 8 * 8 * 2 * 3)


def digest(path: Path) -> dict[str, str]:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_xarray_reads_what_was_written(tmp_path):
    values = write(tmp_path / "a.zarr")
    dataset = open_store(tmp_path / "a.zarr")
    for name, array in values.items():
        assert dataset[name].dims == VARIABLES[name].dims
        assert (dataset[name].values == array).all(), name
    assert tuple(dataset["band"].values) == SENSORS["sentinel2"].band_names
    assert tuple(dataset["band_wavelength_um"].values) == SENSORS["sentinel2"].wavelengths_um
    assert tuple(dataset["optical_band"].values) == ("red", "green", "blue")
    assert dataset["multispectral"].attrs["units"] == SENSORS["sentinel2"].unit
    assert dataset.attrs["licence"] == "none"
    assert int(dataset["multispectral"].sel(band="B8A").isel(sample=3, time=1, y=2, x=1)) == int(
        values["multispectral"][3, 1, SENSORS["sentinel2"].band_names.index("B8A"), 2, 1]
    )


def test_plain_xarray_opens_a_store_too(tmp_path):
    write(tmp_path / "a.zarr")
    assert xr.open_zarr(tmp_path / "a.zarr", consolidated=False).sizes["sample"] == SAMPLES


@given(order=st.lists(st.integers(0, SAMPLES - 1), min_size=1, max_size=20))
def test_reading_by_offset_equals_xarray(tmp_path_factory, order):
    path = tmp_path_factory.getbasetemp() / "offset.zarr"
    values = arrays() if path.exists() else write(path)
    times = np.array(order) % 2
    assert (ArrayReader(path, "multispectral").read(order) == values["multispectral"][order]).all()
    assert (ArrayReader(path, "multispectral").read(order, times) == values["multispectral"][order, times]).all()
    assert (ArrayReader(path, "scene").read(order) == values["scene"][order]).all()


@pytest.mark.parametrize("lengths", [(11,), (1,) * 11, (5, 6), (10, 0, 1)])
def test_equal_bytes_however_the_samples_arrive(tmp_path, lengths):
    write(tmp_path / "a.zarr")
    write(tmp_path / "b.zarr", lengths)
    assert digest(tmp_path / "a.zarr") == digest(tmp_path / "b.zarr")


def test_a_store_is_replaced_in_one_piece(tmp_path):
    write(tmp_path / "a.zarr")
    write(tmp_path / "a.zarr", (11,))
    assert open_store(tmp_path / "a.zarr").sizes["sample"] == SAMPLES
    assert [each.name for each in tmp_path.iterdir()] == ["a.zarr"]


def test_a_failed_build_leaves_the_old_store(tmp_path):
    write(tmp_path / "a.zarr")
    before = digest(tmp_path / "a.zarr")
    with pytest.raises(BrewError, match=r"hold 4 samples; expected 11"):
        write(tmp_path / "a.zarr", (4,))
    assert digest(tmp_path / "a.zarr") == before


KILLED = """
import sys, time
import numpy as np
from pathlib import Path
from brew.data.store import Variable, write_store

def blocks():
    for number in range(100):
        yield {"optical": np.full((1, 1, 3, 64, 64), number, np.uint8), "split": np.array(["train"], dtype=object)}
        print(number, flush=True)
        time.sleep(0.05)

dims = ("sample", "time", "optical_band", "optical_y", "optical_x")
variables = {"optical": Variable(dims, (1, 3, 64, 64), "uint8"), "split": Variable(("sample",), (), "text")}
write_store(Path(sys.argv[1]), 100, variables, blocks(), {})
"""


def test_a_killed_build_leaves_nothing_that_looks_complete(tmp_path):
    path = tmp_path / "a.zarr"
    root = Path(__file__).parent.parent.parent
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, cwd=root, env=os.environ
    )
    assert process.stdout is not None
    while process.stdout.readline() != b"3\n":
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = list(tmp_path.iterdir())
    assert left and not path.exists()
    for each in [path, *left]:
        with pytest.raises(BrewError, match=r"is no store|format"):
            open_store(each)


def test_a_later_build_clears_what_an_interrupted_one_left(tmp_path):
    (tmp_path / ".partial-a.zarr" / "optical").mkdir(parents=True)
    (tmp_path / ".partial-a.zarr" / "optical" / "rest").write_bytes(b"old")
    write(tmp_path / "a.zarr")
    write(tmp_path / "b.zarr")
    assert digest(tmp_path / "a.zarr") == digest(tmp_path / "b.zarr")


@pytest.mark.parametrize(
    "file", ["multispectral/c/1/0/0/0/0", "change/c/0/0/0", "scene/c/0", "split/c/0", "hash/c/0/0"]
)
def test_a_truncated_chunk_is_named_when_the_store_is_opened(tmp_path, file):
    path = tmp_path / "a.zarr"
    write(path)
    content = (path / file).read_bytes()
    (path / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(BrewError, match=file):
        open_store(path)
    (path / file).unlink()
    with pytest.raises(BrewError, match=file):
        open_store(path)


def test_wrong_blocks_are_errors(tmp_path):
    values = arrays()

    def broken(**changes):
        write_store(tmp_path / "a.zarr", SAMPLES, VARIABLES, [values | changes], {})

    with pytest.raises(BrewError, match=r"'multispectral' has shape .* int32; expected"):
        broken(multispectral=values["multispectral"].astype(np.int32))
    with pytest.raises(BrewError, match=r"'change' has shape \(11, 7, 8\)"):
        broken(change=values["change"][:, 1:])
    with pytest.raises(BrewError, match="lacks 'scene'"):
        write_store(tmp_path / "a.zarr", SAMPLES, VARIABLES, [{k: v for k, v in values.items() if k != "scene"}], {})
    with pytest.raises(BrewError, match=r"a block of \[10, 11\] samples"):
        broken(scene=values["scene"][:10])
    assert not (tmp_path / "a.zarr").exists()


def test_a_disk_without_room_is_said_before_the_first_block(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "free_bytes", lambda path: 1000)
    bytes_each = 2 * 10 * 8 * 8 * 2 + 2 * 3 * 16 * 16 + 8 * 8 + 8
    with pytest.raises(BrewError, match=rf"a\.zarr needs {SAMPLES * bytes_each} bytes and 1000 are free"):
        write_store(tmp_path / "a.zarr", SAMPLES, VARIABLES, (pytest.fail("read") for _ in range(1)), {})
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_the_system_refuses_leaves_the_old_store_alone(tmp_path):
    """The system's limit on a file's size, reached in the middle of a chunk, stands for a disk that becomes full."""
    write(tmp_path / "a.zarr")
    before = digest(tmp_path / "a.zarr")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(BrewError, match=r"a\.zarr cannot be written .*too large.*are free\. Make room there"):
            write(tmp_path / "a.zarr")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert digest(tmp_path / "a.zarr") == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.zarr"]


def test_a_place_that_is_no_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BrewError, match=r"file/a\.zarr cannot be written .*\. Correct that, and run again"):
        write(tmp_path / "file" / "a.zarr")


def test_an_error_of_the_source_is_not_told_as_one_of_the_disk(tmp_path):
    def blocks():
        raise FileNotFoundError("the source's file")
        yield

    with pytest.raises(FileNotFoundError, match="the source's file"):
        write_store(tmp_path / "a.zarr", SAMPLES, VARIABLES, blocks(), {})
    assert list(tmp_path.iterdir()) == []


SMALL_DISK = """
import subprocess, sys
import numpy as np
from pathlib import Path
from brew.data.store import Variable, write_store
from brew.errors import BrewError

disk = Path(sys.argv[1])

def blocks(ballast):
    for number in range(20):
        if ballast and number == 3:
            (disk / "ballast").write_bytes(bytes(1_700_000))
        yield {"optical": np.full((1, 1, 3, 100, 100), number, np.uint8), "split": np.array(["train"], dtype=object)}

dims = ("sample", "time", "optical_band", "optical_y", "optical_x")
variables = {"optical": Variable(dims, (1, 3, 100, 100), "uint8"), "split": Variable(("sample",), (), "text")}

def build(ballast):
    try:
        write_store(disk / "a.zarr", 20, variables, blocks(ballast), {})
        print("written")
    except BrewError as error:
        print(error)
    print([each.name for each in disk.iterdir()])

build(True)
(disk / "ballast").unlink()
build(False)
subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
build(False)
"""


def test_a_disk_that_becomes_full_or_may_not_be_written_ends_in_one_line(tmp_path):
    """On a disk of two megabytes: a process that writes mapped files would end there by a signal."""
    (tmp_path / "disk").mkdir()
    mount = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=2m tmpfs "$1" && shift && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*mount, str(tmp_path / "disk"), "true"], check=False).returncode:
        pytest.skip("no file system may be mounted here")
    root = Path(__file__).parent.parent.parent
    command = [*mount, str(tmp_path / "disk"), sys.executable, "-c", SMALL_DISK, str(tmp_path / "disk")]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    full, left, written, store, read_only, still = done.stdout.splitlines()
    assert re.search(
        r"a\.zarr cannot be written .*No space left.*expected room for 600000 bytes.*Make room there", full
    )
    assert (left, written, store) == ("['ballast']", "written", "['a.zarr']")
    assert re.search(r"a\.zarr cannot be written .*Read-only.*Make the folder writable", read_only)
    assert still == "['a.zarr']"


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_damaged_description_is_an_error(tmp_path, content):
    (tmp_path / "zarr.json").write_bytes(content)
    with pytest.raises(BrewError, match=r"zarr\.json is damaged .*Build the store again"):
        open_store(tmp_path)


def test_another_format_is_an_error(tmp_path):
    import zarr

    zarr.open_group(tmp_path / "foreign.zarr", mode="w", zarr_format=3)
    with pytest.raises(BrewError, match=r"format None; expected 'brew-store/1'"):
        open_store(tmp_path / "foreign.zarr")


def test_unknown_variable_names_the_nearest(tmp_path):
    write(tmp_path / "a.zarr")
    with pytest.raises(BrewError, match="did you mean 'optical'"):
        ArrayReader(tmp_path / "a.zarr", "opticl")


@pytest.mark.parametrize(
    ("samples", "time", "message"),
    [([0, SAMPLES], None, "sample 0 to 11 asked for"), ([-1], None, "sample -1"), ([0], [2], "time 2")],
)
def test_samples_outside_are_errors(tmp_path, samples, time, message):
    write(tmp_path / "a.zarr")
    with pytest.raises(BrewError, match=message):
        ArrayReader(tmp_path / "a.zarr", "multispectral").read(samples, None if time is None else np.array(time))


def test_a_file_cut_off_while_it_is_read_is_an_error(tmp_path):
    write(tmp_path / "a.zarr")
    reader = ArrayReader(tmp_path / "a.zarr", "multispectral")
    (file,) = (tmp_path / "a.zarr" / "multispectral" / "c").rglob("0/0/0/0/0")
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(BrewError, match=r"holds \d+ bytes from \d+ on; expected \d+. Build the store again"):
        reader.read(range(SAMPLES))


def test_a_reader_holds_no_file_open(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_CHUNK_BYTES", 2560)  # one multispectral sample
    monkeypatch.setattr(store, "_WINDOW", 2)
    values = write(tmp_path / "a.zarr")
    opened, closed = [], []
    monkeypatch.setattr(store.os, "open", lambda *given, found=os.open: opened.append(found(*given)) or opened[-1])
    monkeypatch.setattr(store.os, "close", lambda file, found=os.close: closed.append(file) or found(file))
    order = np.arange(SAMPLES)[::-1]
    assert (ArrayReader(tmp_path / "a.zarr", "multispectral").read(order) == values["multispectral"][order]).all()
    assert len(opened) >= SAMPLES and sorted(opened) == sorted(closed)


def test_image_hashes_are_those_of_the_splits(tmp_path):
    write(tmp_path / "a.zarr")
    assert image_hashes(tmp_path / "a.zarr", ["test"]) == {"9a", "9b", "10a", "10b"}
    train, test = (image_hashes(tmp_path / "a.zarr", [split]) for split in ("train", "test"))
    assert not train & test and len(train) == 12
