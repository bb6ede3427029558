"""`make data`: a benchmark's files from a server, described; what no program can fetch says how."""

import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from brew import files
from brew.compendium.fetching import fetch_benchmark, main
from brew.data.fetch import Remote
from brew.data.sources import catalogue
from brew.errors import BrewError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A server with one archive, as the source `pastis` publishes it; BREW_DATA and manifests lie aside."""
    folder = tmp_path / "published"
    folder.mkdir()
    with zipfile.ZipFile(folder / "PASTIS-R.zip", "w") as archive:
        archive.writestr("PASTIS-R/metadata.geojson", "{}")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True).start()
    remote = Remote("PASTIS-R.zip", f"http://127.0.0.1:{server.server_port}/PASTIS-R.zip")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("BREW_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(files, "DATA", tmp_path)
    monkeypatch.setitem(catalogue.SOURCES, "pastis", replace(catalogue.SOURCES["pastis"], remotes=lambda: (remote,)))
    yield tmp_path
    server.shutdown()
    server.server_close()


def test_a_benchmark_is_fetched_unpacked_and_described(published, capsys):
    fetch_benchmark("pastis")
    assert (published / "data" / "pastis" / "PASTIS-R" / "metadata.geojson").read_text() == "{}"
    manifest = yaml.safe_load((published / "manifests" / "pastis.yaml").read_text())
    assert list(manifest["files"]) == ["PASTIS-R/metadata.geojson"]
    assert "licence: CC BY 4.0" in capsys.readouterr().out
    fetch_benchmark("pastis")
    assert "is kept" in capsys.readouterr().out


def test_what_no_program_can_fetch_says_how(published, capsys):
    with pytest.raises(BrewError, match=r"rsscn7 cannot be fetched by a program\. To obtain it: unpack the authors"):
        fetch_benchmark("rsscn7")
    fetch_benchmark("roofs")
    assert "it is generated" in capsys.readouterr().out


def test_the_lists_of_floods_name_the_other_files(tmp_path):
    entry = catalogue.SOURCES["sen1floods11"]
    for remote in entry.remotes():
        file = tmp_path / remote.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"Ghana_{len(file.name)}_S1Hand.tif,x\n")
    urls = [remote.url for remote in entry.listed(tmp_path)]
    assert len(urls) == 6 and all(url.startswith("https://storage.googleapis.com/sen1floods11/v1.1/") for url in urls)
    assert [url.rpartition("/")[0].rpartition("/")[2] for url in urls] == ["S2Hand", "LabelHand"] * 3


@pytest.mark.parametrize("name", [name for name, entry in catalogue.SOURCES.items() if entry.folder])
def test_every_published_file_has_a_place_inside_its_folder(name):
    for remote in catalogue.SOURCES[name].remotes():
        assert not Path(remote.file).is_absolute() and ".." not in Path(remote.file).parts
        assert remote.url.startswith("https://")


def test_a_folder_for_the_files_is_asked_for(monkeypatch):
    monkeypatch.delenv("BREW_DATA", raising=False)
    with pytest.raises(BrewError, match="BREW_DATA is not set"):
        main(["m-eurosat"])
