"""Random transcripts, of the kinds that writers get wrong."""

from hypothesis import strategies as st

from w2v_cli.results import Segment, Transcript, Word

ORDINARY = st.text("abcdefghij'", min_size=1, max_size=9)
# Any letter that can be shown: signs, accents, other scripts, right to left.
UNICODE = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12
)
HARD = st.sampled_from(
    ["-->", "<b>", "&amp;", 'say"so', "{\\an8}", "[01:02.03]", ";;", "a,b", "=1+1", "</v>"]
)
ODD = st.sampled_from(
    ["x" * 90, "NOTE", "a\tb", "two\nlines", "\x00", " ", "", "日本語", "e\u0301" * 30, "<NA>"]
)
TEXTS = st.one_of(ORDINARY, ORDINARY, UNICODE, HARD, ODD)
# Mostly the frames of a network, and sometimes any time at all.
GAPS = st.one_of(
    st.just(0.0),
    st.integers(0, 60).map(lambda n: n * 0.02),
    st.floats(0, 12, allow_nan=False, width=32),
)


@st.composite
def segments(draw, *, texts=TEXTS, channel=None):
    """Draw one channel's segments, in time order; words may last no time at all."""
    time_seconds = draw(GAPS)
    drawn = []
    for _ in range(draw(st.integers(0, 4))):
        words = []
        for _ in range(draw(st.integers(1, 14))):
            start_seconds = time_seconds + draw(GAPS) / 4
            time_seconds = start_seconds + draw(GAPS) / 4
            probability = draw(st.floats(0, 1))
            words.append(Word(draw(texts), start_seconds, time_seconds, probability))
        text = " ".join(word.text for word in words)
        start_seconds = words[0].start_seconds
        drawn.append(Segment(0, start_seconds, time_seconds, text, tuple(words), channel))
        time_seconds += draw(GAPS)
    return drawn


@st.composite
def transcripts(draw, *, texts=TEXTS, max_channels=3):
    """Draw a transcript of one channel, or of several that speak over each other."""
    n_channels = draw(st.integers(1, max_channels))
    channels = [None] if n_channels == 1 else list(range(1, n_channels + 1))
    drawn = [s for channel in channels for s in draw(segments(texts=texts, channel=channel))]
    drawn.sort(key=lambda segment: (segment.start_seconds, segment.channel or 0))
    numbered = tuple(
        Segment(index, s.start_seconds, s.end_seconds, s.text, s.words, s.channel)
        for index, s in enumerate(drawn)
    )
    duration_seconds = max([1.0, *(s.end_seconds for s in numbered)])
    text = " ".join(segment.text for segment in numbered)
    return Transcript(text, numbered, duration_seconds, "mini", "a talk.wav")
