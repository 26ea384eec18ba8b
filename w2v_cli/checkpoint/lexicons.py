"""The lexicon that lies inside a checkpoint: all words that can be said to it.

It is ours, not a published file: lexicon.json, with a list of words or phrases as ``words``.
"""

from __future__ import annotations

import os

from w2v_cli.checkpoint.configs import read_json_object
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.resolve import pin, resolve_file
from w2v_cli.errors import CheckpointError

LEXICON_FILE = "lexicon.json"


def own_lexicon(
    name: str | os.PathLike[str], options: HubOptions | None = None
) -> tuple[str, ...] | None:
    """Return the words of a checkpoint's lexicon, or None if it has none.

    Args:
        name: A folder, the name of an embedded model, or a model id of the Hub.
        options: Revision, cache, token and the like; None for the defaults.

    Raises:
        ModelNotFoundError: There is no such model or revision.
        HubError: The Hub cannot be reached or refuses.
        CheckpointError: The file is no list of words.
    """
    path = resolve_file(name, LEXICON_FILE, pin(name, options))
    if path is None:
        return None
    words = read_json_object(path).get("words")
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise CheckpointError(
            f'{path}: needs a list of words, as {{"words": ["yes", "no"]}}; correct it, or remove '
            f"the file to decode without a lexicon"
        )
    return tuple(words)
