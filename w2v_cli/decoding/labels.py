"""A network's outputs as a beam search wants them: one column for each thing that is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.spelling import Speller
from w2v_cli.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from w2v_cli.decoding.ngram import NGram

FloatArray = npt.NDArray[np.floating[Any]]

BLANK, SPACE = "", " "

# Of a language model's words, how many are looked at, and how many the alphabet must be able to
# write. A model made from text in the other case, or of another script, has next to none; one
# from the web has a few that no alphabet covers.
_SAMPLE = 20_000
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Labels:
    """What each column of a search writes, and which outputs go into it.

    Outputs that the alphabet ignores write nothing, as the blank does: their probability is
    added to the blank's. Outputs that write the same are one.

    Attributes:
        texts: What each column writes, no two the same; "" for the blank, " " between words.
        outputs: The network's output that each column is made of.
        added: Outputs that are added to a column, as pairs (output, column).
        n_outputs: How many outputs the alphabet speaks of; more are added to the blank.
    """

    texts: tuple[str, ...]
    outputs: tuple[int, ...]
    added: tuple[tuple[int, int], ...]
    n_outputs: int

    @classmethod
    def of(cls, alphabet: Alphabet, *, lower_case: bool = False) -> Labels:
        """Return the columns of an alphabet, written in lower case if asked for."""
        columns: dict[str, int] = {BLANK: 0}
        outputs = [alphabet.blank_id]
        added = []
        for index, token in enumerate(alphabet.tokens):
            if index == alphabet.blank_id:
                continue
            text = token.lower() if lower_case else token
            if index == alphabet.word_delimiter_id:
                text = SPACE
            elif index in alphabet.ignored_ids:
                text = BLANK
            if text in columns:
                added.append((index, columns[text]))
            else:
                columns[text] = len(outputs)
                outputs.append(index)
        return cls(tuple(columns), tuple(outputs), tuple(added), len(alphabet.tokens))

    @property
    def letters(self) -> frozenset[str]:
        """All characters that words can be written with."""
        return frozenset("".join(self.texts)) - {SPACE}

    @cached_property
    def column_of(self) -> dict[str, int]:
        """The column that writes each text."""
        return {text: column for column, text in enumerate(self.texts)}

    @cached_property
    def has_only_letters(self) -> bool:
        """Whether a word's characters tell its columns: none writes several."""
        return all(len(text) <= 1 for text in self.texts)

    @property
    def alphabet(self) -> Alphabet:
        """The columns as an alphabet of their own."""
        space = self.texts.index(SPACE) if SPACE in self.texts else None
        return Alphabet(self.texts, blank_id=0, word_delimiter_id=space)

    @cached_property
    def _speller(self) -> Speller:
        return Speller(self.alphabet)

    @property
    def is_bpe(self) -> bool:
        """Whether pieces say themselves that a word starts, with a mark before them."""
        return any(text.startswith(("▁", "##")) for text in self.texts)

    def columns(self, emissions: FloatArray) -> npt.NDArray[np.float32]:
        """Return log-probabilities of the columns, (frames, columns), each frame's adding up to 1.

        Args:
            emissions: (frames, outputs); natural-log probabilities, or logits.

        Raises:
            ValueError: It is not a matrix, has fewer outputs than the alphabet, or holds NaN,
                infinity, or a frame of nothing but minus infinity.
        """
        if emissions.ndim != 2 or emissions.shape[1] < self.n_outputs:
            raise ValueError(f"emissions must be (frames, {self.n_outputs}), not {emissions.shape}")
        if np.isnan(emissions).any():
            raise ValueError("emissions hold NaN")
        scores = emissions[:, list(self.outputs)].astype(np.float64)
        beyond = ((index, 0) for index in range(self.n_outputs, emissions.shape[1]))
        for output, column in (*self.added, *beyond):
            scores[:, column] = np.logaddexp(scores[:, column], emissions[:, output])
        sums = np.logaddexp.reduce(scores, axis=1, keepdims=True)
        if not np.isfinite(sums).all():
            frame = int(np.flatnonzero(~np.isfinite(sums[:, 0]))[0])
            raise ValueError(f"emissions of frame {frame} add up to {np.exp(sums[frame, 0])}")
        scores -= sums
        return scores.astype(np.float32)

    def spell(self, word: str) -> str:
        """Return a word in the columns' letters: as it is, in another case, or as `Speller` has it.

        Raises:
            UsageError: It cannot be written, or not without a pause.
        """
        for variant in (word, word.lower(), word.upper()):
            if set(variant) <= self.letters:
                return variant
        spelling = self._speller.spell(word)
        ids = [piece.token_id for piece in spelling.pieces if piece.token_id is not None]
        if ids and len(ids) == len(spelling.pieces) and not spelling.gaps:
            return "".join(self.texts[index] for index in ids)
        unknown = "".join(piece.text for piece in spelling.pieces if piece.token_id is None)
        lacking = {c for c in unknown or word if not {c, c.lower(), c.upper()} & self.letters}
        raise UsageError(
            f"hotword {word!r}: the model's vocabulary lacks {' '.join(sorted(lacking))}; write it "
            f"as it is spoken, in the model's letters"
        )


def fitting_labels(alphabet: Alphabet, ngram: NGram | None) -> Labels:
    """Return the columns in the case that the language model's words are in.

    Raises:
        CheckpointError: The language model belongs to another alphabet.
    """
    choices = [Labels.of(alphabet)]
    if alphabet.lower_case:
        choices.insert(0, Labels.of(alphabet, lower_case=True))
    if ngram is None:
        return choices[0]
    sample = (ngram.unigrams or ())[:: max(1, len(ngram.unigrams or ()) // _SAMPLE)]
    best = max(choices, key=lambda labels: (_share(sample, labels), -len(_missing(ngram, labels))))
    if missing := _missing(ngram, best):
        raise CheckpointError(
            f"{ngram.path}: its alphabet.json lacks {_listed(missing)}, which the model writes; "
            f"use the language model of this model, or build one with 'w2v lm build --model MODEL'"
        )
    if sample and _share(sample, best) < _LEAST_SHARE:
        lacking = sorted(set("".join(sample)) - best.letters)
        raise CheckpointError(
            f"{ngram.path}: most of its words have letters that the model does not write "
            f"({_listed(lacking)}); build one in the model's letters with 'w2v lm build'"
        )
    return best


def _share(words: Iterable[str], labels: Labels) -> float:
    """Return which part of words can be written, 1 if there are none."""
    letters = labels.letters
    written = [set(word) <= letters for word in words]
    return sum(written) / len(written) if written else 1.0


def _missing(ngram: NGram, labels: Labels) -> list[str]:
    if ngram.labels is None:
        return []
    # A word delimiter may be in the file under its own name.
    known = {*ngram.labels, BLANK, SPACE}
    return sorted(set(labels.texts) - known)


def _listed(tokens: list[str], most: int = 10) -> str:
    more = f" and {len(tokens) - most} more" if len(tokens) > most else ""
    return " ".join(repr(token) for token in tokens[:most]) + more
