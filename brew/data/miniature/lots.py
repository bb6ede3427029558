"""Lots of built parcels, and the one building that may stand on each."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from brew.data.miniature.arithmetic import Lookup, equals, modulo, positive, put, total, triangle_wave
from brew.data.miniature.ground import Ground
from brew.data.miniature.legends import ROOFS
from brew.data.miniature.planning import Plan
from brew.data.miniature.scene_kinds import HALLS
from brew.data.miniature.surfaces import LOTS


@dataclass(frozen=True)
class Lots:
    """Position within the lot, as images (batch, fine y, fine x). Lengths are metres."""

    number: Tensor
    u: Tensor  # along the sector's rows, from the building's centre
    v: Tensor  # across them
    beyond_u: Tensor  # outside the building's outline, negative inside
    beyond_v: Tensor
    look: Lookup


@dataclass(frozen=True)
class Buildings:
    """What stands on the lots, as images (batch, fine y, fine x). Masks are 0.0 or 1.0."""

    kind: Tensor  # number in ROOFS, also where nothing stands
    shade: Tensor  # brightness of the roof relative to its palette
    stands: Tensor
    shadow: Tensor


def divide_into_lots(plan: Plan, ground: Ground, use: Tensor) -> Lots:
    """The lots of every parcel. Halls have larger ones than houses."""
    hall = equals(use, HALLS)
    length, depth = ground.extent
    columns = torch.floor(length / (21 + 44 * hall)).clamp_min_(1)
    rows = torch.floor(depth / (27 + 38 * hall)).clamp_min_(1)
    u, v = ground.inner[0] * columns, ground.inner[1] * rows
    column, row = torch.floor(u), torch.floor(v)
    number = modulo(ground.parcel * 13 + row * 97 + column * 31, LOTS // 2) + hall * (LOTS // 2)
    look = Lookup(number, LOTS)
    lot_length, lot_depth = length / columns, depth / rows
    u = (u - column - 0.5 - look(plan.lot["shift u"])) * lot_length
    v = (v - row - 0.5 - look(plan.lot["shift v"])) * lot_depth
    beyond_u, beyond_v = u.abs() - look(plan.lot["wide"]) * lot_length, v.abs() - look(plan.lot["deep"]) * lot_depth
    return Lots(number, u, v, beyond_u, beyond_v, look)


def raise_buildings(
    plan: Plan, ground: Ground, lots: Lots, sun: Float[Tensor, "3 batch 1 1"], built: Tensor, date: int
) -> Buildings:
    """The buildings on one date. built: 1.0 where parcels hold houses or halls."""
    stands = lots.look(plan.stands[date]) * built
    building = stands * positive(-lots.beyond_u) * positive(-lots.beyond_v) * ground.within
    # The shadow is the outline moved away from the sun, in the frame of the rows.
    sun_u, sun_v = sun[0] * ground.cos + sun[1] * ground.sin, sun[1] * ground.cos - sun[0] * ground.sin
    throw = lots.look(plan.lot["height"]) * sun[2]
    half_u, half_v = lots.u.abs() - lots.beyond_u, lots.v.abs() - lots.beyond_v
    shadow_u = positive(half_u - (lots.u + sun_u * throw).abs())
    shadow_v = positive(half_v - (lots.v + sun_v * throw).abs())
    shadow = stands * shadow_u * shadow_v * (1 - building) * ground.within
    kind = lots.look(plan.lot["kind"])
    # A pitched roof falls away from its ridge, which runs along the longer side.
    pitched = positive(half_v - half_u)
    return Buildings(kind, _roof_shade(lots, kind, pitched, sun_u, sun_v), building, shadow)


def _roof_shade(lots: Lots, kind: Tensor, pitched: Tensor, sun_u: Tensor, sun_v: Tensor) -> Tensor:
    """Brightness of the roofs. pitched: 1.0 where a gable falls along u, 0.0 where it falls along v."""
    hipped = equals(kind, ROOFS.index("tiled hip"))
    falls_u = put(pitched, hipped, positive(lots.beyond_u - lots.beyond_v))
    side_u, side_v = torch.sign(lots.u) * sun_u, torch.sign(lots.v) * sun_v
    pitch = put(side_v, falls_u, side_u)
    tiled = equals(kind, ROOFS.index("tiled gable")) + hipped
    saw = triangle_wave(lots.u * 0.1).sign_()
    lights = positive(triangle_wave(lots.u * 0.08) - 0.2) * positive(triangle_wave(lots.v * 0.08) - 0.2)
    panels = triangle_wave(lots.v * 0.125).sign_()
    seams = triangle_wave(lots.v * 0.19)
    return total((
        tiled.mul_(pitch).mul_(0.34).add_(1),
        equals(kind, ROOFS.index("grey sawtooth")).mul_(saw).mul_(0.30),
        equals(kind, ROOFS.index("grey skylights")).mul_(lights.sub_(0.16)).mul_(0.85),
        equals(kind, ROOFS.index("grey solar rows")).mul_(panels).mul_(0.30),
        equals(kind, ROOFS.index("metal")).mul_(seams.mul_(0.07).add_(pitch.mul_(0.06))),
    ))  # fmt: skip
