"""Both ways of embedding a scene give the same features where no tile ends."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import embedding
from brew.models.student import build_student


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own
def test_both_ways_give_the_same_features_of_one_tile(tmp_path: Path) -> None:
    path, student = embedding.generate(tmp_path / "scene.tif", 256), build_student("swin-nano", seed=0).eval()
    one, other = (way(path, student, 8) for way in (embedding.ours, embedding.overlapping_tiles))
    np.testing.assert_allclose(one, other, atol=1e-5)
