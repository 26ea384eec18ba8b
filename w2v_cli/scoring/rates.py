"""Error rates: how many words and characters were heard wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from w2v_cli.scoring.normalizers import normalize
from w2v_cli.scoring.pairs import Pair

Kind = Literal["equal", "substitute", "delete", "insert"]


@dataclass(frozen=True)
class Counts:
    """What a comparison found, in words or in characters."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def n_reference(self) -> int:
        """How many the reference has."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float | None:
        """Errors by the reference's length; None for errors where the reference is empty.

        It is above 1 where more was added than was said.
        """
        if self.n_reference == 0:
            return None if self.errors else 0.0
        return self.errors / self.n_reference

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


@dataclass(frozen=True)
class AlignedWords:
    """A stretch of words that are all right, or all wrong in one way.

    Attributes:
        kind: equal, substitute, delete (said and not heard) or insert (heard and not said).
        reference: What was said; empty for an insertion.
        hypothesis: What was heard; empty for a deletion, as many words for the rest.
    """

    kind: Kind
    reference: tuple[str, ...]
    hypothesis: tuple[str, ...]


@dataclass(frozen=True)
class ScoredPair:
    """A reference and a hypothesis, normalised and compared."""

    name: str
    words: Counts
    characters: Counts
    alignment: tuple[AlignedWords, ...]


@dataclass(frozen=True)
class Score:
    """The comparison of all pairs.

    Attributes:
        pairs: Each pair's own, in their order.
        words: Of all together: long texts weigh more, as jiwer and sclite count.
        characters: The same in characters; a space between two words is one.
    """

    pairs: tuple[ScoredPair, ...]
    words: Counts
    characters: Counts


def score_pairs(pairs: Sequence[Pair], *, normalizer: str = "none") -> Score:
    """Return the word and character errors of all pairs.

    Counted by jiwer (Levenshtein distance). Words are what stands between white space.

    Args:
        pairs: References with their hypotheses; either may be empty.
        normalizer: One of `NORMALIZERS`, which differences do not count.

    Raises:
        ValueError: There is no such normaliser.

    >>> score = score_pairs([Pair("talk", "go left now", "go right")])
    >>> score.words.rate, score.words.substitutions, score.words.deletions
    (0.6666666666666666, 1, 1)
    """
    references = [normalize(pair.reference, normalizer) for pair in pairs]
    hypotheses = [normalize(pair.hypothesis, normalizer) for pair in pairs]
    if not pairs:
        return Score((), Counts(), Counts())
    import jiwer

    by_word = jiwer.process_words(references, hypotheses)
    by_character = jiwer.process_characters(references, hypotheses)
    scored = tuple(
        ScoredPair(
            name=pair.name,
            words=_counts(by_word.alignments[n]),
            characters=_counts(by_character.alignments[n]),
            alignment=tuple(
                AlignedWords(
                    cast(Kind, chunk.type),
                    tuple(by_word.references[n][chunk.ref_start_idx : chunk.ref_end_idx]),
                    tuple(by_word.hypotheses[n][chunk.hyp_start_idx : chunk.hyp_end_idx]),
                )
                for chunk in by_word.alignments[n]
            ),
        )
        for n, pair in enumerate(pairs)
    )
    return Score(
        pairs=scored,
        words=sum((pair.words for pair in scored), Counts()),
        characters=sum((pair.characters for pair in scored), Counts()),
    )


def _counts(chunks: Iterable[Any]) -> Counts:
    """Return how many of a pair's words or characters are in each kind of jiwer's chunks."""
    found = dict.fromkeys(("equal", "substitute", "delete", "insert"), 0)
    for chunk in chunks:
        n_said = chunk.ref_end_idx - chunk.ref_start_idx
        found[chunk.type] += n_said or chunk.hyp_end_idx - chunk.hyp_start_idx
    return Counts(found["equal"], found["substitute"], found["delete"], found["insert"])
