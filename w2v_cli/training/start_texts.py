"""What a run on texts begins with, besides its network: a vocabulary, and how texts are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from w2v_cli.checkpoint.configs import read_json_object
from w2v_cli.errors import CheckpointError, UsageError
from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.ctc import Wav2Vec2ForCTC
from w2v_cli.processing.processor import Wav2Vec2Processor
from w2v_cli.processing.tokenizer import Wav2Vec2CTCTokenizer
from w2v_cli.training.ctc import CTCObjective
from w2v_cli.training.start import Start, named_outputs
from w2v_cli.training.texts import (
    CaseName,
    TextRules,
    build_vocabulary,
    case_of,
    make_tokenizer,
)

KEEP_VOCABULARY = "keep"
BUILD_VOCABULARY = "build"


@dataclass(frozen=True)
class CTCChoice:
    """What is particular to a training on texts.

    Attributes:
        vocabulary: keep (the checkpoint's), build (from the texts), or a vocab.json; None keeps
            it where there is one.
        normalizer: How texts are normalised.
        case: lower, upper or keep; None for the vocabulary's own.
        ignored: Characters that are left out of texts.
        reduction: How losses are put together: mean or sum.
        zero_infinity: A recording too short for its text counts as nothing.
        consistency: See `CTCObjective`.
        metric: wer or cer.
        mwer_weight: See `CTCObjective`.
        mwer_samples: Likewise.
        flat_start_steps: Likewise.
    """

    vocabulary: str | None = None
    normalizer: str = "basic"
    case: CaseName | None = None
    ignored: str = ""
    reduction: str = "mean"
    zero_infinity: bool = True
    consistency: float = 0.0
    metric: str = "wer"
    mwer_weight: float = 0.0
    mwer_samples: int = 8
    flat_start_steps: int = 0

    def fields(self, tokenizer: Any) -> dict[str, Any]:
        """Return the fields of a configuration that a vocabulary and the loss need."""
        return {
            "vocab_size": len(tokenizer),
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "ctc_loss_reduction": self.reduction,
            "ctc_zero_infinity": self.zero_infinity,
            # What a head of labels had was about its outputs, which are letters now.
            **named_outputs(("LABEL_0", "LABEL_1")),
            "problem_type": None,
        }

    def check(self, config: Wav2Vec2Config) -> None:
        """Refuse what a network cannot learn.

        Raises:
            UsageError: There is such a thing.
        """
        if self.flat_start_steps and config.add_adapter:
            raise UsageError("--flat-start-steps: frames of networks with add_adapter are too long")

    def aims(self) -> dict[str, Any]:
        """Return what the objective is made with, besides its processor and rules."""
        return {
            "consistency": self.consistency,
            "metric": self.metric,
            "is_sum": self.reduction == "sum",
            "mwer_weight": self.mwer_weight,
            "mwer_samples": self.mwer_samples,
            "flat_start_steps": self.flat_start_steps,
        }


def start_ctc(
    start: Start, choice: CTCChoice, texts: Sequence[str]
) -> tuple[Wav2Vec2ForCTC, CTCObjective]:
    """Return a network that writes letters, and its objective.

    Args:
        start: Where the network comes from.
        choice: What is particular to texts.
        texts: Those to learn from, for a vocabulary that is built.

    Raises:
        ModelError: The network cannot be loaded.
        UsageError: There is no vocabulary to keep, or a setting makes no network.
    """
    tokenizer, rules, keeps = choose_vocabulary(start, choice, texts, start.tokenizer())
    config = start.config()
    choice.check(config)
    model: Wav2Vec2ForCTC = start.model(Wav2Vec2ForCTC, **choice.fields(tokenizer))
    if not keeps and not start.from_scratch:  # of one size it would seem to fit
        model._initialise(model.lm_head)
    processor = Wav2Vec2Processor(start.feature_extractor(config), tokenizer)
    return model, CTCObjective(processor, rules, **choice.aims())


def choose_vocabulary(
    start: Start, choice: CTCChoice, texts: Sequence[str], own: Any
) -> tuple[Any, TextRules, bool]:
    """Return the tokenizer, how texts are written, and whether the vocabulary is kept.

    Args:
        start: Where the network comes from.
        choice: What is particular to texts.
        texts: Those to learn from, for a vocabulary that is built.
        own: The tokenizer that would be kept; None where there is none.

    Raises:
        UsageError: There is no vocabulary to keep.
    """
    if choice.vocabulary == KEEP_VOCABULARY and own is None:
        raise UsageError(
            f"--vocab keep: {start.name} has no vocabulary; use --vocab build, or leave it out"
        )
    keeps = own is not None and choice.vocabulary in (None, KEEP_VOCABULARY)
    given = own if keeps else _tokenizer_of(choice.vocabulary)
    case = choice.case or ("keep" if given is None else case_of(given))
    rules = TextRules(choice.normalizer, case, choice.ignored)
    if given is not None:
        return given, rules, keeps
    with TemporaryDirectory() as folder:
        built = build_vocabulary(map(rules, texts))
        return make_tokenizer(built, Path(folder)), rules, keeps


def _tokenizer_of(vocabulary: str | None) -> Wav2Vec2CTCTokenizer | None:
    """Return a tokenizer of a vocabulary file; None where the vocabulary is built.

    Raises:
        UsageError: Its numbers are not those of a network's outputs.
    """
    if vocabulary in (None, KEEP_VOCABULARY, BUILD_VOCABULARY):
        return None
    assert vocabulary is not None
    try:
        content = read_json_object(Path(vocabulary))
    except CheckpointError as error:
        raise UsageError(
            f"--vocab {vocabulary}: no file with a JSON object of tokens and numbers; name one"
        ) from error
    if content and all(isinstance(value, dict) for value in content.values()):
        raise UsageError(
            f"--vocab {vocabulary}: has a vocabulary for each language; give a file with one of "
            f"them ({', '.join(sorted(content)[:5])})"
        )
    if sorted(content.values(), key=str) != sorted(range(len(content)), key=str):
        raise UsageError(
            f"--vocab {vocabulary}: needs tokens with the numbers 0 to {len(content) - 1}, each "
            f"once"
        )
    with TemporaryDirectory() as folder:
        return make_tokenizer(content, Path(folder))
