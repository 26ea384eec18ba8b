"""Emissions in, hypotheses out, with numpy alone.

alphabet      what each of the network's outputs writes
hypothesis    a text with the frames of its words and characters
greedy        the best output of every frame, collapsed
options       how a beam search goes about its work
ngram         an n-gram language model on disk
beam          the beam search, in one of two engines: native and pyctc
pool, worker  processes that search
spelling      a known text in an alphabet's letters
alignment     where in the emissions a known text is, by the paths of trellis
"""

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.greedy import greedy_decode
from w2v_cli.decoding.hypothesis import Hypothesis, HypothesisCharacter, HypothesisWord

__all__ = ["Alphabet", "Hypothesis", "HypothesisCharacter", "HypothesisWord", "greedy_decode"]
