"""Which decoder a transcription uses: greedy, with a lexicon, or a beam search in processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.greedy import greedy_decode
from w2v_cli.decoding.hypothesis import Hypothesis
from w2v_cli.errors import UsageError
from w2v_cli.tasks.cased import CasedDecoder, CaseName
from w2v_cli.tasks.task import Pending, Ready

if TYPE_CHECKING:
    from w2v_cli.decoding.greedy import FloatArray
    from w2v_cli.decoding.ngram import NGram
    from w2v_cli.decoding.options import Hotword
    from w2v_cli.decoding.pool import DecoderPool
    from w2v_cli.inference.emitter import Emitter


def spaced_alphabet(emitter: Emitter) -> Alphabet:
    """Return what a model's outputs write, in its current language, a space between words.

    Results have one, whatever the tokenizer's `decode` makes of the word delimiter.
    """
    tokenizer = emitter.processor.tokenizer
    return Alphabet.from_tokenizer(tokenizer, emitter.vocab_size, word_separator=" ")


@dataclass(frozen=True)
class DecodingChoice:
    """How emissions become text.

    What is None is the language model's own, or else the default of `BeamOptions`.

    Attributes:
        lm: A folder or file with a language model; None for the model's own, if it has one.
        search: Search with a beam also where there is no language model.
        lexicon: The words and phrases that can be said, and nothing else; none for the model's
            own, if it has some.
        use_own: Use the language model, or else the lexicon, that lies in the model's folder.
        engine: The engine of the search: auto, native or pyctcdecode.
        beam_width: Readings kept after each frame.
        alpha: Weight of the language model.
        beta: Score added for every word.
        hotwords: What to listen for.
        n_best: Readings to return.
        workers: Processes that search; 0 searches in this one.
        case: Of the letters that are written; None for the model's own.
    """

    lm: str | None = None
    search: bool = False
    lexicon: tuple[str, ...] = ()
    use_own: bool = True
    engine: str = "auto"
    beam_width: int | None = None
    alpha: float | None = None
    beta: float | None = None
    hotwords: tuple[Hotword, ...] = ()
    n_best: int = 1
    workers: int = 0
    case: CaseName | None = None


Handle = Pending[Sequence[tuple[Hypothesis, ...]]]
"""Hypotheses that are being looked for: for each matrix of emissions its readings, best first."""


class Decoder(Protocol):
    """What turns emissions into hypotheses, now or while something else is done."""

    def submit(self, batch: Sequence[FloatArray]) -> Handle:
        """Begin with a batch of emissions, each (frames, vocab)."""
        ...

    def preview(self, emissions: FloatArray) -> str:
        """Return at once what (frames, vocab) may say, as long as more of it is to come."""
        ...

    def close(self) -> None:
        """Let go of processes and language models."""
        ...


class DirectDecoder:
    """A decoder that is quick enough to be done when it is asked for.

    Args:
        decode: Makes the hypothesis of emissions, (frames, vocab).
    """

    def __init__(self, decode: Callable[[FloatArray], Hypothesis]) -> None:
        self._decode = decode

    def submit(self, batch: Sequence[FloatArray]) -> Handle:
        """Decode a batch of emissions, each (frames, vocab)."""
        return Ready([(self._decode(emissions),) for emissions in batch])

    def preview(self, emissions: FloatArray) -> str:
        """Return what (frames, vocab) may say."""
        return self._decode(emissions).text

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


class SearchingDecoder:
    """A beam search in a pool of processes, which is at it while something else is done."""

    def __init__(self, pool: DecoderPool, alphabet: Alphabet) -> None:
        self._pool = pool
        self._alphabet = alphabet

    def submit(self, batch: Sequence[FloatArray]) -> Handle:
        """Begin with a batch of emissions, each (frames, vocab)."""
        return self._pool.submit(batch)

    def preview(self, emissions: FloatArray) -> str:
        """Return what (frames, vocab) may say, without a search, which would be too late."""
        return greedy_decode(emissions, self._alphabet).text

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


def greedy_decoder(alphabet: Alphabet) -> Decoder:
    """Return a decoder that takes the best output of every frame."""
    return DirectDecoder(partial(greedy_decode, alphabet=alphabet))


def make_decoder(
    alphabet: Alphabet, choice: DecodingChoice, ngram: NGram | None, lexicon: Sequence[str] = ()
) -> Decoder:
    """Return the decoder of a choice: a pool that searches, a lexicon's, or greedy decoding.

    Args:
        alphabet: What the model's outputs write.
        choice: How to decode.
        ngram: The language model, chosen or the model's own.
        lexicon: The words that can be said, chosen or the model's own; a search does without.

    Raises:
        MissingDependencyError: The search needs a package that is not installed.
        ModelError: The language model cannot be loaded.
        UsageError: There is no language model to weigh, or the model cannot write a word of the
            lexicon.
    """
    decoder = _own_case_decoder(alphabet, choice, ngram, lexicon)
    return decoder if choice.case is None else CasedDecoder(decoder, choice.case)


def _own_case_decoder(
    alphabet: Alphabet, choice: DecodingChoice, ngram: NGram | None, lexicon: Sequence[str]
) -> Decoder:
    if ngram is None and (choice.alpha is not None or choice.beta is not None):
        option = "--alpha" if choice.alpha is not None else "--beta"
        raise UsageError(f"{option} weighs a language model, and there is none; name one with --lm")
    if ngram is None and not choice.search:
        if not lexicon:
            return greedy_decoder(alphabet)
        from w2v_cli.decoding.lexicon import LexiconDecoder

        return DirectDecoder(LexiconDecoder(alphabet, lexicon).decode)
    from w2v_cli.decoding.options import BeamOptions
    from w2v_cli.decoding.pool import DecoderPool

    options = BeamOptions(hotwords=choice.hotwords, n_best=choice.n_best)
    chosen = {
        name: value
        for name in ("alpha", "beta", "beam_width")
        if (value := getattr(choice, name)) is not None
    }
    own = {} if ngram is None else ngram.own_options()
    pool = DecoderPool(
        alphabet,
        ngram,
        replace(options, **{**own, **chosen}),
        engine=choice.engine,
        workers=choice.workers,
    )
    return SearchingDecoder(pool, alphabet)
