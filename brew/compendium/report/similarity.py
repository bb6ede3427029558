"""Representation similarity as tables: every layer with its interval, and contrastive arms less masked ones.

The claim behind distillation is that a student trained by contrast comes close to a teacher trained by contrast, and
one trained by masked image modelling less. Pairs of arms that differ in just that are taken apart. Two measures are
told, which need not agree; which of them decides was fixed beforehand (`PRIMARY`, record 0034).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd

from brew.compendium.report.joint import interval, over_seeds, wald_p
from brew.compendium.report.seeds import shared_seeds
from brew.evaluation.layer_similarity import MEASURES, LayerSimilarity
from brew.evaluation.statistics import paired_t_p

#: Arms that learn by contrast, and the same by masked image modelling.
PAIRS = {"ms-only": "masked", "deo": "masked+distillation", "deo-self-distilled": "masked-self-distilled"}
#: The measure, token and stride that decide: debiased linear CKA with the late patches, at the student's last layer.
PRIMARY = ("cka", "late", 32)
_LAYER = ["teacher", "token", "stride"]


def similarities(found: Iterable[LayerSimilarity]) -> pd.DataFrame:
    """A row per layer and token, of every student and teacher; low, high: the 95 % interval over images."""
    ends = [f"{name}{end}" for name in MEASURES for end in ("", " low", " high")]
    columns = ["teacher", "backbone", "seed", "token", "stride", *ends, "images"]
    return pd.DataFrame([_row(each) for each in found], columns=columns).round(6)


def _row(found: LayerSimilarity) -> dict[str, object]:
    cells = {
        f"{name}{end}": value
        for name, replicates in found.replicates.items()
        for end, value in zip(("", " low", " high"), (float(replicates[0]), *interval(replicates)), strict=True)
    }
    return {
        "teacher": found.teacher, "backbone": found.arm, "seed": found.seed, "token": found.token,
        "stride": found.stride, **cells, "images": found.images,
    }  # fmt: skip


def similarity_differences(found: Sequence[LayerSimilarity]) -> pd.DataFrame:
    """Of the `PAIRS` that were run: the contrastive arm's similarity less the masked one's, layer by layer.

    The mean is over the seeds of pretraining that both share. low, high: the interval over images, both on the same
    halves. low, high over seeds: Student's interval, NaN for a single seed. p, p over seeds: two-sided, of the two.
    """
    columns = [*_LAYER, "arm", "less", "measure", "difference", "low", "high", "p", "seeds", "low over seeds",
               "high over seeds", "p over seeds"]  # fmt: skip
    return pd.DataFrame(list(_differences(found)), columns=columns).round(6)


def _differences(found: Sequence[LayerSimilarity]) -> Iterator[dict[str, object]]:
    layers: dict[tuple[str, str, int], dict[str, dict[int, LayerSimilarity]]] = {}
    for each in found:
        arms = layers.setdefault((each.teacher, each.token, each.stride), {})
        arms.setdefault(each.arm, {})[each.seed] = each
    for (layer, arms), (contrastive, masked) in product(layers.items(), PAIRS.items()):
        ours, theirs = arms.get(contrastive, {}), arms.get(masked, {})
        shared = shared_seeds(ours, theirs)
        for measure in MEASURES if shared else ():
            replicates = np.stack(
                [ours[seed].replicates[measure] - theirs[seed].replicates[measure] for seed in shared]
            )
            low, high = interval(replicates.mean(axis=0))
            low_of_seeds, high_of_seeds = over_seeds(replicates[:, 0])
            p_of_seeds = paired_t_p(replicates[:, 0]) if len(shared) > 1 else math.nan
            yield dict(zip(_LAYER, layer, strict=True)) | {
                "arm": contrastive, "less": masked, "measure": measure, "difference": replicates[:, 0].mean(),
                "low": low, "high": high, "p": wald_p(replicates.mean(axis=0)), "seeds": len(shared),
                "low over seeds": low_of_seeds, "high over seeds": high_of_seeds, "p over seeds": p_of_seeds,
            }  # fmt: skip
