"""The convolutions of a long recording in pieces give what they give of the whole."""

import pytest
import torch

from w2v_cli.inference.feature_pieces import FeaturesInPieces
from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.features import Wav2Vec2FeatureEncoder

HOP, FIELD = 320, 400


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("n_samples", [400, 719, 720, 16000, 16319, 16320])
@pytest.mark.parametrize("piece_frames", [1, 7, 49, 50])
@torch.inference_mode()
def test_pieces_are_those_of_the_whole(norm, n_samples, piece_frames):
    torch.manual_seed(0)
    config = Wav2Vec2Config(conv_dim=[8] * 7, feat_extract_norm=norm, conv_bias=norm == "layer")
    encoder = Wav2Vec2FeatureEncoder(config).eval()
    input_values = torch.randn(1, n_samples) * torch.linspace(0.1, 2, n_samples) + 0.3
    pieces = FeaturesInPieces(encoder, HOP, FIELD, piece_frames)
    torch.testing.assert_close(pieces(input_values), encoder(input_values), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_what_is_known_of_the_whole_is_kept():
    """A piece of a recording has the recording's statistics, and they are still there after it."""
    torch.manual_seed(0)
    encoder = Wav2Vec2FeatureEncoder(Wav2Vec2Config(conv_dim=[8] * 7)).eval()
    first = encoder.conv_layers[0]
    known = torch.randn(1, 8), torch.rand(1, 8) + 0.5
    first.statistics = known
    input_values = torch.randn(1, 16000)
    pieces = FeaturesInPieces(encoder, HOP, FIELD, 10)
    torch.testing.assert_close(pieces(input_values), encoder(input_values), rtol=1e-4, atol=1e-5)
    assert first.statistics is known
    first.statistics = None
    pieces(input_values)
    assert first.statistics is None
