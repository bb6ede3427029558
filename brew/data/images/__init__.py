"""Whatever people bring as ten named Sentinel-2 bands on one grid, by windows, with a record of what was assumed."""

from brew.data.images.opening import open_image
from brew.data.images.scene_image import Image

__all__ = ["Image", "open_image"]
