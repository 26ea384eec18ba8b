from __future__ import annotations

import itertools
import sys
import types

import pytest
import torch

from w2v_cli import Wav2Vec2Config, Wav2Vec2Model
from w2v_cli.model.attention import Wav2Vec2Attention


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_eager_and_sdpa_agree(pair, batch, norm):
    _, model = pair("ForCTC", norm)
    model = model.double()
    given = {"attention_mask": batch[1]}
    outputs = []
    for name in ("eager", "sdpa"):
        model.set_attn_implementation(name)
        with torch.no_grad():
            outputs.append(model(batch[0].double(), **given).logits)
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=1e-12)


def test_attention_weights_asked_of_sdpa_name_eager(pair, batch):
    _, model = pair("Model", attn_implementation="sdpa")
    with pytest.raises(ValueError, match="attn_implementation='eager'"):
        model(batch[0], output_attentions=True)
    model.set_attn_implementation("eager")
    assert len(model(batch[0], output_attentions=True).attentions) == 3


def test_where_nothing_was_chosen_attention_weights_come_from_eager(pair, batch):
    _, model = pair("Model")
    assert model.config._attn_implementation == "sdpa"
    by_default = model(batch[0], output_attentions=True).attentions
    model.config.output_attentions = True
    assert model.config._attn_implementation == "eager"
    for got, expected in zip(by_default, model(batch[0]).attentions, strict=True):
        assert torch.equal(got, expected)


def test_an_unknown_implementation_lists_the_known_ones():
    with pytest.raises(ValueError, match="eager, sdpa, flash_attention_2"):
        Wav2Vec2Model(Wav2Vec2Config(attn_implementation="fast"))


def test_flash_attention_without_its_package_or_a_gpu_says_what_runs(pair, monkeypatch):
    _, model = pair("Model")
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    with pytest.raises(ImportError, match="'sdpa' here, or: pip install flash-attn"):
        model.set_attn_implementation("flash_attention_2")
    fake = types.ModuleType("flash_attn")
    fake.__spec__ = types.SimpleNamespace(name="flash_attn")  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "flash_attn", fake)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ImportError, match="CUDA device"):
        model.set_attn_implementation("flash_attention_2")
    assert model.config._attn_implementation == "sdpa"


def test_flash_attention_leaves_padding_out(monkeypatch):
    """The packing around the kernel, with a plain kernel in its place: the same as sdpa."""

    def varlen(query, key, value, *, cu_seqlens_q, softmax_scale, **_):
        attended = torch.empty_like(query)
        for start, end in itertools.pairwise(cu_seqlens_q):
            q, k, v = (x[start:end].transpose(0, 1).float() for x in (query, key, value))
            weights = (q @ k.transpose(1, 2) * softmax_scale).softmax(-1)
            attended[start:end] = (weights @ v).transpose(0, 1).to(query.dtype)
        return attended

    def whole(query, key, value, **options):
        ends = torch.arange(len(query) + 1) * query.shape[1]
        packed = varlen(
            *(x.flatten(0, 1) for x in (query, key, value)), cu_seqlens_q=ends, **options
        )
        return packed.view(query.shape)

    fake = types.ModuleType("flash_attn")
    fake.flash_attn_func = whole  # type: ignore[attr-defined]
    fake.flash_attn_varlen_func = varlen  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", fake)
    torch.manual_seed(0)
    config = Wav2Vec2Config(attn_implementation="sdpa")
    attention = Wav2Vec2Attention(32, 4, config=config).to(torch.bfloat16).eval()
    hidden_states = torch.randn(3, 9, 32, dtype=torch.bfloat16)
    real = torch.arange(9)[None] < torch.tensor([9, 5, 1])[:, None]
    for mask in (real, None):
        config._attn_implementation = "sdpa"
        expected, _ = attention(hidden_states, mask)
        config._attn_implementation = "flash_attention_2"
        got, _ = attention(hidden_states, mask)
        counted = torch.ones_like(real) if mask is None else mask
        torch.testing.assert_close(got[counted], expected[counted], rtol=2e-2, atol=2e-2)
    with pytest.raises(ValueError, match="float16 or bfloat16"):
        attention.float()(hidden_states.float(), real)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="divisible"):
        Wav2Vec2Attention(30, 4)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("window", [1, 3, 70, 99, 1000])
