"""Emissions in, hypotheses out, with numpy alone.

alphabet      what each of the network's outputs writes
hypothesis    a text with the frames of its words and characters
greedy        the best output of every frame, collapsed
"""

from w2v_cli.decoding.alphabet import Alphabet
from w2v_cli.decoding.greedy import greedy_decode
from w2v_cli.decoding.hypothesis import Hypothesis, HypothesisCharacter, HypothesisWord

__all__ = ["Alphabet", "Hypothesis", "HypothesisCharacter", "HypothesisWord", "greedy_decode"]
