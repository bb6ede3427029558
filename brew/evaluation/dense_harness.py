"""The harness of the dense tasks: freeze a backbone, fit a network, choose among settings by validation.

A task says how its samples are read and what is decoded of them (`DenseTask`). Three kinds of network are trained: a
decoder on frozen maps, a student together with its decoder, and a network of its own kind from scratch.

    maps = freeze(backbone, task, orientations=4)     # once per backbone, whatever the seeds
    training = decoder_on(maps, task, width=64, seed=0)
    choice = choose(training, task, [FitSettings()], 0, lambda network, inputs: score(network, inputs))

Left out: the test of the chosen network, which each task makes once and in its own way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64, Integer
from torch import Tensor, nn

from brew.errors import BrewError
from brew.evaluation.backbones import Backbone
from brew.evaluation.fine_tuning import finetuned
from brew.evaluation.fit import FitSettings, Inputs, build_decoder, fit, passes_over, seeded
from brew.evaluation.frozen_features import FrozenMaps, Images, extract_maps
from brew.evaluation.metrics import all_alike
from brew.evaluation.splits import Split

#: Sample indices -> images on the device.
ReadSamples = Callable[[Int64[np.ndarray, " sample"]], Tensor]


@runtime_checkable
class DenseTask(Protocol):
    """What the harness has to know of a task.

    classes: by number. ignore: a label that does not train, or None. dates: images per sample.
    read: sample indices and a device -> images. maps: a backbone and images -> the four maps that are decoded.
    """

    @property
    def labels(self) -> Integer[np.ndarray, "sample y x"]: ...

    @property
    def split(self) -> Split: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def ignore(self) -> int | None: ...

    @property
    def dates(self) -> int: ...

    def read(self, samples: Int64[np.ndarray, " sample"], device: str = "cpu") -> Tensor: ...

    def maps(self, backbone: Backbone, images: Tensor) -> list[Tensor]: ...


@dataclass(frozen=True)
class DenseInputs:
    """What a network is fed with, per split; validation and test in one orientation."""

    train: Inputs
    validation: Inputs
    test: Inputs


@dataclass(frozen=True)
class Training:
    """A network to be trained. build: gives it afresh, the same each time. passes: over the samples in an epoch."""

    build: Callable[[], nn.Module]
    inputs: DenseInputs
    passes: int = 1


@dataclass(frozen=True)
class Choice:
    """The network of the chosen settings, and its validation score.

    undecided: "learning rate" if there are several settings and validation scored all alike.
    """

    network: nn.Module
    settings: FitSettings
    score: float
    undecided: tuple[str, ...]


def freeze(
    backbone: Backbone,
    task: DenseTask,
    *,
    orientations: int = 4,
    batch: int = 32,
    device: str = "cpu",
    dtype: torch.dtype = torch.float16,
    folder: Path | None = None,
) -> DenseInputs:
    """The task's maps of all three splits, in `orientations` orientations for training alone (see `extract_maps`).

    batch: images that are read together, of all dates.
    """

    def frozen(samples: Int64[np.ndarray, " sample"], orientations: int) -> FrozenMaps:
        return extract_maps(
            partial(task.maps, backbone),
            partial(task.read, device=device),
            samples,
            orientations=orientations,
            batch=max(1, batch // task.dates),
            dtype=dtype,
            folder=folder,
        )

    split = task.split
    return DenseInputs(frozen(split.train, orientations), frozen(split.validation, 1), frozen(split.test, 1))


def images_of(read: ReadSamples, split: Split, orientations: int) -> DenseInputs:
    """The images themselves: inputs of a network that is trained whole."""
    return DenseInputs(
        Images(read, split.train, orientations), Images(read, split.validation, 1), Images(read, split.test, 1)
    )


def decoder_on(maps: DenseInputs, task: DenseTask, width: int, seed: int, device: str = "cpu") -> Training:
    """A decoder on what `freeze` returned.

    The task may train on a part of the maps' samples (low data). It then makes about as many steps as on all of them.
    Raises BrewError if the inputs are no frozen maps.
    """
    if not isinstance(maps.train, FrozenMaps):
        raise BrewError(f"inputs of type {type(maps.train).__name__}; expected frozen maps: what `freeze` returns")
    train = maps.train.of(task.split.train)
    build = partial(build_decoder, train, len(task.classes), width, seed, device)
    return Training(build, replace(maps, train=train), passes_over(len(train.samples), len(maps.train.samples)))


def student_with_decoder(
    backbone: Backbone, task: DenseTask, width: int, seed: int, orientations: int, passes: int, device: str = "cpu"
) -> Training:
    """A copy of the student and a decoder, trained together. BrewError when built on a backbone that is no student."""
    read, split = partial(task.read, device=device), task.split
    train = Images(read, split.train, orientations)
    build = partial(finetuned, backbone, task.maps, train, len(task.classes), width, seed, device)
    return Training(build, images_of(read, split, orientations), passes)


def from_scratch(
    network: Callable[[], nn.Module], read: ReadSamples, split: Split, seed: int, orientations: int, device: str = "cpu"
) -> Training:
    """A network without pretraining, trained whole. Its initial weights depend on the seed alone."""
    return Training(lambda: seeded(network, seed).to(device), images_of(read, split, orientations))


def choose(
    training: Training,
    task: DenseTask,
    candidates: Sequence[FitSettings],
    seed: int,
    score: Callable[[nn.Module, Inputs], float],
    device: str = "cpu",
) -> Choice:
    """Fit a fresh network with each of the settings, and keep the one of highest validation score.

    score: a network and the validation inputs -> what is maximised. Of settings that score the same, the first is kept.
    A single candidate is no choice: validation then decides nothing.
    """
    inputs, labels = training.inputs, torch.from_numpy(task.labels[task.split.train].astype(np.int64))
    if not candidates:
        raise BrewError("no settings of a fit are given; expected at least one")
    tried: list[Choice] = []
    for settings in candidates:
        network = fit(
            training.build(), inputs.train, labels, len(task.classes), task.ignore, settings, seed, device,
            training.passes, lambda network: score(network, inputs.validation),
        )  # fmt: skip
        tried.append(Choice(network, settings, score(network, inputs.validation), ()))
    best = max(tried, key=lambda each: each.score)
    alike = len(tried) > 1 and all_alike([each.score for each in tried])
    return replace(best, undecided=("learning rate",) * alike)
