from __future__ import annotations

import pytest
import torch

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC
from w2v_cli.model.dropout import Dropout, dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.05, 0.1, 0.5])
def test_so_many_are_dropped_and_the_mean_stays(p, dtype):
    torch.manual_seed(0)
    dropped = Dropout(p)(torch.ones(301, 1001, dtype=dtype))
    assert dropped.dtype == dtype
    zero, kept = dropped.unique().tolist()
    assert zero == 0
    assert kept == pytest.approx(1 / (1 - p), rel=2e-5 if dtype == torch.float32 else 4e-3)
    n = dropped.numel()
    share = (dropped == 0).double().mean().item()
    assert share == pytest.approx(p, abs=4 * (p * (1 - p) / n) ** 0.5)
    by_place = (dropped == 0).double()
    for each in (by_place.mean(0), by_place.mean(1)):  # no pattern along rows or columns
        assert each.std().item() == pytest.approx((p * (1 - p) / (n / len(each))) ** 0.5, rel=0.2)


def test_the_seed_decides():
    layer, zeros = Dropout(0.3), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        zeros.append((layer(torch.ones(5, 7, 3)), layer(torch.ones(5, 7, 3))))
    assert torch.equal(zeros[0][0], zeros[1][0])
    assert torch.equal(zeros[0][1], zeros[1][1])
    assert not torch.equal(zeros[0][0], zeros[0][1])
    assert not torch.equal(zeros[0][0], zeros[2][0])


def test_gradients_go_where_the_values_went():
    given = torch.randn(4, 50, requires_grad=True)
    dropped = dropout(given, 0.4, training=True)
    dropped.sum().backward()
    torch.testing.assert_close(given.grad * given.detach(), dropped.detach())


def test_nothing_is_dropped_otherwise_and_all_with_one():
    given = torch.randn(3, 5)
    assert dropout(given, 0.5, training=False) is given
    assert dropout(given, 0.0, training=True) is given
    assert torch.equal(Dropout(0.5).eval()(given), given)
    assert not dropout(given, 1.0, training=True).any()
    assert dropout(given[:0], 0.5, training=True).shape == (0, 5)


def test_the_whole_network_drops_like_that(monkeypatch):
    """Each place that the configuration names, and attention too, which torch would do itself."""
    shares = {
        "hidden_dropout": 0.11,
        "activation_dropout": 0.12,
        "attention_dropout": 0.13,
        "feat_proj_dropout": 0.14,
        "final_dropout": 0.15,
    }
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 48}
    layers = {"conv_dim": [16, 16], "conv_kernel": [10, 8], "conv_stride": [5, 4]}
    config = Wav2Vec2Config(**shares, **sizes, **layers, num_attention_heads=4, layerdrop=0.0)
    config.num_conv_pos_embeddings, config.num_conv_pos_embedding_groups = 8, 4
    model = Wav2Vec2ForCTC(config).train()
    seen = []

    def count(hidden_states, p, *, training):
        seen.append(p)
        return hidden_states

    monkeypatch.setattr("w2v_cli.model.dropout.dropout", count)
    monkeypatch.setattr("w2v_cli.model.attention.dropout", count)
    model(torch.randn(2, 4000))
    assert sorted(seen) == sorted([0.14, 0.15, 0.11, *2 * [0.11, 0.11, 0.12, 0.13]])
