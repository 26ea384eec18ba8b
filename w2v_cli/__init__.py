"""Wav2Vec2 speech models: transcription, classification, embedding and training.

The published class names are here, imported when first used:

    from w2v_cli import Wav2Vec2ForCTC, Wav2Vec2Processor
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2v_cli._lazy import lazy_names

__version__ = "0.1.0"

HOMES = {
    "w2v_cli.model.base": ("Wav2Vec2PreTrainedModel",),
    "w2v_cli.model.classification": (
        "Wav2Vec2ForAudioFrameClassification",
        "Wav2Vec2ForSequenceClassification",
    ),
    "w2v_cli.model.config": ("Wav2Vec2Config",),
    "w2v_cli.model.ctc": ("Wav2Vec2ForCTC",),
    "w2v_cli.model.pretraining": ("Wav2Vec2ForPreTraining",),
    "w2v_cli.model.wav2vec2": ("Wav2Vec2Model",),
    "w2v_cli.model.xvector": ("Wav2Vec2ForXVector",),
    "w2v_cli.processing.added_token": ("AddedToken",),
    "w2v_cli.processing.batch": ("BatchEncoding", "BatchFeature"),
    "w2v_cli.processing.ctc_text": ("Wav2Vec2CTCTokenizerOutput",),
    "w2v_cli.processing.decoder_output": ("Wav2Vec2DecoderWithLMOutput",),
    "w2v_cli.processing.feature_extractor": ("Wav2Vec2FeatureExtractor",),
    "w2v_cli.processing.processor": ("Wav2Vec2Processor",),
    "w2v_cli.processing.processor_with_lm": ("Wav2Vec2ProcessorWithLM",),
    "w2v_cli.processing.tokenizer": ("Wav2Vec2CTCTokenizer",),
}

if TYPE_CHECKING:
    from w2v_cli.model.base import Wav2Vec2PreTrainedModel as Wav2Vec2PreTrainedModel
    from w2v_cli.model.classification import (
        Wav2Vec2ForAudioFrameClassification as Wav2Vec2ForAudioFrameClassification,
    )
    from w2v_cli.model.classification import (
        Wav2Vec2ForSequenceClassification as Wav2Vec2ForSequenceClassification,
    )
    from w2v_cli.model.config import Wav2Vec2Config as Wav2Vec2Config
    from w2v_cli.model.ctc import Wav2Vec2ForCTC as Wav2Vec2ForCTC
    from w2v_cli.model.pretraining import Wav2Vec2ForPreTraining as Wav2Vec2ForPreTraining
    from w2v_cli.model.wav2vec2 import Wav2Vec2Model as Wav2Vec2Model
    from w2v_cli.model.xvector import Wav2Vec2ForXVector as Wav2Vec2ForXVector
    from w2v_cli.processing.added_token import AddedToken as AddedToken
    from w2v_cli.processing.batch import BatchEncoding as BatchEncoding
    from w2v_cli.processing.batch import BatchFeature as BatchFeature
    from w2v_cli.processing.ctc_text import (
        Wav2Vec2CTCTokenizerOutput as Wav2Vec2CTCTokenizerOutput,
    )
    from w2v_cli.processing.decoder_output import (
        Wav2Vec2DecoderWithLMOutput as Wav2Vec2DecoderWithLMOutput,
    )
    from w2v_cli.processing.feature_extractor import (
        Wav2Vec2FeatureExtractor as Wav2Vec2FeatureExtractor,
    )
    from w2v_cli.processing.processor import Wav2Vec2Processor as Wav2Vec2Processor
    from w2v_cli.processing.processor_with_lm import (
        Wav2Vec2ProcessorWithLM as Wav2Vec2ProcessorWithLM,
    )
    from w2v_cli.processing.tokenizer import Wav2Vec2CTCTokenizer as Wav2Vec2CTCTokenizer

__getattr__, __dir__, __all__ = lazy_names(__name__, HOMES)
