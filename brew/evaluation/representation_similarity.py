"""How much a student's layers share with a teacher's tokens: linear CKA, and cosine through the best linear map.

CKA compares two sets of features of the same images up to rotation and scale. Its usual estimate grows with the width
of the features if images are few, so the debiased one is used: near 0 for unrelated features, and at times below.
The cosine asks what a distilled student is trained for, through a ridge map fitted on other images, since pretraining
keeps no heads.
Sources: Kornblith et al. 2019, arXiv 1905.00414 (linear CKA); Song et al. 2012, JMLR 13, 1393 (unbiased HSIC).
Left out: which layers and tokens are compared, and the intervals' level.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from sklearn.linear_model import RidgeCV
from torch import Tensor

from brew import randomness as keyed
from brew.errors import BrewError

#: Penalties that leave-one-out validation chooses from, for features of unit variance.
_PENALTIES = np.logspace(-1, 5, 13)


def half_samples(images: int, replicates: int, seed: int = 0) -> Bool[np.ndarray, "replicate image"]:
    """All images, then `replicates` random halves of them.

    An estimate on half the images, without replacement, scatters about the whole one as the whole one about the truth
    (delete-half jackknife, Shao and Wu 1989). Drawing with replacement would show an image to itself, which CKA takes
    for similarity.
    """
    generator = np.random.Generator(np.random.Philox(key=keyed.key(seed, "halves", images)))
    order = generator.random((replicates, images)).argsort(axis=1)
    return np.concatenate([np.ones((1, images), dtype=bool), order < images // 2])


def debiased_cka(
    one: Float[np.ndarray, "image width"],
    other: Float[np.ndarray, "image other_width"],
    chosen: Bool[np.ndarray, "replicate image"],
) -> Float[np.ndarray, " replicate"]:
    """Linear CKA of features of the same images, for each choice of images. 1: equal up to rotation and scale.

    Raises BrewError for a choice of fewer than four images, which the unbiased estimate needs.
    """
    fewest = int(chosen.sum(1).min())
    if fewest < 4:
        raise BrewError(f"{fewest} images are chosen; expected at least 4 for debiased CKA: take more images")
    kernels = [_kernel(features) for features in (one, other)]
    across, *alone = (_hsic(a, b, chosen) for a, b in (kernels, kernels[:1] * 2, kernels[1:] * 2))
    return across / np.sqrt(alone[0] * alone[1])


def _kernel(features: np.ndarray) -> Float[np.ndarray, "image image"]:
    """Inner products of centred features; 0 on the diagonal, as the unbiased estimate has them."""
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    kernel = centred @ centred.T
    np.fill_diagonal(kernel, 0)
    return kernel


def _hsic(one: np.ndarray, other: np.ndarray, chosen: np.ndarray) -> Float[np.ndarray, " replicate"]:
    """Unbiased HSIC of two kernels restricted to each choice of images; Song et al., equation 5."""
    weights = chosen.astype(np.float64)
    n = weights.sum(1)
    left, right = weights @ one, weights @ other
    trace = ((weights @ (one * other)) * weights).sum(1)
    totals = (left * weights).sum(1) * (right * weights).sum(1)
    chained = (left * right * weights).sum(1)
    return (trace + totals / ((n - 1) * (n - 2)) - 2 * chained / (n - 2)) / (n * (n - 3))


def mapped_cosine(
    fitted: tuple[Float[np.ndarray, "image place width"], Float[np.ndarray, "image place teacher_width"]],
    tested: tuple[Float[np.ndarray, "other place width"], Float[np.ndarray, "other place teacher_width"]],
) -> Float[np.ndarray, " other"]:
    """Cosine between the teacher's features and a linear map of the student's, the mean over each image's places.

    fitted, tested: features of student and teacher at the same places of images. The map is a ridge regression on
    `fitted`, its penalty chosen by leave-one-out; both sides are less the mean of `fitted`, which any map would reach.
    """
    (x, y), (new_x, new_y) = ([part.reshape(-1, part.shape[-1]) for part in pair] for pair in (fitted, tested))
    mean, deviation, centre = x.mean(0), x.std(0) + 1e-6, y.mean(0)
    ridge = RidgeCV(_PENALTIES, fit_intercept=False).fit((x - mean) / deviation, y - centre)
    mapped = ridge.predict((new_x - mean) / deviation)
    cosine = F.cosine_similarity(torch.from_numpy(mapped), torch.from_numpy(new_y - centre), dim=-1)
    return cosine.numpy().reshape(tested[1].shape[:2]).mean(axis=1)


def places(maps: Float[Tensor, "image channel y x"], grid: int) -> Float[np.ndarray, "image place channel"]:
    """A map averaged to `grid` x `grid` places."""
    return F.adaptive_avg_pool2d(maps.float(), grid).flatten(2).transpose(1, 2).cpu().numpy()
