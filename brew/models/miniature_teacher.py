"""The miniature's optical teacher: a small vision transformer that needs no download.

`MiniatureViT` is the network, the same while it is trained and when it teaches; `save_miniature_teacher` and
`load_miniature_teacher` keep it in one small file whose hash lies beside it, in git. Left out: how it is trained, and
freezing it (`brew.models.teachers`). Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), in timm's implementation.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brew.errors import BrewError
from brew.files import write_bytes

FORMAT = "brew-miniature-teacher/1"
#: It lies in git, so it stays small.
LARGEST_FILE = 4 * 10**6  # bytes

Provenance = Mapping[str, str | int | float | bool]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class TeacherFeatures:
    """What an optical teacher says of a batch of images.

    class_token: (batch, width). late, middle: patch tokens of the last and of a middle layer, (batch, width, y, x); the
    three widths, and the two grids, may differ.
    """

    class_token: Float[Tensor, "batch width"]
    late: Float[Tensor, "batch late_width late_y late_x"]
    middle: Float[Tensor, "batch middle_width middle_y middle_x"]


def token_features(vit: Any, images: Float[Tensor, "batch 3 y x"], middle: int) -> TeacherFeatures:
    """Tokens of a timm vision transformer after its last block and after block `middle`, counted from 0.

    The final norm is applied to both, as DINO does for its intermediate layers. The class token comes first; register
    tokens, which follow it, are dropped.
    """
    tokens, (patches,) = vit.forward_intermediates(images, indices=[middle], norm=True)
    late = tokens[:, vit.num_prefix_tokens :].transpose(1, 2).unflatten(2, patches.shape[2:])
    return TeacherFeatures(class_token=tokens[:, 0], late=late, middle=patches)


class MiniatureViT(nn.Module):
    """A small vision transformer with a class token that reads display images and normalises them itself.

    image_size: the side, in pixels, of the images that the position table is learned on; other sizes resample it.
    mean, std: of display images in [0, 1]; part of the network, so that training and teaching cannot differ in them.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        width: int = 128,
        depth: int = 6,
        heads: int = 4,
        patch: int = 8,
        image_size: int = 64,
        mean: Colour = (0.5, 0.5, 0.5),
        std: Colour = (0.25, 0.25, 0.25),
    ):
        from timm.models.vision_transformer import VisionTransformer  # takes seconds to import

        super().__init__()
        self.architecture = {
            "width": width, "depth": depth, "heads": heads, "patch": patch, "image_size": image_size,
            "mean": tuple(mean), "std": tuple(std),
        }  # fmt: skip
        self.width, self.patch = width, patch
        self.middle = depth * 2 // 3
        self.vit = VisionTransformer(
            img_size=image_size, patch_size=patch, embed_dim=width, depth=depth, num_heads=heads, num_classes=0,
            dynamic_img_size=True,
        )  # fmt: skip
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward_features_at(self, images: Float[Tensor, "batch 3 y x"]) -> TeacherFeatures:
        """Features of display images in [0, 1], of any size that divides by the patch; BrewError for others.

        The middle layer is block depth * 2 // 3, counted from 0.
        """
        height, length = images.shape[-2:]
        if height % self.patch or length % self.patch or not height * length:
            raise BrewError(
                f"images of {height} x {length} pixels; expected multiples of the patch, {self.patch} pixels; resize "
                "them"
            )
        return token_features(self.vit, (images - self.mean) / self.std, self.middle)

    def forward(self, images: Float[Tensor, "batch 3 y x"]) -> TeacherFeatures:
        return self.forward_features_at(images)


def save_miniature_teacher(path: Path, model: MiniatureViT, provenance: Provenance) -> None:
    """Write `path` in float16 and its hash beside it (`hash_file`); the same model gives the same bytes.

    provenance: how the weights came about: scenes seen, seed, loss.
    Raises BrewError if a weight does not fit float16, or if the file would exceed `LARGEST_FILE`.
    """
    state = {name: value.detach().cpu().half().contiguous() for name, value in model.state_dict().items()}
    odd = [name for name, value in state.items() if not value.isfinite().all()]
    if odd:
        raise BrewError(
            f"{', '.join(odd[:3])}: values that float16 cannot hold; expected finite weights below 65,504; look at the "
            "training's loss and learning rate"
        )
    buffer = io.BytesIO()  # given a path, torch writes the file's name into its bytes
    content = {"format": FORMAT, "architecture": model.architecture, "provenance": dict(provenance)}
    torch.save(content | {"state": state}, buffer)
    data = buffer.getvalue()
    if len(data) > LARGEST_FILE:
        raise BrewError(
            f"{path.name} would have {len(data):,} bytes; expected at most {LARGEST_FILE:,}, since it lies in git; "
            "make the network narrower or shallower"
        )
    write_bytes(path, data)
    write_bytes(hash_file(path), f"{hashlib.sha256(data).hexdigest()}  {path.name}\n".encode())


def load_miniature_teacher(path: Path) -> tuple[MiniatureViT, dict[str, Any]]:
    """The model (float32, on the CPU, in evaluation mode) and its provenance.

    Raises BrewError if the file is missing, if its hash differs from the recorded one, or if its content is
    not of this format.
    """
    data = _read_checked(path)
    expected = f"expected the content that save_miniature_teacher writes, {FORMAT!r}; restore the file from git"
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can fail in any way
        raise BrewError(f"{path} is not a file of weights ({error}); {expected}") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise BrewError(f"{path} holds format {found!r}; {expected}")
    try:
        model = MiniatureViT(**content["architecture"])
        model.load_state_dict({name: _finite(name, value) for name, value in content["state"].items()})
        provenance = dict(content["provenance"])
    except Exception as error:  # other content can fail in any way
        raise BrewError(
            f"{path}: weights do not fit the architecture beside them ({type(error).__name__}: {error}); {expected}"
        ) from error
    return model.eval(), provenance


def _finite(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point() or not value.isfinite().all():
        raise BrewError(f"{name} is no tensor of finite numbers")
    return value.float()


def hash_file(path: Path) -> Path:
    """The file that records the weights' SHA-256, in the form that ``sha256sum --check`` reads."""
    return path.with_suffix(".sha256")


def _read_checked(path: Path) -> bytes:
    record = hash_file(path)
    for each in (path, record):
        if not each.is_file():
            raise BrewError(
                f"{each} does not exist; expected {path.name} and {record.name} together; restore both from git"
            )
    data, recorded = path.read_bytes(), record.read_text(errors="replace").split()
    found = hashlib.sha256(data).hexdigest()
    if recorded[:1] != [found]:
        raise BrewError(
            f"{path} has SHA-256 {found}; expected {' '.join(recorded[:1]) or 'one'} as {record.name} says; the file "
            "is truncated or changed: restore both from git, or write them anew with save_miniature_teacher"
        )
    return data
