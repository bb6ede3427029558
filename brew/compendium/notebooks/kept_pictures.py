"""Pictures as git keeps them: WebP, a tenth of the PNG that a stage drew, and no wider than a page shows."""

import hashlib
import html
import re
from base64 import b64decode
from copy import deepcopy
from io import BytesIO
from pathlib import Path

from nbformat import NotebookNode
from PIL import Image

from brew.files import write_bytes

#: Pixels of the longer side at most: of a figure of the report, and of a picture in a notebook's page, which is narrow.
_OF_REPORT, _OF_PAGE = 1024, 640
#: Of 100.
_QUALITY = 40
_HEADING = re.compile(r"^#+ (.+)$", re.M)


def kept_picture(png: bytes, largest: int = _OF_REPORT) -> bytes:
    """The picture as WebP; the same bytes for the same picture. largest: pixels of its longer side at most."""
    with Image.open(BytesIO(png)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((largest, largest))
    stream = BytesIO()
    image.save(stream, "WEBP", quality=_QUALITY, method=6)
    return stream.getvalue()


def pictures_apart(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """The notebook with its pictures as files of `folder`, which lies beside the page, named by their content."""
    found, heading = deepcopy(notebook), "notebook"
    for cell in found.cells:
        heading = next(iter(_HEADING.findall(cell.source)), heading) if cell.cell_type == "markdown" else heading
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                picture = kept_picture(b64decode(png), _OF_PAGE)
                name = f"{hashlib.sha256(picture).hexdigest()[:16]}.webp"
                write_bytes(folder / name, picture)
                alt = html.escape(f"Picture of the section: {heading}", quote=True)
                output.data = NotebookNode(
                    {"text/html": f'<img loading="lazy" alt="{alt}" src="{folder.name}/{name}">'}
                )
    return found


def keep_picture(source: Path, target: Path) -> None:
    """Write the PNG `source` as the WebP `target`."""
    write_bytes(target, kept_picture(source.read_bytes()))
