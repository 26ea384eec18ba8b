"""Outputs that are two voices: cut into windows, and split by hand-made voices."""

import numpy as np
import pytest

from w2v_cli.diarization.clustering import VoiceRules, link_by_voices
from w2v_cli.diarization.linking import sure_pairs
from w2v_cli.diarization.pieces import HeardWindows, Piece
from w2v_cli.diarization.splitting import columns_of, link_divided, split, windows_of
from w2v_cli.diarization.stitching import stitch

STEP = 0.02
ANNA, BEN = np.eye(2, 4)


def test_windows_cover_what_is_said_alone_and_nothing_else():
    alone = np.zeros(600, bool)
    alone[10:30] = True  # 0.4 s: too short
    alone[50:100] = True  # a second
    alone[200:500] = True  # six seconds
    windows = windows_of(alone, STEP)
    assert windows == [(50, 100), (200, 275), (275, 350), (350, 425), (425, 500)]
    assert windows_of(np.zeros(50, bool), STEP) == []


@pytest.mark.parametrize("seed", range(5))
def test_windows_are_half_to_twice_as_long_as_wanted(seed):
    alone = np.random.default_rng(seed).random(3000) > 0.01
    for first, end in windows_of(alone, STEP):
        assert alone[first:end].all()
        assert 25 <= end - first <= 113


def test_two_voices_are_two():
    windows = [(0, 75), (75, 150), (150, 225), (225, 300)]
    assert split(windows, np.array([ANNA, ANNA, BEN, ANNA]), 0.5, STEP) == [0, 0, 1, 0]
    assert split(windows, np.array([ANNA] * 4), 0.5, STEP) == [0, 0, 0, 0]
    assert split([], np.zeros((0, 4)), 0.5, STEP) == []


def test_a_moment_of_a_voice_is_none_of_its_own():
    windows = [(0, 75), (75, 115), (115, 200)]
    odd = np.array([0.3, 0.0, 0.9, 0.3])
    voices = np.array([ANNA, odd / np.linalg.norm(odd), BEN])
    assert split(windows, voices, 0.5, STEP) == [0, 0, 1]  # it is nearer to anna
    assert split(windows[1:2], voices[1:2], 0.5, STEP) == [0]


def test_a_frame_belongs_to_the_nearest_window():
    column = np.arange(10) / 10
    columns = columns_of(column, [(0, 2), (6, 8), (8, 10)], [0, 1, 0])
    assert columns[:, 0].tolist() == [*column[:4], 0, 0, 0, 0, *column[8:]]
    assert columns[:, 1].tolist() == [0, 0, 0, 0, *column[4:8], 0, 0]
    np.testing.assert_array_equal(columns.sum(axis=1), column)
    assert columns_of(column, [], []).tolist() == column[:, None].tolist()


def test_two_outputs_of_one_voice_are_one_speaker():
    frames = np.zeros((300, 2), np.float32)
    frames[:150, 0], frames[150:, 1] = 1, 1
    near = np.array([ANNA, 0.8 * ANNA + 0.6 * BEN], np.float32)
    piece = Piece(0, frames, near, np.array([3.0, 3.0], np.float32))
    assert link_by_voices([piece], VoiceRules(0.7)) == [[0, 0]]
    assert link_by_voices([piece], VoiceRules(0.9)) == [[0, 1]]


def test_pieces_with_different_numbers_of_outputs():
    whole = np.zeros((200, 1), np.float32)
    whole[:] = 1
    parts = np.zeros((200, 2), np.float32)
    parts[:120, 0], parts[120:, 1] = 1, 1
    assert sure_pairs(whole, parts) == {0: 0}
    assert sure_pairs(parts, whole) == {0: 0}


def test_a_network_that_hears_one_speaker_where_there_are_two():
    """Its speech, and the voices, make two speakers of it."""
    random = np.random.default_rng(0)
    who = np.repeat(random.integers(0, 2, 40), 150)  # 3 s each
    pieces = []
    for first in range(0, len(who) - 600 + 1, 300):
        part = who[first : first + 600]
        speech = np.full(600, 0.9, np.float32)
        windows = windows_of(speech > 0.5, STEP)
        voices = np.array([(ANNA, BEN)[round(part[a:b].mean())] for a, b in windows])
        labels = split(windows, voices, 0.5, STEP)
        columns = columns_of(speech, windows, labels)
        numbers = range(columns.shape[1])
        of_voice = [voices[np.array(labels) == n].mean(axis=0) for n in numbers]
        seconds = np.array([labels.count(n) * 1.5 for n in numbers], np.float32)
        pieces.append(Piece(first, columns, np.array(of_voice, np.float32), seconds))
    labels = link_by_voices(pieces, VoiceRules(0.5))
    stitched = stitch(pieces, labels, 2, len(who))
    heard = stitched.argmax(axis=1)
    assert min(np.mean(heard != who), np.mean(heard == who)) < 0.02


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_as_many_speakers_as_are_asked_for(asked):
    """Of one output that three voices share, alike by the cosine that is enough for one."""
    voices = np.array([[1, 0, 0.2, 0], [1, 0.3, 0, 0], [1, 0, -0.4, 0]])
    voices = voices[[0, 1, 2, 0, 1, 2]] / np.linalg.norm(voices, axis=1)[[0, 1, 2, 0, 1, 2], None]
    spans = tuple((75 * n, 75 * (n + 1)) for n in range(6))
    heard = HeardWindows(spans, voices.astype(np.float32))
    piece = Piece(0, np.ones((450, 1), np.float32), windows=(heard,))
    divided, labels, n_speakers = link_divided([piece], VoiceRules(0.5, asked, asked), STEP)
    assert n_speakers == asked
    who = stitch(divided, labels, n_speakers, 450)[::75].argmax(axis=1)
    if asked == 3:
        assert len(set(who[:3])) == 3
        assert who[:3].tolist() == who[3:].tolist()
