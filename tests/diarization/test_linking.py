"""Speakers across chunks: synthetic recordings whose chunks have their speakers swapped."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from w2v_cli.diarization.assignment import cheapest_pairs
from w2v_cli.diarization.clustering import VoiceRules, cluster, link_by_voices
from w2v_cli.diarization.linking import SILENT, link_by_overlap, sure_pairs, tracks_of
from w2v_cli.diarization.pieces import Piece
from w2v_cli.diarization.stitching import stitch

VOICES = np.eye(5, 8, dtype=np.float32)


def conversation(n_frames, n_speakers, *, seed=0, turn_frames=(40, 160)):
    """Whether each speaker speaks in each frame; one after the other, now and then together."""
    random = np.random.default_rng(seed)
    activity = np.zeros((n_frames, n_speakers), np.float32)
    at, last = 0, -1
    while at < n_frames:
        who = random.choice([s for s in range(n_speakers) if s != last])
        length = int(random.integers(*turn_frames))
        activity[max(at - int(random.integers(0, 15)), 0) : at + length, who] = 1
        at, last = at + length, who
    return activity


def pieces_of(activity, length, step, n_outputs, *, seed=0, noise=0.2, voices=False):
    """Cut a conversation into chunks that know some speakers, each in an order of its own."""
    random = np.random.default_rng(seed)
    pieces, orders = [], []
    for first in range(0, max(len(activity) - length, 0) + step, step):
        part = activity[first : first + length]
        loud = sorted(range(activity.shape[1]), key=lambda s: -part[:, s].sum())[:n_outputs]
        order = random.permutation(loud)
        heard = part[:, order]
        probabilities = np.abs(heard - noise * random.random(heard.shape).astype(np.float32))
        alone = (part[:, order] * (part.sum(1, keepdims=True) == 1)).sum(0) * 0.02
        vectors = VOICES[order] * (alone > 0)[:, None]
        known = (vectors, alone.astype(np.float32)) if voices else (None, None)
        pieces.append(Piece(first, probabilities, *known))
        orders.append(order.tolist())
    return pieces, orders


def renamed(stitched, activity):
    """The stitched speakers in the order that fits best."""
    best = min(
        permutations(range(stitched.shape[1]), activity.shape[1]),
        key=lambda order: np.abs(stitched[:, list(order)] - activity).sum(),
    )
    return stitched[:, list(best)]


@pytest.mark.parametrize(("n_speakers", "seed"), [(2, 0), (2, 1), (3, 2), (4, 3)])
def test_swapped_speakers_are_found_again_by_overlap(n_speakers, seed):
    activity = conversation(6000, n_speakers, seed=seed)
    pieces, _ = pieces_of(activity, 1500, 500, n_speakers, seed=seed)
    labels = link_by_overlap(pieces)
    stitched = renamed(stitch(pieces, labels, n_speakers, 6000), activity)
    np.testing.assert_array_equal(stitched > 0.5, activity > 0.5)


def test_the_first_order_is_kept():
    activity = conversation(3000, 2)
    pieces, orders = pieces_of(activity, 1500, 500, 2)
    for labels, order in zip(link_by_overlap(pieces), orders, strict=True):
        assert [orders[0][label] for label in labels] == order


def test_without_an_overlap_orders_stay():
    random = np.random.default_rng(0)
    pieces = [Piece(first, random.random((100, 3))) for first in (0, 100, 400)]
    assert link_by_overlap(pieces) == [[0, 1, 2]] * 3
    assert link_by_overlap([]) == []


@pytest.mark.parametrize("n_speakers", [3, 4, 5])
def test_more_speakers_than_outputs_are_found_by_their_voices(n_speakers):
    activity = conversation(12_000, n_speakers, seed=n_speakers, turn_frames=(200, 400))
    # Two at a time: chunks of less than two turns know at most two.
    pieces, _ = pieces_of(activity, 150, 50, 2, seed=1, voices=True)
    labels = link_by_voices(pieces, VoiceRules(threshold=0.5))
    assert max(max(row) for row in labels) + 1 == n_speakers
    stitched = renamed(stitch(pieces, labels, n_speakers, 12_000), activity)
    assert np.mean((stitched > 0.5) != (activity > 0.5)) < 0.005  # where three speak at once


def test_number_of_speakers_is_as_asked_for():
    activity = conversation(6000, 3, turn_frames=(200, 400))
    pieces, _ = pieces_of(activity, 150, 50, 2, voices=True)
    for n_speakers in (2, 3):
        labels = link_by_voices(pieces, VoiceRules(0.5, least=n_speakers, most=n_speakers))
        assert {label for row in labels for label in row} - {SILENT} == set(range(n_speakers))


def test_one_speaker_is_one_speaker_even_if_outputs_say_two():
    activity = conversation(3000, 2)
    pieces, _ = pieces_of(activity, 1500, 500, 2, voices=True)
    labels = link_by_voices(pieces, VoiceRules(0.5, least=1, most=1))
    assert {label for row in labels for label in row} == {0}
    stitched = stitch(pieces, labels, 1, 3000)
    np.testing.assert_array_equal(stitched[:, 0] > 0.5, activity.max(axis=1) > 0.5)


def test_an_overlap_of_two_voices_is_not_believed():
    """Neighbours that speak together and with other voices are two speakers."""
    frames = np.ones((300, 1), np.float32)
    seconds = np.array([6.0], np.float32)
    pieces = [Piece(0, frames, VOICES[:1], seconds), Piece(100, frames, VOICES[1:2], seconds)]
    assert link_by_voices(pieces, VoiceRules(0.5)) == [[0], [1]]
    assert link_by_voices([pieces[0], pieces[0]], VoiceRules(0.5)) == [[0], [0]]


def test_without_any_voice_the_overlap_decides():
    activity = conversation(3000, 2)
    pieces, _ = pieces_of(activity, 1500, 500, 2)
    mute = [
        Piece(p.first_frame, p.probabilities, np.zeros((2, 8), np.float32), np.zeros(2, np.float32))
        for p in pieces
    ]
    assert link_by_voices(mute, VoiceRules()) == link_by_overlap(pieces)
    assert link_by_voices(mute, VoiceRules(most=1)) == [[0, 0]] * len(mute)


def test_who_speaks_little_goes_to_the_nearest_voice_or_to_one_that_is_free():
    long, short = np.zeros((500, 2), np.float32), np.zeros((500, 2), np.float32)
    long[:200, 0], long[250:450, 1] = 1, 1
    short[:300, 0], short[400:420, 1] = 1, 1
    voices = np.eye(2, dtype=np.float32)
    first = Piece(0, long, voices, np.array([4.0, 4.0], np.float32))
    for odd, expected in (([0.8, 0.6], 0), ([0.6, 0.8], 1), ([0.0, 0.0], 0)):
        seconds = np.array([6.0, 0.4 if any(odd) else 0.0], np.float32)
        second = Piece(500, short, np.array([[0, 1], odd], np.float32), seconds)
        assert link_by_voices([first, second], VoiceRules(0.7)) == [[0, 1], [1, expected]]


def test_silent_outputs_are_nobody():
    quiet = np.zeros((100, 2), np.float32)
    quiet[:60, 1] = 1
    piece = Piece(0, quiet, np.eye(2, 4, dtype=np.float32), np.array([0, 3.0], np.float32))
    assert link_by_voices([piece], VoiceRules()) == [[SILENT, 0]]
    assert stitch([piece], [[SILENT, 0]], 1, 100)[:, 0].tolist() == quiet[:, 1].tolist()


def test_sure_pairs_need_speech_in_common():
    first = np.zeros((100, 2), np.float32)
    second = np.zeros((100, 2), np.float32)
    first[:80, 0] = second[:80, 1] = 1  # surely the same
    first[90:, 1] = second[90:, 0] = 1  # the same, but too short to be sure
    assert sure_pairs(first, second) == {1: 0}
    assert sure_pairs(first[:0], second[:0]) == {}


def test_tracks_go_from_piece_to_piece():
    activity = conversation(3000, 2)
    pieces, orders = pieces_of(activity, 1500, 500, 2)
    tracks = tracks_of(pieces)
    assert len(tracks) == 2
    for track in tracks:
        assert len({orders[piece][output] for piece, output in track.places}) == 1
        assert [piece for piece, _ in track.places] == list(range(len(pieces)))


def scipy_clusters(vectors, threshold):
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    links = hierarchy.linkage(vectors, method="average", metric="cosine")
    found = hierarchy.fcluster(links, 1 - threshold, criterion="distance")
    first = {}
    return [first.setdefault(number, len(first)) for number in found]


@pytest.mark.parametrize("seed", range(10))
def test_clusters_are_scipys(seed):
    random = np.random.default_rng(seed)
    vectors = (
        random.normal(size=(30, 6)) + 2 * random.normal(size=(4, 6))[random.integers(4, size=30)]
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for threshold in (-0.5, 0.0, 0.3, 0.6, 0.9):
        found = cluster(vectors, np.ones(30), VoiceRules(threshold))
        assert found == scipy_clusters(vectors, threshold)


def test_a_vector_that_counts_twice_is_two():
    random = np.random.default_rng(3)
    vectors = random.normal(size=(12, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    counts = random.integers(1, 4, 12)
    repeated = np.repeat(vectors, counts, axis=0)
    rules = VoiceRules(0.2)
    once = cluster(vectors, counts.astype(float), rules)
    n = len(repeated)
    often = cluster(repeated, np.ones(n), rules)
    assert np.repeat(once, counts).tolist() == often


def test_as_many_clusters_as_asked_for():
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    for least, most, expected in [(1, None, [0, 0, 1]), (3, None, [0, 1, 2]), (1, 1, [0, 0, 0])]:
        assert cluster(vectors, np.ones(3), VoiceRules(0.5, least, most)) == expected


@pytest.mark.parametrize("seed", range(50))
def test_pairs_are_the_cheapest_of_all(seed):
    random = np.random.default_rng(seed)
    n_rows = int(random.integers(1, 6))
    n_columns = int(random.integers(n_rows, 7))
    cost = random.integers(0, 8, (n_rows, n_columns)).astype(float)
    pairs = cheapest_pairs(cost)
    best = min(
        sum(cost[row, column] for row, column in enumerate(columns))
        for columns in permutations(range(n_columns), n_rows)
    )
    assert len(set(pairs)) == n_rows
    assert cost[range(n_rows), pairs].sum() == best


def test_pairs_are_scipys():
    optimize = pytest.importorskip("scipy.optimize")
    cost = np.random.default_rng(1).normal(size=(20, 25))
    assert cheapest_pairs(cost) == optimize.linear_sum_assignment(cost)[1].tolist()
    with pytest.raises(ValueError, match="3 rows"):
        cheapest_pairs(np.zeros((3, 2)))


def test_stitched_frames_are_the_weighted_mean():
    first = Piece(0, np.full((4, 1), 0.0, np.float32))
    second = Piece(2, np.full((4, 1), 1.0, np.float32))
    stitched = stitch([first, second], [[0], [0]], 1, 7)[:, 0]
    # weights 1 2 2 1 and, from frame 2 on, 1 2 2 1
    np.testing.assert_allclose(stitched, [0, 0, 1 / 3, 2 / 3, 1, 1, 0], rtol=1e-6)


def test_frames_beyond_the_recording_are_left_out():
    piece = Piece(0, np.ones((5, 1), np.float32))
    assert stitch([piece], [[0]], 1, 3).tolist() == [[1.0], [1.0], [1.0]]


@pytest.mark.parametrize("changes", [{"threshold": 2}, {"least": 0}, {"least": 3, "most": 2}])
def test_rules_that_cannot_be(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        VoiceRules(**changes)


def test_who_speaks_shortly_counts_where_the_number_is_known():
    frames = np.ones((400, 1), np.float32)
    first = Piece(0, np.hstack([frames, frames]), VOICES[:2], np.array([8.0, 1.2], np.float32))
    second = Piece(
        1000, np.hstack([frames, 0 * frames]), VOICES[[2, 2]], np.array([6.0, 0.0], np.float32)
    )
    labels = link_by_voices([first, second], VoiceRules(0.5, least=3, most=3))
    assert {label for row in labels for label in row} - {SILENT} == {0, 1, 2}
    labels = link_by_voices([first, second], VoiceRules(0.5))
    assert {label for row in labels for label in row} - {SILENT} == {0, 1}


def test_a_voice_that_chunks_take_for_different_speakers_is_not_lost():
    loud = np.full((9, 1), 0.8, np.float32)
    stitched = stitch([Piece(0, loud), Piece(2, loud)], [[0], [1]], 2, 11)
    assert stitched.max(axis=1) == pytest.approx(np.full(11, 0.8))
    assert stitched.argmax(axis=1).tolist() == [0] * 6 + [1] * 5
    assert stitched.min(axis=1) == pytest.approx(np.zeros(11), abs=1e-6)


def test_chunks_that_agree_are_averaged_alone():
    random = np.random.default_rng(5)
    one, other = (random.random((9, 1), np.float32) for _ in range(2))
    stitched = stitch([Piece(0, one), Piece(2, other)], [[0], [0]], 1, 11)[:, 0]
    place = np.minimum(np.arange(1, 10), np.arange(9, 0, -1))
    total, weights = np.zeros(11), np.zeros(11)
    for first, piece in ((0, one), (2, other)):
        total[first : first + 9] += place * piece[:, 0]
        weights[first : first + 9] += place
    assert stitched == pytest.approx(total / weights, rel=1e-6)
