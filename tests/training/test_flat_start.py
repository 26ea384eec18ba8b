"""When letters are said, as a flat start takes it."""

import numpy as np
import pytest
import torch

from w2v_cli import Wav2Vec2Config
from w2v_cli.errors import UsageError
from w2v_cli.model.ctc import IGNORED_LABEL
from w2v_cli.training.adapters import start_adapter
from w2v_cli.training.augmentation import join, speech_spans
from w2v_cli.training.examples import Item
from w2v_cli.training.flat_start import frame_targets, letter_times
from w2v_cli.training.manifests import Example
from w2v_cli.training.start import Start
from w2v_cli.training.start_texts import CTCChoice, start_ctc

RATE = 16_000


def letters_of(text: str) -> list[int]:
    return [ord(letter) for letter in text.replace(" ", "|")]


def item(*spans: tuple[int, int]) -> Item:
    examples = tuple(Example("a.wav") for _ in spans)
    return Item(np.zeros(RATE, np.float32), examples, spans=spans)


def test_letters_share_the_time_of_their_word_and_a_delimiter_follows_it():
    times = letter_times(item((100, 500), (8100, 8400)), ["no", "yes"], letters_of)
    expected = [(100, 300), (300, 500), (500, 2100), (8100, 8200), (8200, 8300), (8300, 8400)]
    assert times == expected


def test_a_delimiter_ends_where_the_next_word_begins():
    times = letter_times(item((0, 100), (150, 250)), ["a", "b"], letters_of)
    assert times == [(0, 100), (100, 150), (150, 250)]


def test_what_says_nothing_has_no_letters():
    assert letter_times(item((0, 100), (200, 300)), ["", "ab"], letters_of) == [
        (200, 250),
        (250, 300),
    ]
    assert letter_times(item((0, 100)), [""], letters_of) == []


def test_times_are_not_made_up_where_letters_do_not_fit():
    """A vocabulary whose letters depend on what is around them."""
    assert (
        letter_times(item((0, 9), (10, 20)), ["a", "b"], lambda text: [1] * (len(text) % 3)) == []
    )


def test_where_speech_is_in_pieces_that_are_joined():
    silence = np.zeros(3200, np.float32)
    tone = np.sin(np.arange(8000) / 3).astype(np.float32)
    pieces = [np.concatenate([silence, tone, silence]), np.concatenate([silence, tone])]
    gaps = [0.25]
    joined = join(pieces, gaps)
    spans = speech_spans(pieces, gaps)
    assert len(spans) == 2
    for (start, end), expected in zip(spans, [3200, 14400 + 4000 + 3200], strict=True):
        assert start == pytest.approx(expected, abs=400)
        assert end == pytest.approx(expected + 8000, abs=400)
        assert np.abs(joined[start:end]).mean() > 0.5
    assert speech_spans([np.zeros(100, np.float32)], []) == ((0, 100),)


def test_each_frame_says_the_letter_that_its_middle_lies_in():
    """Frames of 400 samples, one each 320: middles at 200, 520, 840, ..."""
    labels = torch.tensor([[7, 8], [9, -100], [-100, -100], [5, 6]])
    times = torch.tensor(
        [[[0, 600], [600, 900]], [[500, 840], [-1, -1]], [[-1, -1]] * 2, [[-1, -1]] * 2]
    ).float()
    n_frames = torch.tensor([5, 4, 5, 5])
    targets = frame_targets(labels, times, n_frames, 5, Wav2Vec2Config(), blank_id=0)
    none = IGNORED_LABEL
    assert targets.tolist() == [
        [7, 7, 8, 0, 0],
        [0, 9, 0, 0, none],
        [0, 0, 0, 0, 0],  # nothing is said in it
        [none] * 5,  # not known when
    ]


def test_silence_that_is_heard_around_a_recording_moves_the_frames():
    config = Wav2Vec2Config(
        feat_extract_norm="layer",
        conv_dim=[8, 8],
        conv_kernel=[400, 13],
        conv_stride=[160, 2],
    )
    targets = frame_targets(
        torch.tensor([[3]]),
        torch.tensor([[[0.0, 330.0]]]),
        torch.tensor([4]),
        4,
        config,
        blank_id=0,
    )
    assert targets.tolist() == [[3, 0, 0, 0]]  # the first frame's middle is at 160


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_is_that_of_ctc_and_of_frames_and_then_of_ctc_alone(small_network, reduction):
    torch.manual_seed(0)
    start = Start(str(small_network), from_scratch=True)
    choice = CTCChoice(flat_start_steps=4, reduction=reduction)
    model, objective = start_ctc(start, choice, ["no", "yes"])
    model.eval()
    random = np.random.default_rng(0)
    items = [
        Item(random.standard_normal(n).astype(np.float32), (Example("a.wav", text=text),), spans=s)
        for n, text, s in [(4000, "no", ((500, 3500),)), (3000, "", ((0, 3000),))]
    ]
    batch = objective.collate(items)
    output = model(batch.input_values, attention_mask=batch.attention_mask, labels=batch.labels)
    logs = output.logits.log_softmax(-1)
    n_frames = model._get_feat_extract_output_lengths(batch.attention_mask.sum(-1))
    targets = frame_targets(
        batch.labels, batch.times, n_frames, logs.shape[1], model.config, blank_id=0
    )
    assert {int(t) for t in targets[0]} >= set(objective.processor.tokenizer("no").input_ids)
    expected = 0.0
    for row, count in enumerate(n_frames.tolist()):
        of_frame = sum(logs[row, t, targets[row, t]] for t in range(count)) / count
        expected -= of_frame / 2 if reduction == "mean" else of_frame * (2, 1)[row]
    for step, share in [(0, 1.0), (1, 0.75), (4, 0.0), (9, 0.0)]:
        objective.begin_step(model, step)
        loss = objective.loss(model, batch)
        torch.testing.assert_close(loss, output.loss + share * expected)


def test_frames_longer_than_letters_are_refused(small_network):
    start = Start(str(small_network), from_scratch=True, settings={"add_adapter": True})
    choice = CTCChoice(flat_start_steps=4)
    with pytest.raises(UsageError, match="--flat-start-steps: frames of networks with add_adapter"):
        start_ctc(start, choice, ["a"])
    with pytest.raises(UsageError, match="--flat-start-steps: frames of networks with add_adapter"):
        start_adapter(start, choice, ["a"], "fra", attn_dim=4)
