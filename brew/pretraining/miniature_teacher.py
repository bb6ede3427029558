"""How brew's own optical teachers are made: a small vision transformer, self-distilled on optical images.

It is the arm `optical-self` on a vision transformer instead of a student, by the same loop (`train_transformer`).
The miniature's teacher sees scenes that are rendered as it goes: a foundation model knows more than a student can learn
by itself, so it sees many more optical images than any arm of the compendium, from a world seed that no store uses.
`make teacher` runs it; the weights it leaves are in git, with their hash. The teacher `self-distilled` sees the optical
training images of its scale instead (stage `optical-teacher`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float
from lightning_fabric import Fabric
from torch import Tensor, nn

from brew.data.rendered import RenderedFeed
from brew.models.features import Features
from brew.models.miniature_teacher import Colour, MiniatureViT, save_miniature_teacher
from brew.models.student import Student
from brew.models.trunks import Trunk
from brew.pretraining.arms import arm
from brew.pretraining.loop import Feed, pretrain
from brew.pretraining.optimisation import Optimisation
from brew.sensors import SENSORS
from brew.views import ViewSettings


@dataclass(frozen=True)
class TeacherTraining:
    """Numbers of the teacher's training.

    world_seed: of its scenes; no store uses it. scenes: how many are seen, each once. size: of a scene's multispectral
    image in pixels; its optical one has four times as many per side. depth: blocks of the network.
    """

    scenes: int = 102_400
    batch_size: int = 128
    size: int = 32
    world_seed: int = 7_001
    learning_rate: float = 1e-3
    depth: int = 4
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    views: ViewSettings = field(
        default_factory=lambda: ViewSettings(
            global_size=48, local_size=24, locals=2, global_area=(0.15, 0.6), local_area=(0.04, 0.15), blur_kernel=5
        )
    )


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


def _per_white(values: tuple[float, ...], white: float) -> Colour:
    red, green, blue = (value / white for value in values)
    return red, green, blue


def train_miniature_teacher(training: TeacherTraining, weights: Path, unfinished: Path, seed: int = 0) -> None:
    """Train the teacher and write it to `weights`, its hash beside it. Resumes from `unfinished`."""
    fabric = Fabric(accelerator="auto", devices=1, precision=training.precision)
    steps = training.scenes // training.batch_size
    feed = RenderedFeed("teacher", training.world_seed, training.scenes, training.batch_size, training.size,
                        device=fabric.device)  # fmt: skip
    optimisation = Optimisation(
        steps=steps, learning_rate=training.learning_rate, momentum=(0.99, 1.0), hidden=512, seed=seed
    )
    provenance = {
        "scenes": steps * training.batch_size,
        "world seed": training.world_seed,
        "batch": training.batch_size,
        "ground sampling distance (m)": 2.5,
    }
    train_transformer([feed], training.views, optimisation, weights, unfinished, fabric, provenance, training.depth)


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
    run = pretrain(arm("optical-self"), TransformerAsStudent(network), {}, feeds, views, o, unfinished, fabric)
    last = run.history.tail(max(1, o.steps // 50)).mean(numeric_only=True)
    own = {"seed": o.seed, "steps": o.steps, "loss over the last 2 %": round(float(last["loss"]), 4)}
    save_miniature_teacher(weights, network.cpu(), {**provenance, **own})
    unfinished.unlink(missing_ok=True)
