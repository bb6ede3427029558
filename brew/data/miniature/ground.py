"""The ground that both dates share: sectors, rows and parcels, their borders and roads, woods and waters.

Sectors are the neighbourhoods of a few sites, and roads run along their borders. Each sector is cut into rows and
parcels of its own direction. Rivers and lakes are level sets of a distance, woods are one of a smooth random field.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from brew.data.miniature.arithmetic import Lookup, modulo, positive, put, triangle_wave
from brew.data.miniature.draws import Draws
from brew.data.miniature.grid import Grid
from brew.data.miniature.planning import ROWS, SECTORS, Plan
from brew.data.miniature.sun import toward_sun
from brew.data.miniature.surfaces import NUMBERS, PARCELS


@dataclass(frozen=True)
class Ground:
    """Where things are, as images (batch, fine y, fine x). Masks are 0.0 or 1.0, lengths are metres."""

    parcels: Lookup
    parcel: Tensor
    border: Tensor  # surface of the border here, or -1
    road: Tensor
    marking: Tensor
    cos: Tensor  # direction of the sector's rows
    sin: Tensor
    along: Tensor  # position in the sector's frame
    across: Tensor
    inner: tuple[Tensor, Tensor]  # share of the parcel along and across, without its borders
    extent: tuple[Tensor, Tensor]  # metres of the parcel along and across, without its borders
    within: Tensor  # 1.0 in a parcel, 0.0 on its border
    shore: Tensor  # metres from open water, negative inside
    wood: Tensor
    conifers: Tensor
    canopy: Tensor
    relief: Tensor  # the canopy's light and shade
    level: Tensor  # of vigour: 0, 1, 2
    patches: Tensor
    grain: Tensor  # between -1 and 1, per pixel


@dataclass(frozen=True)
class _Frame:
    """Where each pixel lies in its sector. edge: metres to the sector's border. depth: metres of a row."""

    x: Tensor
    y: Tensor
    sector: Tensor
    edge: Tensor
    cos: Tensor
    sin: Tensor
    along: Tensor
    across: Tensor
    depth: Tensor


@dataclass(frozen=True)
class _Place:
    """Where each pixel lies in its parcel. in_row, in_parcel: shares of the way across and along. width: metres."""

    parcel: Tensor
    in_row: Tensor
    in_parcel: Tensor
    width: Tensor


def lay_out_ground(plan: Plan, grid: Grid, draw: Draws) -> Ground:
    """The ground of the planned scenes, on the grid's device."""
    one = {name: value.to(grid.device) for name, value in plan.one.items()}
    bits = draw.grain("ground", grid.pixels**2, grid.device).view(-1, grid.pixels, grid.pixels)
    grain = (bits & 0xFFFF).to(torch.float32) * (2 / 65535) - 1
    broad, middle = grid.field(draw, "broad", 80), grid.field(draw, "middle", 20)

    frame = _frame(plan, grid, draw)
    place = _place(plan, frame)
    parcels = Lookup(place.parcel, PARCELS)
    lines = positive(triangle_wave(frame.x * 0.045 + frame.y * 0.045) - 0.1)
    margin = 4.0 + one["urban"] * 2.0
    extent = (place.width - 2 * margin, frame.depth - 2 * margin)
    inner_u = (place.in_parcel * place.width - margin) / extent[0]
    inner_v = (place.in_row * frame.depth - margin) / extent[1]

    canopy = grid.field(draw, "crowns/5", 5) * 0.5 + grid.field(draw, "crowns/10", 10) * 0.5
    woodland = broad + middle * 0.35 + canopy * 0.12
    patches = grid.field(draw, "patches", 40)
    return Ground(
        parcels=parcels,
        parcel=place.parcel,
        border=_borders(plan, one, frame, place, parcels, middle),
        road=positive(one["road"] - frame.edge),
        marking=positive(0.8 - frame.edge) * positive(one["road"] - 6.5) * lines,
        cos=frame.cos,
        sin=frame.sin,
        along=frame.along,
        across=frame.across,
        inner=(inner_u, inner_v),
        extent=extent,
        within=positive(inner_u) * positive(1 - inner_u) * positive(inner_v) * positive(1 - inner_v),
        shore=_shore(one, grid, broad, middle),
        wood=positive(woodland - one["woods"]),
        conifers=positive(patches + grain * 0.25 - one["conifers"]),
        canopy=canopy,
        relief=(canopy - toward_sun(canopy, 1)).mul_(0.55).add_(canopy * 0.22),
        level=torch.floor((patches * 0.55 + middle * 0.25 + grain * 0.7 + 1.5).clamp_(0, 2.99)),
        patches=patches,
        grain=grain,
    )


