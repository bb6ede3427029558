"""Keyed random numbers of a block of scenes: the same for a scene alone and for the scene in any batch."""

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from brew import randomness


class Draws:
    """Uniform draws of the scenes `ids`, each keyed by seed, scene and stream. Draws are made on the CPU."""

    def __init__(self, seed: int, ids: Int64[Tensor, " batch"]) -> None:
        self.seed, self.ids = seed, ids

    def __call__(self, stream: str, count: int = 1) -> Float[Tensor, "batch count"]:
        return randomness.uniform(self.seed, 0, self.ids, f"miniature/{stream}", count)

    def grain(self, stream: str, count: int, device: torch.device) -> Int32[Tensor, "batch count"]:
        """32 random bits per pixel, on `device`.

        Bits come from a 32-bit counter hash (Wellons' lowbias32), which costs a twentieth of a 64-bit one.
        """
        halves = (self(f"{stream}/grain", 2) * 65536).to(torch.int32).to(device)
        bits = torch.arange(count, dtype=torch.int32, device=device) * -1640531535
        bits = bits + (halves[:, :1] * 65536 + halves[:, 1:])
        bits = (bits ^ (bits >> 16 & 0xFFFF)) * 0x7FEB352D
        bits = (bits ^ (bits >> 15 & 0x1FFFF)) * (0x846CA68B - (1 << 32))
        return bits ^ (bits >> 16 & 0xFFFF)
