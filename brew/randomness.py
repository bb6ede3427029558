"""Random numbers keyed by (seed, epoch, sample, stream), without any generator state.

A draw is a hash of what it is for. It does not depend on the other samples of the batch, on the number of processes,
on the device, or on earlier draws. So a run that resumes draws what it would have drawn without the interruption.
The hash is splitmix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", and Vigna's
constants) in wrapping 64-bit integer arithmetic, which every device does alike.

Left out: cryptographic strength, and streams longer than a few thousand draws per sample (memory grows with them).
"""

import math
import zlib

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

_GAMMA = 0x9E3779B97F4A7C15
_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_SHIFTS = (30, 27, 31)
_MASK = (1 << 64) - 1
#: Set on hashed strings, so that the stream "x" never equals a small integer stream.
_STRING = 1 << 32


def key(*parts: int | str) -> int:
    """One integer in [0, 2**63) from integers and strings (hashed by CRC-32); the order of the parts matters.

    Fits a seed of NumPy and of torch alike. One child key per product: ``key(seed, "optical")``.
    """
    state = 0
    for part in parts:
        number = zlib.crc32(part.encode()) | _STRING if isinstance(part, str) else int(part)
        state = mixed_integer((state + _GAMMA) & _MASK ^ number & _MASK)
    return state >> 1


def uniform(
    seed: int, epoch: int, samples: Int64[Tensor, " batch"], stream: str | int, draws: int
) -> Float32[Tensor, "batch draws"]:
    """Draws in [0, 1), on the device of `samples`: the same bits on every device and in every batch.

    samples: identifiers (not positions in the batch). stream: what the draws are for, such as
    ``"view/global0/geometry"``. draws: how many per sample; a longer row begins with the shorter one.
    The values are multiples of 2**-24, so all of them are exact in float32.
    """
    bits = _hash(seed, epoch, samples, stream, draws)
    return _shift(bits, 40).to(torch.float32) * 2.0**-24


def normal(
    seed: int, epoch: int, samples: Int64[Tensor, " batch"], stream: str | int, draws: int
) -> Float32[Tensor, "batch draws"]:
    """Standard normal draws (Box-Muller, cosine branch), arguments as in `uniform`.

    Equal between devices up to the rounding of log and cos (the uniform draws behind them are equal in bits).
    """
    bits = _hash(seed, epoch, samples, stream, draws)
    # Two independent halves of one hash: 24 bits for the radius, 24 for the angle. 1 - u keeps the logarithm finite.
    radius = 1 - _shift(bits, 40).to(torch.float32) * 2.0**-24
    angle = (_shift(bits, 16) & 0xFFFFFF).to(torch.float32) * (2 * math.pi * 2.0**-24)
    return torch.sqrt(-2 * torch.log(radius)) * torch.cos(angle)


def permutation(seed: int, epoch: int, size: int, stream: str | int = "order") -> np.ndarray:
    """A permutation of ``range(size)`` as int64, by NumPy's Philox generator keyed by the arguments."""
    generator = np.random.Generator(np.random.Philox(key=key(seed, epoch, stream)))
    return generator.permutation(size).astype(np.int64, copy=False)


def _hash(
    seed: int, epoch: int, samples: Int64[Tensor, " batch"], stream: str | int, draws: int
) -> Int64[Tensor, "batch draws"]:
    state = mixed(samples ^ key(seed, epoch, stream))
    counter = torch.arange(1, draws + 1, device=samples.device) * _signed(_GAMMA)
    return mixed(state[:, None] + counter)


def mixed_integer(number: int) -> int:
    """splitmix64's finaliser on an integer in [0, 2**64); `mixed` is the same on tensors, in two's complement."""
    for shift, multiplier in zip(_SHIFTS, _MULTIPLIERS, strict=False):
        number = (number ^ number >> shift) * multiplier & _MASK
    return number ^ number >> _SHIFTS[-1]


def mixed(number: Int64[Tensor, "..."]) -> Int64[Tensor, "..."]:
    """splitmix64's finaliser on a tensor's elements, whose bits are read as unsigned."""
    for shift, multiplier in zip(_SHIFTS, _MULTIPLIERS, strict=False):
        number = (number ^ _shift(number, shift)) * _signed(multiplier)
    return number ^ _shift(number, _SHIFTS[-1])


def _shift(number: Int64[Tensor, "..."], by: int) -> Int64[Tensor, "..."]:
    """Logical shift to the right: torch's own repeats the sign bit."""
    return number >> by & (1 << 64 - by) - 1


def _signed(number: int) -> int:
    """The two's complement reading of an unsigned 64-bit constant."""
    return number - (1 << 64) if number >> 63 else number
