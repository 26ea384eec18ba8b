"""From waveforms and text to what the network reads, and from its ids back to text.

    waveform -> Wav2Vec2FeatureExtractor -> input_values, attention_mask
    text     -> Wav2Vec2CTCTokenizer     -> labels, and decoded ids -> text with offsets
    both     -> Wav2Vec2Processor
    logits   -> Wav2Vec2ProcessorWithLM  -> text by beam search, with a language model

Only numpy is needed here; torch is imported when tensors are asked for. The names are
imported when first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2v_cli._lazy import lazy_names

HOMES = {
    "w2v_cli.processing.added_token": ("AddedToken",),
    "w2v_cli.processing.batch": ("BatchEncoding", "BatchFeature"),
    "w2v_cli.processing.ctc_text": ("Wav2Vec2CTCTokenizerOutput",),
    "w2v_cli.processing.decoder_output": ("Wav2Vec2DecoderWithLMOutput",),
    "w2v_cli.processing.feature_extractor": ("Wav2Vec2FeatureExtractor",),
    "w2v_cli.processing.options": ("PaddingStrategy", "TensorType", "TruncationStrategy"),
    "w2v_cli.processing.processor": ("Wav2Vec2Processor",),
    "w2v_cli.processing.processor_with_lm": (
        "AlphabetMismatchError",
        "Wav2Vec2ProcessorWithLM",
    ),
    "w2v_cli.processing.tokenizer": ("VOCAB_FILES_NAMES", "Wav2Vec2CTCTokenizer"),
}

if TYPE_CHECKING:
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
    from w2v_cli.processing.options import PaddingStrategy as PaddingStrategy
    from w2v_cli.processing.options import TensorType as TensorType
    from w2v_cli.processing.options import TruncationStrategy as TruncationStrategy
    from w2v_cli.processing.processor import Wav2Vec2Processor as Wav2Vec2Processor
    from w2v_cli.processing.processor_with_lm import (
        AlphabetMismatchError as AlphabetMismatchError,
    )
    from w2v_cli.processing.processor_with_lm import (
        Wav2Vec2ProcessorWithLM as Wav2Vec2ProcessorWithLM,
    )
    from w2v_cli.processing.tokenizer import VOCAB_FILES_NAMES as VOCAB_FILES_NAMES
    from w2v_cli.processing.tokenizer import Wav2Vec2CTCTokenizer as Wav2Vec2CTCTokenizer

__getattr__, __dir__, __all__ = lazy_names(__name__, HOMES)
