"""Saved activations: what the student's forward keeps for its backward, in bf16, beside torchvision's unmodified Swin.

One image is 2 global views of 224 px and 10 local ones of 96 px through both stems and the trunk, under autocast to
bf16, without stochastic depth. Every storage that autograd keeps counts once; parameters do not, but their copies in
16 bit do, and so do tables that all images share: `GB per further image` is without both. Counted on the CPU, where
attention keeps the weights of its softmax; fused kernels of accelerators keep less. Left out: heads, losses,
gradients, the state of the optimiser, and the teachers, which keep nothing.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks.arithmetic import (
    QUICK_TRUNKS,
    QUICK_VIEWS,
    TRUNKS_COUNTED,
    VIEWS,
    Count,
    PlainSwin,
    Views,
    encode,
    stems,
)
from benchmarks.harness import arguments, write
from brew.models.stems import Stem
from brew.models.swin import Swin

#: The trunks that have a bar.
_BARS = ("Swin-T, window 7", "Swin-B, window 12")


def saved_bytes(trunk: nn.Module, through: Sequence[Stem], views: Views, dtype: torch.dtype = torch.bfloat16) -> int:
    """Of all distinct storages that autograd saves in one forward, those of parameters left out."""
    parameters = {each.untyped_storage().data_ptr() for module in (trunk, *through) for each in module.parameters()}
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", dtype, enabled=dtype != torch.float32),
    ):
        kept_alive = encode(trunk, through, views)  # until counted, no storage's address is used again
    del kept_alive
    return sum(saved.values())


def count(name: str, build: Callable[[float], Swin], views: Views) -> Count:
    """GB per image, and per further image of a batch, both ways."""
    trunk = build(0.0)
    through = stems(trunk)
    two = [(side, 2 * number) for side, number in views]
    first, both = ([saved_bytes(each, through, v) / 1e9 for each in (trunk, PlainSwin(trunk))] for v in (views, two))
    ours, conventional = (round(more - less, 4) for more, less in zip(both, first, strict=True))
    settings = {
        "views": ", ".join(f"{number} x {side} px" for side, number in views),
        "precision": "bf16 autocast",
        "GB per further image": {"ours": ours, "conventional": conventional},
    }
    return Count(name, "GB/image", *first, settings)


def main(given: Sequence[str] | None = None) -> None:
    """`--rounds` changes nothing: a count is a count."""
    chosen = arguments(__doc__, given)
    if chosen.quick:
        counts = [count(name, build, QUICK_VIEWS) for name, build in QUICK_TRUNKS.items()]
    else:
        counts = [count(name, TRUNKS_COUNTED[name], VIEWS) for name in _BARS]
    write("memory", *counts, quick=chosen.quick)


if __name__ == "__main__":
    main()
