"""Players' own parsers read what we write, with the same texts at the same times."""

import html
import io
import itertools
import re

import av
import pysubs2
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st
from transcripts import ORDINARY, transcripts

from w2v_cli.formats import SubtitleOptions, format_transcript
from w2v_cli.formats.cues import cues
from w2v_cli.results import Segment, Transcript, Word

WORDS = (Word("go", 0.42, 0.72, 0.9), Word("left", 0.9, 1.34, 0.5))
STOP = Segment(1, 3661.5, 3661.5, "stop", (Word("stop", 3661.5, 3661.5, 0.7),))
SPEECH = Transcript(
    "go left stop", (Segment(0, 0.42, 1.34, "go left", WORDS), STOP), 3700.0, "mini", "way.wav"
)
WORD_TIMES = SubtitleOptions(word_timestamps=True)
HIGHLIGHT = SubtitleOptions(highlight_words=True)
NARROW = SubtitleOptions(max_line_width=12, max_line_count=3, min_gap_seconds=0)
LOOKALIKES = str.maketrans("<>{}\\", "‹›()∖")
ANY_OPTIONS = st.sampled_from([SubtitleOptions(), WORD_TIMES, HIGHLIGHT, NARROW])

# pysubs2 takes a line of digits for the number of the next cue.
READABLE_IN_SRT = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Nd")),
    min_size=1,
    max_size=12,
)


def speech(*texts, channel=None):
    words = tuple(Word(text, i, i + 0.5, 0.9) for i, text in enumerate(texts))
    segment = Segment(0, 0.0, float(len(texts)), " ".join(texts), words, channel)
    return Transcript(segment.text, (segment,), 60.0, "mini")


def cue_texts(transcript, options, *, labels):
    """What a reader sees in each cue; `labels` says whether channels are named in it."""
    return [
        "\n".join(
            (line.label if labels else "") + " ".join(word.text for word in line.words)
            for line in cue.lines
        )
        for cue in cues(transcript, options)
    ]


def test_srt():
    assert format_transcript(SPEECH, "srt") == (
        "1\n00:00:00,420 --> 00:00:01,340\ngo left\n\n2\n01:01:01,500 --> 01:01:02,333\nstop\n"
    )


def test_vtt():
    assert format_transcript(SPEECH, "vtt") == (
        "WEBVTT\n\n00:00:00.420 --> 00:00:01.340\ngo left\n\n01:01:01.500 --> 01:01:02.333\nstop\n"
    )


def test_word_times_in_vtt():
    assert "\ngo <00:00:00.900>left\n" in format_transcript(SPEECH, "vtt", WORD_TIMES)
    assert format_transcript(SPEECH, "srt", WORD_TIMES) == format_transcript(SPEECH, "srt")


def test_highlighted_words_follow_each_other_without_a_gap():
    assert format_transcript(SPEECH, "srt", HIGHLIGHT) == (
        "1\n00:00:00,420 --> 00:00:00,900\n<u>go</u> left\n\n"
        "2\n00:00:00,900 --> 00:00:01,340\ngo <u>left</u>\n\n"
        "3\n01:01:01,500 --> 01:01:02,333\n<u>stop</u>\n"
    )
    assert "\ngo <u>left</u>\n" in format_transcript(SPEECH, "vtt", HIGHLIGHT)


def test_a_channel_is_named_in_srt_and_a_voice_in_vtt():
    spoken = speech("hello", "there", channel=2)
    assert "\n[channel 2] hello there\n" in format_transcript(spoken, "srt")
    assert "\n<v channel 2>hello there</v>\n" in format_transcript(spoken, "vtt")
    (caption,) = webvtt.from_string(format_transcript(spoken, "vtt"))
    assert (caption.voice, caption.text) == ("channel 2", "hello there")


def test_signs_that_mean_something():
    spoken = speech("a-->b", "<i>", "&lt;", "{\\an8}")
    assert "\na--›b ‹i› &lt; (∖an8)\n" in format_transcript(spoken, "srt")
    assert "\na--&gt;b &lt;i&gt; &amp;lt; {\\an8}\n" in format_transcript(spoken, "vtt")


def test_silence():
    silence = Transcript("", (), 3.0, "mini")
    assert format_transcript(silence, "srt") == ""
    assert format_transcript(silence, "vtt") == "WEBVTT\n"
    assert len(webvtt.from_string("WEBVTT\n")) == 0


