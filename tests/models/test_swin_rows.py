"""Rows of a Swin's map are those of the whole map, wherever they are cut."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from brew.models.swin import Swin
from brew.models.swin_rows import swin_rows


class Given:
    """Tokens that are there already."""

    def __init__(self, tokens: Float[Tensor, "y x channel"]):
        self.tokens, self.height = tokens, len(tokens)

    def take(self, start: int, stop: int) -> Float[Tensor, "y x channel"]:
        assert 0 <= start < stop <= self.height
        return self.tokens[start:stop]


def trunk(window: int, depths: tuple[int, ...]) -> Swin:
    """With biases and weights so large that a wrong neighbour, or a padding that is missing, shows."""
    torch.manual_seed(0)
    built = Swin(8, depths, (1, 1, 2, 2), window).eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return built


@pytest.mark.parametrize(("window", "depths"), [(4, (2, 2, 2, 2)), (7, (1, 2, 4, 2)), (12, (2, 2, 3, 2))])
@pytest.mark.parametrize(("height", "width"), [(8, 24), (56, 8), (136, 48)])
@torch.inference_mode()
def test_rows_are_those_of_the_whole_map(window: int, depths: tuple[int, ...], height: int, width: int) -> None:
    built, tokens = trunk(window, depths), torch.randn(height, width, 8)
    maps = built(tokens[None]).maps
    for stride, pixels in ((8, 128), (16, 32), (32, 64)):
        expected = maps[f"stride{stride}"][0].permute(1, 2, 0)
        rows = swin_rows(built, Given(tokens), stride, pixels)
        starts = range(0, rows.height, 5)
        found = torch.cat([rows.take(start, min(start + 5, rows.height)) for start in starts])
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
        # Whoever goes on in the middle gets the same bits.
        half = rows.height // 2
        assert torch.equal(swin_rows(built, Given(tokens), stride, pixels).take(half, rows.height), found[half:])
