"""The exact shapes of published checkpoints, on random weights, in float32, in both forms."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
import transformers

import w2v_cli
import w2v_cli.model.base
from w2v_cli.inference.form import inference_form

LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
}
PRODUCTION: dict[str, dict[str, Any]] = {
    "facebook/wav2vec2-base-960h": {"hidden_dropout": 0.1, "mask_time_prob": 0.05},
    "facebook/wav2vec2-large-960h-lv60-self": {**LARGE, "vocab_size": 32},
    "facebook/wav2vec2-xls-r-300m": {**LARGE, "vocab_size": 44, "mask_time_prob": 0.075},
    # 48 layers in the published checkpoint: all alike, and 4 GB.
    "facebook/mms-1b-all": {
        **LARGE,
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 4,
        "adapter_attn_dim": 16,
        "vocab_size": 154,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PRODUCTION))
def test_logits_within_1e_4_of_the_reference(name):
    torch.manual_seed(0)
    reference = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**PRODUCTION[name])).eval()
    with w2v_cli.model.base.skip_init(), torch.device("meta"):
        ours = w2v_cli.Wav2Vec2ForCTC(w2v_cli.Wav2Vec2Config(**PRODUCTION[name])).eval()
    ours.load_state_dict(reference.state_dict(), strict=True, assign=True)
    lengths = torch.tensor([48000, 32111, 20000])
    attention_mask = (torch.arange(48000)[None] < lengths[:, None]).long()
    input_values = torch.randn(3, 48000) * attention_mask
    with torch.inference_mode():
        masks = (None, attention_mask)
        expected = [reference(input_values, attention_mask=mask).logits for mask in masks]
        for make_form in (lambda model: model, inference_form):
            ours = make_form(ours)
            for mask, logits in zip(masks, expected, strict=True):
                got = ours(input_values, attention_mask=mask).logits
                assert float((got - logits).abs().max()) <= 1e-4
                assert float(logits.std()) > 0.05, "logits too flat to show a difference"
                assert torch.equal(got.argmax(-1), logits.argmax(-1))
    del reference, ours
    gc.collect()
