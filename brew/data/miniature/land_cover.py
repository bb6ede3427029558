"""What covers the ground on one date: trees, buildings, solar rows, water and roads, with light and shade.

Later surfaces cover earlier ones: parcels, then trees, buildings, borders, water, and roads (so bridges) last.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from brew.data.miniature.arithmetic import Lookup, equals, positive, put, total, triangle_wave
from brew.data.miniature.draws import Draws
from brew.data.miniature.grid import Grid
from brew.data.miniature.ground import Ground
from brew.data.miniature.lots import divide_into_lots, raise_buildings
from brew.data.miniature.planning import Plan
from brew.data.miniature.scene_kinds import FOREST, HALLS, HOUSES, SOLAR
from brew.data.miniature.sun import sun_direction, toward_sun
from brew.data.miniature.surfaces import LEVELLED, NUMBERS, SURFACES


@dataclass(frozen=True)
class LandCover:
    """What covers the ground on one date, as images (batch, fine y, fine x). Masks are 0.0 or 1.0."""

    index: Tensor  # surface: parcel, common surface or lot
    look: Lookup
    shade: Tensor  # brightness relative to the palette
    roof: Tensor  # number in ROOFS
    use: Tensor  # number in USES
    wet: Tensor
    cleared: Tensor


def cover_ground(plan: Plan, ground: Ground, grid: Grid, draw: Draws, date: int) -> LandCover:
    """The land cover of the planned scenes on one of the plan's dates."""
    changed = plan.moments[date].changed[:, None, None].to(grid.device)
    use = ground.parcels(plan.uses[date].float())
    sun = sun_direction(draw, plan.moments[date]).to(grid.device)
    lots = divide_into_lots(plan, ground, use)
    buildings = raise_buildings(plan, ground, lots, sun, positive(use - FOREST) * positive(SOLAR - use), date)
    panel_rows = triangle_wave((grid.y + grid.x * 0.05) * ground.parcels(plan.parcel["panel frequency"]))
    panels = _panels(ground, grid, use, panel_rows)
    wood = ground.wood * (1 - positive(use - FOREST))  # ignores parcels, but not towns
    cleared = ground.parcels(plan.parcel["cleared"]) * torch.maximum(wood, equals(use, FOREST)) * changed

    index = _with_trees(ground, use, wood)
    index = _cover(index, equals(use, HALLS) * positive(ground.grain - 0.965), "marking")  # vehicles
    drives = ground.within * positive(1.3 - (lots.u - 6).abs()) * positive(lots.v) * positive(lots.beyond_v)
    index = _cover(index, equals(use, HOUSES) * drives, "path")
    index = _cover(index, panels, "panels")
    index = put(index, positive(ground.border + 0.5), ground.border)
    index = _cover(index, cleared, "stumps")
    index = put(index, buildings.stands, lots.number + LEVELLED)
    flood = plan.one["flood"].to(grid.device) * changed * (1 + 0.3 * ground.patches)
    wet = positive(flood - ground.shore)
    index = _with_water(ground, index, wet, buildings.stands)
    dry_road = ground.road * torch.maximum(1 - wet, positive(-ground.shore))
    index = _cover(index, dry_road, "asphalt")
    index = _cover(index, dry_road * ground.marking, "marking")

    open_ground = (1 - wet) * (1 - dry_road)
    building = buildings.stands * open_ground
    look = Lookup(index, SURFACES)
    shade = _texture(plan, ground, grid, look, sun, date)
    shade = shade * put(torch.ones_like(shade), buildings.shadow * (1 - dry_road), 0.42)
    shade = put(shade, building, buildings.shade * (1 + 0.05 * ground.grain))
    shade = put(shade, panels * open_ground, 1 + 0.25 * panel_rows)
    return LandCover(index, look, shade, buildings.kind * building, use, wet, cleared * open_ground)


def _cover(index: Tensor, mask: Tensor, name: str) -> Tensor:
    """`index` with a common surface where the mask is 1."""
    return put(index, mask, float(NUMBERS[name]))


def _with_trees(ground: Ground, use: Tensor, wood: Tensor) -> Tensor:
    """Parcels, with woods over them and with crowns in gardens where the canopy stands out."""
    kind = NUMBERS["broadleaves"] + ground.conifers * (NUMBERS["conifers"] - NUMBERS["broadleaves"])
    index = put(ground.parcel, wood, kind)
    return _cover(index, equals(use, HOUSES) * positive(ground.canopy - 0.75), "garden trees")


def _panels(ground: Ground, grid: Grid, use: Tensor, rows: Tensor) -> Tensor:
    """Rows of solar panels, with service roads between them."""
    service = positive(triangle_wave((grid.x - grid.y * 0.05) * 0.013) + 0.9)
    return equals(use, SOLAR) * ground.within * positive(rows + 0.35) * service


def _with_water(ground: Ground, index: Tensor, wet: Tensor, building: Tensor) -> Tensor:
    """Water with its banks and fringe of trees. What was land on the first date is a flood."""
    bank = positive(5 - ground.shore) * positive(ground.patches + 0.3)
    fringe = positive(16 - ground.shore) * positive(ground.canopy + ground.patches * 0.5 - 0.2) * (1 - building)
    index = _cover(index, fringe, "hedge")
    index = _cover(index, bank, "bank")
    index = _cover(index, wet, "water")
    return _cover(index, wet * positive(ground.shore), "flood")


def _texture(plan: Plan, ground: Ground, grid: Grid, look: Lookup, sun: Tensor, date: int) -> Tensor:
    """Brightness of crowns, furrows, wheel tracks and grain, with the shadows that trees throw."""
    looks = plan.looks[date]
    crown, rough, furrow = (look(looks[name]) for name in ("crown", "rough", "furrow"))
    position = put(ground.across, ground.parcels(plan.parcel["turned"]), ground.along)
    lines = triangle_wave(position * ground.parcels(plan.parcel["row frequency"]))
    tracks = positive(triangle_wave(position * 0.042).sub_(0.84)).sub_(0.08)
    trees = positive(crown - 0.4)
    shadow = toward_sun(trees, max(1, round(5 / grid.step))).sub_(trees).clamp_min_(0)
    shade = total((
        crown.mul_(ground.relief),
        rough.mul_(ground.grain),
        lines.mul_(ground.parcels(plan.parcel["furrow"])).sub_(tracks.mul_(0.16)).mul_(furrow).add_(1),
    ))  # fmt: skip
    shade.mul_(shadow.mul_(-0.22 - 0.2 * sun[2]).add_(1)).add_(ground.patches * 0.03)
    return shade.clamp_(0.22, 2.2)
