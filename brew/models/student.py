"""The student: one stem per path, one trunk; and its files.

`student(images, sensor="sentinel2")` takes native units and normalises inside. Training uses `tokens` and the trunk
directly, on views that are normalised already. Left out: heads (`brew.models.heads`), which only training needs.

Source: paper, section 3; released code's `MultiCropWrapper`.
"""

import argparse
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from brew.errors import BrewError, nearest, unknown
from brew.files import write_bytes
from brew.models.features import Features
from brew.models.routes import Route, check_shape, check_values, find_route
from brew.models.stems import Stem
from brew.models.swin import Swin
from brew.models.trunks import TRUNKS, Trunk
from brew.sensors import PAPER_PATHS, PATHS
from brew.sensors import sensor as find_sensor

__all__ = ["TRUNKS", "Route", "Student", "build_student", "load_student", "save_student"]

_FORMAT = "brew-student/1"
#: What a file holds beside its format, and of which types.
_CONTENT: dict[str, type | tuple[type, ...]] = {
    "backbone": str, "stochastic_depth": (int, float), "trained_paths": list, "maskable": bool, "state": dict,
    "provenance": dict,
}  # fmt: skip


class Student(nn.Module):
    """A trunk behind one stem per path.

    trunk: takes token maps, gives Features. trunk_size: its name in TRUNKS.
    trained_paths: the stems that training reached (None: the paper's two); see `route`. It has these and the paper's.
    maskable: adds a learned token that stands in for masked patches.
    provenance: what is known of the weights' origin; travels with the file.
    """

    def __init__(
        self,
        trunk: Trunk,
        trunk_size: str,
        trained_paths: Sequence[str] | None = None,
        maskable: bool = False,
    ):
        super().__init__()
        self.trunk_size, self.trunk = trunk_size, trunk
        trained = PAPER_PATHS if trained_paths is None else tuple(trained_paths)
        self.stems = nn.ModuleDict(
            {path: Stem(channels, trunk.stem_width, trunk.patch, trunk.stem_norm) for path, channels in PATHS.items()
             if path in (*PAPER_PATHS, *trained)}
        )  # fmt: skip
        self.trained_paths = tuple(map(self._known, trained))
        self.mask_token = nn.Parameter(torch.zeros(trunk.stem_width)) if maskable else None
        self.provenance: dict[str, Any] = {}

    @property
    def width(self) -> int:
        """Of the pooled vector."""
        return self.trunk.width

    @property
    def late_width(self) -> int:
        return self.trunk.late_width

    @property
    def middle_width(self) -> int:
        return self.trunk.middle_width

    @property
    def channels(self) -> dict[str, int]:
        """Channels of each of the features' maps."""
        return {f"stride{s}": channels for s, channels in zip(self.trunk.strides, self.trunk.channels, strict=True)}

    def tokens(
        self,
        images: Float[Tensor, "batch channel y x"],
        path: str,
        mask: Bool[Tensor, "batch patch_y patch_x"] | None = None,
    ) -> Float[Tensor, "batch patch_y patch_x width"]:
        """The trunk's input: normalised images through the stem `path`.

        Tokens of several stems may pass the trunk together, concatenated along the batch (`Features.split` parts them).
        mask: patches to replace by the mask token, with which the student must have been built.
        """
        tokens = self.stems[self._known(path)](images)
        if mask is None:
            return tokens
        if self.mask_token is None:
            raise BrewError("patches are to be masked, but the student has no mask token; build it with maskable=True")
        return torch.where(mask[..., None], self.mask_token.to(tokens.dtype), tokens)

    def encode(
        self,
        images: Float[Tensor, "batch channel y x"],
        path: str,
        drop: Float[Tensor, "batch draws"] | None = None,
        mask: Bool[Tensor, "batch patch_y patch_x"] | None = None,
    ) -> Features:
        """Features of normalised images through the stem `path`.

        drop: stochastic depth's draws in [0, 1), 2 * trunk.blocks per sample; None drops nothing.
        """
        return self.trunk(self.tokens(images, path, mask), drop)

    def route(self, sensor: str) -> Route:
        """How images of `sensor` enter: through their own stem if training reached it.

        Otherwise through the trained stem that reads most of their bands, matched by wavelength. An aerial image then
        fills B4, B3 and B2 of the multispectral stem, whose other bands stay at their mean, as in the ablation's rows
        without an optical stem. Raises BrewError if no trained stem reads any of the bands.
        """
        return find_route(find_sensor(sensor), self.trained_paths)

    def forward(self, images: Tensor, sensor: str = "sentinel2", normalised: bool = False) -> Features:
        """Features of images in native units.

        images: (batch, band, y, x), of any integer or floating type, bands in the order of `SENSORS[sensor]`.
        sensor: "sentinel2" (digital numbers, ten bands), "sentinel2-rgb" (its B4 B3 B2) or "rgb" (0-255).
        normalised: images are (value - mean) / std already; only shape and finiteness are checked then.
        Raises BrewError for a wrong number of bands, values in another unit, NaN, or less than one patch.
        """
        source, route = find_sensor(sensor), self.route(sensor)
        check_shape(images, source, self.trunk.patch)
        check_values(images, source, normalised)
        values = images.to(self.trunk.norm.weight.dtype)
        if not normalised:
            mean, std = (values.new_tensor(each).view(-1, 1, 1) for each in (source.mean, source.std))
            values = (values - mean) / std
        return self.encode(route.apply(values), route.path)

    def _known(self, path: str) -> str:
        if path not in self.stems:
            raise BrewError(f"path {path!r} has no stem; {nearest(path, tuple(self.stems))}")
        return path


