"""Networks of the published sizes with weights at random, for speed.py.

python tests/benchmarks/speed_networks.py base FOLDER
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

NETWORKS = {
    "mini": {},
    "base": {},
    "large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "conv_bias": True,
    },
}
TOKENS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]


def network_folder(name: str, folder: Path) -> str:
    """Write a network and its processor into a folder and return it; mini is there already.

    Another process does it: the peak of what is started from this one would not be below its own.
    """
    if name != "mini":
        subprocess.run([sys.executable, __file__, name, str(folder)], check=True)
        return str(folder / name)
    from w2v_cli.checkpoint.resolve import embedded_folder

    return str(embedded_folder(name))


def save_network(name: str, folder: Path) -> None:
    """Write a network of a published size, and its processor."""
    import torch

    import w2v_cli

    torch.manual_seed(0)
    config = w2v_cli.Wav2Vec2Config(vocab_size=len(TOKENS), pad_token_id=0, **NETWORKS[name])
    model = w2v_cli.Wav2Vec2ForCTC(config)
    model.lm_head.weight.data.normal_(0.0, 0.3)  # so that some letters are likelier than others
    model.lm_head.bias.data[[TOKENS.index(token) for token in ("<s>", "</s>", "<unk>")]] = -1e3
    place = folder / name
    model.save_pretrained(place)
    (place / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(TOKENS)}))
    extractor = w2v_cli.Wav2Vec2FeatureExtractor(return_attention_mask=name == "large")
    tokenizer = w2v_cli.Wav2Vec2CTCTokenizer(place / "vocab.json")
    w2v_cli.Wav2Vec2Processor(extractor, tokenizer).save_pretrained(place)


def operations(name: str) -> float:
    """Return how many operations the published network does for a second of audio.

    Attention is left out: what it does grows with the recording.
    """
    from w2v_cli import Wav2Vec2Config

    config = Wav2Vec2Config.from_pretrained(name) if name == "mini" else None
    config = config or Wav2Vec2Config(**NETWORKS[name])
    rate, channels, total = 16000.0, 1, 0.0
    for size, kernel, stride in zip(
        config.conv_dim, config.conv_kernel, config.conv_stride, strict=True
    ):
        rate /= stride
        total += rate * channels * size * kernel
        channels = size
    hidden = config.hidden_size
    groups = config.num_conv_pos_embedding_groups
    each_layer = 4 * hidden**2 + 2 * hidden * config.intermediate_size
    total += rate * channels * hidden
    total += rate * hidden * hidden // groups * config.num_conv_pos_embeddings
    total += rate * config.num_hidden_layers * each_layer
    return 2 * total  # a multiplication and an addition


if __name__ == "__main__":
    save_network(sys.argv[1], Path(sys.argv[2]))
