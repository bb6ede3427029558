"""Logistic regressions of many labels on the same features, at every strength of the penalty, fitted together.

A label with signs s_i (1 if present, else -1) has scikit-learn's objective, with C the inverse strength,

    sum_i log(1 + exp(-s_i (x_i . w + b))) + |w|^2 / (2 C),

whose Hessian in w is X' D X + I / C with D = diag(p_i (1 - p_i)). The optimum is the same, the way there is another:

- All labels share each pass over the features: two matrix products in float32; losses, weights and steps are float64.
- Newton's method, the step found by conjugate gradients, each label with its own step sizes. The gradient
  decides when to stop, since float32 losses no longer differ near the optimum (there L-BFGS's line search failed).
- Features are rotated to the eigenvectors of X'X. There, with D's mean (at most 1/4) in place of D, the Hessian is
  diagonal, mean(D) e_k + 1 / C, which preconditions the conjugate gradients.
- Strengths go from the strongest penalty to the weakest, each from the optimum of the one before.

Left out: more than two classes that exclude each other, weights of samples, and penalties other than L2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Integer
from scipy.special import expit

from brew.errors import BrewError

#: Largest preconditioned gradient of a label, sqrt(g' H^-1 g / samples) with H the diagonal Hessian above: about how
#: far its log-odds are from the optimum's, root mean square, times the root of mean(D).
TOLERANCE = 1e-4
_NEWTON, _CONJUGATE, _HALVINGS = 100, 200, 30
#: Relative noise of a loss summed from float32 log-odds; a step that adds no more has not made it worse.
_NOISE = 1e-6

#: A row of weights for each rotated feature, then the intercepts.
Weights = Float64[np.ndarray, "_weight _label"]
PerSample = Float32[np.ndarray, "sample label"]


@dataclass(frozen=True)
class LogisticModel:
    """One regression per label. A label that never varies has no weights and an infinite intercept, its optimum."""

    weights: Float64[np.ndarray, "width label"]
    intercept: Float64[np.ndarray, " label"]

    def log_odds(self, features: Float[np.ndarray, "sample width"]) -> Float64[np.ndarray, "sample label"]:
        """Above zero if a label is more likely present than not."""
        return features @ self.weights + self.intercept


def fit_path(
    features: Float[np.ndarray, "sample width"],
    present: Integer[np.ndarray, "sample label"],
    strengths: Sequence[float],
    *,
    tolerance: float = TOLERANCE,
) -> dict[float, LogisticModel]:
    """A model for each inverse strength C. features: centred, of like scale; present: 0 or 1.

    Raises BrewError if Newton's method ends before the tolerance is met.
    """
    varies = present.min(0) != present.max(0)
    curvature, rotation = np.linalg.eigh(features.T.astype(np.float64) @ features.astype(np.float64))
    width = len(rotation)
    rotated = np.ones((len(features), width + 1), np.float32)
    np.matmul(features.astype(np.float32), rotation.astype(np.float32), out=rotated[:, :width])
    signs = (1 - 2 * present[:, varies]).astype(np.float32)

    frequency = present[:, varies].mean(0)
    found = np.zeros((width + 1, len(frequency)))
    found[-1] = np.log(frequency / (1 - frequency))
    models = {}
    for strength in sorted(strengths):
        if varies.any():
            found = _optimum(_Problem(rotated, signs, curvature.clip(0), strength), found, tolerance)
        weights = np.zeros((width, len(varies)))
        weights[:, varies] = rotation @ found[:-1]
        intercept = np.where(present[0] == 1, np.inf, -np.inf)
        intercept[varies] = found[-1]
        models[strength] = LogisticModel(weights, intercept)
    return models


class _Problem:
    """All labels' regressions of one strength, on rotated features with a last column of ones.

    signs: -1 if a label is present, else 1, since the loss is softplus(sign * log-odds). curvature: diagonal of X'X.
    """

    def __init__(
        self,
        features: Float32[np.ndarray, "sample _weight"],
        signs: PerSample,
        curvature: Float64[np.ndarray, " width"],
        strength: float,
    ) -> None:
        self.features, self.signs, self.strength = features, signs, strength
        self.curvature = np.append(curvature, len(features))[:, None]
        self.penalty = np.append(np.full_like(curvature, 1 / strength), 0)[:, None]  # the intercept is free

    def log_odds(self, weights: Weights) -> PerSample:
        return self.features @ weights.astype(np.float32)

    def loss(self, weights: Weights, log_odds: PerSample) -> Float64[np.ndarray, " label"]:
        fit = np.logaddexp(0, self.signs * log_odds).sum(0, dtype=np.float64)
        return fit + (self.penalty * weights**2).sum(0) / 2

    def gradient(self, weights: Weights, log_odds: PerSample) -> Weights:
        return self.features.T @ (self.signs * expit(self.signs * log_odds)) + self.penalty * weights

    def hessian(self, variance: PerSample, direction: Weights) -> Weights:
        """The Hessian's product with each label's direction. variance: D."""
        return self.features.T @ (variance * self.log_odds(direction)) + self.penalty * direction


def _optimum(problem: _Problem, weights: Weights, tolerance: float) -> Weights:
    log_odds = problem.log_odds(weights)
    for _ in range(_NEWTON):
        gradient = problem.gradient(weights, log_odds)
        variance = expit(log_odds) * expit(-log_odds)
        inverse = 1 / (problem.curvature * variance.mean(0, dtype=np.float64) + problem.penalty)
        error = np.sqrt((inverse * gradient**2).sum(0) / len(log_odds))
        if (error <= tolerance).all():
            return weights
        # Exact enough for quadratic convergence, and no more exact than the tolerance asks for.
        reduction = np.clip(np.maximum(error, 0.3 * tolerance / np.maximum(error, 1e-30)), 0, 0.1)
        step = _newton_step(problem, variance, gradient, inverse, reduction)
        weights, log_odds = _descended(problem, weights, log_odds, step)
    raise BrewError(
        f"logistic regression of strength {problem.strength:g}: after {_NEWTON} Newton steps the error is "
        f"{error.max():.1e}; expected at most {tolerance:.1e}: standardise the features, or raise the tolerance"
    )


def _newton_step(
    problem: _Problem,
    variance: PerSample,
    gradient: Weights,
    inverse: Weights,
    reduction: Float64[np.ndarray, " label"],
) -> Weights:
    """Solve Hessian @ step = -gradient, until the preconditioned residual of every label has fallen by `reduction`."""
    step, residual = np.zeros_like(gradient), -gradient
    direction = inverse * residual
    size = (residual * direction).sum(0)
    enough = reduction**2 * size
    for _ in range(_CONJUGATE):
        curved = problem.hessian(variance, direction)
        length = _ratio(size, (direction * curved).sum(0))
        step += length * direction
        residual -= length * curved
        conditioned = inverse * residual
        before, size = size, (residual * conditioned).sum(0)
        if (size <= enough).all():
            break
        direction = conditioned + _ratio(size, before) * direction
    return step


def _descended(problem: _Problem, weights: Weights, log_odds: PerSample, step: Weights) -> tuple[Weights, PerSample]:
    """Weights after the step, halved for labels whose loss it would raise, and their log-odds."""
    highest = problem.loss(weights, log_odds) * (1 + _NOISE)
    for _ in range(_HALVINGS):
        moved = weights + step
        log_odds = problem.log_odds(moved)
        worse: Bool[np.ndarray, " label"] = problem.loss(moved, log_odds) > highest
        if not worse.any():
            break
        step = np.where(worse, step / 2, step)
    return moved, log_odds


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """0 / 0 is 0: a label without a residual stays where it is."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
