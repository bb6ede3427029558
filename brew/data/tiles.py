"""Cutting large images into tiles of one size."""

from brew.errors import BrewError


def tile_corners(height: int, width: int, tile: int, stride: int) -> list[tuple[int, int]]:
    """Upper left corners (y, x) of tiles that cover the whole image, the last of each row and column at the border."""
    if not 0 < stride <= tile:
        raise BrewError(f"a stride of {stride} between tiles of {tile} pixels; expected 1 to {tile}. Change `stride`")
    if min(height, width) < tile:
        raise BrewError(f"an image of {height} x {width} pixels; expected at least one tile of {tile}. Lower `tile`")

    def starts(size: int) -> list[int]:
        return [*range(0, size - tile, stride), size - tile]

    return [(y, x) for y in starts(height) for x in starts(width)]
