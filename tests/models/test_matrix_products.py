"""Products in 16 bit are the same whether the processor has units for them or float32 stands in."""

import pytest
import torch
from torch import nn

from brew.models import matrix_products


@pytest.mark.parametrize("units", [True, False])
def test_a_product_is_that_of_rounded_factors_rounded(units: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_products, "has_units", lambda dtype: units)
    torch.manual_seed(0)
    x, weight, bias = torch.randn(5, 8).bfloat16(), torch.randn(3, 8), torch.randn(3)
    expected = x.double() @ weight.double().t()
    found = matrix_products.product(x, weight.t(), torch.bfloat16)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=0.05)
    found = matrix_products.linear(x, weight, bias, torch.bfloat16)
    torch.testing.assert_close(found.double(), expected + bias, rtol=0.02, atol=0.05)


def test_a_layer_without_units_computes_in_float32_and_gives_what_autocast_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matrix_products, "has_units", lambda dtype: dtype != torch.bfloat16)
    layer, x = nn.Linear(4, 3), torch.randn(2, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = matrix_products.applied(layer, x)
    assert torch.equal(found, layer(x).bfloat16())
    assert torch.equal(matrix_products.applied(layer, x), layer(x))
