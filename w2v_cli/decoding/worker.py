"""A process that decodes what it is sent."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.ngram import NGram
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.errors import W2VError

READY = "ready"


class Recipe(Protocol):
    """What it takes to make a decoder, in any process; it can be pickled."""

    def make(self) -> Any:
        """Return an object with ``decode(emissions, options)``."""
        ...


@dataclass(frozen=True)
class DecoderRecipe:
    """What it takes to make a decoder, in any process.

    Attributes:
        alphabet: What the network's outputs write.
        ngram: The language model, which each process loads for itself.
        options: How to search.
        engine: One of `beam.ENGINES`.
    """

    alphabet: Alphabet
    ngram: NGram | None
    options: BeamOptions
    engine: str = "auto"

    def make(self) -> Any:
        """Return the decoder, its language model loaded."""
        from w2v_cli.decoding.beam import make_decoder

        return make_decoder(self.alphabet, self.ngram, self.options, self.engine)


def serve(recipe: Recipe, connection: Connection, parents_end: Connection | None) -> None:
    """Load the decoder once, then answer each matrix of emissions until there are no more.

    Sends `READY`, or the error that kept it from being so; then for each task its result or
    its error. It ends when the parent closes its end, or dies.

    Args:
        recipe: The decoder.
        connection: Where tasks come from and results go.
        parents_end: The other end, where a fork has left it open here too.
    """
    # Ctrl-C reaches the whole process group; it is the parent that winds up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parents_end is not None:
        parents_end.close()
    threading.Thread(target=_end_with_parent, name="w2v-parent", daemon=True).start()
    try:
        decoder = recipe.make()
    except Exception as error:  # the parent gives up with it
        _send(connection, error)
        return
    _send(connection, READY)
    while True:
        try:
            emissions, options = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = decoder.decode(emissions, options)
        except Exception as error:  # the parent raises it where the result is asked for
            answer = error
        _send(connection, answer)


def _end_with_parent() -> None:
    """End this process when its parent dies, also in the middle of a long decoding.

    Its connection would not tell: a sibling that was forked later has it open too.
    """
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _send(connection: Connection, answer: Any) -> None:
    if isinstance(answer, Exception) and not _survives_pickling(answer):
        answer = W2VError(str(answer))
    try:
        connection.send(answer)
    except (BrokenPipeError, OSError):
        os._exit(0)  # nobody is left to hear it


def _survives_pickling(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # what an exception's own methods raise can be anything
        return False
    return True
