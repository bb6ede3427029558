"""Images cut into tiles, and tiles blended into scenes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.data.tiles import Scene, blend_window, lay, stitch, tile_corners
from brew.errors import BrewError


def _scene(height: int, width: int, tile: int, stride: int) -> Scene:
    corners = np.array(tile_corners(height, width, tile, stride))
    return Scene("scene", height, width, np.arange(len(corners)), corners[:, 0], corners[:, 1])


def _cut(image: np.ndarray, scene: Scene, tile: int) -> np.ndarray:
    return np.stack([image[r : r + tile, c : c + tile] for r, c in zip(scene.row, scene.column, strict=True)])


@given(st.integers(16, 50), st.integers(16, 50), st.integers(4, 16))
def test_tiles_of_one_image_give_that_image(height, width, stride):
    scene = _scene(height, width, 16, stride)
    generator = np.random.default_rng(0)
    image = generator.random((height, width))
    assert np.allclose(stitch(_cut(image, scene, 16), scene), image)
    labels = generator.integers(0, 2, (height, width))
    assert (lay(_cut(labels, scene, 16), scene) == labels).all()


def test_a_tile_fades_towards_its_border():
    scene = Scene("scene", 16, 24, np.arange(2), np.array([0, 0]), np.array([0, 8]))
    across = stitch(np.stack([np.zeros((16, 16)), np.ones((16, 16))]), scene)[8]
    assert (np.diff(across) >= 0).all()
    assert np.diff(across).max() < 0.25
    assert (across[0], across[-1]) == (0, 1)
    assert (blend_window(5, 8) > 0).all()


def test_gaps_overhangs_and_contradictions_are_refused():
    gap = Scene("gap", 16, 24, np.arange(1), np.array([0]), np.array([0]))
    with pytest.raises(BrewError, match="row 0, column 16"):
        stitch(np.zeros((1, 16, 16)), gap)
    over = Scene("over", 16, 16, np.arange(1), np.array([4]), np.array([0]))
    with pytest.raises(BrewError, match="row 4"):
        stitch(np.zeros((1, 16, 16)), over)
    scene = Scene("scene", 16, 24, np.arange(2), np.array([0, 0]), np.array([0, 8]))
    with pytest.raises(BrewError, match="disagree"):
        lay(np.stack([np.zeros((16, 16), dtype=int), np.ones((16, 16), dtype=int)]), scene)