def build_student(
    trunk: str,
    trained_paths: Sequence[str] | None = None,
    *,
    stochastic_depth: float | None = None,
    fixed_count: bool = False,
    fused_attention: bool = False,
    maskable: bool = False,
    seed: int | None = None,
) -> Student:
    """A student with random weights.

    trunk: a name of TRUNKS. trained_paths: the stems that training will reach; None means the paper's two.
    stochastic_depth: None takes the trunk's. fixed_count: it drops the same number of a batch's samples every time,
    which spares an accelerator the dropped branches; files do not keep it, for it acts in training alone.
    fused_attention: a Swin's windows attend in a kernel of brew's own on accelerators; files do not keep it either.
    seed: of the weights, without touching torch's generator; None draws them from that one.
    Raises BrewError for an unknown trunk, and for a fused attention within windows in one that has none.
    """
    if trunk not in TRUNKS:
        raise unknown("trunk", trunk, TRUNKS)
    entry = TRUNKS[trunk]
    depth = entry.stochastic_depth if stochastic_depth is None else stochastic_depth
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        built = entry.build(depth)
        built.fixed_count = fixed_count
        if fused_attention:
            _windows_of(built, trunk).use_fused_attention()
        return Student(built, trunk, trained_paths=trained_paths, maskable=maskable)


def _windows_of(built: Trunk, name: str) -> Swin:
    if not isinstance(built, Swin):
        raise BrewError(
            f"fused_attention is asked for in the trunk {name!r}, which has no windows; expected a Swin; set "
            "fused_attention: false, or name such a trunk"
        )
    return built


def save_student(path: Path | str, student: Student, metadata: Mapping[str, Any] | None = None) -> None:
    """Write a file that `load_student` reads. Never leaves a partial one; the same student gives the same bytes.

    metadata: provenance (arm, seed, commit ...) in strings, numbers, lists and dictionaries; None keeps the student's.
    """
    path = Path(path)
    content = {
        "format": _FORMAT,
        # The trunk's size. Files have this key since the first one, and their bytes are compared.
        "backbone": student.trunk_size,
        "stochastic_depth": student.trunk.stochastic_depth,
        "trained_paths": list(student.trained_paths),
        "maskable": student.mask_token is not None,
        "state": {name: value.detach().cpu().contiguous() for name, value in student.state_dict().items()},
        "provenance": dict(student.provenance if metadata is None else metadata),
    }
    buffer = io.BytesIO()  # torch.save to a path would write that path's name into the archive
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())


