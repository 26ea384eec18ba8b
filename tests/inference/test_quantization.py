"""Which weights become whole numbers, and how far what comes out is from float32."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2Model
from w2v_cli.inference.int8 import Int8Weights
from w2v_cli.inference.quantization import (
    int8_form,
    is_int8_form,
    make_room,
    quantize,
    quantized_layers,
)
from w2v_cli.model.base import skip_init

BASE = {"vocab_size": 32, "pad_token_id": 0, "conv_bias": False}
LARGE = {
    "vocab_size": 32,
    "pad_token_id": 0,
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
}
NARROW = {
    "vocab_size": 32,
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "conv_dim": [64, 64, 64],
    "conv_stride": [5, 4, 4],
    "conv_kernel": [10, 8, 4],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
PRE_NORM = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "adapter_attn_dim": 16}


def drawn(**fields: object) -> Wav2Vec2ForCTC:
    """Return a network whose logits differ as much as a trained one's."""
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**fields)).eval()
    nn.init.normal_(model.lm_head.weight, 0.0, 0.3)
    return model


def sound(seconds: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    times = torch.arange(round(16_000 * seconds)) / 16_000
    tone = torch.sin(2 * torch.pi * 130 * times) * torch.sin(2 * torch.pi * 2.3 * times).clamp(0)
    noise = torch.randn(len(times), generator=generator)
    values = noise + 2 * tone
    return ((values - values.mean()) / values.std())[None]


def relative_error(fields: dict[str, object], seconds: float) -> float:
    model = drawn(**fields)
    with torch.inference_mode():
        exact = model(sound(seconds)).logits
        rounded = int8_form(model)(sound(seconds)).logits
    return float((rounded - exact).norm() / exact.norm())


def test_a_layer_is_changed_before_the_next_is_heard():
    model = drawn(**NARROW)
    layers = model.wav2vec2.encoder.layers
    seen = []

    def look(*_: object) -> None:
        seen.append(isinstance(layers[0].feed_forward.output_dense, Int8Weights))

    layers[0].register_forward_pre_hook(look)
    layers[1].register_forward_pre_hook(look)
    quantize(model)
    assert seen == [False, True]


@pytest.mark.parametrize("changes", [{}, PRE_NORM], ids=["post-norm", "pre-norm, adapters"])
def test_logits_of_a_small_network_are_within_3_percent(changes):
    assert 0 < relative_error({**NARROW, **changes}, 1.0) < 0.03


@pytest.mark.slow
def test_logits_of_the_base_shape_are_within_3_percent():
    assert 0 < relative_error(BASE, 1.0) < 0.03


@pytest.mark.parametrize("fields", [BASE, LARGE], ids=["base", "large"])
def test_what_does_the_work_is_whole_numbers(fields):
    with skip_init(), torch.device("meta"):
        model = Wav2Vec2ForCTC(Wav2Vec2Config(**fields))
    paths = [path for path, _ in quantized_layers(model)]
    convolutions = [path for path in paths if "conv_layers" in path]
    n_layers = fields.get("num_hidden_layers", 12)
    assert len(paths) - len(convolutions) == 6 * n_layers
    assert convolutions == ["wav2vec2.feature_extractor.conv_layers.1.conv"]
    weights = dict(model.named_parameters())
    quantized = sum(weights[f"{path}.weight"].numel() for path in paths)
    # Of what is left, the positional convolution, which runs as spectra, has most.
    left = sum(p.numel() for k, p in weights.items() if "pos_conv" not in k) - quantized
    assert left / quantized < 0.05


def test_inputs_after_an_activation_are_known_to_have_a_least():
    model = drawn(**NARROW)
    least = {path: least for path, least in quantized_layers(model) if least is not None}
    assert {path.rpartition(".")[2] for path in least} == {"conv", "output_dense"}
    for value in least.values():
        assert torch.nn.functional.gelu(torch.linspace(-5, 5, 10_001)).min() >= value


def test_a_network_that_is_loaded_has_room_where_whole_numbers_are():
    model = drawn(**NARROW)
    quantize(model)
    with skip_init(), torch.device("meta"):
        empty = Wav2Vec2ForCTC(model.config)
        make_room(empty)
    shapes = {key: (v.shape, v.dtype) for key, v in model.state_dict().items()}
    assert {key: (v.shape, v.dtype) for key, v in empty.state_dict().items()} == shapes
    assert sum(isinstance(module, Int8Weights) for module in model.modules()) == len(
        quantized_layers(drawn(**NARROW))
    )


def test_hidden_states_are_given_too():
    model = drawn(**NARROW).wav2vec2
    with torch.inference_mode():
        exact = model(sound(0.5), output_hidden_states=True).hidden_states
        form = int8_form(model)
        rounded = form(sound(0.5), output_hidden_states=True).hidden_states
    assert is_int8_form(form)
    assert isinstance(form, Wav2Vec2Model)
    assert len(rounded) == len(exact)
    for mine, theirs in zip(rounded, exact, strict=True):
        assert (mine - theirs).norm() / theirs.norm() < 0.03


def test_a_model_on_another_device_or_in_training_is_refused():
    with pytest.raises(ValueError, match="it is being trained"):
        int8_form(drawn(**NARROW).train())
    with pytest.raises(ValueError, match="it calculates in bfloat16"):
        int8_form(drawn(**NARROW).bfloat16())
