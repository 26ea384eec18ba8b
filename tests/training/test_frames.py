"""Errors are those of their definition, and conversations say rightly who speaks when."""

import itertools

import numpy as np
import pytest
import torch

from w2v_cli.training.conversations import ConversationComposer, Mixing
from w2v_cli.training.examples import Recordings
from w2v_cli.training.frames import FramesObjective, count_errors
from w2v_cli.training.manifests import Example
from w2v_cli.training.start import Start, start_frames
from w2v_cli.training.turns import SpokenTurn


def rows(*patterns):
    return np.array([[c != "." for c in pattern] for pattern in patterns], np.float32)


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        (("aa..", ".bb."), ("aa..", ".bb."), (4, 0, 4, 0, 0, 0)),
        (("aa..", ".bb."), (".bb.", "aa.."), (4, 0, 4, 0, 0, 0)),  # in the other order
        (("aa..", ".bb."), ("aa..", "...."), (4, 2, 4, 2, 0, 0)),
        (("aaaa", "...."), ("aa..", "..bb"), (4, 2, 4, 0, 0, 2)),
        (("....", "...."), ("a...", "a.b."), (4, 2, 0, 0, 3, 0)),
    ],
)
def test_errors(said, heard, expected):
    errors = count_errors(rows(*said), rows(*heard))
    assert tuple(vars(errors).values()) == expected


@pytest.mark.parametrize("n_speakers", [(2, 2), (3, 2), (2, 4), (1, 3)])
def test_errors_are_those_of_the_best_of_all_orders(n_speakers, random):
    for _ in range(20):
        said, heard = ((random.random((n, 30)) < 0.4).astype(np.float32) for n in n_speakers)
        rows_needed = max(n_speakers)
        padded = [np.pad(x, ((0, rows_needed - len(x)), (0, 0))) for x in (said, heard)]
        orders = itertools.permutations(range(rows_needed))
        least = min(np.abs(padded[0] - padded[1][list(order)]).sum() for order in orders)
        errors = count_errors(said, heard)
        # A confused frame is wrong in two rows, the others in one.
        assert errors.missed + errors.false + 2 * errors.confused == least
        assert errors.spoken == said.sum()


@pytest.fixture
def voices(spoken):
    return [Example(e.audio, speaker=e.speaker, seconds=e.seconds) for e in spoken]


def test_made_conversations_are_loud_where_somebody_speaks(voices):
    composer = ConversationComposer(voices, Recordings(), mixing=Mixing(2, 1.0, 4.0))
    shares = []
    for number in range(6):
        (item,) = composer.items([(number % 6,)], epoch=0, number=number)
        assert len(item.waveform) == 64000
        assert item.activity.shape == (2, 400)
        assert item.activity[0].argmax() <= item.activity[1].argmax()
        loud = np.square(item.waveform.reshape(400, 160)).mean(axis=1)
        speaks = item.activity.any(axis=0)
        assert not (loud[~speaks] > loud[speaks].mean() / 20).any()
        shares.append(item.activity.sum(axis=0))
    assert {0, 1, 2} == set(np.unique(shares).astype(int))  # nobody, one, both


class Listening:
    """Changes nothing, and keeps what was drawn for each piece."""

    def __init__(self):
        self.drawn = []

    def change_voice(self, waveform, random):
        self.drawn.append(random.random())
        return waveform

    def change_surroundings(self, waveform, random):
        return waveform


def test_a_speaker_has_the_same_voice_in_each_turn(voices):
    drawn = []
    for number in range(4):
        changes = Listening()
        composer = ConversationComposer(voices, Recordings(), changes, mixing=Mixing(2, 1.0, 8.0))
        composer.items([(0,)], epoch=0, number=number)
        assert len(changes.drawn) > len(set(changes.drawn)) == 2
        drawn += set(changes.drawn)
    assert len(set(drawn)) == 8  # and another one in each conversation


def test_who_has_more_recordings_is_drawn_more_often(voices):
    many = [*voices[:2], *(voices[2:3] * 100)]  # s0, s1, and s2 with a hundred
    composer = ConversationComposer(many, Recordings(), mixing=Mixing(2, 1.0, 1.0))
    weights = dict(zip(composer._speakers, composer._weights, strict=True))
    assert weights["s2"] / weights["s1"] == pytest.approx(np.sqrt(100 * 0.7 / 0.6))


def test_a_part_of_a_conversation(spoken):
    turns = (SpokenTurn(0.0, 0.4, "anna"), SpokenTurn(0.3, 1.0, "ben"), SpokenTurn(0.9, 1, "eve"))
    example = Example(spoken[5].audio, turns=turns, seconds=1.0)
    composer = ConversationComposer([example], Recordings(), mixing=Mixing(2, 1.0, 10.0))
    (item,) = composer.items([(0,)], epoch=0, number=0)
    assert np.flatnonzero(item.activity[0]).tolist() == list(range(40))
    assert np.flatnonzero(item.activity[1]).tolist() == list(range(30, 100))

    composer.keeps_all_speakers = True
    (item,) = composer.items([(0,)], epoch=0, number=0)
    assert np.flatnonzero(item.activity[2]).tolist() == list(range(90, 100))


def test_speech_of_more_speakers_than_outputs_is_missed_when_measured(small_network, spoken):
    turns = tuple(SpokenTurn(0.0, 1.0, who) for who in ("anna", "ben", "eve"))
    example = Example(spoken[5].audio, turns=turns, seconds=1.0)
    model, objective = start_frames(Start(str(small_network), from_scratch=True), Mixing(2))
    found = objective.evaluate(model, [example], Recordings())
    errors = found.results[0].heard
    assert errors.spoken == 3 * errors.frames
    assert errors.missed >= errors.frames


def test_the_order_of_speakers_costs_nothing(small_network, voices):
    model, objective = start_frames(Start(str(small_network), from_scratch=True), Mixing(2))
    composer = objective.composer(voices, Recordings(), seed=1)
    items = composer.items([(0,), (1,)], epoch=0, number=0)
    batch = objective.collate(items)
    swapped = objective.collate([*items])
    swapped.labels.copy_(batch.labels.flip(-1))
    loss = objective.loss(model, batch)
    assert not torch.equal(swapped.labels, batch.labels)
    assert loss.item() == pytest.approx(objective.loss(model, swapped).item())


def test_the_loss_is_that_of_the_best_order(small_network):
    objective = FramesObjective(None, hop=320, receptive_field=400, mixing=Mixing(2))
    labels = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]])

    class Model:
        def __call__(self, values, attention_mask):
            return type("Output", (), {"logits": logits})

    batch = type("Batch", (), {"input_values": None, "attention_mask": None, "labels": labels})
    right = torch.tensor([[[-9.0, 9.0], [-9.0, 9.0], [9.0, -9.0], [9.0, 9.0]]])
    logits = right  # the other order, and nonsense in the padding
    assert objective.loss(Model(), batch).item() < 1e-3
    logits = -right * torch.tensor([1.0, -1.0])
    assert objective.loss(Model(), batch).item() > 1


def test_frames_are_as_many_as_the_networks(ctc_folder, small_network):
    for start in (Start(str(ctc_folder)), Start(str(small_network), from_scratch=True)):
        model, objective = start_frames(start, Mixing(2))
        for n_samples in (16000, 16001, 47999):
            lengths = model._get_feat_extract_output_lengths(n_samples)
            assert abs(objective.count_frames(n_samples) - int(lengths)) <= 1
