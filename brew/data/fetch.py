"""Fetching published files: resumed where a transfer broke off, checked, unpacked within their folder.

What was received is kept in `fetched.yaml` beside the files: size, SHA-256, and whether a published checksum confirmed
it. Where none is stated, the one counts that the host names in its answer (Hugging Face's X-Linked-ETag, Google's
x-goog-hash). A page that a network or host sent instead of a file (to log in, to accept terms) is told by its content
and never recorded.
Left out: hosts that want an account or a browser; such files are put there by hand, and then checked and unpacked.
"""

import base64
import errno
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import requests
import yaml

from brew.data.plain import read_yaml
from brew.errors import BrewError
from brew.files import check_room, write_bytes

RECORD = "fetched.yaml"
_TRIES = 5
#: Bytes written at once: what a broken transfer loses at most.
_CHUNK = 2**16
#: Seconds without an answer.
_PATIENCE = 60
#: How files of a kind begin: by the end of their names.
_BEGINNINGS = {
    ".tif": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ".zip": (b"PK\x03\x04", b"PK\x05\x06"),
    ".gz": (b"\x1f\x8b",),
}
#: How a page begins, after white space and in any case.
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml")


@dataclass(frozen=True)
class Remote:
    """One published file.

    file: where it lies, below the data set's folder. url: empty where it is fetched by hand. md5, sha256: as published,
    empty where not. packed: whether an archive is read as it is; another one is unpacked beside itself.
    """

    file: str
    url: str = ""
    md5: str = ""
    sha256: str = ""
    packed: bool = False


@dataclass(frozen=True)
class Checksum:
    """A published one. kind: a name of hashlib. by: who published it."""

    kind: str
    value: str
    by: str


def fetch(remotes: Sequence[Remote], folder: Path, obtain: str) -> None:
    """Bring all files into `folder`, each checked and unpacked; what `fetched.yaml` lists and lies there is kept.

    obtain: one line for files that only hands can fetch. Raises BrewError where one is absent, broken off, of another
    kind than its name says, or has another checksum than was published.
    """
    record = _read_record(folder)
    for remote in remotes:
        target = folder / remote.file
        if remote.file in record and _lies_there(target, record[remote.file], remote.packed):
            continue
        told = _published(remote)
        if not target.is_file():
            if not remote.url:
                raise BrewError(f"{target} does not exist and cannot be fetched by a program. To obtain it: {obtain}")
            told = download(remote.url, target) or told
        _check_kind(target)
        sha256 = _check(target, _published(remote) or told)
        if not remote.packed and (zipfile.is_zipfile(target) or tarfile.is_tarfile(target)):
            unpack(target)
        record[remote.file] = {"bytes": target.stat().st_size, "sha256": sha256, "checked": bool(told)}
        _write_record(folder, record)
        confirmed = f"as {told.by} says" if told else "no checksum is published; recorded what came"
        print(f"{target}: {target.stat().st_size} bytes, SHA-256 {sha256} ({confirmed})")


def _lies_there(target: Path, recorded: dict[str, object], packed: bool) -> bool:
    """Whether a file has the recorded size and, if an archive, is unpacked: whatever is missing is brought again."""
    if not target.is_file() or target.stat().st_size != recorded.get("bytes"):
        return False
    if packed:
        return True
    with _unpacking(target):
        return all((target.parent / name).exists() for name in _members(target))


def _members(archive: Path) -> list[str]:
    """Names in an archive; none of another file."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            return packed.namelist()
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as packed_tar:
            return [member.name.lstrip("/") for member in packed_tar]
    return []


def _published(remote: Remote) -> Checksum | None:
    for kind in ("sha256", "md5"):
        if value := getattr(remote, kind):
            return Checksum(kind, value, "its publisher")
    return None


def download(url: str, target: Path) -> Checksum | None:
    """Fetch a file, going on where an earlier transfer broke off; the checksum that the host named, if any.

    What has come lies in `<target>.partial` until it is whole. Raises BrewError where the host refuses or the
    transfer breaks off again and again.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    trouble: Exception | None = None
    for _ in range(_TRIES):
        try:
            told = _receive(url, partial)
        except requests.exceptions.SSLError as error:
            raise BrewError(
                f"{url}: the host's certificate is not accepted ({error}); expected a valid one. Obtain the file from "
                f"another host, put it at {target}, and run again"
            ) from error
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            trouble = error
            continue
        except requests.RequestException as error:
            raise BrewError(f"{url} cannot be fetched ({error}); expected a file. Fetch it by hand") from error
        except OSError as error:  # of this machine; those of the network came before
            raise BrewError(f"{partial} cannot be written ({error}). Make room, and run again to go on") from error
        partial.replace(target)
        _tag_file(partial).unlink(missing_ok=True)
        return told
    have = partial.stat().st_size if partial.exists() else 0
    raise BrewError(
        f"{url} broke off {_TRIES} times ({trouble}); {have} bytes have come. Run again to go on from there"
    ) from trouble


def _receive(url: str, partial: Path) -> Checksum | None:
    """One request for what is missing, appended to `partial`."""
    have, tag = (partial.stat().st_size if partial.exists() else 0), _tag_file(partial)
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag.exists():
            headers["If-Range"] = tag.read_text()  # a host whose file has changed since sends the whole of it
    with closing(requests.get(url, headers=headers, stream=True, timeout=_PATIENCE)) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            partial.unlink()  # nothing is missing, or the file has become shorter: only from the start is it known
            return _receive(url, partial)
        answer.raise_for_status()
        _refuse_page(answer, partial)
        if "ETag" in answer.headers:
            tag.write_text(answer.headers["ETag"])
        resumed = answer.status_code == requests.codes.partial_content
        with partial.open("ab" if resumed else "wb") as file:
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)
        return _told(answer)


