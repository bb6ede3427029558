"""The one training loop of the dense tasks: a network on frozen maps or on images, for a fixed number of steps.

AdamW, cosine schedule to zero. The weights that are kept are the mean over the last steps (Izmailov et al. 2018, arXiv
1803.05407). No validation score chooses among epochs, since such a choice follows the noisiest one (record 0033).
`ScheduledFit` is the exception: protocols of others warm up, and choose so (record 0039).
Order, orientation, crop and initial weights are keyed by the seed, so a run repeats bit by bit on the same machine and
leaves global random state alone.
Left out: early stopping and mixed precision.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.optim.swa_utils import get_swa_multi_avg_fn

from brew import randomness
from brew.errors import BrewError
from brew.evaluation.decoders import Decoder, at_size
from brew.evaluation.dense_losses import check_class_weights, class_weights, pixel_loss
from brew.evaluation.frozen_features import FrozenMaps, orient_each


@runtime_checkable
class Inputs(Protocol):
    """What a dense network is fed with, row by row: cached maps, or images."""

    @property
    def orientations(self) -> int: ...

    @property
    def samples(self) -> Int64[np.ndarray, " row"]: ...

    def batch(self, rows: Tensor, orientations: Tensor, device: str) -> list[Tensor]: ...


@dataclass(frozen=True)
class FitSettings:
    """Numbers of one fit. loss: of `LOSSES`. class_weights: "equal" or "balanced".

    crop: side of training crops as a fraction of the image (1 = whole images); frozen maps are cut in whole cells of
    the coarsest map, and have seen the context around the crop.
    averaged: the share of the steps, the last ones, over which the weights are averaged.
    finetune: learning rate of the student, which is then trained with its decoder; 0 leaves it frozen.
    """

    epochs: int = 10
    batch: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    loss: str = "cross-entropy"
    class_weights: str = "equal"
    crop: float = 1.0
    averaged: float = 0.5
    finetune: float = 0.0

    #: Whether the weights of the epoch that validation scores highest are kept, instead of the averaged ones.
    by_validation: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise BrewError(f"epochs is {self.epochs}; expected at least 1")
        if self.batch < 2:
            raise BrewError(f"batch is {self.batch}; batch normalisation needs at least 2 samples in each batch")
        if not 0 < self.crop <= 1:
            raise BrewError(f"crop is {self.crop:g}; expected a share of the image above 0 and up to 1 (whole images)")
        if not 0 < self.averaged <= 1:
            raise BrewError(f"averaged is {self.averaged:g}; expected a share of the steps above 0 and up to 1 (all)")
        pixel_loss(self.loss)
        check_class_weights(self.class_weights)

    def share(self, step: int, total: int) -> float:
        """Of the learning rate, at a step of `total`."""
        return 0.5 * (1 + math.cos(math.pi * step / total))

    def passes(self, evened: int) -> int:
        """Over the training samples in an epoch. evened: how many make about as many steps as on all samples."""
        return evened


@dataclass(frozen=True)
class ScheduledFit(FitSettings):
    """As published code often trains: a rate that rises first, and the weights of the best epoch on validation.

    warmup: epochs in which the rate rises from zero. last_rate: where its cosine ends. An epoch is one pass, however
    few the training samples are. `averaged` has no part in it.
    """

    warmup: int = 0
    last_rate: float = 0.0
    by_validation: ClassVar[bool] = True

    def share(self, step: int, total: int) -> float:
        rise = total * self.warmup / self.epochs
        if step < rise:
            return step / rise
        last = self.last_rate / self.learning_rate
        return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1.0, total - rise)))

    def passes(self, evened: int) -> int:
        return 1


class _Average:
    """The mean of a network's weights and statistics over all steps from the `first` one."""

    def __init__(self, first: int) -> None:
        self._update = get_swa_multi_avg_fn()
        self._mean: list[Tensor] = []
        self._first, self._steps = first, 0

    @torch.no_grad()
    def after(self, step: int, network: nn.Module) -> None:
        if step < self._first:
            return
        now = _numbers(network)
        if self._steps:
            self._update(self._mean, now, self._steps)
        else:
            self._mean = [value.clone() for value in now]
        self._steps += 1

    @torch.no_grad()
    def give(self, network: nn.Module) -> None:
        """Set the network's weights and statistics to the mean."""
        for value, mean in zip(_numbers(network), self._mean, strict=True):
            value.copy_(mean)


