"""Average precision: how well a label's scores rank the samples that have it, whatever the threshold.

Counts do not hold what it needs, so it is no entry of `METRICS`.
Left out: intervals, for which every draw would rank all samples again.
"""

import numpy as np
from jaxtyping import Float, Integer
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score


def average_precision_macro(
    present: Integer[np.ndarray, "sample label"], scores: Float[np.ndarray, "sample label"]
) -> float:
    """Mean of the labels' average precision (mAP); labels that no sample has are left out, NaN if none has any.

    present: 0 or 1. scores: higher where a label is more likely, infinite if it is certain.
    """
    occurring = present.any(axis=0)
    if not occurring.any():
        return float("nan")
    # A label that every or no training sample had is certain: its log-odds are infinite, which scikit-learn refuses.
    ranks = rankdata(scores, axis=0)
    return float(np.mean([average_precision_score(present[:, i], ranks[:, i]) for i in np.flatnonzero(occurring)]))
