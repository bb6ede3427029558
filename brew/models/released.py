"""Reading the authors' released checkpoints, strictly: every entry is used, or dropped for a reason given here.

Three layouts, told apart by content: the training file ({"student": {...}, ...}, heads included), a plain state
dictionary, and torchgeo's ("feat_extr." before each name). Names may carry any of the wrappers' prefixes.

Source: released code's `DEO_weights.py` (what a student is made of) and `utils/misc.py` (`MultiCropWrapper`: names).
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from brew.errors import BrewError
from brew.models.student import Student, build_student, loaded, misfit
from brew.models.swin import relative_positions
from brew.models.trunks import TRUNKS

_WRAPPERS = ("module.", "_orig_mod.", "backbone.", "feat_extr.")
_STUDENT = re.compile(r"features\.\d+\.\d+\.norm1\.weight|blocks\.\d+\.norm1\.weight")

#: (pattern of a released name, name in `Student.state_dict()`).
_RENAMED = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"conv_ms\.0\.(.+)", r"stems.multispectral.proj.\1"),
        (r"conv_ms\.2\.(.+)", r"stems.multispectral.norm.\1"),
        (r"conv_rgb\.0\.(.+)", r"stems.optical.proj.\1"),
        (r"conv_rgb\.2\.(.+)", r"stems.optical.norm.\1"),
        (r"features\.(\d+)\.(\d+)\.mlp\.0\.(.+)", r"trunk.stages.<\1>.blocks.\2.mlp.0.\3"),
        (r"features\.(\d+)\.(\d+)\.mlp\.3\.(.+)", r"trunk.stages.<\1>.blocks.\2.mlp.2.\3"),  # theirs counts a dropout
        (r"features\.(\d+)\.(\d+)\.((?:norm1|norm2|attn)\..+)", r"trunk.stages.<\1>.blocks.\2.\3"),
        (r"features\.(\d+)\.((?:norm|reduction)\..+)", r"trunk.stages.<\1>.merging.\2"),
        (r"patch_embed_ms\.(proj\..+)", r"stems.multispectral.\1"),
        (r"patch_embed_rgb\.(proj\..+)", r"stems.optical.\1"),
        (r"(cls_token|pos_embed)", r"trunk.\1"),
        (r"blocks\.(\d+\..+)", r"trunk.encoder.\1"),
        (r"(norm\..+)", r"trunk.\1"),
    )
)

#: (pattern of a released name, why it is dropped).
_DROPPED = (
    (re.compile(r"[^.]*head[^.]*\..+"), "heads: only training uses them"),
    (re.compile(r"patch_embed\..+"), "DINO's own three-channel patch embedding, which the released code never calls"),
    (re.compile(r"features\..+\.relative_position_index"), "follows from the window"),
)


def is_released(content: Any) -> bool:
    """Whether an unpickled file is one of the authors' layouts."""
    state = _state(content)
    return state is not None and any(_STUDENT.fullmatch(_bare(name)) for name in state)


def read_released(content: Mapping[str, Any], origin: str) -> Student:
    """The student of a released checkpoint, in evaluation mode.

    Its trunk is the one of TRUNKS whose entries it has exactly; `provenance["dropped"]` names what was left out, and
    why. origin: the file's name, for messages and provenance.
    Raises BrewError for an entry that is neither used nor known to be dropped, or for one that is missing.
    """
    state, dropped = _translate(_state(content) or {}, origin)
    if "student" in content:
        dropped["beside the student: only training uses them"] = [name for name in content if name != "student"]
    with torch.device("meta"):
        student = build_student(_trunk(state, origin))
    return loaded(student, state, origin, {"origin": f"released DEO checkpoint {origin}", "dropped": dropped})


def _state(content: Any) -> Mapping[str, Tensor] | None:
    """The student's state dictionary, whatever lies around it."""
    inner = content.get("student", content) if isinstance(content, Mapping) else None
    if not isinstance(inner, Mapping):
        return None
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in inner.items()):
        return None
    return inner


def _bare(name: str) -> str:
    while wrapper := next((each for each in _WRAPPERS if name.startswith(each)), None):
        name = name.removeprefix(wrapper)
    return name


def _translate(state: Mapping[str, Tensor], origin: str) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """Entries under brew's names; and what was dropped, by reason."""
    translated: dict[str, Tensor] = {}
    dropped: dict[str, list[str]] = {}
    for full, value in state.items():
        name = _bare(full)
        reason = next((why for pattern, why in _DROPPED if pattern.fullmatch(name)), None)
        if reason is not None:
            _check_dropped(name, value, origin)
            dropped.setdefault(reason, []).append(name)
            continue
        ours = _rename(name)
        if ours is None:
            raise BrewError(
                f"{origin}: entry {full!r} is unknown; expected those of a released DEO student (Swin: features, norm, "
                "conv_ms, conv_rgb; ViT: blocks, norm, cls_token, pos_embed, patch_embed_ms, patch_embed_rgb) or of a "
                "head; remove it from the file if it belongs to something else"
            )
        if ours in translated:
            raise BrewError(
                f"{origin}: entry {full!r} is there twice, under other prefixes; expected each once; keep the student's"
            )
        translated[ours] = value
    return translated, dropped


def _rename(name: str) -> str | None:
    for pattern, replacement in _RENAMED:
        if pattern.fullmatch(name):
            ours = pattern.sub(replacement, name)
            # torchvision numbers the stages and the mergings before them in one list: 0, 1 2, 3 4, 5 6.
            return re.sub(r"<(\d+)>", lambda number: str((int(number[1]) + 1) // 2), ours)
    return None


def _check_dropped(name: str, value: Tensor, origin: str) -> None:
    """An index that is dropped because it follows from the window must be the one that follows."""
    if not name.endswith("relative_position_index"):
        return
    window = round(value.numel() ** 0.25)
    follows = relative_positions(window, torch.device("cpu")).flatten()
    if window**4 != value.numel() or not torch.equal(value.flatten().long(), follows):
        raise BrewError(
            f"{origin}: {name!r} ({value.numel()} entries) is not the index of a square window in torchvision's order; "
            "expected torchvision's; use the file as the authors released it"
        )


def _trunk(state: Mapping[str, Tensor], origin: str) -> str:
    """The trunk whose entries are those of `state`; BrewError with the nearest one's first misfits if none is."""
    wrong = {}
    for name in TRUNKS:
        with torch.device("meta"):
            wrong[name] = misfit(build_student(name).state_dict(), state)
        if not wrong[name]:
            return name
    nearest = min(wrong, key=lambda name: len(wrong[name]))
    raise BrewError(
        f"{origin} fits no known trunk ({', '.join(TRUNKS)}); nearest is {nearest!r}: "
        f"{'; '.join(wrong[nearest][:3])} ({len(wrong[nearest])} misfits in all); expected exactly its entries; "
        "download the file again in case it is incomplete, or add its size to TRUNKS"
    )
