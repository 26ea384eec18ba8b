"""From the ids a network gives for each frame to text, with the frames of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from w2v_cli.processing.added_vocabulary import AddedVocabulary
from w2v_cli.processing.ctc_text import (
    CTCRules,
    Offsets,
    Wav2Vec2CTCTokenizerOutput,
    character_offsets,
    clean_up_spaces,
    word_offsets,
)
from w2v_cli.processing.tensors import to_python


class CTCDecoding(AddedVocabulary):
    """The part of the tokenizer that turns ids into text."""

    replace_word_delimiter_char: str
    do_lower_case: bool

    def convert_tokens_to_string(
        self,
        tokens: Sequence[str],
        group_tokens: bool = True,
        spaces_between_special_tokens: bool = False,
        output_char_offsets: bool = False,
        output_word_offsets: bool = False,
    ) -> dict[str, Any]:
        """Return ``text``, ``char_offsets`` and ``word_offsets`` of the tokens, one a frame.

        Args:
            tokens: The most probable token of each frame.
            group_tokens: Whether a run of one token is one character.
            spaces_between_special_tokens: Whether to put a blank between all characters.
            output_char_offsets: Whether the frames of characters are wanted; else None.
            output_word_offsets: Whether the frames of words are wanted; else None.
        """
        if len(tokens) == 0:
            return {"text": "", "char_offsets": [], "word_offsets": []}
        rules = CTCRules(
            blank=self.pad_token,
            word_delimiter=self.word_delimiter_token,
            written_delimiter=self.replace_word_delimiter_char,
            group_tokens=group_tokens,
        )
        characters = character_offsets(tokens, rules)
        joiner = " " if spaces_between_special_tokens else ""
        text = joiner.join(character["char"] for character in characters).strip()
        return {
            "text": text.lower() if self.do_lower_case else text,
            "char_offsets": characters if output_char_offsets else None,
            "word_offsets": self._get_word_offsets(characters, self.replace_word_delimiter_char)
            if output_word_offsets
            else None,
        }

    @staticmethod
    def _get_word_offsets(offsets: Offsets, word_delimiter_char: str = " ") -> Offsets:
        return word_offsets(offsets, word_delimiter_char)

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        output_char_offsets: bool = False,
        output_word_offsets: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the text of one recording; with its offsets a `Wav2Vec2CTCTokenizerOutput`.

        Args:
            token_ids: The most probable id of each frame: list, array or tensor, (frames,).
            skip_special_tokens: Whether to leave out special tokens, the blank among them, so
                that runs it separates are merged.
            clean_up_tokenization_spaces: Whether to take away blanks before marks; None for
                the tokenizer's own setting.
            output_char_offsets: Whether to return the frames of characters.
            output_word_offsets: Whether to return the frames of words.
            kwargs: ``group_tokens=False`` for labels, which repeat letters;
                ``spaces_between_special_tokens=True``.
        """
        return self._decode(
            to_python(token_ids),
            skip_special_tokens=skip_special_tokens,
            clean_up_tokenization_spaces=clean_up_tokenization_spaces,
            output_char_offsets=output_char_offsets,
            output_word_offsets=output_word_offsets,
            **kwargs,
        )

    def _decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        tokens = self.convert_ids_to_tokens(token_ids)
        if skip_special_tokens:
            # The word delimiter is among the special tokens, and words must stay apart.
            skipped = {*self.all_special_tokens} - {self.word_delimiter_token}
            tokens = [token for token in tokens if token not in skipped]
        decoded = self.convert_tokens_to_string(tokens, **kwargs)
        text = decoded["text"]
        if clean_up_tokenization_spaces is None:
            clean_up_tokenization_spaces = self.clean_up_tokenization_spaces
        if clean_up_tokenization_spaces:
            text = self.clean_up_tokenization(text)
        if kwargs.get("output_char_offsets") or kwargs.get("output_word_offsets"):
            return Wav2Vec2CTCTokenizerOutput(
                text, char_offsets=decoded["char_offsets"], word_offsets=decoded["word_offsets"]
            )
        return text

    def clean_up_tokenization(self, text: str) -> str:
        """Return `text` without the blanks before marks and English contractions."""
        return clean_up_spaces(text)

    def batch_decode(
        self,
        sequences: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        output_char_offsets: bool = False,
        output_word_offsets: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the texts of several recordings; with offsets, one output with a list of each.

        Args:
            sequences: Ids of each recording: lists, or an array or tensor (batch, frames).
            skip_special_tokens: As for `decode`.
            clean_up_tokenization_spaces: As for `decode`.
            output_char_offsets: As for `decode`.
            output_word_offsets: As for `decode`.
            kwargs: As for `decode`.
        """
        decoded = [
            self.decode(
                token_ids,
                skip_special_tokens=skip_special_tokens,
                clean_up_tokenization_spaces=clean_up_tokenization_spaces,
                output_char_offsets=output_char_offsets,
                output_word_offsets=output_word_offsets,
                **kwargs,
            )
            for token_ids in sequences
        ]
        if not output_char_offsets and not output_word_offsets:
            return decoded
        # A text without a token has both kinds of offsets, none, whichever was asked for.
        offsets = {
            kind: [output.get(kind) for output in decoded]
            for kind in ("char_offsets", "word_offsets")
        }
        complete = {kind: rows for kind, rows in offsets.items() if None not in rows}
        return Wav2Vec2CTCTokenizerOutput([output.text for output in decoded], **complete)
