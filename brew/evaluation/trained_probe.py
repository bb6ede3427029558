"""A linear head that is trained by gradient descent, on frozen vectors or together with a student.

The authors' classification: AdamW, a fixed rate and length, the epoch that validation scores highest. brew's own probe,
whose one number validation chooses, is `brew.evaluation.classification`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor, nn

from brew import randomness
from brew.evaluation.backbones import Backbone
from brew.evaluation.classification import ClassificationResult, counted_per_label
from brew.evaluation.fine_tuning import trainable
from brew.evaluation.fit import ScheduledFit, batches_of, seeded
from brew.evaluation.metrics import confusion, metric
from brew.evaluation.splits import Split

#: Sample indices -> what the network takes, on its device.
Read = Callable[[Int64[np.ndarray, " sample"]], Tensor]
_BATCH = 64


@dataclass(frozen=True)
class Labelled:
    """Labels of all samples, one class each or a row of zeros and ones, and their split."""

    labels: Integer[np.ndarray, "sample *label"]
    classes: int
    split: Split

    @property
    def multilabel(self) -> bool:
        return self.labels.ndim == 2

    def loss(self, logits: Float[Tensor, "batch classes"], samples: np.ndarray, name: str) -> Tensor:
        """name: "cross-entropy", or "one-hot-cross-entropy" of every class against yes or no."""
        target = torch.from_numpy(self.labels[samples].astype(np.int64)).to(logits.device)
        if name == "cross-entropy":
            return F.cross_entropy(logits, target)
        yes = target if self.multilabel else F.one_hot(target, self.classes)
        return F.binary_cross_entropy_with_logits(logits, yes.to(logits.dtype))

    def predicted(self, logits: Float[Tensor, "sample classes"]) -> Integer[np.ndarray, "sample *label"]:
        return ((logits > 0).long() if self.multilabel else logits.argmax(1)).cpu().numpy()

    def counts(self, samples: np.ndarray, predicted: np.ndarray) -> Integer[np.ndarray, "sample *classes"]:
        truth = self.labels[samples].astype(np.int64)
        return counted_per_label(truth, predicted) if self.multilabel else confusion(truth, predicted, self.classes)


def linear_head(width: int, classes: int, seed: int) -> nn.Module:
    return seeded(lambda: nn.Linear(width, classes), seed)


class StudentWithHead(nn.Module):
    """A copy of a student and a linear head on its pooled vectors: images -> logits."""

    def __init__(self, backbone: Backbone, sensor: str, width: int, classes: int, seed: int, device: str) -> None:
        super().__init__()
        self._own, self._sensor = trainable(backbone, device), sensor
        self.student, self.head = self._own.student, linear_head(width, classes, seed).to(device)

    def forward(self, images: Tensor) -> Float[Tensor, "batch classes"]:
        return self.head(self._own.pooled(images, self._sensor))


def train(
    network: nn.Module, read: Read, data: Labelled, settings: ScheduledFit, chosen_by: str, seed: int
) -> ClassificationResult:
    """Train the network, all of it at one rate, and test the epoch of the highest validation score.

    chosen_by: of METRICS. `samples` of the result are the test samples.
    """
    rows, score = data.split.train, metric(chosen_by)
    steps = max(1, len(rows) // settings.batch)
    total = settings.epochs * steps
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: settings.share(step, total))
    highest, kept = -math.inf, network.state_dict()
    with torch.random.fork_rng():
        torch.manual_seed(randomness.key(seed, "decoder/dropout"))
        network.train()
        for step, (_, chosen) in enumerate(batches_of(range(settings.epochs), len(rows), steps, seed), 1):
            samples = rows[chosen.numpy()]
            loss = data.loss(network(read(samples)), samples, settings.loss)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if step % steps:
                continue
            found = float(score(_counts(network, read, data, data.split.validation)[1].sum(0)))
            network.train()
            if found > highest:
                highest, kept = found, {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(kept)
    logits, counts = _counts(network, read, data, data.split.test)
    return ClassificationResult(
        data.split.test, counts, data.predicted(logits), settings.learning_rate, highest,
        logits.cpu().double().numpy() if data.multilabel else None,
    )  # fmt: skip


@torch.no_grad()
def _counts(network: nn.Module, read: Read, data: Labelled, samples: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """Logits of the samples, and their counts."""
    network.eval()
    logits = torch.cat([network(read(samples[start : start + _BATCH])) for start in range(0, len(samples), _BATCH)])
    return logits, data.counts(samples, data.predicted(logits))
