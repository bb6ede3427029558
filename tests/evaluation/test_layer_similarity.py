"""Numbers of the comparison of layers: what is refused. Its results are tested with the stage `similarity`."""

import pytest

from brew.errors import BrewError
from brew.evaluation.layer_similarity import SimilaritySettings


def test_a_stride_that_no_layer_has_is_refused() -> None:
    def settings(*strides: int) -> SimilaritySettings:
        return SimilaritySettings(test=8, train=8, side=64, grid=2, halves=9, seed=0, strides=strides)

    assert settings(4, 32).strides == (4, 32)
    with pytest.raises(BrewError, match=r"similarity\.strides: found 5; expected some of 4, 8, 16, 32"):
        settings(4, 5)
