"""What is traced or exported hears padding as what is calculated at once does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn


class Logits(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)

    def forward(self, input_values: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_values, attention_mask=attention_mask).logits
        return logits


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_network_traced_without_padding_hears_it(pair, batch, norm):
    _, model = pair("ForCTC", norm)
    input_values, attention_mask = batch
    network = Logits(model).eval()
    whole = (input_values, torch.ones_like(attention_mask))
    traced = torch.jit.trace(network, whole, strict=False, check_trace=False)
    torch.testing.assert_close(traced(*batch), network(*batch))


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_network_is_exported_with_a_mask(pair, batch, norm):
    _, model = pair("ForCTC", norm)
    network = Logits(model).eval()
    exported = torch.export.export(network, batch).module()
    whole = (batch[0], torch.ones_like(batch[1]))
    for given in (batch, whole):
        torch.testing.assert_close(exported(*given), network(*given))
