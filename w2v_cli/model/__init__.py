"""The network and nothing else: torch only, and no file is opened here.

What code written for the published module imports from it is here under its published name.
"""

from __future__ import annotations

from w2v_cli._lazy import lazy_names

HOMES = {
    "w2v_cli.checkpoint.adapters": ("WAV2VEC2_ADAPTER_PT_FILE", "WAV2VEC2_ADAPTER_SAFE_FILE"),
    "w2v_cli.model.attention": ("ATTN_IMPLEMENTATIONS", "Wav2Vec2Attention"),
    "w2v_cli.model.base": ("Wav2Vec2PreTrainedModel", "skip_init"),
    "w2v_cli.model.classification": (
        "Wav2Vec2ForAudioFrameClassification",
        "Wav2Vec2ForSequenceClassification",
    ),
    "w2v_cli.model.config": ("Wav2Vec2Config",),
    "w2v_cli.model.ctc": ("Wav2Vec2ForCTC", "ctc_loss"),
    "w2v_cli.model.encoder": (
        "Wav2Vec2Adapter",
        "Wav2Vec2AttnAdapterLayer",
        "Wav2Vec2Encoder",
        "Wav2Vec2EncoderLayer",
        "Wav2Vec2EncoderLayerStableLayerNorm",
        "Wav2Vec2EncoderStableLayerNorm",
        "Wav2Vec2FeedForward",
    ),
    "w2v_cli.model.features": (
        "Wav2Vec2AdapterLayer",
        "Wav2Vec2FeatureEncoder",
        "Wav2Vec2FeatureProjection",
        "Wav2Vec2PositionalConvEmbedding",
    ),
    "w2v_cli.model.masking": ("_compute_mask_indices", "_sample_negative_indices"),
    "w2v_cli.model.outputs": (
        "BaseModelOutput",
        "CausalLMOutput",
        "ModelOutput",
        "SequenceClassifierOutput",
        "TokenClassifierOutput",
        "Wav2Vec2BaseModelOutput",
        "Wav2Vec2ForPreTrainingOutput",
        "XVectorOutput",
    ),
    "w2v_cli.model.pretraining": ("Wav2Vec2ForPreTraining", "Wav2Vec2GumbelVectorQuantizer"),
    "w2v_cli.model.wav2vec2": ("Wav2Vec2Model",),
    "w2v_cli.model.xvector": ("AMSoftmaxLoss", "TDNNLayer", "Wav2Vec2ForXVector"),
}

__getattr__, __dir__, __all__ = lazy_names(__name__, HOMES)
