"""The expected word error rate is that of all paths of a small case, and so is its gradient."""

import itertools

import jiwer
import pytest
import torch

from w2v_cli.training.risk import (
    draw_readings,
    expected_error_rates,
    reading_scores,
    word_errors,
)

BLANK, SPACE = 2, 3
LETTERS = {0: "a", 1: "b", SPACE: " "}
FRAMES, VOCAB = 4, 4


def words(ids):
    return "".join(LETTERS[index] for index in ids).split()


def collapse(path):
    return tuple(letter for letter, _ in itertools.groupby(path) if letter != BLANK)


def brute_probabilities(logs):
    """Return the probability of every reading, by walking along every path of one recording."""
    found = {}
    for path in itertools.product(range(VOCAB), repeat=len(logs)):
        probability = logs[torch.arange(len(logs)), torch.tensor(path)].sum().exp()
        found[collapse(path)] = found.get(collapse(path), 0) + probability
    return found


@pytest.fixture
def logits():
    return torch.randn(2, FRAMES, VOCAB, generator=torch.Generator().manual_seed(3)).double()


def test_a_readings_score_is_the_log_of_the_sum_of_its_paths(logits):
    logs = logits.log_softmax(-1)
    lengths = torch.tensor([FRAMES, FRAMES - 1])
    brute = [brute_probabilities(one[:n]) for one, n in zip(logs, lengths, strict=True)]
    readings = [list(one) for one in brute]
    for row, one in zip(
        reading_scores(logs, lengths, readings, blank_id=BLANK), brute, strict=True
    ):
        torch.testing.assert_close(row.exp(), torch.stack(list(one.values())))
        assert row.exp().sum().item() == pytest.approx(1)


def test_the_risk_and_its_gradient_are_those_of_all_paths(logits):
    """With so many draws, each of a recording's readings is among them."""
    labels = torch.tensor([[0, SPACE, 1], [1, -100, -100]])
    lengths = torch.tensor([FRAMES, FRAMES - 1])
    ours = logits.clone().requires_grad_()
    torch.manual_seed(0)
    risk = expected_error_rates(
        ours.log_softmax(-1), lengths, labels, blank_id=BLANK, n_samples=20_000, words=words
    )
    risk.sum().backward()
    theirs = logits.clone().requires_grad_()
    expected = []
    for one, n, said in zip(theirs.log_softmax(-1), lengths, (["a", "b"], ["b"]), strict=True):
        probabilities = brute_probabilities(one[:n])
        rates = {r: word_errors(said, words(r)) / len(said) for r in probabilities}
        mean = sum(rates.values()) / len(rates)
        expected.append(sum(p * rates[r] for r, p in probabilities.items()) - mean)
    torch.stack(expected).sum().backward()
    torch.testing.assert_close(risk, torch.stack(expected))
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_readings_are_drawn_as_often_as_they_are_probable(logits):
    logs = logits[:1].log_softmax(-1)
    truth = brute_probabilities(logs[0])
    labels, lengths = torch.full((400, 1), -100), torch.full((400,), FRAMES)
    torch.manual_seed(0)
    found = draw_readings(logs.expand(400, -1, -1), lengths, labels, blank_id=BLANK, n_samples=1)
    greedy = collapse(logs[0].argmax(-1).tolist())
    for reading, probability in sorted(truth.items(), key=lambda one: -one[1])[1:4]:
        assert reading not in (greedy, ())
        share = sum(reading in some for some in found) / len(found)
        assert share == pytest.approx(probability.item(), abs=3 * (0.25 / 400) ** 0.5)


def test_what_was_said_is_among_the_readings_if_there_are_frames_for_it(logits):
    logs = logits.log_softmax(-1)
    labels = torch.tensor([[0, 0, 0, -100], [0, 1, 0, 1]])
    found = draw_readings(logs, torch.tensor([FRAMES, FRAMES]), labels, blank_id=BLANK, n_samples=2)
    assert (0, 0, 0) not in found[0]  # needs a blank between each two
    assert found[1][0] == (0, 1, 0, 1)
    assert all(len(some) == len(set(some)) for some in found)


@pytest.mark.parametrize(
    ("said", "heard"), [("", "a"), ("a b", ""), ("a b c", "b c d a"), ("a a b", "a b b b")]
)
def test_wrong_words_are_counted_as_jiwer_counts(said, heard):
    counted = jiwer.process_words(said or "x", heard)  # jiwer wants words that were said
    expected = counted.substitutions + counted.deletions + counted.insertions
    assert word_errors((said or "x").split(), heard.split()) == expected