class RemoteStream(io.RawIOBase):
    """A published file, read from its beginning to its end; a connection that breaks off is taken up where it was.

    Raises BrewError if the host refuses, the connection breaks off again and again, or the file has changed meanwhile.
    """

    def __init__(self, url: str):
        self._url, self._at, self._tag = url, 0, ""
        self._chunks: Iterator[bytes] | None = None
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = memoryview(self._next())
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count

    def _next(self) -> bytes:
        """The next bytes, none at the end."""
        trouble: Exception | None = None
        for _ in range(_TRIES):
            try:
                self._chunks = self._chunks or self._asked()
                chunk = next(self._chunks, b"")
            except requests.HTTPError as error:
                raise BrewError(
                    f"{self._url} cannot be fetched ({error}); expected a file. Fetch it by hand"
                ) from error
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                trouble, self._chunks = error, None
                continue
            self._at += len(chunk)
            return chunk
        raise BrewError(f"{self._url} broke off {_TRIES} times at byte {self._at} ({trouble}). Run again") from trouble

    def _asked(self) -> Iterator[bytes]:
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={self._at}-"} if self._at else {})
        answer = requests.get(self._url, headers=headers, stream=True, timeout=_PATIENCE)
        answer.raise_for_status()
        _refuse_page(answer, Path(self._url.rpartition("/")[2]))
        tag = answer.headers.get("ETag", "")
        if self._at and (answer.status_code != requests.codes.partial_content or tag != self._tag):
            raise BrewError(f"{self._url} has changed, or its host sends no parts; expected the rest. Run again")
        self._tag = tag
        return answer.iter_content(_CHUNK)


def _refuse_page(answer: requests.Response, partial: Path) -> None:
    """BrewError if the host declares its answer a page; what has come of the file stays."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        name = partial.name.removesuffix(".partial")
        raise BrewError(
            f"{answer.url} answers with a page ({kind}); expected {name}. Open the address in a browser: a network may "
            "ask to log in, a host to accept its terms. Then run again"
        )


def _tag_file(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.etag")


def _told(answer: requests.Response) -> Checksum | None:
    """The checksum that the host named, in its answer or the one that redirected to it."""
    for each in (*answer.history, answer):
        linked = each.headers.get("X-Linked-ETag", "").strip('"')
        if re.fullmatch("[0-9a-f]{64}", linked):
            return Checksum("sha256", linked, "its host")
        for part in each.headers.get("x-goog-hash", "").split(","):
            kind, _, value = part.strip().partition("=")
            if kind == "md5" and re.fullmatch("[A-Za-z0-9+/]{22}==", value):
                return Checksum("md5", base64.b64decode(value).hex(), "its host")
    return None


def _check_kind(file: Path) -> None:
    """BrewError, and the file away, if it does not begin as files of its name do, or is a page."""
    with file.open("rb") as stream:
        start = stream.read(512)
    page = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGES)
    expected = _BEGINNINGS.get(file.suffix.lower())
    if page or (expected and not start.startswith(expected)):
        found = f"{'a page' if page else 'no such file'} that begins with {start[:40]!r}"
        raise BrewError(
            f"{file} is {found}; expected {file.suffix}. Now {_put_away(file)}. If a network asks to log in, or a host "
            "to accept its terms, do so; then run again to fetch it anew"
        )


def _put_away(file: Path) -> str:
    wrong = file.with_name(f"{file.name}.wrong")
    file.replace(wrong)
    return wrong.name


def _check(file: Path, expected: Checksum | None) -> str:
    """The file's SHA-256; BrewError, and the file away, where it is not the published one."""
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(0)
        found = hashlib.file_digest(stream, expected.kind).hexdigest() if expected else ""
    if expected and found != expected.value:
        raise BrewError(
            f"{file}: {expected.kind} {found}; expected {expected.value} as {expected.by} says. Now {_put_away(file)}; "
            "run again to fetch it anew"
        )
    return sha256


def unpack(archive: Path) -> None:
    """Unpack a ZIP or tar archive beside itself; BrewError where it is damaged or a member would lie elsewhere."""
    folder = archive.parent
    with _unpacking(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                check_room(folder, sum(member.file_size for member in packed.infolist()))
                for name in packed.namelist():
                    _check_inside(archive, name)
                packed.extractall(folder)
        else:
            with tarfile.open(archive) as packed_tar:
                check_room(folder, sum(member.size for member in packed_tar))
                packed_tar.extractall(folder, filter="data")


@contextmanager
def _unpacking(archive: Path) -> Iterator[None]:
    """Whatever an archive's reader raises becomes a BrewError, and the archive is put away, so that it comes again."""
    try:
        yield
    except BrewError:
        raise
    except Exception as error:  # each reader has its own kinds, IndexError for a damaged name among them
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
        todo = "Make room" if full else f"Now {_put_away(archive)}; obtain it again, from its publisher"
        raise BrewError(f"{archive} cannot be unpacked ({error}); expected a whole archive. {todo}") from error


def _check_inside(archive: Path, name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise BrewError(f"{archive}: member {name!r} would lie outside {archive.parent}; obtain it from its publisher")


def _read_record(folder: Path) -> dict[str, dict[str, object]]:
    file = folder / RECORD
    record = read_yaml(file) if file.is_file() else None
    if not isinstance(record or {}, dict) or not all(isinstance(entry, dict) for entry in (record or {}).values()):
        raise BrewError(f"{file} is no record of files; expected sizes and checksums by file. Delete it and run again")
    return record or {}


def _write_record(folder: Path, record: dict[str, dict[str, object]]) -> None:
    write_bytes(folder / RECORD, yaml.safe_dump(record, width=1000).encode())
