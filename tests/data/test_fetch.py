"""Fetching from a server of our own: whole, broken off, changed, wrong, and archives that would write elsewhere."""

import base64
import hashlib
import io
import shutil
import tarfile
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import yaml

from brew.data import fetch as module
from brew.data.fetch import Remote, RemoteStream, download, fetch, unpack
from brew.errors import BrewError

CHUNK = module._CHUNK
CONTENT = bytes(range(256)) * (5 * CHUNK // 512)


class Handler(BaseHTTPRequestHandler):
    """Serves `files`; of a path in `broken` it sends so many bytes per request only, as a connection that drops."""

    def __init__(self, site: "Site", *args):
        self.site = site
        super().__init__(*args)

    def do_GET(self):
        self.site.requests.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        if self.path not in self.site.files:
            self.send_error(404)
            return
        content, tag = self.site.files[self.path], f'"{self.site.tag}"'
        start = 0
        asked = self.headers.get("Range")
        if asked and self.site.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", tag)
        for name, value in self.site.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[start : start + self.site.broken.get(self.path, len(content))])

    def log_message(self, *args):
        """Quiet."""


class Site:
    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.broken: dict[str, int] = {}
        self.headers: dict[str, str] = {}
        self.requests: list = []
        self.tag, self.ranges = "first", True
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    site = Site()
    Thread(target=partial(site.server.serve_forever, poll_interval=0.01), daemon=True).start()
    yield site
    site.server.shutdown()
    site.server.server_close()


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return packed.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def test_a_file_comes_whole_and_is_recorded(site, tmp_path, capsys):
    site.files["/a.bin"] = CONTENT
    fetch([Remote("deep/a.bin", f"{site.url}/a.bin")], tmp_path, "")
    assert (tmp_path / "deep" / "a.bin").read_bytes() == CONTENT
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    record = yaml.safe_load((tmp_path / "fetched.yaml").read_text())
    assert record == {"deep/a.bin": {"bytes": len(CONTENT), "sha256": sha256, "checked": False}}
    assert "no checksum is published" in capsys.readouterr().out
    fetch([Remote("deep/a.bin", f"{site.url}/a.bin")], tmp_path, "")
    assert len(site.requests) == 1 and not list(tmp_path.rglob("*.partial*"))


def test_a_broken_transfer_goes_on_where_it_stopped(site, tmp_path):
    site.files["/a.bin"], site.broken["/a.bin"] = CONTENT, CHUNK
    remote = Remote("a.bin", f"{site.url}/a.bin", md5=hashlib.md5(CONTENT).hexdigest())
    fetch([remote], tmp_path, "")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [asked for _, asked, _ in site.requests] == [None, f"bytes={CHUNK}-", f"bytes={2 * CHUNK}-"]
    assert site.requests[1][2] == '"first"'
    assert yaml.safe_load((tmp_path / "fetched.yaml").read_text())["a.bin"]["checked"]


