"""Floating-point operations per training image: brew's trunk beside torchvision's unmodified Swin.

One image is 2 global views of 224 px and 10 local ones of 96 px, all through both stems and the trunk, forward and
backward; the moving average's forward on the two global views; and the optical teacher's (DINOv3 ViT-B/16). Counted by
torch on the meta device, where attention is matrix products, without stochastic depth. `ratio` is brew's count by
torchvision's. The heads, alike on both sides, are left out of it and stand in the settings; so do the parts. Left out
of the count, as torch's counter does: everything but matrix products and convolutions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.swin_transformer import SwinTransformer

from benchmarks.harness import arguments, machine, write
from brew.models.features import Features
from brew.models.heads import Head
from brew.models.stems import Stem
from brew.models.swin import Swin
from brew.models.teachers import TEACHERS
from brew.models.trunks import TRUNKS
from brew.pretraining.learner import through_trunk
from brew.sensors import PAPER_PATHS, PATHS

#: Pixels per side and number of views of that size.
Views = Sequence[tuple[int, int]]
VIEWS: Views = ((224, 2), (96, 10))
QUICK_VIEWS: Views = ((32, 2), (16, 4))
TEACHER = "dinov3-vitb16"
_HIDDEN, _OWN_WIDTH = 2048, 256  # of the paper's heads


def _named(backbone: str) -> Callable[[float], Swin]:
    return lambda stochastic_depth: cast(Swin, TRUNKS[backbone].build(stochastic_depth))


#: The trunks of the bars, by stochastic depth. Swin-T at window 12 is measured here alone.
TRUNKS_COUNTED: dict[str, Callable[[float], Swin]] = {
    "Swin-T, window 7": _named("swin-t"),
    "Swin-T, window 12": lambda stochastic_depth: Swin(96, (2, 2, 6, 2), (3, 6, 12, 24), 12, stochastic_depth),
    "Swin-B, window 12": _named("swin-b"),
}
QUICK_TRUNKS: dict[str, Callable[[float], Swin]] = {"Swin-nano, window 4": _named("swin-nano")}


class PlainSwin(nn.Module):
    """torchvision's Swin behind its stem, unmodified, with the sizes, weights and stochastic depth of `like`."""

    def __init__(self, like: Swin):
        super().__init__()
        first = [stage.blocks[0].attn for stage in like.stages]
        window = first[0].window
        reference = SwinTransformer(
            [like.patch, like.patch], like.stem_width, list(like.depths), [each.heads for each in first],
            [window, window], stochastic_depth_prob=like.stochastic_depth,
        )  # fmt: skip
        self.strides = like.strides
        self.layers = nn.ModuleList(reference.features[1:])  # stages with mergings between them
        self.norm = reference.norm
        ours = [each for stage in like.stages for each in (stage.merging, stage.blocks)][1:]
        for source, target in zip(ours, self.layers, strict=True):
            state = {name.replace("mlp.2.", "mlp.3."): value for name, value in source.state_dict().items()}
            constants = {name: value for name, value in target.state_dict().items() if name.endswith("position_index")}
            target.load_state_dict(state | constants)
        self.norm.load_state_dict(like.norm.state_dict())

    def forward(self, tokens: Tensor) -> Features:
        """tokens: (batch, y, x, width)."""
        x, maps = tokens, []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i % 2 == 0:
                maps.append(x.permute(0, 3, 1, 2))
        named = {f"stride{stride}": each for stride, each in zip(self.strides, maps, strict=True)}
        return Features(named, self.norm(x).mean((1, 2)), late=maps[-1], middle=maps[-2])


def stems(trunk: Swin) -> list[Stem]:
    """One per path, as a student has them."""
    return [Stem(PATHS[path], trunk.stem_width, trunk.patch, trunk.stem_norm) for path in PAPER_PATHS]


def encode(trunk: nn.Module, through: Sequence[Stem], views: Views) -> Tensor:
    """Pooled vectors of an image's views through every stem. A brew trunk takes maps of one size in one pass."""
    tokens = [stem(torch.zeros(count, stem.proj.in_channels, side, side)) for stem in through for side, count in views]
    together = isinstance(trunk, Swin)
    features = through_trunk(trunk, tokens, None) if together else [trunk(each) for each in tokens]
    return torch.cat([each.pooled for each in features])


