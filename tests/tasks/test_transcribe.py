"""Transcripts from emissions that can be read by eye: words, times, pauses, channels."""

from types import SimpleNamespace

import numpy as np
import pytest

from w2v_cli.audio import Waveforms
from w2v_cli.errors import AudioError
from w2v_cli.results import Segment, Word
from w2v_cli.tasks.transcribe import Segmentation, Transcriber, cut, in_time_order

RATE = 16000
TOKENS = ["_", "|", "G", "O", "L", "E", "F", "T"]


class ScriptedTokenizer:
    """Knows TOKENS; "_" is the blank."""

    pad_token_id = 0
    word_delimiter_token_id = 1
    word_delimiter_token = "|"
    pad_token = "_"
    all_special_ids = (0,)
    all_special_tokens = ("_",)
    replace_word_delimiter_char = " "
    do_lower_case = False
    vocab_size = len(TOKENS)
    bos_token_id = eos_token_id = unk_token_id = None
    bos_token = eos_token = unk_token = None

    def get_vocab(self):
        return {token: index for index, token in enumerate(TOKENS)}

    def convert_ids_to_tokens(self, ids):
        return TOKENS[ids] if isinstance(ids, int) else [TOKENS[index] for index in ids]

    def __len__(self):
        return len(TOKENS)


class ScriptedEmitter:
    """Emits, for each call, the next of several strings: one token a frame of 20 ms."""

    name = "scripted"
    sample_rate = RATE
    vocab_size = len(TOKENS)
    hop_samples = 320
    processor = SimpleNamespace(tokenizer=ScriptedTokenizer())

    def __init__(self, *scripts):
        self.scripts = list(scripts)

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
        return [self._emissions() for _ in chunks]

    def _emissions(self):
        ids = [TOKENS.index(token) for token in self.scripts.pop(0)]
        probabilities = np.full((len(ids), len(TOKENS)), 0.2 / (len(TOKENS) - 1), np.float32)
        probabilities[np.arange(len(ids)), ids] = 0.8
        return np.log(probabilities)


def heard(*scripts, start_seconds=0.0, duration_seconds=None, channel_numbers=None, **options):
    """Return the transcript of a recording whose channels emit these strings."""
    if duration_seconds is None:
        duration_seconds = len(scripts[0]) * 0.02
    waveforms = Waveforms(
        channels=tuple(
            np.arange(round(duration_seconds * RATE), dtype=np.float32) for _ in scripts
        ),
        channel_numbers=channel_numbers or (None,) * len(scripts),
        sample_rate=RATE,
        start_seconds=start_seconds,
        duration_seconds=duration_seconds,
    )
    transcriber = Transcriber(ScriptedEmitter(*scripts), **options)
    return transcriber.transcribe(waveforms, source="talk.wav")


def test_words_and_their_times():
    transcript = heard("__GG_O|__LEFF_T_")
    assert transcript.text == "GO LEFT"
    (segment,) = transcript.segments
    assert (segment.id, segment.text, segment.channel) == (0, "GO LEFT", None)
    go, left = segment.words
    assert (go.text, left.text) == ("GO", "LEFT")
    assert (go.start_seconds, go.end_seconds) == pytest.approx((0.04, 0.12))
    assert (left.start_seconds, left.end_seconds) == pytest.approx((0.18, 0.30))
    assert (segment.start_seconds, segment.end_seconds) == pytest.approx((0.04, 0.30))
    assert go.probability == pytest.approx(0.8, abs=1e-3)
    assert transcript.model == "scripted"
    assert transcript.source == "talk.wav"
    assert transcript.duration_seconds == pytest.approx(0.32)


def test_times_count_from_the_beginning_of_the_recording():
    (segment,) = heard("_GO_", start_seconds=12.5).segments
    assert (segment.start_seconds, segment.end_seconds) == pytest.approx((12.52, 12.56))


def test_nothing_ends_after_the_recording():
    """A recording of 10 ms is padded to a frame of 20."""
    (segment,) = heard("G", start_seconds=3, duration_seconds=0.01).segments
    assert segment.end_seconds == segment.words[0].end_seconds == 3.01


