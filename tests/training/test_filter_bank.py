"""A first layer that begins as a filter bank hears low tones low and high ones high."""

import json

import numpy as np
import torch

from w2v_cli.training.start import Start, start_keywords


def test_each_tone_has_a_band_of_its_own(small_network):
    config = json.loads(small_network.read_text()) | {"conv_kernel": [160, 8, 4]}
    small_network.write_text(json.dumps(config))
    start = Start(str(small_network), from_scratch=True, filter_bank=True)
    model, _ = start_keywords(start, ["a", "b"])
    conv = model.wav2vec2.feature_extractor.conv_layers[0].conv
    loudest = []
    for hertz in (200, 700, 1500, 3000, 6000):
        tone = torch.sin(2 * np.pi * hertz * torch.arange(16000) / 16000)
        with torch.no_grad():
            heard = torch.relu(conv(tone[None, None]) - conv.bias[:, None]).mean(-1)[0]
        bands = heard.view(-1, 4).sum(-1)  # four phases of each
        loudest.append(int(bands.argmax()))
        assert bands.max() > 3 * bands.median()
    assert loudest == sorted(set(loudest))
