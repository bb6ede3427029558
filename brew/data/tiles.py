"""Tiles of one size: where they are cut from a large image, and the whole scene from overlapping tiles.

Each tile fades towards its border, so that a blended scene shows no seam.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64, Integer

from brew.errors import BrewError


def tile_corners(height: int, width: int, tile: int, stride: int) -> list[tuple[int, int]]:
    """Upper left corners (y, x) of tiles that cover the whole image, the last of each row and column at the border.

    Sizes and `stride` are pixels. Raises BrewError for a stride that leaves gaps and an image smaller than a tile.
    """
    if not 0 < stride <= tile:
        raise BrewError(f"a stride of {stride} between tiles of {tile} pixels; expected 1 to {tile}. Change `stride`")
    if min(height, width) < tile:
        raise BrewError(f"an image of {height} x {width} pixels; expected at least one tile of {tile}. Lower `tile`")

    def starts(size: int) -> list[int]:
        return [*range(0, size - tile, stride), size - tile]

    return [(y, x) for y in starts(height) for x in starts(width)]


@dataclass(frozen=True)
class Scene:
    """One scene and where its tiles lie. samples: indices of the tiles. row, column: of each tile's first pixel."""

    name: str
    height: int
    width: int
    samples: Int64[np.ndarray, " tile"]
    row: Integer[np.ndarray, " tile"]
    column: Integer[np.ndarray, " tile"]

    def enlarged(self, times: int) -> "Scene":
        """The scene on a grid that many times as fine, such as that of images finer than their labels."""
        return Scene(
            self.name, times * self.height, times * self.width, self.samples, times * self.row, times * self.column
        )


def blend_window(height: int, width: int) -> Float[np.ndarray, "height width"]:
    """Weights of a tile's pixels: squared sines, one in the middle and small but never zero at the border."""
    across = [np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2 for side in (height, width)]
    return np.outer(*across)


def stitch(tiles: Float[np.ndarray, "tile y x"], scene: Scene) -> Float[np.ndarray, "height width"]:
    """The weighted mean of all tiles that cover a pixel; BrewError if a pixel is covered by none."""
    weights = blend_window(*tiles.shape[1:])
    total, weight = np.zeros((scene.height, scene.width)), np.zeros((scene.height, scene.width))
    for tile, place in zip(tiles, _places(tiles.shape, scene), strict=True):
        total[place] += weights * tile
        weight[place] += weights
    _check_covered(weight > 0, scene)
    return total / weight


def lay(tiles: Integer[np.ndarray, "tile y x"], scene: Scene) -> Integer[np.ndarray, "height width"]:
    """A scene's labels from its tiles' labels; BrewError if two tiles disagree or none covers a pixel."""
    laid = np.zeros((scene.height, scene.width), dtype=tiles.dtype)
    covered = np.zeros(laid.shape, dtype=bool)
    for tile, place in zip(tiles, _places(tiles.shape, scene), strict=True):
        if (laid[place] != tile)[covered[place]].any():
            raise BrewError(f"tiles of {scene.name!r} disagree where they overlap; expected cuts of one label image")
        laid[place], covered[place] = tile, True
    _check_covered(covered, scene)
    return laid


def _places(shape: tuple[int, ...], scene: Scene) -> list[tuple[slice, slice]]:
    height, width = shape[1:]
    outside = (scene.row < 0) | (scene.column < 0)
    outside |= (scene.row + height > scene.height) | (scene.column + width > scene.width)
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        raise BrewError(
            f"tile {first} of {scene.name!r} starts at row {scene.row[first]}, column {scene.column[first]} with "
            f"{height} x {width} pixels; expected tiles within {scene.height} x {scene.width}. Correct the places"
        )
    return [
        (slice(row, row + height), slice(column, column + width))
        for row, column in zip(scene.row.tolist(), scene.column.tolist(), strict=True)
    ]


def _check_covered(covered: np.ndarray, scene: Scene) -> None:
    if not covered.all():
        row, column = np.argwhere(~covered)[0]
        raise BrewError(
            f"{(~covered).sum()} pixels of {scene.name!r} (first: row {row}, column {column}) lie in no tile; "
            "expected tiles that cover the scene"
        )
