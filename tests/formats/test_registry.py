"""Every format by its name."""

import pytest

from w2v_cli.formats import FORMATS, format_transcript
from w2v_cli.results import Segment, Transcript, Word

SILENCE = Transcript(text="", segments=(), duration_seconds=1.0, model="mini", source="a.wav")
WORDS = (Word("yes", 0.5, 0.9, 0.9), Word("no", 1.1, 1.4, 0.8))
SPEECH = Transcript("yes no", (Segment(0, 0.5, 1.4, "yes no", WORDS),), 2.0, "mini", "a.wav")
NAMES = ["txt", "json", "jsonl", "srt", "vtt", "tsv", "csv", "lrc"]
NAMES += ["audacity", "ctm", "stm", "textgrid"]


def test_names():
    assert list(FORMATS) == NAMES


def test_no_two_formats_share_a_file():
    assert len({form.suffix.lower() for form in FORMATS.values()}) == len(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_writers_end_with_a_newline(name):
    assert format_transcript(SPEECH, name).endswith("\n")
    assert format_transcript(SILENCE, name) in ("", format_transcript(SILENCE, name).strip() + "\n")
    assert format_transcript(SPEECH, name) == FORMATS[name].write(SPEECH)


def test_unknown_name():
    with pytest.raises(ValueError, match="no format 'doc'; choose one of txt, json"):
        format_transcript(SPEECH, "doc")


def test_nobody_adds_a_format_by_accident():
    with pytest.raises(TypeError):
        FORMATS["doc"] = str
