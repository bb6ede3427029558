"""How many operations a second this machine does in a training step of the trunk, measured in a few seconds."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from brew.compendium.plan import operations
from brew.models.stems import Stem
from brew.models.trunks import TRUNKS
from brew.sensors import PATHS

#: Seconds of measurement: at least one pass, and as many more as fit.
_SECONDS = 1.0
#: Pixels of a pass: few images would leave the processor waiting for the program, on an accelerator all the more.
_PIXELS = {"cpu": 2**13, "cuda": 2**21}
#: What is measured on a processor: smaller images, and a smaller trunk of the same kind. A pass of the paper's trunk at
#: 224 px takes minutes there.
_SIDE, _SMALLER = 64, {"swin-b": "swin-t", "vit-b8": "vit-s16"}
_PATH = "multispectral"


@dataclass(frozen=True)
class Rate:
    """flops: operations per second of all devices together. devices: how many. where: in words."""

    flops: float
    devices: int
    where: str


def measure(trunk: str, side: int, precision: str, seconds: float = _SECONDS) -> Rate:
    """The rate of a forward and backward pass of the trunk on images of `side` x `side` pixels.

    precision: of Lightning Fabric; one that starts with "bf16" or "16" is measured in bfloat16. A processor is measured
    on images of 64 x 64 pixels at most, and on a smaller trunk in the place of the largest ones.
    One device is measured, and all of a machine's accelerators are taken to be as fast.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    devices = torch.cuda.device_count() if device == "cuda" else 1
    if device == "cpu":
        trunk, side = _SMALLER.get(trunk, trunk), min(side, _SIDE)
    network = TRUNKS[trunk].build(0.0).to(device)
    stem = Stem(PATHS[_PATH], network.stem_width, network.patch, network.stem_norm).to(device)
    images = torch.rand(max(1, _PIXELS[device] // side**2), stem.proj.in_channels, side, side, device=device)
    half = precision.startswith(("bf16", "16"))

    def forward() -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=half):
            return network(stem(images)).pooled

    def run() -> None:
        forward().float().sum().backward()
        if device == "cuda":
            torch.cuda.synchronize()

    once = operations.counted(forward)  # counted where they are done: the meta device takes longer than a processor
    if device == "cuda":
        run()  # the first pass also allocates
    passes, start = 0, time.perf_counter()
    while not passes or time.perf_counter() - start < seconds:
        run()
        passes += 1
    elapsed = time.perf_counter() - start
    done = passes * operations.TRAINING * once
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return Rate(devices * done / elapsed, devices, where)
