"""Voices to speakers: agglomerative clustering of vectors by their cosines (average linkage)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_cli.diarization.linking import SILENT, Track, link_by_overlap, tracks_of
from w2v_cli.diarization.pieces import Piece

# Tracks with less of a speaker alone say too little of a voice to begin a cluster.
_CLEAR_SECONDS = 2.0


@dataclass(frozen=True)
class VoiceRules:
    """How many speakers there are.

    Attributes:
        threshold: Clusters are joined as long as the mean cosine between their voices is at
            least this.
        least: They are not joined to fewer than these.
        most: They are joined, whatever the cosine, to no more than these; None for no limit.
    """

    threshold: float = 0.5
    least: int = 1
    most: int | None = None

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold}; it must be from -1 to 1")
        if self.least < 1:
            raise ValueError(f"least is {self.least}; it must be 1 or more")
        if self.most is not None and self.most < self.least:
            raise ValueError(f"most is {self.most}; it must not be below least, {self.least}")


def cluster(vectors: npt.NDArray[Any], weights: npt.NDArray[Any], rules: VoiceRules) -> list[int]:
    """Return the cluster of each vector; clusters are counted by their first vector.

    The most similar two clusters are joined first; a cluster's similarity to another is the
    weighted mean of the cosines between them.

    Args:
        vectors: Of unit length, (vectors, dimensions).
        weights: How much each counts, more than 0, (vectors,).
        rules: How many clusters there are.
    """
    n_vectors = len(vectors)
    similarity = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(similarity, -np.inf)
    weight = weights.astype(np.float64)
    members = [[index] for index in range(n_vectors)]
    for n_clusters in range(n_vectors, rules.least, -1):
        too_many = rules.most is not None and n_clusters > rules.most
        one, other = sorted(np.unravel_index(int(similarity.argmax()), similarity.shape))
        if similarity[one, other] < rules.threshold and not too_many:
            break
        total = weight[one] + weight[other]
        joined = (weight[one] * similarity[one] + weight[other] * similarity[other]) / total
        similarity[one], similarity[:, one] = joined, joined
        similarity[one, one] = -np.inf
        similarity[other], similarity[:, other] = -np.inf, -np.inf
        weight[one] = total
        members[one] += members[other]
        members[other] = []
    labels = [0] * n_vectors
    for number, indices in enumerate(group for group in members if group):
        for index in indices:
            labels[index] = number
    return labels


def link_by_voices(pieces: Sequence[Piece], rules: VoiceRules) -> list[list[int]]:
    """Return the speaker of each output of each piece, of as many speakers as there are voices.

    What neighbours surely share, and say with one voice, becomes a track, whose voice is the mean
    of its places'. Tracks that are long enough are clustered, and of shorter ones as many as it
    takes for the number of speakers that is asked for. Each of the others goes to the cluster that
    it is most similar to, or without any voice to one that none of its pieces has. Two outputs of
    a piece may be one speaker: networks say so more often than voices are mistaken.

    Args:
        pieces: By their first frame, with voices.
        rules: How many speakers there are.
    """
    tracks = tracks_of(pieces, rules.threshold)
    if not tracks:
        return [[SILENT] * piece.n_outputs for piece in pieces]
    voices, seconds = _voices(pieces, tracks)
    heard = [index for index in range(len(tracks)) if seconds[index] > 0]
    if not heard:
        last = len(tracks) if rules.most is None else rules.most - 1
        return [[min(number, last) for number in order] for order in link_by_overlap(pieces)]
    longest = sorted(heard, key=lambda index: -seconds[index])
    n_clear = sum(seconds[index] >= _CLEAR_SECONDS for index in heard) or len(heard)
    clear = sorted(longest[: max(n_clear, rules.least)])
    found = cluster(voices[clear], seconds[clear], rules)
    speaker = dict(zip(clear, found, strict=True))
    centres = np.zeros((max(found) + 1, voices.shape[1]))
    for index, number in speaker.items():
        centres[number] += seconds[index] * voices[index]
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    for index in sorted(set(range(len(tracks))) - set(clear), key=lambda i: (-seconds[i], i)):
        similarity = centres @ voices[index]
        if seconds[index] == 0:
            near = [i for i in speaker if tracks[i].pieces & tracks[index].pieces]
            similarity[[speaker[i] for i in near]] -= 1.0
        speaker[index] = int(similarity.argmax())
    labels = [[SILENT] * piece.n_outputs for piece in pieces]
    for index, track in enumerate(tracks):
        for piece, output in track.places:
            labels[piece][output] = speaker[index]
    return labels


def _voices(
    pieces: Sequence[Piece], tracks: Sequence[Track]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return each track's voice, of unit length, and how long it spoke alone; zeros for none."""
    sums, seconds = [], []
    for track in tracks:
        total, length = 0.0, 0.0
        for index, output in track.places:
            voice, alone = pieces[index].voices, pieces[index].voice_seconds
            assert voice is not None
            assert alone is not None
            total = total + float(alone[output]) * voice[output].astype(np.float64)
            length += float(alone[output]) if voice[output].any() else 0.0
        sums.append(total)
        seconds.append(length)
    stacked = np.array(sums).reshape(len(tracks), -1)
    norms = np.linalg.norm(stacked, axis=1, keepdims=True)
    return stacked / np.where(norms > 0, norms, 1.0), np.array(seconds)