def load_student(path: Path | str) -> Student:
    """A student in evaluation mode from brew's own file or from one of the authors' checkpoints, told apart by content.

    Raises BrewError for a file that is absent, truncated, damaged, of another kind, or misfits its trunk.
    """
    from brew.models.released import is_released, read_released

    path = Path(path)
    content = _read(path)
    if isinstance(content, dict) and content.get("format") == _FORMAT:
        return _from_own(content, path)
    if is_released(content):
        return read_released(content, path.name)
    found = f"keys {list(content)[:5]}" if isinstance(content, dict) else f"a {type(content).__name__}"
    raise BrewError(
        f"{path} holds {found}; expected a student of brew (format {_FORMAT!r}) or a released DEO checkpoint (entries "
        "such as 'features.0.0.norm1.weight' or 'blocks.0.norm1.weight'); check which file this is"
    )


def _read(path: Path) -> Any:
    if not path.is_file():
        raise BrewError(f"{path} is no file; expected a student's weights; check the path or download it again")
    try:
        _verify_checksums(path)
        # The authors' training files carry their command's arguments, a plain namespace of values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can fail in any way
        reason = f"{type(error).__name__} {error}".splitlines()[0]
        raise BrewError(
            f"{path} ({path.stat().st_size:,} bytes) cannot be read: {reason}; expected a complete file of torch.save "
            "that holds only tensors and plain values; it is probably truncated or damaged: download or copy it again "
            "and compare its size"
        ) from error


def _verify_checksums(path: Path) -> None:
    """torch writes its archive's checksums but does not read them: a flipped bit would be a silently other weight."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} does not have its checksum")


def _from_own(content: Mapping[str, Any], path: Path) -> Student:
    wrong = [name for name, kind in _CONTENT.items() if not isinstance(content.get(name), kind)]
    if wrong or not all(isinstance(each, str) for each in content["trained_paths"]):
        raise BrewError(
            f"{path}: {', '.join(wrong) or 'trained_paths'} missing or of another type; expected what `save_student` "
            "writes; download or copy the file again"
        )
    try:
        with torch.device("meta"):
            student = build_student(
                content["backbone"],
                content["trained_paths"],
                stochastic_depth=content["stochastic_depth"],
                maskable=content["maskable"],
            )
    except ValueError as error:  # BrewErrors among them
        raise BrewError(f"{path}: {error}") from error
    return loaded(student, content["state"], str(path), content["provenance"])


def misfit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Entries of a state dictionary that are missing, unknown, no sound weights or of another shape, in words."""
    return [
        *(f"{name} is missing" for name in expected if name not in found),
        *(f"{name} is unknown" for name in found if name not in expected),
        *(f"{name} is no finite tensor of real numbers" for name in expected if not _sound(found.get(name, _NOTHING))),
        *(
            f"{name} has shape {tuple(found[name].shape)} instead of {tuple(expected[name].shape)}"
            for name in expected
            if isinstance(found.get(name), Tensor) and found[name].shape != expected[name].shape
        ),
    ]


#: Stands for an entry that is missing, which is a misfit of its own.
_NOTHING = torch.zeros(0)


def _sound(value: Any) -> bool:
    """Whether a value is a dense tensor of finite floating-point numbers, as every weight is."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or not value.is_floating_point():
        return False
    return value.is_meta or bool(value.isfinite().all())


def loaded(student: Student, state: Mapping[str, Tensor], origin: str, provenance: Mapping[str, Any]) -> Student:
    """`student`, which was built on the meta device, with the weights `state`; in evaluation mode.

    origin: the file, for messages. Raises BrewError with the first misfits unless every entry of both is used.
    """
    wrong = misfit(student.state_dict(), state)
    if wrong:
        raise BrewError(
            f"{origin} does not fit {student.trunk_size!r}: {'; '.join(wrong[:3])} ({len(wrong)} misfits in all); "
            "expected exactly that trunk's entries; name the file's own trunk, or write the file again"
        )
    student.to_empty(device="cpu").load_state_dict(dict(state))
    student.provenance = dict(provenance)
    return student.eval()
