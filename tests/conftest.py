"""What tests of several rooms share: small models with random weights, made anew each run."""

import json

import numpy as np
import pytest

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDL"]


def save_ctc_model(folder, *, norm="layer", **overrides):
    """Write a CTC model with random weights, and its processor, into a folder.

    Its convolutions are the published ones, so that a frame sees 400 samples and hops 320.
    """
    import torch

    from w2v_cli import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    settings = {
        "vocab_size": len(LETTERS),
        "pad_token_id": 0,
        "conv_dim": (16,) * 7,
        "feat_extract_norm": norm,
        "do_stable_layer_norm": norm == "layer",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
        # Random heads are shy: larger weights let the words change with the sound.
        "initializer_range": 0.6,
    }
    torch.manual_seed(20)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**settings | overrides))
    model.save_pretrained(folder)
    vocab_file = folder / "vocab.json"
    vocab_file.write_text(json.dumps({token: index for index, token in enumerate(LETTERS)}))
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer")
    Wav2Vec2Processor(extractor, Wav2Vec2CTCTokenizer(vocab_file)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", name="save_ctc_model")
def _save_ctc_model():
    return save_ctc_model


@pytest.fixture(scope="session", params=["group", "layer"])
def ctc_folder_of_either_norm(request, tmp_path_factory):
    """A small CTC model's folder: once with group norm, once with layer norm."""
    return save_ctc_model(tmp_path_factory.mktemp(request.param), norm=request.param)


@pytest.fixture(scope="session")
def ctc_folder(tmp_path_factory):
    """A small CTC model's folder."""
    return save_ctc_model(tmp_path_factory.mktemp("ctc"))


@pytest.fixture(scope="session")
def babble():
    """Sound with something going on in it, by its length in samples: (samples,) float32."""

    def make(n_samples, *, seed=0):
        random = np.random.default_rng(seed)
        seconds = np.arange(n_samples) / 16000
        loudness = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * seconds + random.uniform(0, 6))
        tone = np.sin(2 * np.pi * (200 + 400 * random.random()) * seconds)
        noise = random.normal(size=n_samples)
        return (0.2 * loudness * (tone + 0.3 * noise)).astype(np.float32)

    return make
