"""Lines with the time at which they begin."""

import io
import re

import av
from hypothesis import given, settings
from transcripts import transcripts

from w2v_cli.formats import SubtitleOptions, format_transcript
from w2v_cli.formats.cues import cues
from w2v_cli.results import Segment, Transcript, Word

LINE = re.compile(r"\[(\d{2,}):([0-5]\d)\.(\d\d)\]([^\[\]<>]+)")


def speech(*words):
    text = " ".join(word.text for word in words)
    segment = Segment(0, words[0].start_seconds, words[-1].end_seconds, text, words)
    return Transcript(text, (segment,), 9000.0, "mini")


def test_a_line_a_cue():
    spoken = speech(Word("go", 61.426, 62.0, 0.9), Word("left", 62.5, 63.0, 0.9))
    assert format_transcript(spoken, "lrc") == "[01:01.42]go left\n"
    words = SubtitleOptions(word_timestamps=True)
    assert format_transcript(spoken, "lrc", words) == "[01:01.42]<01:01.42>go <01:02.50>left\n"


def test_an_hour_is_sixty_minutes():
    assert format_transcript(speech(Word("go", 7265.0, 7266.0, 1)), "lrc") == "[121:05.00]go\n"


def test_brackets_are_no_times():
    spoken = speech(Word("[01:02.03]", 0, 1, 1), Word("<b>", 1, 2, 1))
    assert format_transcript(spoken, "lrc") == "[00:00.00](01:02.03) ‹b›\n"


@settings(max_examples=40, deadline=None)
@given(transcripts())
def test_every_line_has_one_time_and_they_rise(spoken):
    written = format_transcript(spoken, "lrc").split("\n")
    assert written.pop() == ""
    times = []
    for line in written:
        minutes, seconds, hundredths, _ = LINE.fullmatch(line).groups()
        times.append((int(minutes), int(seconds), int(hundredths)))
    assert times == sorted(times)


@settings(max_examples=40, deadline=None)
@given(transcripts())
def test_ffmpeg_reads_the_same_lines_at_the_same_times(spoken):
    written = format_transcript(spoken, "lrc")
    made = cues(spoken, SubtitleOptions(max_line_count=1))
    if not made:
        assert written == ""
        return
    with av.open(io.BytesIO(written.encode()), format="lrc") as container:
        read = [(packet.pts, bytes(packet)) for packet in container.demux() if packet.size]
    brackets = str.maketrans("[]<>", "()‹›")
    expected = [
        (
            cue.start_ms // 10 * 10_000,
            (line.label + " ".join(word.text for word in line.words)).translate(brackets),
        )
        for cue in made
        for line in cue.lines
    ]
    assert [(time, text.decode().rstrip("\n")) for time, text in read] == expected
