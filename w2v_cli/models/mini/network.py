"""The shape of `mini`'s network, and the weights that it begins with.

Its first layer is no more trained than a spectrogram is: band-pass filters in four phases, each at
four gains, after which everything is cut off at six (ReLU6). What is left of a band adds up to the
logarithm of its loudness, as far as straight lines make one, over some sixty decibels.

The layers after it begin as convolutions over bands as over time (see `bands`).
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch.nn import functional as F

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC
from w2v_cli.model.features import receptive_field_samples
from w2v_cli.models.mini.bands import Image, tie_bands
from w2v_cli.models.mini.evaluate import BLANK_ID, VOCABULARY
from w2v_cli.models.mini.recordings import Waveform
from w2v_cli.training.filter_bank import PHASES, band_pass_filters

WINDOW, HOP = 400, 160
N_BANDS = 40
GAINS = (1.5, 8.5, 48.0, 270.0)
"""So much is a filter's output, which is 1 in the mean over speech, before it is cut off at 6."""

UNBENT = 30.0
"""The layer norm after the filters divides by this, and by more where something is very loud."""

IMAGES = (
    Image(PHASES * len(GAINS), N_BANDS),
    Image(8, 40),
    Image(16, 20),
    Image(16, 20),
    Image(32, 10),
    Image(64, 5),
)
"""What each convolution makes, channels by bands."""

KERNELS = (WINDOW, 1, 3, 3, 3, 3)
STRIDES = (HOP, 1, 1, 1, 2, 1)
KERNEL_BANDS = (3, 5, 3, 5, 5)
"""Over so many bands go the convolutions after the filters."""

N_LEVELS = 2
"""Channels besides the filters that are a number whatever is heard: plus and minus the same."""

ENCODER: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "pad_token_id": BLANK_ID,
    "bos_token_id": VOCABULARY.index("<s>"),
    "eos_token_id": VOCABULARY.index("</s>"),
    "feat_extract_norm": "layer",
    "feat_extract_activation": "relu6",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "conv_dim": [IMAGES[0].size + N_LEVELS, *(image.size for image in IMAGES[1:])],
    "conv_kernel": list(KERNELS),
    "conv_stride": list(STRIDES),
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
    """Return a network that hears spectrograms already, its other layers tied across bands.

    Args:
        speech: Some, normalised: the filters become as loud as each other over it.
    """
    network = Wav2Vec2ForCTC(Wav2Vec2Config(**ENCODER))
    layers: Any = network.wav2vec2.feature_extractor.conv_layers
    start_as_spectrogram(layers[0], torch.from_numpy(speech))
    rest = zip(layers[1:], itertools.pairwise(IMAGES), KERNEL_BANDS, strict=True)
    for number, (layer, (before, after), n_bands) in enumerate(rest):
        tie_bands(layer.conv, before, after, n_bands, n_besides=N_LEVELS if number == 0 else 0)
    with torch.no_grad():
        # Of sixteen channels of cut-off loudness; the bias lets the norm over channels see level.
        layers[1].conv.parametrizations.weight.original *= 0.25
        layers[1].conv.bias.normal_()
    return network


def start_as_spectrogram(layer: Any, speech: torch.Tensor) -> None:
    """Set a first layer's filters, and a norm that leaves their outputs as they are, at all gains.

    The norm would make quiet moments as loud as loud ones. Two channels of plus and minus the same
    large number outweigh what the filters hear, so that it divides all moments by the same.

    Args:
        layer: Its `conv`, `layer_norm` and `activation`.
        speech: (samples,).
    """
    filters = band_pass_filters(N_BANDS, WINDOW)  # (bands, phases, taps)
    with torch.no_grad():
        heard = F.conv1d(speech[None, None], filters.reshape(-1, 1, WINDOW), stride=HOP)
        power = heard[0].square().mean(1).reshape(N_BANDS, PHASES).mean(1)
        even = (filters / power.sqrt()[:, None, None]).transpose(0, 1)  # (phases, bands, taps)
        repeated = even.expand(len(GAINS), -1, -1, -1).reshape(-1, 1, WINDOW)
        layer.conv.weight.copy_(F.pad(repeated, (0, 0, 0, 0, 0, N_LEVELS)))
        level = UNBENT * math.sqrt(len(repeated) / N_LEVELS)
        layer.conv.bias.zero_()
        layer.conv.bias[-N_LEVELS:] = torch.tensor([level, -level])
        gains = torch.tensor(GAINS).repeat_interleave(PHASES * N_BANDS) * UNBENT
        layer.layer_norm.weight.copy_(F.pad(gains, (0, N_LEVELS), value=1.0))
        layer.layer_norm.bias.zero_()
    for parameter in layer.parameters():
        parameter.requires_grad = False
