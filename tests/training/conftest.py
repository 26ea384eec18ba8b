"""What tests of training share: a small network, and recordings to learn from."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from w2v_cli.training.manifests import Example

sys.path.insert(0, str(Path(__file__).parent))  # for two_processes

# Nothing random happens in the network: what differs then is a fault.
WITHOUT_NOISE = {
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "final_dropout": 0.0,
    "layerdrop": 0.0,
    "mask_time_prob": 0.0,
}

# Three convolutions instead of seven: on short recordings as good, and quicker.
SMALL_NETWORK = {
    "model_type": "wav2vec2",
    "conv_dim": [32, 32, 48],
    "conv_kernel": [80, 8, 4],
    "conv_stride": [20, 4, 4],
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 32,
}

# In letters that the model of `ctc_folder` knows.
TEXTS = ("TEN", "IT IS LATE", "NO", "DREAD", "ON A TRAIL", "SHE")


@pytest.fixture
def without_noise():
    return dict(WITHOUT_NOISE)


@pytest.fixture
def small_network(tmp_path):
    """The config.json of a network without dropout and masks, to begin from scratch."""
    path = tmp_path / "network.json"
    path.write_text(json.dumps(SMALL_NETWORK | WITHOUT_NOISE))
    return path


@pytest.fixture
def noisy_network(tmp_path):
    """The config.json of a network with everything that draws random numbers."""
    noise = {"hidden_dropout": 0.1, "layerdrop": 0.1, "mask_time_prob": 0.2, "mask_time_length": 4}
    path = tmp_path / "noisy.json"
    path.write_text(json.dumps(SMALL_NETWORK | WITHOUT_NOISE | noise))
    return path


@pytest.fixture(scope="session")
def spoken(tmp_path_factory, babble):
    """Six short recordings with made-up texts and labels, as examples."""
    folder = tmp_path_factory.mktemp("spoken")
    examples = []
    for index, text in enumerate(TEXTS):
        seconds = 0.5 + 0.1 * index
        path = folder / f"{index}.wav"
        soundfile.write(path, babble(round(16000 * seconds), seed=index), 16000)
        label = "long" if len(text) > 4 else "short"
        example = Example(str(path), text, label, speaker=f"s{index % 3}", seconds=seconds)
        examples.append(example)
    return examples


@pytest.fixture
def random():
    return np.random.default_rng(7)