def flops(run: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def training_flops(trunk: nn.Module, through: Sequence[Stem], views: Views) -> dict[str, int]:
    """Per image: the student, forward and backward; its moving average, which reads the first path's global views."""
    student = flops(lambda: encode(trunk, through, views).sum().backward())
    with torch.no_grad():
        return {"student": student, "moving average": flops(lambda: encode(trunk, through[:1], views[:1]))}


def teacher_flops(views: Views) -> int:
    """The optical teacher's forward on an image's global views."""
    side, count = views[0]
    network = TEACHERS[TEACHER].network(random=True, download=False).eval()
    with torch.no_grad():
        return flops(lambda: network(torch.zeros(count, 3, side, side)))


def head_flops(trunk: Swin, views: Views) -> int:
    """The four heads, forward and backward, and the moving average's; their layers alone, for meta has no autocast."""
    teacher, (side, global_views), every_view = TEACHERS[TEACHER], views[0], sum(count for _, count in views)
    own = Head(trunk.width, _OWN_WIDTH, _HIDDEN)
    late, middle = (global_views * (side // stride) ** 2 for stride in (trunk.strides[-1], trunk.strides[-2]))
    taught = (
        (Head(trunk.width, teacher.width, _HIDDEN), every_view),
        (Head(trunk.late_width, teacher.late_width, _HIDDEN), late),
        (Head(trunk.middle_width, teacher.middle_width, _HIDDEN), middle),
    )

    def run(head: Head, vectors: int) -> int:
        inputs = torch.zeros(vectors, head.layers[0].in_features, requires_grad=True)
        return flops(lambda: head.layers(inputs).sum().backward())

    with torch.no_grad():
        average = flops(lambda: own.layers(torch.zeros(global_views, trunk.width)))
    return sum(run(*each) for each in ((own, every_view), *taught)) + average


@dataclass(frozen=True)
class Count:
    """What was counted rather than timed, brew's way and the conventional one; below 1, `ratio` favours brew."""

    name: str
    unit: str
    ours: float
    conventional: float
    settings: Mapping[str, object]

    @property
    def ratio(self) -> float:
        return self.ours / self.conventional

    def record(self) -> dict[str, Any]:
        """What the JSON file holds. A count has no spread."""
        numbers = {side: round(getattr(self, side), 4) for side in ("ours", "conventional", "ratio")}
        fixed: dict[str, Any] = {"rounds": 1, "spread": {}, "settings": dict(self.settings), "machine": machine()}
        return {"name": f"{self.name} (ratio: ours / conventional)", "unit": self.unit} | numbers | fixed

    def __str__(self) -> str:
        return (
            f"{self.name}: ours {self.ours:.4g}, conventional {self.conventional:.4g} {self.unit}; "
            f"ours / conventional {self.ratio:.4f}"
        )


def count(name: str, build: Callable[[float], Swin], views: Views = VIEWS) -> Count:
    """GFLOP per training image of the trunk that `build` makes, beside torchvision's of its sizes."""
    with torch.device("meta"):
        trunk = build(0.0)
        through = stems(trunk)
        ours, plain = (training_flops(each, through, views) for each in (trunk, PlainSwin(trunk)))
        teacher, heads = teacher_flops(views), head_flops(trunk, views)
    total, conventional = sum(ours.values()) + teacher, sum(plain.values()) + teacher
    settings = {
        "views": ", ".join(f"{number} x {side} px" for side, number in views),
        "GFLOP, ours": {part: round(value / 1e9, 2) for part, value in ours.items()},
        "GFLOP, conventional": {part: round(value / 1e9, 2) for part, value in plain.items()},
        "GFLOP, both": {"optical teacher": round(teacher / 1e9, 2), "heads (not in the ratio)": round(heads / 1e9, 2)},
        "ratio with the heads": round((total + heads) / (conventional + heads), 4),
        "ratio of trunk and stems alone": round(sum(ours.values()) / sum(plain.values()), 4),
    }
    return Count(name, "GFLOP/image", total / 1e9, conventional / 1e9, settings)


def main(given: Sequence[str] | None = None) -> None:
    """`--rounds` changes nothing: a count is a count."""
    chosen = arguments(__doc__, given)
    trunks, views = (QUICK_TRUNKS, QUICK_VIEWS) if chosen.quick else (TRUNKS_COUNTED, VIEWS)
    write("arithmetic", *(count(name, build, views) for name, build in trunks.items()), quick=chosen.quick)


if __name__ == "__main__":
    main()
