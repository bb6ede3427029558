"""The numbers of an optimisation, apart from the loop, so that whoever reads settings need not import a trainer."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Optimisation:
    """Numbers of the optimisation; defaults: the paper's if it gives them (section 4), else the released command's.

    steps: parameter updates. learning_rate: peak, after scaling with the batch. warmup: share of `steps`.
    weight_decay, momentum: start and end of half a cosine. clip: of the gradient's norm.
    epsilon: of the coding rate. half_logdet: sum the Cholesky factor's log-diagonal as the released code does.
    skip_same_view: class tokens are compared across views only, as the released code does (decision 2).
    clip_jointly: clip the joint norm; False clips each parameter alone, as the released code does (decision 9).
    teacher_depth: stochastic depth acts in the multispectral teacher too, as in the released code (decision 8).
    fixed_count: stochastic depth drops the same number of a batch's samples every time (decision 24).
    fused_attention: a Swin's windows attend in a kernel of brew's own on an accelerator (decision 44).
    covariance: "global" sums the coding rate's covariance over processes, "local" leaves it (decision 10).
    """

    steps: int
    learning_rate: float
    warmup: float = 0.1
    final_learning_rate: float = 1e-6
    weight_decay: tuple[float, float] = (0.04, 0.4)
    momentum: tuple[float, float] = (0.996, 1.0)
    clip: float = 3.0
    epsilon: float = 0.05
    width: int = 256
    hidden: int = 2048
    half_logdet: bool = True
    skip_same_view: bool = True
    clip_jointly: bool = True
    teacher_depth: bool = False
    fixed_count: bool = False
    fused_attention: bool = False
    covariance: Literal["global", "local"] = "global"
    checkpoint_every_s: float = 60.0
    seed: int = 0

    @property
    def warmup_steps(self) -> int:
        return round(self.warmup * self.steps)
