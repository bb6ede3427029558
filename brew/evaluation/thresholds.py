"""Where to cut: the threshold of highest F1 on labelled pixels, and Otsu's on pixels without labels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from brew.errors import BrewError
from brew.evaluation.metrics import f1_binary

#: Thresholds that are tried are k / 1000.
_LEVELS = 1000


@dataclass(frozen=True)
class Threshold:
    """A probability at and above which a pixel is change, and the F1 that it reaches.

    undecided: the pixels could not tell thresholds apart, so that it is one half.
    """

    threshold: float
    f1: float
    undecided: bool = False


def best_threshold(probabilities: Float[np.ndarray, " pixel"], labels: Integer[np.ndarray, " pixel"]) -> Threshold:
    """The threshold k / 1000 of highest F1 (the lowest of equals), from two histograms in one pass.

    It is one half, undecided, if the pixels are of one class or if all thresholds score the same. Without a changed
    pixel F1 is 0 throughout; without an unchanged one it is highest at 0, which calls every pixel change.
    """
    level = np.clip(np.floor(np.asarray(probabilities, dtype=np.float64) * _LEVELS), 0, _LEVELS).astype(np.int64)
    histogram = np.bincount(labels.astype(np.int64) * (_LEVELS + 1) + level, minlength=2 * (_LEVELS + 1))
    stay, change = histogram.reshape(2, -1)
    false_positive, true_positive = (part[::-1].cumsum()[::-1] for part in (stay, change))
    counts = np.empty((_LEVELS + 1, 2, 2), dtype=np.int64)
    counts[:, 0, 0], counts[:, 0, 1] = stay.sum() - false_positive, false_positive
    counts[:, 1, 0], counts[:, 1, 1] = change.sum() - true_positive, true_positive
    scores = f1_binary(counts)
    undecided = 0 in (stay.sum(), change.sum()) or bool((scores == scores[0]).all())
    best = _LEVELS // 2 if undecided else int(scores.argmax())
    return Threshold(best / _LEVELS, float(scores[best]), undecided)


def otsu(values: Float[np.ndarray, "*any"], bins: int = 256) -> float:
    """Otsu's threshold (1979): values above it differ most from those below, in between-class variance.

    The upper edge of the last histogram bin of the lower class. Raises BrewError if all values are equal.
    """
    counts, edges = np.histogram(values, bins)
    if edges[0] == edges[-1] or np.ptp(values) == 0:
        raise BrewError(f"all values equal {edges[0]}; Otsu's threshold needs values that differ")
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = counts.cumsum()[:-1], counts[::-1].cumsum()[::-1][1:]
    weighted = counts * centres
    mean_below = weighted.cumsum()[:-1] / np.maximum(below, 1)
    mean_above = weighted[::-1].cumsum()[::-1][1:] / np.maximum(above, 1)
    between = below.astype(np.float64) * above * (mean_below - mean_above) ** 2
    return float(edges[1 + between.argmax()])