def test_a_transfer_that_never_ends_says_so_and_can_be_continued(site, tmp_path, monkeypatch):
    site.files["/a.bin"], site.broken["/a.bin"] = CONTENT, CHUNK
    monkeypatch.setattr(module, "_TRIES", 2)
    with pytest.raises(BrewError, match=rf"broke off 2 times .*{2 * CHUNK} bytes have come\. Run again"):
        fetch([Remote("a.bin", f"{site.url}/a.bin")], tmp_path, "")
    assert not (tmp_path / "a.bin").exists() and not (tmp_path / "fetched.yaml").exists()
    site.broken.clear()
    fetch([Remote("a.bin", f"{site.url}/a.bin")], tmp_path, "")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT and site.requests[-1][1] == f"bytes={2 * CHUNK}-"


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_changed_meanwhile_comes_anew(ranges, site, tmp_path):
    """By its tag, or because the host sends no parts at all."""
    (tmp_path / "a.bin.partial").write_bytes(b"old" * 1000)
    (tmp_path / "a.bin.partial.etag").write_text('"zeroth"')
    site.files["/a.bin"], site.ranges = CONTENT, ranges
    download(f"{site.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_partial_file_that_is_longer_than_the_whole_is_fetched_anew(site, tmp_path):
    (tmp_path / "a.bin.partial").write_bytes(CONTENT * 2)
    site.files["/a.bin"] = CONTENT
    download(f"{site.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_wrong_checksum_is_an_error(kind, site, tmp_path):
    site.files["/a.bin"] = CONTENT
    remote = Remote("a.bin", f"{site.url}/a.bin", **{kind: hashlib.new(kind, b"other").hexdigest()})
    with pytest.raises(BrewError, match=rf"a\.bin: {kind} \w+; expected \w+ as its publisher says"):
        fetch([remote], tmp_path, "")
    assert not (tmp_path / "a.bin").exists() and (tmp_path / "a.bin.wrong").exists()
    assert not (tmp_path / "fetched.yaml").exists()


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("X-Linked-ETag", f'"{hashlib.sha256(CONTENT).hexdigest()}"', f'"{hashlib.sha256(b"").hexdigest()}"'),
        (
            "x-goog-hash",
            f"crc32c=AAAAAA==, md5={base64.b64encode(hashlib.md5(CONTENT).digest()).decode()}",
            f"crc32c=AAAAAA==, md5={base64.b64encode(hashlib.md5(b'').digest()).decode()}",
        ),
    ],
)
def test_a_checksum_that_the_host_names_is_checked(name, right, wrong, site, tmp_path):
    site.files["/a.bin"], site.headers = CONTENT, {name: right}
    fetch([Remote("a.bin", f"{site.url}/a.bin")], tmp_path, "")
    assert yaml.safe_load((tmp_path / "fetched.yaml").read_text())["a.bin"]["checked"]
    site.headers = {name: wrong}
    with pytest.raises(BrewError, match="as its host says"):
        fetch([Remote("b.bin", f"{site.url}/a.bin")], tmp_path, "")


def test_what_is_missing_is_brought_again(site, tmp_path):
    """A file that was deleted or cut after it had been recorded, and members of an archive that were moved away."""
    site.files = {"/a.bin": CONTENT, "/b.zip": zipped({"A/1.png": b"pixels"})}
    remotes = [Remote("a.bin", f"{site.url}/a.bin"), Remote("b.zip", f"{site.url}/b.zip")]
    fetch(remotes, tmp_path, "")
    (tmp_path / "a.bin").unlink()
    (tmp_path / "A" / "1.png").unlink()
    fetch(remotes, tmp_path, "")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT and (tmp_path / "A" / "1.png").read_bytes() == b"pixels"
    assert len(site.requests) == 3  # the archive is unpacked anew, not fetched


PAGE = b"<html>Please accept the terms of this network.</html>"


@pytest.mark.parametrize("page", [PAGE, b"\xef\xbb\xbf\n <!DOCTYPE HTML>", b"terms"])
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tif", "a.csv"])
@pytest.mark.parametrize("kind", ["", "text/html; charset=utf-8"])
def test_a_page_instead_of_a_file_is_never_recorded(page, name, kind, site, tmp_path):
    """A proxy, a portal or a log-in answers with status 200; afterwards the same command fetches the file itself."""
    if page == b"terms" and name == "a.csv" and not kind:
        return  # nothing tells it from a table
    right = {
        "a.zip": zipped({"b": b""}), "a.tar.gz": tarred({"b": b""}), "a.tif": b"II*\0rest", "a.csv": b"chip,label\n",
    }[name]  # fmt: skip
    site.files[f"/{name}"], site.headers = page, {"Content-Type": kind} if kind else {}
    remote = Remote(name, f"{site.url}/{name}")
    for _ in range(2):
        with pytest.raises(BrewError, match=r"log in.*run again"):
            fetch([remote], tmp_path, "")
        assert not (tmp_path / name).exists() and not (tmp_path / "fetched.yaml").exists()
    site.files[f"/{name}"], site.headers = right, {}
    fetch([remote], tmp_path, "")
    assert (tmp_path / name).read_bytes() == right


def test_a_declared_page_leaves_what_has_come(site, tmp_path):
    (tmp_path / "a.bin.partial").write_bytes(CONTENT[:CHUNK])
    site.files["/a.bin"], site.headers, site.ranges = PAGE, {"Content-Type": "text/html"}, False
    with pytest.raises(BrewError, match=r"answers with a page \(text/html\); expected a\.bin"):
        download(f"{site.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin.partial").read_bytes() == CONTENT[:CHUNK]


