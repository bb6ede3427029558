"""Kinds of scenes: what land is used for, how it is divided, and how much wood and water it holds."""

from dataclasses import dataclass

#: What a parcel is used for, in the order of its numbers.
USES = ("crop", "soil", "grass", "forest", "houses", "halls", "solar")
CROP, SOIL, GRASS, FOREST, HOUSES, HALLS, SOLAR = range(len(USES))


@dataclass(frozen=True)
class SceneKind:
    """One kind of scene: what it is made of, lengths in metres as (low, high)."""

    uses: tuple[float, ...]  # probability of each of USES
    rows: tuple[float, float]  # width of a row of parcels
    parcels: tuple[float, float]  # length of a parcel along its row
    sectors: int  # at most
    streets: tuple[float, float, float, float]  # probability that a row's border is open, track, hedge, lane
    hedges: float  # probability of a hedge along a parcel's sides
    woods: float  # share of woods that ignore parcels, in standard deviations of the field (higher: fewer)
    water: float  # probability of a river or lake
    lake: float  # probability that the water is a lake
    bend: float  # how far roads and borders wander
    road: float  # probability that sector borders carry a road


SCENE_KINDS: dict[str, SceneKind] = {
    "arable": SceneKind(
        (0.74, 0.13, 0.08, 0.03, 0.02, 0.0, 0.0), (80.0, 170.0), (60.0, 200.0), 3,
        (0.45, 0.3, 0.1, 0.15), 0.12, 2.0, 0.15, 0.2, 14.0, 0.8
    ),
    "pasture": SceneKind(
        (0.10, 0.03, 0.77, 0.06, 0.04, 0.0, 0.0), (55.0, 110.0), (55.0, 130.0), 4,
        (0.2, 0.1, 0.5, 0.2), 0.65, 1.3, 0.2, 0.3, 20.0, 0.7
    ),
    "forest": SceneKind(
        (0.02, 0.03, 0.15, 0.80, 0.0, 0.0, 0.0), (110.0, 200.0), (100.0, 260.0), 3,
        (0.55, 0.35, 0.0, 0.1), 0.0, 0.2, 0.15, 0.5, 26.0, 0.45
    ),
    "village": SceneKind(
        (0.30, 0.06, 0.22, 0.06, 0.36, 0.0, 0.0), (62.0, 84.0), (70.0, 150.0), 4,
        (0.1, 0.2, 0.2, 0.5), 0.3, 1.7, 0.15, 0.2, 12.0, 1.0
    ),
    "residential": SceneKind(
        (0.0, 0.02, 0.08, 0.03, 0.84, 0.03, 0.0), (60.0, 72.0), (90.0, 160.0), 3,
        (0.0, 0.0, 0.0, 1.0), 0.0, 2.3, 0.1, 0.2, 6.0, 1.0
    ),
    "industrial": SceneKind(
        (0.03, 0.08, 0.10, 0.02, 0.05, 0.72, 0.0), (90.0, 140.0), (100.0, 190.0), 2,
        (0.0, 0.0, 0.0, 1.0), 0.0, 2.4, 0.1, 0.1, 0.0, 1.0
    ),
    "waterside": SceneKind(
        (0.24, 0.04, 0.42, 0.20, 0.10, 0.0, 0.0), (60.0, 120.0), (60.0, 150.0), 3,
        (0.4, 0.2, 0.2, 0.2), 0.2, 1.1, 1.0, 0.6, 18.0, 0.6
    ),
    "solar": SceneKind(
        (0.22, 0.08, 0.24, 0.04, 0.02, 0.0, 0.40), (100.0, 170.0), (110.0, 230.0), 3,
        (0.3, 0.4, 0.15, 0.15), 0.1, 1.9, 0.05, 0.3, 8.0, 0.7
    ),
}  # fmt: skip
