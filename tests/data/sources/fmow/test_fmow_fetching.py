"""fMoW from a server of our own: a part from the stream, all from the archive, images by name."""

import io
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest

from brew import files
from brew.compendium.fetching import main
from brew.data.sources.fmow import fmow_fetching
from brew.data.sources.source import Wanted
from brew.errors import BrewError
from tests.data.sources.fmow.fmow_tree import Tree, bands

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


class Noted(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        self.server.asked.append(self.path)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Three pairs of two categories, and an empty file of a failed download, as they are published."""
    published = Tree(tmp_path / "published")
    for location, category in ((0, "airport"), (1, "airport"), (2, "zoo")):
        published.pair(location, 6, category=category)
    published.row(0, 104)
    published.tif(bands((20, 20)), 0, 104)
    published.tif(np.zeros((1, 20, 20), np.uint16), 0, 7)
    published.lists()
    with tarfile.open(published.root / "fmow-sentinel.tar.gz", "w:gz") as archive:
        archive.add(published.root / "fmow-sentinel", "./fmow-sentinel")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Noted, directory=str(published.root)))
    server.asked = []
    Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(fmow_fetching, "SENTINEL_HOST", url)
    monkeypatch.setattr(fmow_fetching, "RGB_HOST", f"{url}/fmow-rgb")
    monkeypatch.setattr(fmow_fetching, "ARCHIVE_BYTES", 1)
    monkeypatch.setattr(fmow_fetching, "SPLITS", {"train": "pretrain"})
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("BREW_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(files, "DATA", tmp_path)
    yield server
    server.shutdown()
    server.server_close()


def images(root) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.suffix in (".tif", ".jpg"))


def test_a_part_is_taken_from_the_stream_and_the_rest_never_lies_there(server, tmp_path, capsys):
    assert main(["fmow", "--categories", "airport"]) == 0
    told = capsys.readouterr().out
    assert "77.50 GB" in told and "licence: lists and labels: fMoW Challenge" in told
    assert images(tmp_path / "data") == sorted(
        f"airport_{each}_6{end}" for each in (0, 1) for end in (".tif", "_rgb.jpg")
    )
    assert not (tmp_path / "data" / "fmow" / "fmow-sentinel.tar.gz").exists()
    assert (tmp_path / "manifests" / "fmow.yaml").is_file()
    server.asked.clear()
    assert main(["fmow", "--categories", "airport"]) == 0
    assert server.asked == []  # all of it lies there


def test_all_images_of_the_lists_come_from_the_kept_archive(server, tmp_path):
    assert main(["fmow"]) == 0
    found = images(tmp_path / "data")
    assert "airport_0_104.tif" in found and "airport_0_7.tif" not in found and len(found) == 7
    (tmp_path / "data/fmow/fmow-sentinel/train/zoo/zoo_2/zoo_2_6.tif").unlink()
    server.asked.clear()
    assert main(["fmow"]) == 0 and len(images(tmp_path / "data")) == 7
    assert server.asked == []  # the archive is at hand


def test_a_count_is_what_a_build_of_that_count_reads(server, tmp_path):
    assert main(["fmow", "--count", "2"]) == 0
    assert len(images(tmp_path / "data")) == 4


def test_images_that_are_refused_are_counted_and_others_brought(server, tmp_path):
    (tmp_path / "published/fmow-rgb/train/airport/airport_0/airport_0_6_rgb.jpg").unlink()
    folder = tmp_path / "data" / "fmow"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_bytes((tmp_path / "published" / "train.csv").read_bytes())
    with pytest.raises(BrewError, match=r"1 of 6 files of fMoW-RGB could not be fetched.*airport_0_6_rgb\.jpg.*404"):
        fmow_fetching.fetch_images(folder, Wanted(count=3))
    assert len(images(folder)) == 5


def test_an_archive_that_lacks_a_file_or_is_cut_off(tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("fmow-sentinel/a.tif")
        member.size = 50_000
        archive.addfile(member, io.BytesIO(np.random.default_rng(0).bytes(50_000)))
    names = ["fmow-sentinel/a.tif", "fmow-sentinel/b.tif"]
    with pytest.raises(BrewError, match=r"lacks 1 files, such as fmow-sentinel/b\.tif"):
        fmow_fetching.take(io.BytesIO(packed.getvalue()), names, tmp_path)
    assert (tmp_path / "fmow-sentinel" / "a.tif").stat().st_size == 50_000
    with pytest.raises(BrewError, match="is damaged"):
        fmow_fetching.take(io.BytesIO(packed.getvalue()[:20_000]), names, tmp_path / "again")


def test_what_has_no_parts_says_so(server):
    with pytest.raises(BrewError, match="pastis cannot be fetched in parts"):
        main(["pastis", "--count", "5"])
