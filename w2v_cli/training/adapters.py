"""A language's adapter: small layers in a network that stays as it is (Pratap et al. 2023, 4.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from w2v_cli.checkpoint.adapters import save_adapter
from w2v_cli.checkpoint.configs import read_json_object
from w2v_cli.errors import UsageError
from w2v_cli.model.ctc import Wav2Vec2ForCTC
from w2v_cli.processing.processor import Wav2Vec2Processor
from w2v_cli.training.ctc import CTCObjective
from w2v_cli.training.start import Start
from w2v_cli.training.start_texts import CTCChoice, choose_vocabulary

_LANGUAGE = re.compile(r"[A-Za-z0-9_-]+")


class AdapterObjective(CTCObjective):
    """Texts of one language, which its adapter and its head learn alone.

    Args:
        language: What its file is called after.
        *arguments: Those of `CTCObjective`, as the next ones.
        **settings: Likewise.
    """

    name = "adapter"
    adapters_alone = True

    def __init__(self, language: str, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.language = language

    def save_network(self, model: Any, folder: Path) -> None:
        """Write the network, and its adapter once more in a file of its own, as published."""
        super().save_network(model, folder)
        save_adapter(model, folder, self.language)


def start_adapter(
    start: Start,
    choice: CTCChoice,
    texts: Sequence[str],
    language: str,
    *,
    attn_dim: int | None = None,
) -> tuple[Wav2Vec2ForCTC, AdapterObjective]:
    """Return a network whose adapter for a language is trained, and its objective.

    Args:
        start: Where the network comes from.
        choice: What is particular to texts.
        texts: Those to learn from, for a vocabulary that is built.
        language: The language. Where the network has it with the vocabulary that is kept, its
            adapter goes on; else it begins anew.
        attn_dim: The size of adapters in a network that has none.

    Raises:
        ModelError: The network cannot be loaded.
        UsageError: The network has no adapters, or cannot have any.
    """
    if not _LANGUAGE.fullmatch(language):
        raise UsageError(f"--lang {language}: needs letters, digits, - and _ alone, such as fra")
    config = start.config()
    dim = _dim(start, config, attn_dim)
    choice.check(config)
    vocabulary = start.file("vocab.json")
    known = {} if vocabulary is None else read_json_object(vocabulary)
    has_languages = any(isinstance(entry, dict) for entry in known.values())
    own = None
    if has_languages and language in known:
        own = start.tokenizer(target_lang=language)
    elif known and not has_languages:
        own = start.tokenizer()
    tokenizer, rules, keeps = choose_vocabulary(start, choice, texts, own)
    goes_on = {"target_lang": language} if keeps and has_languages else {}
    model: Wav2Vec2ForCTC = start.model(
        Wav2Vec2ForCTC, **choice.fields(tokenizer), adapter_attn_dim=dim, **goes_on
    )
    if not keeps:
        model.init_adapter_layers()
    tokenizer.vocab = {language: dict(tokenizer.encoder)}
    tokenizer.set_target_lang(language)
    processor = Wav2Vec2Processor(start.feature_extractor(config), tokenizer)
    return model, AdapterObjective(language, processor, rules, **choice.aims())


def _dim(start: Start, config: Any, attn_dim: int | None) -> int:
    """Return the size of the adapters.

    Raises:
        UsageError: There are none and none are to be added, or they cannot be.
    """
    if not config.do_stable_layer_norm:
        raise UsageError(
            f"{start.name}: only networks with do_stable_layer_norm have places for adapters, such "
            f"as facebook/mms-1b-all or wav2vec2-xls-r-300m"
        )
    own: int | None = config.adapter_attn_dim
    if own is None and attn_dim is None:
        raise UsageError(f"{start.name}: has no adapters; add them with --adapter-attn-dim 16")
    if own is not None and attn_dim not in (None, own):
        raise UsageError(
            f"--adapter-attn-dim {attn_dim}: the adapters of {start.name} have {own}; leave it out"
        )
    dim = own or attn_dim
    assert dim is not None
    return dim
