"""Transcripts beside their references: word and character error rates.

sources       texts by name, out of files, folders and manifests
pairs         which hypothesis belongs to which reference
normalizers   which differences do not count, by name
spoken_english  numbers and short forms as they are said, for the english normaliser
rates         what was wrong, counted with jiwer
verification  how well scores tell whether two recordings are of one speaker
"""

from w2v_cli.scoring.normalizers import NORMALIZERS, basic_normalizer, normalize
from w2v_cli.scoring.pairs import Pair, Pairing, pair_texts
from w2v_cli.scoring.rates import AlignedWords, Counts, Score, ScoredPair, score_pairs
from w2v_cli.scoring.sources import NamedText, read_texts

__all__ = [
    "NORMALIZERS",
    "AlignedWords",
    "Counts",
    "NamedText",
    "Pair",
    "Pairing",
    "Score",
    "ScoredPair",
    "basic_normalizer",
    "normalize",
    "pair_texts",
    "read_texts",
    "score_pairs",
]