class _Best:
    """A network's weights and statistics after the epoch, of so many steps, that `score` rates highest."""

    def __init__(self, score: Callable[[nn.Module], float], steps: int) -> None:
        self._score, self._steps = score, steps
        self._highest, self._kept = -math.inf, list[Tensor]()

    @torch.no_grad()
    def after(self, step: int, network: nn.Module) -> None:
        if (step + 1) % self._steps:
            return
        found = self._score(network.eval())
        network.train()
        if found > self._highest:
            self._highest, self._kept = found, [value.clone() for value in _numbers(network)]

    @torch.no_grad()
    def give(self, network: nn.Module) -> None:
        """Set the network's weights and statistics to the kept ones."""
        for value, kept in zip(_numbers(network), self._kept, strict=True):
            value.copy_(kept)


def _numbers(network: nn.Module) -> list[Tensor]:
    return [value for value in network.state_dict().values() if value.is_floating_point()]


class FineTuned(nn.Module):
    """A trunk and its decoder as one network: [images] -> logits. maps_of: the trunk's maps of images."""

    def __init__(self, trunk: nn.Module, decoder: Decoder, maps_of: Callable[[Tensor], list[Tensor]]) -> None:
        super().__init__()
        self.trunk, self.decoder, self._maps_of = trunk, decoder, maps_of

    def forward(self, inputs: Sequence[Tensor]) -> Float[Tensor, "batch classes _y _x"]:
        (images,) = inputs
        return self.decoder(self._maps_of(images))


def build_decoder(maps: FrozenMaps, classes: int, width: int, seed: int, device: str) -> Decoder:
    """A decoder with keyed initial weights, standardising with the statistics of the training `maps`."""
    means, stds = maps.moments()
    return seeded(lambda: Decoder(means, stds, classes, width), seed).to(device)  # type: ignore[return-value]


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network whose initial weights depend on the seed alone; global random state stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(randomness.key(seed, "decoder/weights"))
        return build()