def _frame(plan: Plan, grid: Grid, draw: Draws) -> _Frame:
    bend = plan.bend[:, None, None].to(grid.device)
    x = grid.x + grid.field(draw, "bend/x", 80) * bend * 0.5
    y = grid.y + grid.field(draw, "bend/y", 80) * bend * 0.5
    sector, edge = _nearest_site(plan.sites.to(grid.device), x, y)
    look = Lookup(sector, SECTORS)
    cos, sin = look(plan.sector["cos"]), look(plan.sector["sin"])
    along = x * cos + y * sin + look(plan.sector["along"])
    across = y * cos - x * sin + look(plan.sector["across"])
    return _Frame(x, y, sector, edge, cos, sin, along, across, look(plan.sector["depth"]))


def _place(plan: Plan, frame: _Frame) -> _Place:
    in_row = frame.across / frame.depth
    row = torch.floor(in_row)
    in_row = in_row - row
    look = _by_row(frame, row)
    width = look(plan.row["width"])
    in_parcel = (frame.along + look(plan.row["shift"]) + look(plan.row["slant"]) * (in_row - 0.5)) / width
    column = torch.floor(in_parcel)
    in_parcel = in_parcel - column
    return _Place(modulo(frame.sector * 61 + row * 29 + column * 11, PARCELS), in_row, in_parcel, width)


def _by_row(frame: _Frame, row: Tensor) -> Lookup:
    return Lookup(frame.sector * ROWS + modulo(row, ROWS), SECTORS * ROWS)


def _borders(
    plan: Plan, one: dict[str, Tensor], frame: _Frame, place: _Place, parcels: Lookup, middle: Tensor
) -> Tensor:
    """The surface of the border here, or -1. Across the rows a border lies on both sides of the row's edge."""
    look = _by_row(frame, torch.floor(frame.across / frame.depth + 0.5))
    ragged = middle * 0.35 * (1 - one["urban"])
    to_row = (0.5 - (place.in_row - 0.5).abs()) * frame.depth + ragged
    to_side = (0.5 - (place.in_parcel - 0.5).abs()) * place.width + ragged
    at_side = positive(parcels(plan.parcel["side"]) - to_side)
    border = put(torch.full_like(place.parcel, -1.0), at_side, parcels(plan.parcel["side surface"]))
    border = put(border, positive(look(plan.row["border"]) - to_row), look(plan.row["border surface"]))
    verge = positive(one["road"]) * positive(one["road"] + 3 - frame.edge) * (1 - one["urban"])
    return put(border, verge, float(NUMBERS["verge"]))


def _nearest_site(sites: Float[Tensor, "batch sectors 2"], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest site and the distance, in metres, to the border between it and any other."""
    sx, sy = sites[..., 0, None, None], sites[..., 1, None, None]
    # |p - s|^2 without its common term: larger is nearer.
    scores = [x * (2 * sx[:, k]) + (y * (2 * sy[:, k]) - (sx[:, k] * sx[:, k] + sy[:, k] * sy[:, k]))
              for k in range(SECTORS)]  # fmt: skip
    best, sector = scores[0], torch.zeros_like(scores[0])
    for k in range(1, SECTORS):
        sector = put(sector, positive(scores[k] - best), float(k))
        best = torch.maximum(best, scores[k])
    look = Lookup(sector, SECTORS)
    edge = torch.full_like(best, 1e6)
    for k in range(SECTORS):
        apart = (sites - sites[:, k : k + 1]).square().sum(-1).sqrt()
        own = apart < 1
        distance = (best - scores[k]) * look(torch.where(own, 0.0, 0.5 / apart.clamp_min(1))) + look(own * 1e6)
        edge = torch.minimum(edge, distance)
    return sector, edge


def _shore(one: dict[str, Tensor], grid: Grid, broad: Tensor, middle: Tensor) -> Tensor:
    """Metres to the water line on the first date: negative in the water, large if a scene has no water."""
    lx, ly = grid.x - one["lake x"], grid.y - one["lake y"]
    lake = (lx * lx + ly * ly).sqrt() - one["lake radius"] * (1 + broad * 0.16)
    along, across = grid.x * one["cos"] + grid.y * one["sin"], grid.y * one["cos"] - grid.x * one["sin"]
    wave = triangle_wave(along / one["meander length"] + one["meander phase"])
    bend = wave * (2 - wave.abs())
    river = (across - one["river offset"] - bend * one["meander"] - broad * 16).abs() - one["river half"]
    dry = 1e4 * (1 - one["lake"] - one["river"])
    return lake * one["lake"] + river * one["river"] + dry + middle * 1.6
