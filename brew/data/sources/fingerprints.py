"""Fingerprints of pictures: the same scene is known again after another reduction or another compression.

A file's hash knows the file alone. A fingerprint keeps the grey levels of a coarse grid, which a filter hardly alters.
"""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

#: Cells per side of the grid. Both 128 and 400 pixels are whole multiples of it.
_CELLS = 8
#: Grey levels (of 256) by which two fingerprints of one picture may differ in the mean over the grid. Aerial chips of
#: 400 x 400 differ by 0.8 at most from their JPEG at 128 x 128, of each filter of Pillow and of quality 50 and 88.
TOLERANCE = 1.5


def fingerprint(image: UInt8[np.ndarray, "3 y x"]) -> str:
    """The mean grey level of each of 8 x 8 equal parts, row by row, as 128 hexadecimal digits."""
    grey = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).convert("L")
    return grey.resize((_CELLS, _CELLS), Image.Resampling.BOX).tobytes().hex()


def difference(first: str, second: str) -> float:
    """The mean absolute difference of two fingerprints, in grey levels."""
    levels = [np.frombuffer(bytes.fromhex(each), np.uint8).astype(np.int64) for each in (first, second)]
    return float(np.abs(levels[0] - levels[1]).mean())