def fit(
    network: nn.Module,
    inputs: Inputs,
    labels: Int64[Tensor, "row y x"],
    classes: int,
    ignore: int | None,
    settings: FitSettings,
    seed: int,
    device: str = "cpu",
    passes: int = 1,
    validated: Callable[[nn.Module], float] = lambda network: 0.0,
) -> nn.Module:
    """Train `network` (list of inputs -> logits) for all its steps; returns it with its averaged weights.

    labels: one per row of `inputs`, on their own grid. ignore: a label value that does not count, or None. passes: over
    the training samples in an epoch, that even out the steps. validated: a network's score, by which settings that
    choose an epoch do so. Raises BrewError if the loss is no number.
    """
    if len(labels) != len(inputs.samples):
        raise BrewError(f"{len(labels)} labels for {len(inputs.samples)} training samples; expected one each")
    if len(labels) < 2:
        raise BrewError("one training sample; batch normalisation needs at least two: enlarge the training split")
    loss_of = pixel_loss(settings.loss)
    weights = class_weights(settings.class_weights, labels, classes, ignore).to(device)
    network = network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(_parameters(network, settings), weight_decay=settings.weight_decay, fused=True)
    steps = max(1, len(labels) // settings.batch)
    passes = settings.passes(passes)
    total = settings.epochs * passes * steps
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: settings.share(step, total))
    averaged = max(1, round(settings.averaged * total))
    kept = _Best(validated, passes * steps) if settings.by_validation else _Average(total - averaged)
    with torch.random.fork_rng():
        torch.manual_seed(randomness.key(seed, "decoder/dropout"))
        network.train()
        batches = batches_of(range(settings.epochs * passes), len(labels), steps, seed)
        for step, (number, rows) in enumerate(batches):
            fed, target = _training_batch(inputs, labels, rows, settings.crop, seed, number, device)
            counted = torch.ones_like(target) if ignore is None else (target != ignore).long()
            logits = at_size(network(fed), (target.shape[-2], target.shape[-1]))
            loss = loss_of(logits, target * counted, weights, counted.float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            kept.after(step, network)
    if not torch.isfinite(loss):
        raise BrewError(f"the last step's loss is {float(loss.detach())}; expected a number: lower the learning rate")
    kept.give(network)
    return network.eval()


def _parameters(network: nn.Module, settings: FitSettings) -> list[dict[str, Any]]:
    """What is trained, each part at its learning rate."""
    if isinstance(network, FineTuned):
        return [
            {"params": list(network.decoder.parameters()), "lr": settings.learning_rate},
            {"params": list(network.trunk.parameters()), "lr": settings.finetune},
        ]
    if settings.finetune:
        raise BrewError(
            f"finetune is {settings.finetune:g}, but a {type(network).__name__} has no trunk; expected 0, or what "
            "`finetuned` returns"
        )
    return [{"params": list(network.parameters()), "lr": settings.learning_rate}]


def batches_of(numbers: range, count: int, steps: int, seed: int) -> Iterator[tuple[int, Tensor]]:
    """The passes of these numbers, each in its keyed order and `steps` batches: a pass's number and a batch's rows."""
    for number in numbers:
        for rows in np.array_split(randomness.permutation(seed, number, count, stream="decoder/order"), steps):
            yield number, torch.from_numpy(rows)


def _training_batch(
    inputs: Inputs, labels: Tensor, rows: Tensor, crop: float, seed: int, number: int, device: str
) -> tuple[list[Tensor], Tensor]:
    """Inputs and labels of these rows, each in its keyed orientation and, if crop < 1, cut at a keyed place."""
    drawn = randomness.uniform(seed, number, torch.from_numpy(inputs.samples)[rows], "decoder/view", 3)
    orientations = (drawn[:, 0] * inputs.orientations).long()
    fed = inputs.batch(rows, orientations, device)
    target = orient_each(labels[rows], orientations).to(device)
    if crop < 1:
        fed, target = crop_aligned(fed, target, drawn[:, 1:], crop)
    return fed, target


def crop_aligned(
    maps: Sequence[Tensor], labels: Int64[Tensor, "batch y x"], places: Tensor, crop: float
) -> tuple[list[Tensor], Int64[Tensor, "batch y2 x2"]]:
    """The same square part of every map and of the labels, in whole cells of the coarsest grid among them.

    places: (batch, 2) in [0, 1), where each part starts. A grid that is no whole multiple of the coarsest one is cut at
    its nearest cells, at most half a cell of its own beside.
    """
    grid = tuple(min(part.shape[axis] for part in (*maps, labels)) for axis in (-2, -1))
    size = [max(1, round(crop * side)) for side in grid]
    starts = (places * torch.tensor([side - cut + 1 for side, cut in zip(grid, size, strict=True)])).long().tolist()

    def cut(part: Tensor) -> Tensor:
        sides = tuple(part.shape[-2:])
        height, width = (_nearest(size[axis], sides[axis], grid[axis]) for axis in (0, 1))
        windows = []
        for image, (y, x) in zip(part.split(1), starts, strict=True):
            top = min(_nearest(y, sides[0], grid[0]), sides[0] - height)
            left = min(_nearest(x, sides[1], grid[1]), sides[1] - width)
            windows.append(image[..., top : top + height, left : left + width])
        return torch.cat(windows)

    return [cut(part) for part in maps], cut(labels)


def _nearest(cells: int, fine: int, coarse: int) -> int:
    """So many cells of a coarse grid, in cells of a fine one over the same ground, to the nearest whole one."""
    return (2 * cells * fine + coarse) // (2 * coarse)


def passes_over(part: int, whole: int) -> int:
    """Passes over a part of the training samples that make about as many steps as one over the whole."""
    return max(1, round(whole / part))


def predict(
    network: nn.Module, inputs: Inputs, size: tuple[int, int], batch: int = 32, device: str = "cpu"
) -> Iterator[tuple[Int64[Tensor, " batch"], Float[Tensor, "batch classes y x"]]]:
    """Rows and their logits on a grid of `size`, as they are (orientation 0), batch by batch."""
    network.eval()
    for rows in torch.arange(len(inputs.samples)).split(batch):
        with torch.no_grad():
            yield rows, at_size(network(inputs.batch(rows, torch.zeros_like(rows), device)), size)