def test_a_window_is_attention_to_what_is_near(implementation, window):
    config = Wav2Vec2Config(attn_implementation=implementation)
    torch.manual_seed(window)
    attention = Wav2Vec2Attention(8, 2, config=config).double().eval()
    attention.window = window
    hidden_states = torch.randn(2, 150, 8, dtype=torch.float64)
    lengths = torch.tensor([150, 40])
    mask = torch.arange(150)[None] < lengths[:, None]
    with torch.no_grad():
        for given in (None, mask):
            got, _ = attention(hidden_states, given)
            assert torch.isfinite(got).all()  # padding, too, is far from all that is real
            for row, frame in itertools.product(range(2), (0, 1, 39, 63, 64, 100, 149)):
                end = 150 if given is None else int(lengths[row])
                if frame < end:
                    near = slice(max(frame - window, 0), min(frame + window + 1, end))
                    expected = by_hand(
                        attention, hidden_states[row, frame], hidden_states[row, near]
                    )
                    torch.testing.assert_close(got[row, frame], expected)


def by_hand(attention, query_state, near):
    """Return what one frame attends to, head by head."""
    query, keys = attention.q_proj(query_state), attention.k_proj(near)
    values = attention.v_proj(near)
    heads = []
    for head in range(attention.num_heads):
        part = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
        weights = (keys[:, part] @ query[part] * attention.scaling).softmax(0)
        heads.append(weights @ values[:, part])
    return attention.out_proj(torch.cat(heads))


def test_a_window_is_set_for_every_layer_and_taken_back(pair, batch):
    _, model = pair("ForCTC", "layer")
    with torch.no_grad():
        published = model(batch[0], attention_mask=batch[1]).logits
        model.attention_window = 2
        near = model(batch[0], attention_mask=batch[1]).logits
        model.attention_window = None
        again = model(batch[0], attention_mask=batch[1]).logits
    assert not torch.allclose(published, near, atol=1e-3)
    assert torch.equal(published, again)


@pytest.mark.parametrize("window", [None, 2])
def test_what_learns_in_16_bits_on_a_cpu_gathers_and_learns_the_same(window):
    torch.manual_seed(0)
    attention = Wav2Vec2Attention(16, 4)
    attention.window = window
    frames = torch.randn(2, 9, 16, requires_grad=True)
    real = torch.arange(9) < torch.tensor([[9], [6]])
    outputs, gradients = [], []
    for with_bf16 in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=with_bf16):
            output, _ = attention(frames, real)
        outputs.append(output[real].float())
        gradients.append(torch.autograd.grad(output[real].float().square().sum(), frames)[0])
    torch.testing.assert_close(outputs[1], outputs[0], rtol=0.05, atol=0.01)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0.05, atol=0.02)


@pytest.mark.parametrize(
    ("n_frames", "learns", "dtype", "as_products"),
    [
        (8, True, torch.bfloat16, True),
        (8, False, torch.bfloat16, False),
        (8, True, torch.float32, False),
        (500, True, torch.bfloat16, True),
        (501, True, torch.bfloat16, False),
        (1001, True, torch.bfloat16, False),
    ],
)
def test_products_of_matrices_stand_in_where_torch_is_slow(
    monkeypatch, n_frames, learns, dtype, as_products
):
    calls = []
    own = torch.nn.functional.scaled_dot_product_attention

    def counting(*args, **options):
        calls.append(1)
        return own(*args, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counting)
    attention = Wav2Vec2Attention(8, 2).to(dtype)
    with torch.set_grad_enabled(learns):
        attention(torch.randn(1, n_frames, 8, dtype=dtype))
    assert (not calls) == as_products
