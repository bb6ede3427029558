"""Labels of the scenes at 10 m (roofs on the optical grid), read off the land cover."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from brew.data.miniature import materials
from brew.data.miniature.arithmetic import equals, positive, put
from brew.data.miniature.grid import Grid
from brew.data.miniature.ground import Ground
from brew.data.miniature.land_cover import LandCover
from brew.data.miniature.legends import CHANGES, CROPS, GROUPS, IGNORE, MATERIALS, PRESENT
from brew.data.miniature.planning import Plan
from brew.data.miniature.scene_kinds import FOREST, SOLAR


def label_scenes(
    products: Sequence[str], plan: Plan, ground: Ground, grid: Grid, covers: Sequence[LandCover]
) -> dict[str, Tensor]:
    """The labels among `products`. covers: of each date; `change` tells the first from the last."""
    first, looks, labels = covers[0], plan.looks[0], {}
    if {"materials", "scene_labels"} & set(products):
        labels["materials"], _ = _majority(first.look(looks["material"]), len(MATERIALS), grid)
        labels["scene_labels"] = _presence(labels["materials"])
    if "materials_by_date" in products:
        dated = [
            _majority(cover.look(table["material"]), len(MATERIALS), grid)[0]
            for cover, table in zip(covers, plan.looks, strict=True)
        ]
        labels["materials_by_date"] = torch.stack(dated, 1)
    if "crops" in products:
        label, share = _majority(first.look(looks["crop"]).clamp_max(len(CROPS)), len(CROPS), grid)
        labels["crops"] = torch.where(share > 0.5, label, IGNORE)
    if "crops_year" in products:
        label, share = _majority(first.look(looks["crop"]).clamp_max(len(CROPS)), len(CROPS), grid)
        labels["crops_year"] = torch.where(share > 0.5, label, IGNORE)
    if "roofs" in products:
        labels["roofs"] = first.roof.to(torch.uint8)
    if "change" in products:
        label, share = _majority(_changes(ground, first, covers[-1]) - 1, len(CHANGES) - 1, grid)
        labels["change"] = torch.where(share > 0.5, label + 1, 0)
    return {name: labels[name] for name in products if name in labels}


def _changes(ground: Ground, first: LandCover, last: LandCover) -> Tensor:
    """What changed between two dates, as numbers in CHANGES on the optical grid."""
    dry = (1 - last.wet) * (1 - ground.road) * (1 - positive(ground.border + 0.5))
    was, now = first.use, last.use
    became = 1 - equals(was - now, 0)
    built = became * positive(now - FOREST) * positive(SOLAR - now) * dry
    # A building counts with its outline if only one lot was filled.
    built = torch.maximum(built, positive(last.roof) * (1 - positive(first.roof)))
    kind = built * CHANGES.index("construction")
    kind = put(kind, last.cleared * (1 - built), float(CHANGES.index("clearing")))
    kind = put(kind, became * equals(now, SOLAR) * dry, float(CHANGES.index("solar field")))
    return put(kind, positive(last.wet - first.wet), float(CHANGES.index("flood")))


def _majority(fine: Tensor, classes: int, grid: Grid) -> tuple[UInt8[Tensor, "batch y x"], Float[Tensor, "batch y x"]]:
    """The class that most optical pixels of each 10 m pixel hold, and its share. Other values count for no class."""
    best = torch.zeros(len(fine), grid.size, grid.size, device=fine.device)
    label = torch.zeros_like(best)
    for number in range(classes):
        share = grid.average(equals(fine, number), grid.ratio)
        label = put(label, positive(share - best), float(number))
        best = torch.maximum(best, share)
    return label.to(torch.uint8), best


def _presence(label: UInt8[Tensor, "batch y x"]) -> UInt8[Tensor, "batch group"]:
    """1 if a group of materials covers at least PRESENT of the scene, else 0."""
    entries = list(materials.MATERIALS.values())
    parts = []
    for group in GROUPS:
        members = torch.tensor([entry.group == group for entry in entries], device=label.device)
        parts.append(members.index_select(0, label.flatten().int()).view(len(label), -1).float().mean(1) >= PRESENT)
    return torch.stack(parts, 1).to(torch.uint8)
