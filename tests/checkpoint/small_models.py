"""Small networks of every class with random weights, the reference's and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import w2v_cli

HEADS = [
    "Model",
    "ForCTC",
    "ForSequenceClassification",
    "ForAudioFrameClassification",
    "ForXVector",
    "ForPreTraining",
]
# Wide enough for the spread of drawn weights to be told from another spread.
SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16, 16, 16],
    "conv_stride": [5, 2, 2],
    "conv_kernel": [10, 3, 2],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 40,
    "tdnn_dim": [32, 32],
    "tdnn_kernel": [3, 1],
    "tdnn_dilation": [1, 1],
    "xvector_output_dim": 32,
    "num_labels": 6,
    "codevector_dim": 16,
    "proj_codevector_dim": 32,
    "num_codevectors_per_group": 24,
    "vocab_size": 30,
}
STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
WITH_ADAPTERS = {**STABLE, "adapter_attn_dim": 16}


def class_of(package: Any, head: str) -> Any:
    return getattr(package, f"Wav2Vec2{head}")


def reference_model(head: str, **changes: Any) -> Any:
    """Return the reference's model; no weight of it is zero or one as it was drawn."""
    torch.manual_seed(1)
    config = transformers.Wav2Vec2Config(**{**SMALL, **changes})
    return _shaken(class_of(transformers, head)(config))


def our_model(head: str, **changes: Any) -> Any:
    """Return our model."""
    torch.manual_seed(2)
    return _shaken(class_of(w2v_cli, head)(w2v_cli.Wav2Vec2Config(**{**SMALL, **changes})))


def _shaken(model: Any) -> Any:
    for parameter in model.parameters():
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    return model.eval()


def assert_same_weights(model: Any, other: Any) -> None:
    """Fail unless both have the same keys with bit-equal tensors of the same type."""
    ours, theirs = model.state_dict(), other.state_dict()
    assert list(ours) == list(theirs)
    for key, tensor in ours.items():
        assert tensor.dtype == theirs[key].dtype, key
        assert torch.equal(tensor, theirs[key]), key


def rewrite_weights(folder: Path, change: Any) -> None:
    """Replace the weights in a folder's model.safetensors by `change` of them."""
    path = folder / "model.safetensors"
    weights = {key: tensor.clone() for key, tensor in load_file(path).items()}
    save_file(change(weights), path, metadata={"format": "pt"})


def with_older_weight_norm(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights as torch 1 spelled them."""
    return {
        key.replace(".parametrizations.weight.original0", ".weight_g").replace(
            ".parametrizations.weight.original1", ".weight_v"
        ): tensor
        for key, tensor in weights.items()
    }


def load(head: str, folder: Path | str | None, **kwargs: Any) -> Any:
    return class_of(w2v_cli, head).from_pretrained(folder, **kwargs)


def assert_drawn_alike(key: str, drawn: torch.Tensor, wanted: torch.Tensor) -> None:
    """Fail unless both tensors look like samples of one distribution."""
    spread = wanted.std().item()
    if spread == 0:
        assert torch.equal(drawn, wanted), key
        return
    tolerance = 5 / wanted.numel() ** 0.5  # of standard errors
    assert drawn.std().item() == pytest.approx(spread, rel=tolerance), key
    assert drawn.mean().item() == pytest.approx(wanted.mean().item(), abs=spread * tolerance), key
