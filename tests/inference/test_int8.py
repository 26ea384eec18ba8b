"""Products of whole numbers against the same sums written out in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.inference.int8 import Int8Product, Int8Products, Int8Weights, Steps

LEAST = -0.17


@pytest.fixture(autouse=True)
def same_numbers_each_time():
    torch.manual_seed(5)


def spelled_out(rows: torch.Tensor, kept: Int8Weights, bits: int = 8) -> torch.Tensor:
    """Return the product of rounded inputs with rounded weights, in float64."""
    rows = rows.double()
    if kept.least is None:
        step = rows.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
        heard = torch.round(rows / step) * step
    else:
        low = rows.amin(1, keepdim=True)
        step = (rows.amax(1, keepdim=True) - low) / (2**bits - 1.1)
        heard = torch.round((rows - low) / step) * step + low
    weights = kept.weight.double() * kept.weight_scale.double()[:, None]
    return F.linear(heard, weights, kept.bias.double())


@pytest.mark.parametrize("least", [None, LEAST], ids=["either sign", "after a GELU"])
@pytest.mark.parametrize("bits", [8, 7])
def test_it_is_the_sum_of_rounded_numbers(monkeypatch, least, bits):
    monkeypatch.setattr(Steps, "of_this_processor", classmethod(lambda cls: cls(bits)))
    kept = Int8Weights.filled(nn.Linear(96, 40), least=least)
    rows = torch.randn(33, 96) * torch.logspace(-3, 3, 33)[:, None]
    rows = rows if least is None else F.gelu(rows)
    got = Int8Product([kept])(rows)
    wanted = spelled_out(rows, kept, bits)
    # A number on the edge between two steps may fall to either side in float32.
    step = rows.abs().amax(1, keepdim=True) / 2 ** (bits - 1) * kept.weight_scale * 127
    assert ((got - wanted).abs() <= step + 1e-4).all()
    assert (got - wanted).norm() / wanted.norm() < 1e-3


def test_weights_are_rounded_to_the_nearest_of_255_steps_for_each_output():
    layer = nn.Linear(50, 20)
    kept = Int8Weights.filled(layer)
    back = kept.weight * kept.weight_scale[:, None]
    assert ((back - layer.weight).abs() <= kept.weight_scale[:, None] * 0.5001).all()
    assert kept.weight.abs().amax(1).eq(127).all()
    assert torch.equal(kept.bias, layer.bias)


def test_the_bias_makes_up_for_what_rounding_does_to_the_mean():
    layer = nn.Linear(64, 32, bias=False)
    rows = torch.randn(200, 64) * 0.1 + torch.randn(64)
    exact = layer(rows)
    mean = rows.mean(0)
    errors = {
        "plain": Int8Product([Int8Weights.filled(layer)])(rows) - exact,
        "corrected": Int8Product([Int8Weights.filled(layer, mean=mean)])(rows) - exact,
    }
    off = {name: error.mean(0).norm() for name, error in errors.items()}
    assert off["corrected"] < 0.35 * off["plain"]


@pytest.mark.parametrize("least", [None, LEAST])
def test_a_frames_step_is_its_own(least):
    product = Int8Product([Int8Weights.filled(nn.Linear(64, 32), least=least)])
    rows = F.gelu(torch.randn(5, 64))
    alone = torch.cat([product(row[None]) for row in rows])
    torch.testing.assert_close(product(rows), alone)


@pytest.mark.parametrize("factor", [0.02, 1.0, 50.0])
def test_frames_after_a_gelu_have_all_steps_however_quiet(factor):
    layer = nn.Linear(256, 64, bias=False)
    rows = F.gelu(torch.randn(40, 256) * factor)
    exact = layer(rows)
    got = Int8Product([Int8Weights.filled(layer, least=LEAST)])(rows)
    assert (got - exact).norm() < 0.01 * exact.norm()


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_frame_of_one_number(value):
    layer = nn.Linear(64, 32)
    rows = torch.full((3, 64), value)
    got = Int8Product([Int8Weights.filled(layer, least=LEAST)])(rows)
    torch.testing.assert_close(got, layer(rows), atol=2e-3, rtol=0)


@pytest.mark.parametrize("least", [None, LEAST])
def test_columns_that_stand_out_do_not_cost_the_others_their_digits(least):
    layer = nn.Linear(256, 64)
    kept = Int8Weights.filled(layer, least=least)
    rows = F.gelu(torch.randn(40, 256))
    rows[:, [3, 77]] *= 1000
    # The weights' own rounding is no matter here.
    exact = F.linear(rows, kept.weight * kept.weight_scale[:, None], layer.bias)
    small = exact - F.linear(
        rows[:, [3, 77]], (kept.weight * kept.weight_scale[:, None])[:, [3, 77]]
    )
    error = (Int8Product([kept])(rows) - exact).norm() / small.norm()
    assert error < 0.02


def test_several_layers_are_one_product_side_by_side():
    layers = [nn.Linear(48, 16), nn.Linear(48, 24, bias=False), nn.Linear(48, 8)]
    kept = [Int8Weights.filled(layer) for layer in layers]
    rows = torch.randn(10, 48)
    side_by_side = torch.cat([Int8Product([one])(rows) for one in kept], dim=1)
    torch.testing.assert_close(Int8Product(kept)(rows), side_by_side)


@pytest.mark.parametrize(("kernel", "stride", "bias"), [(3, 2, True), (2, 2, False), (8, 4, True)])
def test_a_convolution(kernel, stride, bias):
    conv = nn.Conv1d(32, 48, kernel, stride, bias=bias)
    frames = F.gelu(torch.randn(61, 32))
    wanted = F.gelu(conv(frames.T[None])[0].T)
    kept = Int8Weights.filled(conv, least=LEAST)
    got = Int8Products().convolution(kept, gelu=True)(frames)
    assert got.shape == wanted.shape
    assert (got - wanted).norm() / wanted.norm() < 0.02


def test_silence_is_the_bias_and_what_is_not_a_number_stays_so():
    layer = nn.Linear(16, 8)
    product = Int8Product([Int8Weights.filled(layer)])
    rows = torch.zeros(2, 16)
    torch.testing.assert_close(product(rows), layer.bias.expand(2, 8))
    rows[1, 3] = torch.nan
    assert product(rows).isnan().all(1).tolist() == [False, True]


@pytest.mark.parametrize("is_narrow", [False, True])
def test_what_is_no_whole_number_is_a_float(monkeypatch, is_narrow):
    monkeypatch.setattr("w2v_cli.inference.int8.multiplies_bfloat16", lambda: is_narrow)
    layer, rows = nn.Linear(16, 8), torch.randn(4, 16)
    error = 2e-2 if is_narrow else 1e-5
    torch.testing.assert_close(
        Int8Products().linear([layer])(rows), layer(rows), atol=error, rtol=0
    )


@pytest.mark.parametrize("is_narrow", [False, True])
def test_light_convolutions_are_whole_numbers_where_bfloat16_is_not_multiplied(
    monkeypatch, is_narrow
):
    monkeypatch.setattr("w2v_cli.inference.int8.multiplies_bfloat16", lambda: is_narrow)
    conv, frames = nn.Conv1d(16, 8, 3, stride=2), F.gelu(torch.randn(41, 16))
    product = Int8Products({conv: LEAST}).convolution(conv)
    assert isinstance(product, Int8Product) != is_narrow
    exact = conv(frames.t()[None])[0].t()
    assert (product(frames) - exact).norm() < 0.01 * exact.norm()