@pytest.mark.parametrize("script", ["", "_____", "__||__"])
def test_nothing_said_is_an_empty_transcript(script):
    transcript = heard(script, duration_seconds=1.0)
    assert (transcript.text, transcript.segments) == ("", ())
    assert transcript.duration_seconds == 1.0


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_digital_silence_says_nothing_whatever_the_network_makes_of_it(level):
    waveforms = Waveforms((np.full(RATE, level, np.float32),), (None,), RATE, 0.0, 1.0)
    transcript = Transcriber(ScriptedEmitter("GO")).transcribe(waveforms)
    assert (transcript.text, transcript.segments) == ("", ())


def test_a_pause_begins_a_segment():
    pause = Segmentation(pause_seconds=0.6)
    script = "GO|" + "_" * 29 + "LEFT"  # 30 frames, 0.6 s
    assert [s.text for s in heard(script, segmentation=pause).segments] == ["GO", "LEFT"]
    shorter = "GO|" + "_" * 28 + "LEFT"
    assert [s.text for s in heard(shorter, segmentation=pause).segments] == ["GO LEFT"]


def test_channels_are_merged_in_the_order_of_time():
    transcript = heard(
        "GO|" + "_" * 100 + "GO", "_" * 50 + "LEFT" + "_" * 51, channel_numbers=(1, 2)
    )
    assert transcript.text == "GO LEFT GO"
    assert [(s.id, s.channel, s.text) for s in transcript.segments] == [
        (0, 1, "GO"),
        (1, 2, "LEFT"),
        (2, 1, "GO"),
    ]


def test_an_error_names_the_recording():
    waveforms = Waveforms((np.arange(8000, dtype=np.float32),), (None,), 8000, 0.0, 1.0)
    with pytest.raises(AudioError, match=r"^talk\.wav: hears 16000 Hz$"):
        Transcriber(ScriptedEmitter("GO")).transcribe(waveforms, source="talk.wav")


def words(*spans):
    return [Word(f"w{index}", start, end, 1.0) for index, (start, end) in enumerate(spans)]


def texts(groups):
    return [" ".join(word.text for word in group) for group in groups]


def test_no_words_no_segments():
    assert cut([], Segmentation()) == []


def test_a_long_stretch_is_cut_at_its_longest_gaps():
    spoken = words((0, 4), (4.1, 8), (8.3, 12), (12.2, 16), (16.1, 20))
    assert texts(cut(spoken, Segmentation(max_segment_seconds=30))) == ["w0 w1 w2 w3 w4"]
    assert texts(cut(spoken, Segmentation(max_segment_seconds=12))) == ["w0 w1", "w2 w3 w4"]
    assert texts(cut(spoken, Segmentation(max_segment_seconds=8))) == ["w0 w1", "w2 w3", "w4"]


def test_a_cut_leaves_no_crumbs():
    """The longest gap is after the first word, but a part should be half full at least."""
    spoken = words((0, 1), (1.5, 4), (4.1, 7), (7.3, 9), (9.1, 12))
    assert texts(cut(spoken, Segmentation(max_segment_seconds=10))) == ["w0 w1 w2", "w3 w4"]


def test_a_word_longer_than_a_segment_stays_whole():
    spoken = words((0, 1), (1.1, 50), (50.1, 51))
    assert texts(cut(spoken, Segmentation(max_segment_seconds=30))) == ["w0", "w1", "w2"]


def test_an_hour_without_a_pause_is_cut_quickly_and_fully():
    spoken = words(*((index * 0.5, index * 0.5 + 0.4) for index in range(7200)))
    groups = cut(spoken, Segmentation(max_segment_seconds=30))
    assert [word for group in groups for word in group] == spoken
    assert all(15 <= group[-1].end_seconds - group[0].start_seconds <= 30 for group in groups)


def test_order_of_segments_that_start_together():
    def segment(start, channel):
        return Segment(7, start, start + 1, "x", (), channel)

    ordered = in_time_order([segment(2, 2), segment(0, 1), segment(2, 1)])
    assert [(s.id, s.start_seconds, s.channel) for s in ordered] == [
        (0, 0, 1),
        (1, 2, 1),
        (2, 2, 2),
    ]