@settings(max_examples=40, deadline=None)
@given(transcripts(texts=READABLE_IN_SRT), ANY_OPTIONS)
def test_pysubs2_reads_srt(spoken, options):
    written = format_transcript(spoken, "srt", options)
    read = pysubs2.SSAFile.from_string(written, format_="srt")
    texts = [text.translate(LOOKALIKES) for text in cue_texts(spoken, options, labels=True)]
    if options.highlight_words:
        assert {event.plaintext for event in read} == set(texts)
        assert all(event.text.count("{\\u1}") >= 1 for event in read)
    else:
        expected = [(cue.start_ms, cue.end_ms) for cue in cues(spoken, options)]
        assert [(event.start, event.end) for event in read] == expected
        assert [event.plaintext for event in read] == texts
    for event, following in itertools.pairwise(read):
        assert event.start < event.end <= following.start


@settings(max_examples=50, deadline=None)
@given(transcripts(texts=ORDINARY), st.sampled_from([SubtitleOptions(), NARROW]))
def test_pysubs2_reads_vtt(spoken, options):
    """Without word times: it takes a line with two of them for the times of a cue."""
    read = pysubs2.SSAFile.from_string(format_transcript(spoken, "vtt", options), format_="vtt")
    expected = [(cue.start_ms, cue.end_ms) for cue in cues(spoken, options)]
    assert [(event.start, event.end) for event in read] == expected
    assert [event.plaintext for event in read] == cue_texts(spoken, options, labels=False)


@settings(max_examples=40, deadline=None)
@given(transcripts(), ANY_OPTIONS)
def test_webvtt_reads_vtt(spoken, options):
    read = webvtt.from_string(format_transcript(spoken, "vtt", options))
    made = cues(spoken, options)
    texts = cue_texts(spoken, options, labels=False)
    seen = [html.unescape(caption.text) for caption in read]
    if options.highlight_words:
        assert [text for text, _ in itertools.groupby(seen)] == [
            text for text, _ in itertools.groupby(texts)
        ]
        assert all(caption.raw_text.count("<u>") >= 1 for caption in read)
    else:
        assert seen == texts
        assert [(ms(c.start_time), ms(c.end_time)) for c in read] == [
            (cue.start_ms, cue.end_ms) for cue in made
        ]
    for caption, following in itertools.pairwise(read):
        assert ms(caption.start_time) < ms(caption.end_time) <= ms(following.start_time)


def ms(time):
    return ((time.hours * 60 + time.minutes) * 60 + time.seconds) * 1000 + time.milliseconds


@settings(max_examples=40, deadline=None)
@given(transcripts())
def test_word_times_in_vtt_rise_within_their_cue(spoken):
    """WebVTT 4.2.2: each later than the ones before and the start, earlier than the end."""
    stamp = re.compile(r"<(\d+):(\d\d):(\d\d)\.(\d{3})>")
    for caption in webvtt.from_string(format_transcript(spoken, "vtt", WORD_TIMES)):
        times = [
            ((int(h) * 60 + int(m)) * 60 + int(s)) * 1000 + int(t)
            for h, m, s, t in stamp.findall(caption.raw_text)
        ]
        times = [ms(caption.start_time), *times, ms(caption.end_time)]
        assert all(earlier < later for earlier, later in itertools.pairwise(times))


@settings(max_examples=40, deadline=None)
@given(transcripts(), st.sampled_from([SubtitleOptions(), NARROW]))
def test_ffmpeg_reads_the_same_cues_at_the_same_times(spoken, options):
    made = cues(spoken, options)
    for name, labels in (("srt", True), ("webvtt", False)):
        written = format_transcript(spoken, name.removeprefix("web"), options)
        if not made:
            continue
        with av.open(io.BytesIO(written.encode()), format=name) as container:
            read = [p for p in container.demux() if p.size]
        assert [(p.pts, p.pts + p.duration) for p in read] == [(c.start_ms, c.end_ms) for c in made]
        texts = [re.sub("<.*?>", "", bytes(p).decode()) for p in read]
        expected = cue_texts(spoken, options, labels=labels)
        if name == "srt":
            expected = [text.translate(LOOKALIKES) for text in expected]
        assert [html.unescape(t) if name == "webvtt" else t for t in texts] == expected


def test_a_speakers_name_has_no_tags_in_srt():
    words = (Word("hello", 0.0, 0.5, 0.9),)
    segments = tuple(
        Segment(index, index, index + 0.5, "hello", words, speaker=name)
        for index, name in enumerate(("<i>{x}", "other"))
    )
    written = format_transcript(Transcript("hello hello", segments, 2.0, "mini"), "srt")
    assert "[‹i›(x)]" in written
    assert "<i>" not in written
