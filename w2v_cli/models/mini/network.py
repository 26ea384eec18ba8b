"""The shape of the network that `mini-keywords` has, and the weights that it begins with."""

from __future__ import annotations

from typing import Any

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC
from w2v_cli.model.features import receptive_field_samples
from w2v_cli.models.mini.evaluate import BLANK_ID, VOCABULARY
from w2v_cli.models.mini.recordings import Waveform
from w2v_cli.training.bands import channels_of_first_layer, plain_state, start_with_bands
from w2v_cli.training.parameters import is_of_first_layer

BANDS = (40, 40, 20, 20, 10, 5)
"""What each convolution makes are images of so many bands."""

ENCODER: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "pad_token_id": BLANK_ID,
    "bos_token_id": VOCABULARY.index("<s>"),
    "eos_token_id": VOCABULARY.index("</s>"),
    "feat_extract_norm": "layer",
    "feat_extract_activation": "relu6",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "conv_dim": [channels_of_first_layer(BANDS[0]), 320, 320, 320, 320, 320],
    "conv_kernel": [400, 1, 3, 3, 3, 3],
    "conv_stride": [160, 1, 1, 1, 2, 1],
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 16,
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 480,
    "hidden_dropout": 0.05,
    "activation_dropout": 0.0,
    "attention_dropout": 0.05,
    "feat_proj_dropout": 0.05,
    "final_dropout": 0.0,
    "layerdrop": 0.0,
    "mask_time_prob": 0.15,
    "mask_time_length": 6,
    "mask_time_min_masks": 0,
    "mask_feature_prob": 0.05,
    "mask_feature_length": 12,
    "mask_feature_min_masks": 0,
    "ctc_loss_reduction": "mean",
    "ctc_zero_infinity": True,
}

MIDDLE = receptive_field_samples(Wav2Vec2Config(**ENCODER)) // 2
"""Samples before the middle of the first frame."""


def fresh_network(speech: Waveform) -> Wav2Vec2ForCTC:
    """Return a network that hears spectrograms already, its other convolutions tied across bands.

    Args:
        speech: Some, normalised.
    """
    network = Wav2Vec2ForCTC(Wav2Vec2Config(**ENCODER))
    start_with_bands(network, BANDS, speech)
    for name, parameter in network.named_parameters():
        parameter.requires_grad = not is_of_first_layer(name)
    return network


def plain_copy(network: Wav2Vec2ForCTC) -> Wav2Vec2ForCTC:
    """Return a network in evaluation mode that hears the same, without tied weights."""
    plain = Wav2Vec2ForCTC(Wav2Vec2Config.from_dict(network.config.to_dict()))
    plain.load_state_dict(plain_state(network))
    return plain.eval()