@pytest.mark.parametrize("record", ["[1, 2]", "a.bin: 3", "a: b: c", "a.bin: {}\na.bin: {}", "\x00"])
def test_a_damaged_record_is_named(record, tmp_path):
    (tmp_path / "fetched.yaml").write_text(record)
    with pytest.raises(BrewError, match=r"fetched\.yaml (is no|has the key)"):
        fetch([Remote("a.bin", "https://nowhere.invalid/a.bin")], tmp_path, "")


def test_what_the_host_refuses_is_an_error(site, tmp_path):
    with pytest.raises(BrewError, match=r"nothing\.zip cannot be fetched \(404"):
        fetch([Remote("nothing.zip", f"{site.url}/nothing.zip")], tmp_path, "")


def test_files_for_hands_say_how_and_are_checked_once_there(tmp_path):
    content = zipped({"A/train_1.png": b"pixels"})
    remote = Remote("train.zip", md5=hashlib.md5(content).hexdigest())
    with pytest.raises(BrewError, match=r"train\.zip does not exist.*To obtain it: ask the authors"):
        fetch([remote], tmp_path, "ask the authors")
    (tmp_path / "train.zip").write_bytes(content[:-1])
    with pytest.raises(BrewError, match="as its publisher says"):
        fetch([remote], tmp_path, "ask the authors")
    (tmp_path / "train.zip").write_bytes(content)
    fetch([remote], tmp_path, "ask the authors")
    assert (tmp_path / "A" / "train_1.png").read_bytes() == b"pixels"


@pytest.mark.parametrize(("name", "packed"), [("a.zip", zipped), ("a.tar.gz", tarred)])
def test_archives_unpack_beside_themselves_and_nowhere_else(name, packed, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / name).write_bytes(packed({"deep/one.txt": b"1"}))
    unpack(folder / name)
    assert (folder / "deep" / "one.txt").read_bytes() == b"1"
    for outside in ("../two.txt", "deep/../../two.txt", str(tmp_path / "two.txt")):
        (folder / name).write_bytes(packed({outside: b"2"}))
        if name.endswith("zip") or ".." in outside:
            with pytest.raises(BrewError, match=r"outside|cannot be unpacked"):
                unpack(folder / name)
        else:
            unpack(folder / name)  # an absolute name becomes a relative one
        assert not (tmp_path / "two.txt").exists()


def test_links_out_of_an_archive_are_refused(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "../.."
    with tarfile.open(folder / "a.tar", "w") as file:
        file.addfile(link)
    with pytest.raises(BrewError, match="cannot be unpacked"):
        unpack(folder / "a.tar")
    assert not (folder / "link").exists()


def test_a_damaged_archive_is_an_error(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(tarred({"one.txt": bytes(5000)})[:-60])
    with pytest.raises(BrewError, match=r"a\.tar\.gz cannot be unpacked"):
        unpack(tmp_path / "a.tar.gz")


def test_an_archive_needs_room(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(zipped({"one.txt": b"12345"}))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 4}))
    with pytest.raises(BrewError, match=r"needs 5 bytes and 4 are free"):
        unpack(tmp_path / "a.zip")


def test_a_stream_is_taken_up_where_its_connection_broke_off(site):
    site.files["/a.bin"], site.broken["/a.bin"] = CONTENT, CHUNK
    assert io.BufferedReader(RemoteStream(f"{site.url}/a.bin")).read() == CONTENT
    assert [asked for _, asked, _ in site.requests][:3] == [None, f"bytes={CHUNK}-", f"bytes={2 * CHUNK}-"]


def test_a_stream_that_cannot_go_on_says_why(site, monkeypatch):
    site.files["/a.bin"], site.broken["/a.bin"], site.ranges = CONTENT, CHUNK, False
    with pytest.raises(BrewError, match="has changed, or its host sends no parts"):
        RemoteStream(f"{site.url}/a.bin").readall()
    site.broken["/a.bin"], site.ranges = 0, True
    monkeypatch.setattr(module, "_TRIES", 2)
    with pytest.raises(BrewError, match="broke off 2 times at byte 0"):
        RemoteStream(f"{site.url}/a.bin").readall()
    with pytest.raises(BrewError, match=r"cannot be fetched \(404"):
        RemoteStream(f"{site.url}/b.bin").readall()


def test_an_archive_that_is_read_packed_stays_packed(site, tmp_path):
    site.files["/a.zip"] = zipped({"inner": b"1"})
    for _ in range(2):
        fetch([Remote("a.zip", f"{site.url}/a.zip", packed=True)], tmp_path, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "fetched.yaml"] and len(site.requests) == 1
