"""The shape of `mini`'s network."""

from __future__ import annotations

from typing import Any

from w2v_cli.models.mini.evaluate import BLANK_ID, VOCABULARY

ENCODER: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "pad_token_id": BLANK_ID,
    "bos_token_id": VOCABULARY.index("<s>"),
    "eos_token_id": VOCABULARY.index("</s>"),
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "conv_dim": [128, 144, 192],
    "conv_kernel": [160, 8, 4],
    "conv_stride": [20, 4, 4],
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 16,
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 640,
    "hidden_dropout": 0.1,
    "activation_dropout": 0.0,
    "attention_dropout": 0.05,
    "feat_proj_dropout": 0.1,
    "final_dropout": 0.0,
    "layerdrop": 0.0,
    "mask_time_prob": 0.2,
    "mask_time_length": 6,
    "mask_time_min_masks": 0,
    "mask_feature_prob": 0.05,
    "mask_feature_length": 12,
    "mask_feature_min_masks": 0,
    "ctc_loss_reduction": "mean",
    "ctc_zero_infinity": True,
}
"""Three conv layers instead of the usual seven: what costs time on a CPU is the layer norm over
many short steps, and a first kernel of 10 ms can start as a bank of band-pass filters."""
