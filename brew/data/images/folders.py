"""A folder, or a list, of rasters that together are one scene: one file per band, or several in one."""

import os
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from brew.data.images.dialects import is_aside
from brew.data.images.gdal_parts import GdalPart
from brew.data.images.parts import Opened, Statement
from brew.data.images.statements import from_name, from_xml
from brew.errors import BrewError
from brew.files import is_content

_RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".dat", ".bil", ".bip", ".bsq")
#: Archives that GDAL reads without unpacking.
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz")
#: Folders above the files in which a product's xml may lie.
_ABOVE = 4


def open_folder(folder: Path) -> Opened:
    """The rasters of a folder and its subfolders; BrewError if there is none."""
    files = sorted(each for each in files_below(folder) if each.suffix.lower() in _RASTERS and each.is_file())
    # A VRT beside the files that it joins shows them twice.
    files = [each for each in files if each.suffix.lower() != ".vrt"] or files
    if not files:
        raise BrewError(
            f"{folder} holds no raster ({', '.join(_RASTERS)}); expected one file per band, a SAFE product or a Zarr. "
            "Give the folder in which they lie"
        )
    return open_files([str(file) for file in files], str(folder), _said_above(folder))


def open_archive(path: Path) -> Opened:
    """The rasters of a zip or tar."""
    zipped = zipfile.is_zipfile(path)
    try:
        with zipfile.ZipFile(path) if zipped else tarfile.open(path) as archive:
            names = archive.namelist() if isinstance(archive, zipfile.ZipFile) else archive.getnames()
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise BrewError(f"{path} cannot be read ({error}); it may be truncated. Obtain the archive again") from error
    names = [name for name in sorted(names) if name.lower().endswith(_RASTERS) and is_content(name)]
    if not names:
        raise BrewError(
            f"{path} holds no raster ({', '.join(_RASTERS)}); expected Sentinel-2 bands. Unpack it and look"
        )
    return open_files([f"/vsi{'zip' if zipped else 'tar'}/{path.absolute()}/{name}" for name in names], str(path))


def open_files(files: Sequence[str], source: str, said: Sequence[Statement] = ()) -> Opened:
    """Rasters as one scene. Files that their names tell to be classes, masks or pictures are left out."""
    aside = [Path(file).stem for file in files if is_aside(Path(file).stem)]
    bands = [file for file in files if not is_aside(Path(file).stem)]
    scl = [GdalPart(file, ("SCL",)) for file in files if "scl" in Path(file).stem.lower()]
    parts = [GdalPart(file, (Path(file).stem,)) for file in bands]
    named = [statement for file in [source, *files] for statement in from_name(file)][:1]
    return Opened(
        "files", source, (*parts, *scl), (*said, *named), tuple(name for name in aside if "scl" not in name.lower())
    )


def _said_above(folder: Path) -> list[Statement]:
    """What the xml of the product says, of which the folder may be a part."""
    for place in [folder, *folder.absolute().parents][:_ABOVE]:
        for xml in sorted(place.glob("MTD_MSIL*.xml")):
            return from_xml(xml.read_bytes())
    return []


def files_below(folder: Path) -> Iterator[Path]:
    """Content below a folder, also in linked ones; BrewError if a link leads back to a folder around it."""
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_refuse_folder):
        folders[:] = filter(is_content, folders)
        for name in folders:
            inner = Path(place, name)
            if inner.is_symlink() and Path(place).resolve().is_relative_to(inner.resolve()):
                raise BrewError(f"{inner} links to a folder around it; expected no circle. Remove the link")
        yield from (Path(place, name) for name in files if is_content(name))


def _refuse_folder(error: OSError) -> None:
    raise BrewError(
        f"{error.filename} cannot be read ({error.strerror}); expected a folder. Grant access to it"
    ) from error
