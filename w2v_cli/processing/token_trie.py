"""Finding the added tokens in a text, all in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# Marks a node at which a token ends. No character of a text is the empty string.
_END = ""

_Node = dict[str, Any]


class TokenTrie:
    """The added tokens as a tree of their characters.

    >>> trie = TokenTrie(["<s>", "aa", "aab"])
    >>> trie.split("x<s>aabaa")
    ['x', '<s>', 'aab', 'aa']
    """

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        """Hold `tokens`."""
        self._root: _Node = {}
        self._tokens: set[str] = set()
        for token in tokens:
            self.add(token)

    def __reduce__(self) -> tuple[type[TokenTrie], tuple[list[str]]]:
        # A long token is a deep tree, too deep for copying and pickling one node at a time.
        return type(self), (sorted(self._tokens),)

    def add(self, token: str) -> None:
        """Hold `token` as well; an empty one is not held."""
        if not token or token in self._tokens:
            return
        self._tokens.add(token)
        node = self._root
        for character in token:
            node = node.setdefault(character, {})
        node[_END] = True

    def split(self, text: str) -> list[str]:
        """Return `text` cut before and after every token in it, without empty pieces.

        Where tokens overlap the one that starts first wins, and of those the longest. The
        search goes from left to right, so that a token inside a longer one that is not
        completed is still found.
        """
        pieces = []
        cut = 0
        for start, end in self._matches(text):
            pieces += [text[cut:start], text[start:end]]
            cut = end
        pieces.append(text[cut:])
        return [piece for piece in pieces if piece]

    def _matches(self, text: str) -> Iterable[tuple[int, int]]:
        partial: dict[int, _Node] = {}  # where a token may have started -> how far it has come
        resume = 0
        for index, character in enumerate(text):
            if index < resume:
                continue
            match = self._completed(text, index, partial)
            if match is not None:
                yield match
                resume = match[1]
                partial = {}
            else:
                partial = {
                    start: node[character] for start, node in partial.items() if character in node
                }
            if index >= resume and character in self._root:
                partial[index] = self._root[character]
        for start, node in partial.items():
            if _END in node:
                yield start, len(text)
                return

    @staticmethod
    def _completed(text: str, index: int, partial: dict[int, _Node]) -> tuple[int, int] | None:
        """Return the token to cut out now that one has ended just before `index`, if one has.

        An earlier start that can still be completed is preferred. One that the character at
        `index` has just ruled out counts as well, one character further: the published
        tokenizer does so, and equal ids matter more here than a rare better cut.
        """
        ended = next((start for start, node in partial.items() if _END in node), None)
        if ended is None:
            return None
        for start, node in partial.items():
            if start < ended:
                end = _longest(text, index + 1, node.get(text[index], node))
            else:
                end = _longest(text, index, node)
            if end is not None:
                return start, end
        raise AssertionError("a token that has ended is always a match")


def _longest(text: str, index: int, node: _Node) -> int | None:
    """Return where the longest token ends that continues from `node` at `index`, if any does."""
    end = index if _END in node else None
    while index < len(text) and text[index] in node:
        node = node[text[index]]
        index += 1
        if _END in node:
            end = index
    return end
