"""How brew's own optical teachers are made: a small vision transformer, self-distilled on optical images.

It is the arm `optical-self` on a vision transformer instead of a student, by the same loop (`train_transformer`).
Whose images it sees, the caller says: those of the miniature's teacher are rendered while it trains (`make teacher`),
those of the teacher `self-distilled` are the optical training images of its scale (stage `optical-teacher`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Bool, Float
from lightning_fabric import Fabric
from torch import Tensor, nn

from brew.models.features import Features
from brew.models.miniature_teacher import Colour, MiniatureViT, save_miniature_teacher
from brew.models.student import Student
from brew.models.trunks import Trunk
from brew.pretraining.arms import arm
from brew.pretraining.feeds import Feed
from brew.pretraining.loop import pretrain
from brew.pretraining.optimisation import Optimisation
from brew.sensors import SENSORS
from brew.views import ViewSettings


class TransformerAsStudent(Student):
    """A `MiniatureViT` that the loop trains as it trains a student: its patch embedding is its one stem."""

    def __init__(self, network: MiniatureViT):
        nn.Module.__init__(self)  # a student builds its stems; a transformer brings its own
        self.network, self.trunk = network, cast(Trunk, _Trunk(network))

    def tokens(
        self,
        images: Float[Tensor, "batch 3 y x"],
        path: str,
        mask: Bool[Tensor, "batch rows columns"] | None = None,
    ) -> Float[Tensor, "batch rows columns width"]:
        return self.network.vit.patch_embed(images)


class _Trunk(nn.Module):
    stochastic_depth = 0.0

    def __init__(self, network: MiniatureViT):
        super().__init__()
        self.vit = network.vit
        self.blocks, self.patch = len(network.vit.blocks), network.patch
        self.width = self.late_width = self.middle_width = network.width

    def forward(self, tokens: Float[Tensor, "batch rows columns width"], drop: Tensor | None = None) -> Features:
        rows, columns = tokens.shape[1:3]
        x = self.vit.norm(self.vit.blocks(self.vit._pos_embed(tokens)))
        patches = x[:, self.vit.num_prefix_tokens :].transpose(1, 2).unflatten(2, (rows, columns))
        return Features({}, x[:, 0], late=patches, middle=patches)


#: The arm whose objective teaches the teacher.
LEARNS_AS = "optical-self"


def _per_white(values: tuple[float, ...], white: float) -> Colour:
    red, green, blue = (value / white for value in values)
    return red, green, blue


def train_transformer(
    feeds: Sequence[Feed],
    views: ViewSettings,
    optimisation: Optimisation,
    weights: Path,
    unfinished: Path,
    fabric: Fabric,
    provenance: Mapping[str, str | int | float],
    depth: int = 4,
) -> None:
    """Self-distil a `MiniatureViT` of `depth` blocks on the optical images of the feeds; write it to `weights`.

    Resumes from `unfinished`. provenance: of the images; the run's own numbers are added.
    """
    known, o = SENSORS["rgb"], optimisation
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(o.seed)
        network = MiniatureViT(
            depth=depth,
            image_size=views.global_size,
            mean=_per_white(known.mean, known.white),
            std=_per_white(known.std, known.white),
        )
    run = pretrain(arm(LEARNS_AS), TransformerAsStudent(network), {}, feeds, views, o, unfinished, fabric)
    last = run.history.tail(max(1, o.steps // 50)).mean(numeric_only=True)
    own = {"seed": o.seed, "steps": o.steps, "loss over the last 2 %": round(float(last["loss"]), 4)}
    save_miniature_teacher(weights, network.cpu(), {**provenance, **own})
    unfinished.unlink(missing_ok=True)
