"""What an entry of BACKBONES says, and what can be asked of it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

from brew.evaluation.backbones import Backbone
from brew.evaluation.cache_keys import digest, sources_digest
from brew.evaluation.zoo.contract import Contract
from brew.evaluation.zoo.tapped import Architecture, TappedBackbone
from brew.evaluation.zoo.weights import BackboneUnavailable, Weights
from brew.files import sha256
from brew.sensors import SENSORS


@dataclass(frozen=True)
class BackboneEntry:
    """One backbone, declared.

    build: random -> the backbone, on the CPU; `random` is the contract test's. contract: what it takes.
    weights: their file; None for a backbone without any. code: brew's modules that read it, beside the task's own.
    sizes: to which images are resized, in pixels; their own if it is not said.
    supervised: it has no frozen features; the task's stage trains it whole, as a reference.
    settings: what else its features depend on, if neither weights nor code say it.
    """

    name: str
    build: Callable[[bool], Backbone] = field(repr=False)
    contract: Contract
    weights: Weights | None = None
    code: tuple[str, ...] = ()
    sizes: str = "their own"
    supervised: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def load(self, *, random: bool = False) -> Backbone:
        """The frozen backbone; BackboneUnavailable if its weights are absent, BrewError if they are damaged.

        random: untrained weights, for tests of this table alone.
        """
        if self.weights and not random:
            self.weights.file()
        return self.build(random)

    def needs(self) -> str:
        """What somebody has to do before it can run here, in one line; "" if it can."""
        try:
            if self.weights:
                self.weights.file()
        except BackboneUnavailable as absent:
            return str(absent)
        return ""

    def lacking(self, sensor: str) -> str:
        """Why it cannot be compared on images of that sensor, in one line; "" if it can."""
        found = SENSORS[sensor]
        inputs = self.contract.of(found)
        if inputs is None:
            return f"its contract states no numbers for {found.unit}"
        absent = inputs.lacking(found)
        return f"sensor {sensor!r} lacks {', '.join(absent)}" if absent else ""

    def identity(self) -> str:
        """The hash of its weights, its contract, the code that reads it, and its settings if there are any."""
        weights = sha256(self.weights.file()) if self.weights else ""
        settings = [self.settings] if self.settings else []
        return digest([self.name, weights, asdict(self.contract), sources_digest(*self.code), *settings])


def tapped(
    name: str,
    network: Callable[[bool], nn.Module],
    architecture: Architecture,
    contract: Contract,
    weights: Weights,
    code: str,
    settings: Mapping[str, Any] | None = None,
) -> BackboneEntry:
    """A network of another library. network: random -> the network. code: the module that builds and reads it."""

    def build(random: bool) -> Backbone:
        return TappedBackbone(name, network(random), contract, architecture)

    return BackboneEntry(
        name, build, contract, weights, (code, TappedBackbone.__module__), architecture.sizes, settings=settings or {}
    )
