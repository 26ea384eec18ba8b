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


@pytest.fixture(params=["sdpa", "eager"])
def network(request, pair):
    _, model = pair("ForCTC", "layer")
    model.set_attn_implementation(request.param)
    return Logits(model).eval()


@pytest.fixture
def shorter_and_longer(batch):
    """Batches of two other lengths, and of the same number of recordings."""
    shorter = tuple(values[:, :3000] for values in batch)
    longer = tuple(torch.cat([values, values.flip(0)], dim=1) for values in batch)
    return [shorter, (longer[0], torch.ones_like(longer[1]))]


# torch.jit is deprecated, and still what many deploy.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_network_takes_other_lengths(network, batch, shorter_and_longer):
    traced = torch.jit.trace(network, batch, strict=False, check_trace=False)
    for given in shorter_and_longer:
        torch.testing.assert_close(traced(*given), network(*given))


def test_an_exported_network_takes_other_lengths(network, batch, shorter_and_longer):
    changing = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    shapes = {"input_values": changing, "attention_mask": changing}
    exported = torch.export.export(network, batch, dynamic_shapes=shapes).module()
    for given in shorter_and_longer:
        torch.testing.assert_close(exported(*given), network(*given))


def test_a_compiled_network_is_not_compiled_for_each_length(pair):
    _, model = pair("ForCTC", "layer")
    graphs = []

    def count(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    compiled = torch.compile(model.eval(), backend=count)
    with torch.no_grad():
        for n_samples in range(3000, 9000, 1280):
            compiled(torch.randn(1, n_samples))
    assert len(graphs) <= 3
