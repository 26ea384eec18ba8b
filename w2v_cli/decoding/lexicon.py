"""Decoding with a lexicon: the most probable path that says nothing but given words.

Where it is known beforehand what can be said (commands, digits, the names of a menu), a network
that writes letters need not spell. No language model, no package and no beam is needed: the best
of all paths is found, by passing tokens through a tree of the words' letters (Young, Russell and
Thornton 1989, "Token passing: a simple conceptual model for connected speech recognition systems").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product
from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.engine import Reading
from w2v_cli.decoding.greedy import greedy_decode
from w2v_cli.decoding.hypothesis import Hypothesis
from w2v_cli.decoding.labels import BLANK, SPACE, Labels
from w2v_cli.decoding.reading_times import timed_hypothesis
from w2v_cli.decoding.spelling import Speller
from w2v_cli.decoding.spelling_lattice import ways_to_write
from w2v_cli.errors import UsageError

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.intp]

_ROOT = 0
_NOT_YET = -1
# To write an entry with pieces of several letters; each way is a branch of its own.
_MOST_WAYS = 16


class LexiconDecoder:
    """Emissions to the most probable words of a lexicon, any number of them in any order.

    Like the best path of `greedy_decode`, but the best of those whose every word is in the lexicon,
    or that say nothing. Outputs that the alphabet ignores count as blanks.

    >>> alphabet = Alphabet(("_", "|", "n", "o", "w"), blank_id=0, word_delimiter_id=1)
    >>> decoder = LexiconDecoder(alphabet, ["no", "now"])
    >>> emissions = np.log([[0.1, 0.1, 0.7, 0.05, 0.05], [0.2, 0.1, 0.1, 0.25, 0.35]])
    >>> greedy_decode(emissions, alphabet).text, decoder.decode(emissions).text
    ('nw', 'no')

    Args:
        alphabet: What the network's outputs write.
        entries: Words, or phrases of several words, in any case.

    Raises:
        UsageError: There is none, one has letters that the alphabet lacks, or the alphabet has
            nothing to tell where a word ends.
    """

    def __init__(self, alphabet: Alphabet, entries: Iterable[str]) -> None:
        self._alphabet = alphabet
        self._labels = Labels.of(alphabet)
        if SPACE not in self._labels.column_of:
            raise UsageError(
                "a lexicon needs a model that writes spaces between words, and this one's "
                "vocabulary has none; leave the lexicon out"
            )
        speller = Speller(alphabet)
        self._tree = _Tree(self._labels)
        for entry in entries:
            for spelled in self._spellings(entry, speller):
                self._tree.add(spelled)
        if not self._tree.texts:
            raise UsageError("the lexicon has no word in it; give a file with a word a line")

    def decode(self, emissions: FloatArray) -> Hypothesis:
        """Return the words on the best path.

        Args:
            emissions: Natural-log probabilities, (frames, vocab); logits are made into such.

        Returns:
            The hypothesis; an empty one where the best path says nothing.

        Raises:
            ValueError: `emissions` is not a matrix, holds NaN, or has too few columns.
        """
        columns = self._labels.columns(emissions)
        read = greedy_decode(columns, self._labels.alphabet)
        text, score = read.text, read.logit_score
        if not self._tree.says(text.split()):  # else no path can be better
            entries, score = _Search(self._tree).run(columns)
            text = " ".join(self._tree.texts[entry] for entry in entries)
        reading = Reading(text, (), score, None)
        return timed_hypothesis(columns, reading, self._labels, self._alphabet)

    def _spellings(self, entry: str, speller: Speller) -> Iterator[list[int]]:
        """Yield the columns that write an entry: of many ways those of the longest pieces."""
        spelled = self._spell(entry, speller)
        if self._labels.has_only_letters:
            yield spelled
            return
        columns, space = self._labels.column_of, self._labels.column_of[SPACE]
        words = "".join(self._labels.texts[column] for column in spelled).split(SPACE)
        ways = [islice(ways_to_write(word, columns), _MOST_WAYS) for word in words]
        for first, *others in islice(product(*ways), _MOST_WAYS):
            yield [*first, *(column for part in others for column in (space, *part))]

    def _spell(self, entry: str, speller: Speller) -> list[int]:
        """Return the columns that write an entry, a space between its words."""
        spelled: list[int] = []
        for word in entry.split():
            spelling = speller.spell(word)
            pieces = spelling.pieces
            lacking = [piece.text for piece in pieces if piece.token_id is None]
            if lacking or not pieces:
                raise UsageError(
                    f"the lexicon's {word!r}: the model's vocabulary lacks "
                    f"{' '.join(lacking) or 'all of it'}; write it as it is spoken, in the model's "
                    f"letters"
                )
            if spelled:
                spelled.append(self._labels.column_of[SPACE])
            for place, piece in enumerate(pieces):
                if place in spelling.gaps:  # a hyphen: models write two words, or one without it
                    spelled.append(self._labels.column_of[SPACE])
                spelled.append(self._labels.column_of[self._alphabet.tokens[piece.token_id or 0]])
        return spelled


class _Tree:
    """The entries' letters; entries that begin alike share their beginning.

    Node 0 is what comes before each entry; its letter is the space. Every other node says one
    letter, after its parent's.
    """

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.blank = labels.column_of[BLANK]
        self.texts: list[str] = []
        self._phrases: dict[str, list[list[str]]] = defaultdict(list)  # by their first word
        self._letters = [labels.column_of[SPACE]]
        self._parents = [_ROOT]
        self._children: dict[tuple[int, int], int] = {}
        self._entry_of: dict[int, int] = {}

    def add(self, spelled: list[int]) -> None:
        """Put in an entry, the columns that write it; one that is in already stays."""
        node = _ROOT
        for column in spelled:
            child = self._children.setdefault((node, column), len(self._letters))
            if child == len(self._letters):
                self._letters.append(column)
                self._parents.append(node)
            node = child
        if node != _ROOT and node not in self._entry_of:
            self._entry_of[node] = len(self.texts)
            text = "".join(self.labels.texts[column] for column in spelled)
            self.texts.append(text)
            self._phrases[text.split()[0]].append(text.split())

    def says(self, words: Sequence[str]) -> bool:
        """Return whether words are entries, one after another."""
        reached = {0}
        for start in range(len(words)):
            if start in reached:
                for phrase in self._phrases.get(words[start], ()):
                    end = start + len(phrase)
                    if words[start:end] == phrase:
                        reached.add(end)
        return len(words) in reached

    @property
    def letters(self) -> IntArray:
        """The column of each node, (nodes,)."""
        return np.array(self._letters, dtype=np.intp)

    @property
    def parents(self) -> IntArray:
        """The node before each, (nodes,)."""
        return np.array(self._parents, dtype=np.intp)

    @property
    def ends(self) -> tuple[IntArray, IntArray]:
        """The nodes that end an entry, and which, (entries,) each."""
        nodes = np.fromiter(self._entry_of, dtype=np.intp)
        return nodes, np.fromiter(self._entry_of.values(), dtype=np.intp)


class _Search:
    """Tokens on their way through a tree: in each state the best path that leads there.

    A node has two states, its letter and the blank after it; one more state is the blank after an
    entry, which only a space leads out of. A token is a score and a number in the list of
    entries said, each of which has the number of the one before it.
    """

    def __init__(self, tree: _Tree) -> None:
        self._tree = tree
        self._columns, self._parents = tree.letters, tree.parents
        self._ends, self._entries = tree.ends
        self._follows_root = np.flatnonzero(self._parents == _ROOT)[1:]
        # An equal letter must have a blank before it, but the space is said as often as you like.
        repeats = self._columns == self._columns[self._parents]
        self._repeats = repeats & (self._parents != _ROOT)
        self._spaces = np.flatnonzero(self._columns == self._columns[_ROOT])
        n_nodes = len(self._columns)
        self._letters = np.full(n_nodes, -np.inf)
        self._blanks = np.full(n_nodes, -np.inf)
        self._letters_said = np.full(n_nodes, _NOT_YET)
        self._blanks_said = np.full(n_nodes, _NOT_YET)
        self._blanks[_ROOT] = 0.0
        self._after, self._after_said = -np.inf, _NOT_YET
        self._said: list[tuple[int, int]] = []

    def run(self, columns: npt.NDArray[np.float32]) -> tuple[list[int], float]:
        """Return the entries on the best path through (frames, columns), and its score."""
        for frame in columns.astype(np.float64):
            self._step(frame)
        score, last = max(self._finished())
        entries = []
        while last != _NOT_YET:
            entry, last = self._said[last]
            entries.append(entry)
        return entries[::-1], float(score)

    def _finished(self) -> list[tuple[float, int]]:
        """Return the tokens that an end may follow: those that are inside no entry."""
        return [
            (self._letters[_ROOT], int(self._letters_said[_ROOT])),
            (self._blanks[_ROOT], int(self._blanks_said[_ROOT])),
            (self._after, self._after_said),
            self._best_end(),
        ]

    def _best_end(self) -> tuple[float, int]:
        """Return the best token at the last letter of an entry, with the entry in its list."""
        best = int(self._letters[self._ends].argmax())
        node = self._ends[best]
        if self._letters[node] == -np.inf:
            return -np.inf, _NOT_YET
        self._said.append((int(self._entries[best]), int(self._letters_said[node])))
        return float(self._letters[node]), len(self._said) - 1

    def _step(self, frame: npt.NDArray[np.float64]) -> None:
        """Pass the tokens on by one frame, whose scores are (columns,)."""
        letters, blanks = self._letters, self._blanks
        end = self._best_end()
        after = max(end, (self._after, self._after_said))
        root = max(
            (letters[_ROOT], int(self._letters_said[_ROOT])),
            (blanks[_ROOT], int(self._blanks_said[_ROOT])),
        )
        into, into_said = self._into_letters(root)
        into[_ROOT], into_said[_ROOT] = max(root, after)
        stays = blanks >= letters
        self._blanks = np.where(stays, blanks, letters) + frame[self._tree.blank]
        self._blanks_said = np.where(stays, self._blanks_said, self._letters_said)
        self._letters = into + frame[self._columns]
        self._letters_said = into_said
        self._after, self._after_said = after[0] + frame[self._tree.blank], after[1]

    def _into_letters(self, root: tuple[float, int]) -> tuple[npt.NDArray[np.float64], IntArray]:
        """Return the best tokens that come to each node's letter, (nodes,) each."""
        letters, blanks, parents = self._letters, self._blanks, self._parents
        best, said = letters.copy(), self._letters_said.copy()
        candidates = [
            (blanks[parents], self._blanks_said[parents]),
            (np.where(self._repeats, -np.inf, letters[parents]), self._letters_said[parents]),
        ]
        candidates[0][0][self._follows_root], candidates[0][1][self._follows_root] = root
        again = np.full(len(best), -np.inf)
        again[self._spaces] = blanks[self._spaces]
        candidates.append((again, self._blanks_said))
        for scores, numbers in candidates:
            better = scores > best
            best[better], said[better] = scores[better], numbers[better]
        return best, said
