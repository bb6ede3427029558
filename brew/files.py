"""Every folder of the compendium, files that appear whole or not at all, and their hashes.

Nothing else in brew spells a path of the tree, replaces a file or hashes one.
"""

import errno
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from brew.errors import BrewError

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
REPORTS = ROOT / "reports"
#: Undeclared working files (checkpoints of unfinished runs, results of single cells); always safe to delete.
SCRATCH = ROOT / "scratch"
#: Weights that brew itself releases; in git.
WEIGHTS = DATA / "weights"


def data_root() -> Path | None:
    """The folder that ``BREW_DATA`` names, None if it is not set.

    Raises BrewError if the name is relative: stages run in other folders than the command that starts them, such as
    the clone of `make verify`, and would each find another folder.
    """
    base = os.environ.get("BREW_DATA")
    if not base:
        return None
    folder = Path(base).expanduser()
    if not folder.is_absolute():
        raise BrewError(
            f"BREW_DATA is {base!r}; expected a folder's name from the root, which means the same in every folder. "
            f'Write BREW_DATA="$(realpath {shlex.quote(base)})"'
        )
    return folder.resolve()


def real_data(dataset: str, how: str) -> Path:
    """Folder of a real data set below ``$BREW_DATA``.

    dataset: the folder's name, such as ``"oscd"``.
    how: one line on how to obtain it, repeated in the error if it is missing.
    Raises BrewError if ``BREW_DATA`` is unset, relative, or lacks the folder.
    """
    base = data_root()
    if base is None:
        raise BrewError(f"BREW_DATA is not set; expected a folder that holds {dataset!r}. To obtain it: {how}")
    folder = base / dataset
    if not folder.is_dir():
        raise BrewError(f"{folder} does not exist; expected the data set {dataset!r} there. To obtain it: {how}")
    return folder


@contextmanager
def replacing(path: Path, needed: int = 0) -> Iterator[Path]:
    """A file to write instead of `path`, which it replaces in one step: a reader sees the old content or the new one.

    The folder is made if it is absent. If the block raises, `path` stays as it was and nothing else is left. What a
    killed writer of `path` left is removed by the next one. needed: bytes of the whole, if they are known.
    Raises BrewError if the system refuses to write; the block does nothing else.
    """
    with writing(path, needed):
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".partial-{path.name[:64]}-"
        _remove_abandoned(path.parent, prefix)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix)
        partial = Path(name)
        try:
            _lock(handle)
            yield partial
            partial.chmod(0o644)
            partial.replace(path)
        finally:
            os.close(handle)
            partial.unlink(missing_ok=True)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove files of the prefix that no process holds any more."""
    for name in os.listdir(folder):
        if not name.startswith(prefix):
            continue
        with suppress(FileNotFoundError), (folder / name).open("rb") as file:  # its writer may be done meanwhile
            if _lock(file.fileno()):
                (folder / name).unlink()


def _lock(file: int) -> bool:
    """Hold an open file, which the system lets go of if this process is killed; False if another process holds it.

    Also False on file systems without locks: what killed writers left stays there.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def locked(file: Path, refusal: str) -> Iterator[None]:
    """Keep others out by a lock file, which the system frees however this process ends; BrewError(refusal) if held.

    The lock file is removed afterwards. On file systems without locks nobody is kept out.
    """
    with file.open("w") as lock:
        held = _held_by_another(lock.fileno())
        # Whoever held the file before may have removed it meanwhile.
        gone = not file.exists() or file.stat().st_ino != os.fstat(lock.fileno()).st_ino
        if held or gone:
            raise BrewError(refusal)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def _held_by_another(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no locks there
        return False
    return False


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step (`replacing`)."""
    with replacing(path, len(content)) as partial:
        partial.write_bytes(content)


def sha256(path: Path) -> str:
    """SHA-256 of a file, as `sha256sum` prints it; of a folder, that of its files' names and hashes.

    What programs leave there does not count (`is_content`). Raises BrewError where there is nothing.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not path.is_dir():
        raise BrewError(f"{path} does not exist; expected a file or folder to hash")
    inner = {file.relative_to(path).as_posix(): file for file in search(path, "**/*") if file.is_file()}
    lines = [f"{sha256(inner[name])}  {name}\n" for name in sorted(inner)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


#: What Python, editors and file managers leave in folders that they import, show or index.
_LEFT_THERE = re.compile(
    r"__pycache__|\.ipynb_checkpoints|__MACOSX|\._.*|\.DS_Store|Thumbs\.db|desktop\.ini|\.directory|\.nfs[0-9a-f]+",
    re.IGNORECASE,
)


def is_content(below: str | PurePath) -> bool:
    """Whether a file is somebody's content, by its path below the folder that is searched.

    Files that programs leave there are none, such as `.DS_Store`, `._scene.tif` or all in `.ipynb_checkpoints`.
    """
    return not any(_LEFT_THERE.fullmatch(part) for part in PurePath(below).parts)


def search(folder: Path, pattern: str) -> list[Path]:
    """What a folder holds that matches the glob `pattern` and is content, sorted."""
    return sorted(path for path in folder.glob(pattern) if is_content(path.relative_to(folder)))


#: What to do about an error of the system while something is written; anything else is looked up by its number.
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Make room there, and run again"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "Make the folder writable, and run again"),
}


def free_bytes(path: Path) -> int:
    """Bytes that may still be written at `path`, which need not exist yet."""
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free


def check_room(path: Path, needed: int) -> None:
    """BrewError if `needed` bytes do not fit where `path` is to be written."""
    free = free_bytes(path)
    if needed > free:
        raise BrewError(f"{path} needs {needed} bytes and {free} are free; expected room for all. Make room there")


@contextmanager
def writing(path: Path, needed: int = 0) -> Iterator[None]:
    """The system's errors in the block, which writes `path`, become a BrewError that says what is needed and free.

    needed: bytes of the whole, 0 if unknown. The block does nothing but write: an error of reading would be told as
    one of writing.
    """
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "Correct that, and run again")
        room = f"room for {needed} bytes" if needed else "a place to write"
        raise BrewError(
            f"{path} cannot be written ({error}); expected {room}, and {free_bytes(path)} bytes are free. {remedy}"
        ) from error


@dataclass(frozen=True)
class Layout:
    """Where the stages of one scale read and write.

    Every stage owns one folder (DVC keeps it in its cache); the last one, the site, copies what a reader needs into
    `site`, which is in git. explore: write below `SCRATCH` instead, so that exploring in JupyterLab never touches
    tracked results, while what earlier stages left is still read from the tracked ones.
    """

    scale: str
    explore: bool = False

    @property
    def site(self) -> Path:
        return (SCRATCH / "explore" if self.explore else REPORTS) / self.scale

    def store(self, source: str) -> Path:
        """A source's store; stages read it, the data stage alone writes it."""
        return DATA / "stores" / self.scale / f"{source}.zarr"

    def read(self, stage: str) -> Path:
        """The folder that an earlier stage left; BrewError where it has not run."""
        folder = REPORTS / self.scale / "stages" / stage
        if not folder.is_dir():
            raise BrewError(f"{folder} does not exist; expected what stage {stage!r} leaves. Run `make repro` first")
        return folder

    def write(self, stage: str) -> Path:
        """The folder that a stage leaves, made where it is absent."""
        folder = (SCRATCH / "explore" if self.explore else REPORTS) / self.scale / "stages" / stage
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder
