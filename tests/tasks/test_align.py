"""A text's lines, words and characters in seconds, from emissions that can be read by eye."""

from types import SimpleNamespace

import numpy as np
import pytest

from w2v_cli.audio import Waveforms
from w2v_cli.errors import AlignmentError, AudioError
from w2v_cli.tasks.align import Aligner

RATE = 16000
TOKENS = ["_", "|", "G", "O", "L", "E", "F", "T"]


class ScriptedTokenizer:
    """Knows TOKENS; "_" is the blank."""

    pad_token = "_"
    word_delimiter_token = "|"
    all_special_tokens = ("_",)
    replace_word_delimiter_char = " "
    do_lower_case = False

    def get_vocab(self):
        return {token: index for index, token in enumerate(TOKENS)}

    def convert_ids_to_tokens(self, ids):
        return [TOKENS[index] for index in ids]


class ScriptedEmitter:
    """Emits a string: one token a frame of 20 ms."""

    name = "scripted"
    sample_rate = RATE
    vocab_size = len(TOKENS)
    hop_samples = 320
    processor = SimpleNamespace(tokenizer=ScriptedTokenizer())

    def __init__(self, script):
        self.script = script

    receptive_field_samples = 320
    lead_samples = 0
    edge_samples = 0
    longest_chunk_seconds = 60.0
    group_norm_span = None

    def check_rate(self, sample_rate):
        if sample_rate != RATE:
            raise AudioError(f"hears {RATE} Hz")

    def normalised(self, waveform):
        return waveform

    def run(self, chunks):
        ids = [TOKENS.index(token) for token in self.script]
        probabilities = np.full((len(ids), len(TOKENS)), 0.2 / (len(TOKENS) - 1), np.float32)
        probabilities[np.arange(len(ids)), ids] = 0.8
        return [np.log(probabilities) for _ in chunks]


def waveforms_for(script, *, start_seconds=0.0, n_channels=1, rate=RATE, silent=False):
    waveform = np.zeros(len(script) * 320, np.float32)
    waveform[1::2] = 0.0 if silent else 0.1
    return Waveforms(
        channels=(waveform,) * n_channels,
        channel_numbers=tuple(range(1, n_channels + 1)),
        sample_rate=rate,
        start_seconds=start_seconds,
        duration_seconds=len(waveform) / RATE,
    )


def aligned(script, text, **recording):
    aligner = Aligner(ScriptedEmitter(script))
    return aligner.align(waveforms_for(script, **recording), text, source="talk.wav")


def test_lines_are_segments_and_words_are_as_written():
    transcript = aligned("__GO_|LEFT__|_GO_", "Go left,\n\n  go!  \n")
    assert transcript.text == "Go left, go!"
    assert [(s.id, s.text) for s in transcript.segments] == [(0, "Go left,"), (1, "go!")]
    assert [(s.start_seconds, s.end_seconds) for s in transcript.segments] == [
        pytest.approx((0.04, 0.20)),
        pytest.approx((0.28, 0.32)),
    ]
    words = [word for segment in transcript.segments for word in segment.words]
    assert [word.text for word in words] == ["Go", "left,", "go!"]
    assert [word.start_seconds for word in words] == pytest.approx([0.04, 0.12, 0.28])
    assert [word.probability for word in words] == pytest.approx([0.8] * 3, abs=1e-4)
    assert [c.text for c in words[1].characters] == list("left")
    assert [c.start_seconds for c in words[1].characters] == pytest.approx([0.12, 0.14, 0.16, 0.18])
    assert (transcript.model, transcript.source) == ("scripted", "talk.wav")
    assert transcript.duration_seconds == pytest.approx(17 * 0.02)


def test_times_count_from_the_recording_s_start():
    (segment,) = aligned("_GO_", "go", start_seconds=10.0).segments
    assert (segment.start_seconds, segment.end_seconds) == pytest.approx((10.02, 10.06))


def test_a_line_of_dashes_lies_between_its_neighbours():
    transcript = aligned("_GO____LEFT_", "go\n---\nleft")
    assert [s.text for s in transcript.segments] == ["go", "---", "left"]
    assert transcript.segments[1].words[0].interpolated
    assert transcript.segments[1].start_seconds == pytest.approx(0.06)
    assert transcript.segments[1].end_seconds == pytest.approx(0.14)


@pytest.mark.parametrize("text", ["", " \n "])
def test_no_words(text):
    with pytest.raises(AlignmentError, match=r"talk\.wav: the text has no words"):
        aligned("_GO_", text)


def test_too_long_a_text_names_the_recording():
    with pytest.raises(AlignmentError, match=r"talk\.wav: the text is too long"):
        aligned("_GO_", "go left")


def test_silence_has_no_words():
    with pytest.raises(AlignmentError, match=r"talk\.wav: nothing but silence"):
        aligned("_GO_", "go", silent=True)


def test_errors_of_the_model_name_the_recording():
    with pytest.raises(AudioError, match=r"talk\.wav: hears 16000 Hz"):
        aligned("_GO_", "go", rate=8000)


def test_one_channel_only():
    with pytest.raises(ValueError, match="one channel, not 2"):
        aligned("_GO_", "go", n_channels=2)
