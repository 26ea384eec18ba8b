"""The characters a CTC network writes: text to labels, and ids to text with offsets."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from w2v_cli.errors import LanguageError
from w2v_cli.processing.chat_templates import ChatTemplates, templates_from_settings
from w2v_cli.processing.ctc_decoding import CTCDecoding
from w2v_cli.processing.ctc_text import Wav2Vec2CTCTokenizerOutput
from w2v_cli.uploads import NotUploaded

__all__ = ["VOCAB_FILES_NAMES", "Wav2Vec2CTCTokenizer", "Wav2Vec2CTCTokenizerOutput"]

logger = logging.getLogger(__name__)

VOCAB_FILES_NAMES = {
    "vocab_file": "vocab.json",
    "tokenizer_config_file": "tokenizer_config.json",
}


class Wav2Vec2CTCTokenizer(CTCDecoding, ChatTemplates, NotUploaded):
    """The published tokenizer: the pad token is the CTC blank, `|` is what separates words.

    A checkpoint for many languages (MMS) has a vocabulary for each; `target_lang` chooses.
    """

    vocab_files_names = VOCAB_FILES_NAMES

    vocab: dict[str, Any]

    def __init__(
        self,
        vocab_file: str | os.PathLike[str],
        bos_token: Any = "<s>",
        eos_token: Any = "</s>",
        unk_token: Any = "<unk>",
        pad_token: Any = "<pad>",
        word_delimiter_token: Any = "|",
        replace_word_delimiter_char: str = " ",
        do_lower_case: bool = False,
        target_lang: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Read the vocabulary and add the special tokens that it lacks.

        Args:
            vocab_file: JSON, ids by token; or such vocabularies by language.
            bos_token: Start of a text.
            eos_token: End of a text.
            unk_token: Stands for what the vocabulary has not.
            pad_token: Padding of labels, and the CTC blank.
            word_delimiter_token: Stands for the blank between words.
            replace_word_delimiter_char: What a decoded word delimiter is written as.
            do_lower_case: Whether text is read in any case and written in lower case, over a
                vocabulary in upper case.
            target_lang: Which language's vocabulary to use, if there are several.
            kwargs: Other settings of the published tokenizer, such as ``model_max_length``.

        Raises:
            ValueError: `target_lang` is not among the vocabularies, or is missing.
        """
        self.do_lower_case = do_lower_case
        self.replace_word_delimiter_char = replace_word_delimiter_char
        self.target_lang = target_lang
        with open(vocab_file, encoding="utf-8") as file:
            self.vocab = json.load(file)
        self._use_vocabulary(target_lang)
        self.token_type_ids_pattern = kwargs.pop("token_type_ids_pattern", "bert_style")
        kwargs.pop("token_type_ids_include_special_tokens", None)  # there are none to include
        kwargs.setdefault("backend", "custom")  # the published word for "written in Python"
        super().__init__(
            bos_token=bos_token,
            eos_token=eos_token,
            unk_token=unk_token,
            pad_token=pad_token,
            word_delimiter_token=word_delimiter_token,
            replace_word_delimiter_char=replace_word_delimiter_char,
            do_lower_case=do_lower_case,
            target_lang=target_lang,
            **kwargs,
        )
        self.chat_template = templates_from_settings(kwargs.get("chat_template"))
        self._keep_together(self.encoder)

    def _use_vocabulary(self, language: str | None) -> None:
        nested = [name for name, entry in self.vocab.items() if isinstance(entry, dict)]
        if language is None and nested:
            raise LanguageError(
                f"the vocabulary has a part for each of its languages ({len(nested)}); choose "
                f"one with target_lang, for instance {nested[0]!r}"
            )
        if language is not None and language not in nested:
            choices = ", ".join(nested) or "none, it is the vocabulary of one language"
            raise LanguageError(f"{language} does not exist. Choose one of {choices}.")
        self.encoder = self.vocab if language is None else self.vocab[language]
        self.decoder = {index: token for token, index in self.encoder.items()}

    def set_target_lang(self, target_lang: str) -> None:
        """Use the vocabulary of another language.

        Args:
            target_lang: Its key in the vocabulary, for instance ``deu``.

        Raises:
            ValueError: There is no such language, or the vocabulary is of one language.
        """
        if self.vocab == self.encoder:
            raise ValueError(
                f"{self.name_or_path or 'this vocabulary'} is not a multi-lingual, nested "
                f"tokenizer. Cannot set target language {target_lang}."
            )
        self._use_vocabulary(target_lang)
        self.target_lang = target_lang
        self.init_kwargs["target_lang"] = target_lang
        # An id that this language uses belongs to its own token.
        self._release_ids(self.decoder)
        self._keep_together(self.encoder)

    @property
    def word_delimiter_token(self) -> str | None:
        """The token that stands for the blank between words; None if there is none."""
        token = self._special_tokens_map.get("word_delimiter_token")
        if token is None and self.verbose:
            logger.error("Using word_delimiter_token, but it is not set yet.")
        return None if token is None else str(token)

    @word_delimiter_token.setter
    def word_delimiter_token(self, value: Any) -> None:
        self._name_special_tokens({"word_delimiter_token": value})

    @property
    def word_delimiter_token_id(self) -> int | None:
        """The id of `word_delimiter_token`; None if there is none."""
        token = self.word_delimiter_token
        return None if token is None else self.convert_tokens_to_ids(token)

    @word_delimiter_token_id.setter
    def word_delimiter_token_id(self, value: int) -> None:
        self.word_delimiter_token = self.convert_ids_to_tokens(value)

    def tokenize(self, text: str, **kwargs: Any) -> list[str]:
        """Return the tokens of a text: its characters, and the added tokens found in it.

        Args:
            text: The text.
            kwargs: ``split_special_tokens=True`` to look for no added tokens;
                ``is_split_into_words=True`` if the text is a word that follows another.
        """
        split = kwargs.pop("split_special_tokens", self.split_special_tokens)
        text, _ = self.prepare_for_tokenization(text, **kwargs)
        if split:
            return self._tokenize(text)
        whole = {*self._added_tokens_encoder, *self.all_special_tokens}
        tokens: list[str] = []
        for piece in self._pieces(text):
            if piece:
                tokens += [piece] if piece in whole else self._tokenize(piece)
        return tokens

    def prepare_for_tokenization(
        self, text: str, is_split_into_words: bool = False, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the text as it is taken apart, and the arguments not used for that."""
        return (" " + text if is_split_into_words else text), kwargs

    def _pieces(self, text: str) -> list[str]:
        """Return `text` cut around its added tokens, after each has had its way with blanks."""
        pieces = self.tokens_trie.split(text)
        for index, piece in enumerate(pieces):
            token = self._added_tokens_decoder.get(self._added_tokens_encoder.get(piece, -1))
            if token is None:
                continue
            left = pieces[index - 1] if index > 0 else ""
            right = pieces[index + 1] if index + 1 < len(pieces) else ""
            if token.rstrip and right:
                pieces[index + 1] = right.lstrip()
            if token.lstrip and left:
                pieces[index - 1] = left.rstrip()
            if token.single_word:
                if left and left[-1] != " ":
                    pieces[index - 1] += piece
                    pieces[index] = ""
                elif right and right[0] != " ":
                    pieces[index + 1] = piece + pieces[index + 1]
                    pieces[index] = ""
        return pieces

    def _tokenize(self, text: str) -> list[str]:
        if self.do_lower_case:
            text = text.upper()
        delimiter = self.word_delimiter_token
        return list(text if delimiter is None else text.replace(" ", delimiter))

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *init_inputs: Any,
        cache_dir: str | os.PathLike[str] | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        revision: str = "main",
        trust_remote_code: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the tokenizer of a checkpoint.

        Args:
            pretrained_model_name_or_path: A folder, a model id or an embedded model's name.
            init_inputs: Positional arguments of the tokenizer.
            cache_dir: Where downloads are kept.
            force_download: Whether to download again what the cache has.
            local_files_only: Whether to leave the network alone.
            token: For gated and private models.
            revision: Branch, tag or commit.
            trust_remote_code: The published argument; no code of a model is ever run.
            kwargs: Settings that replace the checkpoint's; ``subfolder``.

        Raises:
            ModelNotFoundError: There is no such checkpoint.
            CheckpointError: It has no vocabulary.
        """
        from w2v_cli.checkpoint import tokenizer_files

        return tokenizer_files.load_tokenizer(
            cls,
            pretrained_model_name_or_path,
            init_inputs,
            dict(
                kwargs,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
                revision=revision,
                trust_remote_code=trust_remote_code,
            ),
        )

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
        push_to_hub: bool = False,
        **kwargs: Any,
    ) -> tuple[str, ...]:
        """Return the paths of the files it wrote into `save_directory`.

        Args:
            save_directory: A folder; it is made if it is missing.
            legacy_format: The published argument; False is for tokenizers in Rust only.
            filename_prefix: Put before every file's name, with a hyphen.
            push_to_hub: The published argument; nothing is uploaded from here.
            kwargs: ``save_jinja_files=False`` to save chat templates among the settings.

        Raises:
            ValueError: `legacy_format` is False, or `push_to_hub` is True.
        """
        from w2v_cli.checkpoint import tokenizer_files

        return tokenizer_files.save_tokenizer(
            self,
            save_directory,
            legacy_format=legacy_format,
            filename_prefix=filename_prefix,
            push_to_hub=push_to_hub,
            save_jinja_files=kwargs.get("save_jinja_files", True),
        )

    def save_vocabulary(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Return the path of the vocab.json it wrote, with all languages, as a tuple.

        Raises:
            NotADirectoryError: `save_directory` is no folder.
        """
        from w2v_cli.checkpoint import tokenizer_files

        return tokenizer_files.save_vocabulary(self.vocab, save_directory, filename_prefix)

    def __repr__(self) -> str:
        tokens = "".join(f"\n\t{index}: {t!r}," for index, t in self.added_tokens_decoder.items())
        added = tokens + "\n" if tokens else ""
        return (
            f"{type(self).__name__}(name_or_path='{self.name_or_path}', "
            f"vocab_size={self.vocab_size}, model_max_length={self.model_max_length}, "
            f"padding_side='{self.padding_side}', truncation_side='{self.truncation_side}', "
            f"special_tokens={self.special_tokens_map}, added_tokens_decoder={{{added}}})"
        )
