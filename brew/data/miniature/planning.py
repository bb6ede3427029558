"""The plan of a scene: what was drawn for its sectors, rows, parcels, lots and waters, as small tables on the CPU."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from brew.data.miniature.arithmetic import between, choose
from brew.data.miniature.draws import Draws
from brew.data.miniature.grid import GROUND
from brew.data.miniature.legends import CHANGES, SCENES
from brew.data.miniature.moments import Moment, moments_of
from brew.data.miniature.palette import paint_surfaces
from brew.data.miniature.scene_kinds import GRASS, HALLS, HOUSES, SCENE_KINDS, SOLAR
from brew.data.miniature.surfaces import LOTS, NUMBERS, PARCELS

#: Sectors of a scene at most, and rows of parcels until a sector's table repeats.
SECTORS, ROWS = 4, 16

#: A number of each scene's kind, by the name of the `SceneKind`'s field: (batch,), or (batch, entries) of a tuple.
_Of = Callable[[str], Float[Tensor, "batch ..."]]


@dataclass(frozen=True)
class Plan:
    """What was drawn for each scene of a block. Tables are (batch, entries); lengths are metres.

    scene: number of the kind of scene. bend: how far roads and borders wander. sites: of the sectors. sector, row,
    parcel, lot: tables by sector, by sector and row, by parcel, by lot. one: numbers of the whole scene. On each date,
    uses: of each parcel; stands: 1.0 for lots with a building; palettes: reflectance; looks: tables by surface.
    """

    moments: tuple[Moment, ...]
    scene: Int64[Tensor, " batch"]
    bend: Float[Tensor, " batch"]
    sites: Float[Tensor, "batch sectors 2"]
    sector: dict[str, Float[Tensor, "batch sectors"]]
    row: dict[str, Float[Tensor, "batch row"]]
    parcel: dict[str, Float[Tensor, "batch parcel"]]
    lot: dict[str, Float[Tensor, "batch lot"]]
    one: dict[str, Float[Tensor, "batch 1 1"]]
    uses: tuple[Int64[Tensor, "batch parcel"], ...]
    stands: tuple[Float[Tensor, "batch lot"], ...]
    palettes: tuple[Float[Tensor, "batch palette band"], ...]
    looks: tuple[dict[str, Float[Tensor, "batch surface"]], ...]


def plan_scenes(draw: Draws, size: int, dates: int | Sequence[int]) -> Plan:
    """The plan of a block of scenes of `size` pixels of 10 m per side, on one date or two, or on days of a year."""
    moments = moments_of(draw, dates)
    kinds = tuple(SCENE_KINDS.values())
    scene = (draw("scene")[:, 0] * len(SCENES)).long()

    def of(name: str) -> Tensor:
        return torch.tensor([getattr(kind, name) for kind in kinds], dtype=torch.float32)[scene]

    half = size * GROUND / 2
    urban = (of("streets")[:, 3:] > 0.99).float()
    one = _plan_waters(draw, of, half) | _plan_cover(draw, of, urban[:, 0])
    lot = _plan_lots(draw)
    uses = _over_time(moments, *_plan_uses(draw, of("uses")))
    painted = [
        paint_surfaces(draw, use, lot, one["conifers"][:, None], moment)
        for use, moment in zip(uses, moments, strict=True)
    ]
    return Plan(
        moments=moments,
        scene=scene,
        bend=of("bend"),
        sites=_plan_sites(draw, of, half),
        sector=_plan_sectors(draw, of),
        row=_plan_rows(draw, of, urban),
        parcel=_plan_parcels(draw, of, urban),
        lot=lot,
        one={name: value[:, None, None] for name, value in one.items()},
        uses=uses,
        stands=_over_time(moments, lot["stands before"], lot["stands after"]),
        palettes=tuple(palette for _, palette in painted),
        looks=tuple(looks for looks, _ in painted),
    )


def _over_time(moments: Sequence[Moment], before: Tensor, after: Tensor) -> tuple[Tensor, ...]:
    """A table of each date: `after` in scenes whose change has happened."""
    return tuple(torch.where(moment.changed[:, None] > 0, after, before) for moment in moments)


def _plan_sites(draw: Draws, of: _Of, half: float) -> Float[Tensor, "batch sectors 2"]:
    """Points whose nearest neighbourhoods are the sectors. Sites that a scene does not use lie far outside."""
    u = draw("sites", 3 * SECTORS).view(-1, SECTORS, 3)
    angle = (torch.arange(SECTORS) + u[..., 0] * 0.7 + draw("sites/turn")) * (2 * np.pi / SECTORS)
    reach = between(u[..., 1], 0.45, 1.0) * half
    active = torch.arange(SECTORS) < 1 + (draw("sites/count") * of("sectors")[:, None]).floor()
    reach = torch.where(active, reach, 1e4)
    return torch.stack([angle.cos() * reach, angle.sin() * reach], -1)


def _plan_rows(draw: Draws, of: _Of, urban: Tensor) -> dict[str, Tensor]:
    u = draw("rows", 4 * SECTORS * ROWS).view(len(urban), 4, -1)
    parcels = of("parcels")
    streets = choose(u[:, 3], of("streets")[:, None])
    return {
        "width": between(u[:, 0], parcels[:, :1], parcels[:, 1:]),
        "shift": u[:, 1] * 500,
        "slant": (u[:, 2] - 0.5) * 40 * (1 - urban),
        # An open border is a furrow's width of grass. Tracks, hedges and lanes are wider.
        "border": torch.tensor([1.2, 1.8, 3.5, 2.6])[streets] + urban * between(u[:, 1], 1.2, 3.2),
        "border surface": torch.tensor([NUMBERS[n] for n in ("verge", "track", "hedge", "asphalt")])[streets].float(),
    }


def _plan_cover(draw: Draws, of: _Of, urban: Float[Tensor, " batch"]) -> dict[str, Tensor]:
    """What holds for the whole scene: towns, woods and roads."""
    wide = between(draw("road/width")[:, 0], 3.2, 6.5) + urban * 2
    return {
        "urban": urban,
        "woods": of("woods") + between(draw("woods")[:, 0], -0.5, 0.5),
        "conifers": between(draw("conifers")[:, 0], -1.5, 1.5),
        "road": torch.where(draw("road")[:, 0] < of("road"), wide, -1.0),
    }


def _plan_sectors(draw: Draws, of: _Of) -> dict[str, Tensor]:
    u = draw("sectors", 4 * SECTORS).view(-1, 4, SECTORS)
    angle = (u[:, 0] * np.pi + draw("sectors/turn") * np.pi) * 0.5
    rows = of("rows")
    return {
        "cos": angle.cos(), "sin": angle.sin(), "along": u[:, 1] * 1000, "across": u[:, 2] * 1000,
        "depth": between(u[:, 3], rows[:, :1], rows[:, 1:]),
    }  # fmt: skip


def _plan_waters(draw: Draws, of: _Of, half: float) -> dict[str, Tensor]:
    u = draw("water", 12)
    present, lake = u[:, 0] < of("water"), u[:, 1] < of("lake")
    angle, bearing = u[:, 2] * 2 * np.pi, u[:, 3] * 2 * np.pi
    away = between(u[:, 4], 0.2, 1.1) * half
    river = between(u[:, 5] * u[:, 5], 7.0, 42.0)
    flood = (_what_changes(draw) == CHANGES.index("flood")).float() * between(u[:, 11], 14.0, 40.0)
    return {
        "lake": (lake & present).float(), "river": (~lake & present).float(),
        "lake x": bearing.cos() * away, "lake y": bearing.sin() * away,
        "lake radius": between(u[:, 6], 0.35, 1.0) * half * 0.9, "cos": angle.cos(), "sin": angle.sin(),
        "river half": river, "river offset": (u[:, 7] - 0.5) * half, "meander": between(u[:, 8], 10.0, 60.0),
        "meander length": between(u[:, 9], 250.0, 600.0), "meander phase": u[:, 10], "flood": flood,
    }  # fmt: skip


def _what_changes(draw: Draws) -> Tensor:
    """What happens to a scene between the dates, if the scene offers it: an index into CHANGES."""
    return choose(draw("change/kind")[:, 0], torch.tensor([0.30, 0.26, 0.18, 0.14, 0.12]))


def _plan_uses(draw: Draws, probabilities: Tensor) -> tuple[Tensor, Tensor]:
    before = choose(draw("uses", PARCELS), probabilities[:, None])
    kind, struck = _what_changes(draw)[:, None], draw("change/parcels", PARCELS)
    open_land = before <= GRASS
    built = torch.where(draw("change/built", PARCELS) < 0.6, HOUSES, HALLS)
    after = torch.where((kind == CHANGES.index("construction")) & open_land & (struck < 0.22), built, before)
    after = torch.where((kind == CHANGES.index("solar field")) & open_land & (struck < 0.2), SOLAR, after)
    return before, after


def _plan_parcels(draw: Draws, of: _Of, urban: Tensor) -> dict[str, Tensor]:
    u = draw("parcels", 6 * PARCELS).view(-1, 6, PARCELS)
    hedge = (u[:, 0] < of("hedges")[:, None]).float()
    cleared = (_what_changes(draw)[:, None] == CHANGES.index("clearing")) & (u[:, 1] < 0.3)
    side = torch.tensor([NUMBERS[name] for name in ("verge", "hedge", "asphalt")])
    return {
        "side": (1.0 + 2.4 * hedge) * (1 - urban) + 3.6 * urban,
        "side surface": side[(hedge * (1 - urban) + 2 * urban).long()].float(),
        "cleared": cleared.float(),
        "turned": (u[:, 2] < 0.3).float(),
        "row frequency": 1 / between(u[:, 3], 5.6, 9.0),
        "furrow": between(u[:, 4], 0.02, 0.15),
        "panel frequency": 1 / between(u[:, 5], 7.5, 10.0),
    }


def _plan_lots(draw: Draws) -> dict[str, Tensor]:
    """The first half of the lots holds houses, the second half halls. Sizes are shares of the lot."""
    u = draw("lots", 8 * LOTS).view(-1, 8, LOTS)
    hall = (torch.arange(LOTS) >= LOTS // 2).float()
    houses = choose(u[:, 0], torch.tensor([0, 0.46, 0.42, 0.08, 0.0, 0.0, 0.04, 0.0]))
    halls = choose(u[:, 0], torch.tensor([0, 0.03, 0.03, 0.2, 0.2, 0.2, 0.2, 0.14]))
    standing = u[:, 1] < 0.9 - 0.08 * hall
    infill = (_what_changes(draw)[:, None] == CHANGES.index("construction")) & (u[:, 2] < 0.3)
    return {
        "kind": torch.where(hall > 0, halls, houses).float(),
        "stands before": (standing & ~infill).float(),
        "stands after": standing.float(),
        "wide": between(u[:, 3], 0.26 + 0.04 * hall, 0.38 + 0.07 * hall),
        "deep": between(u[:, 4], 0.17 + 0.09 * hall, 0.27 + 0.13 * hall),
        "shift u": (u[:, 5] - 0.5) * 0.16 * (1 - hall),
        "shift v": (u[:, 6] - 0.5) * 0.2 * (1 - hall),
        "height": between(u[:, 7], 5.0, 9.0) + 3 * hall,
    }
