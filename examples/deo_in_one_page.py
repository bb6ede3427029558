"""DEO on one page: plain torch over brew's parts, to be read from top to bottom beside the paper.

One student of ten bands has two teachers. Its own moving average says what a multispectral image shows; a frozen
optical network says what three of its bands show. Everything is maximised. Left out: stochastic depth, other arms,
resuming, several processes (`brew.pretraining.loop`). `python -m examples.deo_in_one_page` trains on rendered scenes.
"""

import torch
from torch import Tensor, nn

from brew import losses, randomness
from brew.data.miniature.rendering import render
from brew.models.heads import Head
from brew.models.student import Student, build_student
from brew.models.teachers import OpticalTeacher, load_teacher
from brew.pretraining.ema import moving_average_of, update_moving_average
from brew.pretraining.schedules import cosine, warmup_cosine
from brew.pretraining.updates import clip, parameter_groups
from brew.views import View, ViewSettings, make_views

EPSILON = 0.05  # the coding rate's distortion
WEIGHTS = {"class": 1.0, "late": 0.5, "middle": 0.5}  # alpha1 to alpha3 of the paper's L_O


class SelfDistilled(nn.Module):
    """The student and its self-distillation head: what the moving average follows."""

    def __init__(self, student: Student, width: int, hidden: int):
        super().__init__()
        self.student, self.head = student, Head(student.width, width, hidden)

    def forward(self, views: list[View]) -> Tensor:
        """Unit vectors (view, batch, width) of multispectral views."""
        pooled = [self.student.encode(view.multispectral, "multispectral").pooled for view in views]
        return self.head(torch.stack(pooled))


class Learner(nn.Module):
    """All that gradient descent trains: the student, and a head for each thing that a teacher says."""

    def __init__(self, student: Student, teacher: OpticalTeacher, width: int, hidden: int):
        super().__init__()
        self.own = SelfDistilled(student, width, hidden)
        self.taught = nn.ModuleDict({
            "class": Head(student.width, teacher.width, hidden),
            "late": Head(student.late_width, teacher.late_width, hidden),
            "middle": Head(student.middle_width, teacher.middle_width, hidden),
        })  # fmt: skip


def similarities(
    learner: Learner, average: SelfDistilled, teacher: OpticalTeacher, views: list[View]
) -> dict[str, Tensor]:
    """How alike student and teachers are, each in [-1, 1], and how much the student's outputs differ (expansion)."""
    global_views = [view for view in views if view.is_global]
    with torch.no_grad():
        targets = average(global_views)
        seen = [teacher(view.display) for view in global_views]  # display: optical bands in [0, 1]

    # L_MS: the multispectral stem meets the moving average, on pairs of different views.
    own = learner.own(views)
    named = {
        "multispectral/compression": losses.compression(targets, own),
        "multispectral/expansion": losses.expansion(own[: len(targets)], targets, eps=EPSILON),
    }
    # L_O: the optical stem, on the same trunk, meets the frozen teacher: its class token, and two maps of patches.
    features = [learner.own.student.encode(view.optical, "optical") for view in views]
    classes = learner.taught["class"](torch.stack([each.pooled for each in features]))
    named[f"{teacher.name}/class"] = losses.class_alignment(torch.stack([each.class_token for each in seen]), classes)
    for token in ("late", "middle"):
        maps = [learner.taught[token].patches(getattr(each, token)) for each in features[: len(seen)]]
        values = [losses.patch_alignment(getattr(t, token), s) for t, s in zip(seen, maps, strict=True)]
        named[f"{teacher.name}/{token}"] = torch.stack(values).mean()
    return named


def train(
    multispectral: Tensor, optical: Tensor, samples: Tensor, student: Student, teacher: OpticalTeacher,
    settings: ViewSettings, steps: int, learning_rate: float, width: int = 256, hidden: int = 2048, seed: int = 0,
) -> list[dict[str, float]]:  # fmt: skip
    """Train on one batch again and again; every step's similarities by name.

    multispectral: (batch, 10, y, x) in digital numbers. optical: (batch, 3, y, x) in 8 bits, of the same ground.
    samples: identifiers that key the random draws, (batch,).
    """
    torch.manual_seed(randomness.key(seed, "heads"))
    learner = Learner(student, teacher, width, hidden)
    average = moving_average_of(learner.own)
    optimiser = torch.optim.AdamW(parameter_groups(learner), lr=0.0)
    history = []
    for step in range(steps):
        views = make_views(
            multispectral, optical, None, samples=samples, seed=seed, epoch=step, settings=settings
        )  # two global ones, then the local ones
        named = similarities(learner, average, teacher, views)
        taught = sum(weight * named[f"{teacher.name}/{token}"] for token, weight in WEIGHTS.items())
        total = named["multispectral/compression"] + named["multispectral/expansion"] + taught

        for group in optimiser.param_groups:
            group["lr"] = warmup_cosine(learning_rate, 1e-6, step, steps, round(0.1 * steps))
            group["weight_decay"] = cosine(0.04, 0.4, step, steps) if group["decays"] else 0.0
        optimiser.zero_grad()
        (-total).backward()
        clip(learner, 3.0, jointly=True)
        optimiser.step()
        update_moving_average(average, learner.own, cosine(0.996, 1.0, step, steps))
        history.append({name: value.item() for name, value in named.items()})
    return history


if __name__ == "__main__":
    scenes = render(torch.arange(8), 5, products=("multispectral", "optical"), size=32, dates=1)
    multispectral, optical = (scenes[name][:, 0] for name in ("multispectral", "optical"))
    student, teacher = build_student("swin-nano", seed=0), load_teacher("miniature")
    small = ViewSettings(global_size=32, local_size=16, locals=2, blur_kernel=5)
    for row in train(multispectral, optical, torch.arange(8), student, teacher, small, 6, 2e-3, width=32, hidden=64):
        print("  ".join(f"{name} {value:.3f}" for name, value in row.items()))
