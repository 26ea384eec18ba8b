"""The JSON that a reader of Whisper's JSON reads."""

import json
import math
import re

import numpy as np
import pytest

from w2v_cli.formats import format_transcript, json_error_line, whisper_json
from w2v_cli.formats.whisper_json import SCHEMA_VERSION
from w2v_cli.results import Alternative, Character, Segment, Transcript, Word


def transcript(words=(), *, text="", channel=None, speaker=None, **fields):
    segment = Segment(0, 0.5, 1.4, text, tuple(words), channel, speaker)
    defaults = {"duration_seconds": 2.0, "model": "mini", "source": "a.wav"}
    return Transcript(text, (segment,), **(defaults | fields))


def test_the_example_in_the_docs(request):
    """docs/formats.md shows what this transcript becomes."""
    words = [
        Word("go", 0.42, 0.71999997, np.float32(0.98766)),
        Word("left", 0.9, 1.3400001, 0.5),
    ]
    segments = (
        Segment(0, 0.42, 1.3400001, "go left", tuple(words)),
        Segment(1, 2.1, 2.5, "stop", (Word("stop", 2.1, 2.5, 0.75),)),
    )
    written = whisper_json(Transcript("go left stop", segments, 3.0006, "mini", "way.wav"))
    docs = (request.config.rootpath / "docs" / "formats.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", docs, re.DOTALL)
    assert written == example


def test_whispers_fields(request):
    """Whatever is described in the docs is written, and nothing else."""
    letter = Character("y", 0.5, 0.6, 0.9)
    guessed = Word("yes", 0.5, 0.9, 0.9, (letter,), interpolated=True)
    best = Alternative("yes", -1.25, -0.5, channel=2)
    spoken = transcript([guessed], channel=2, speaker="SPEAKER_00", alternatives=(best,))
    written = json.loads(whisper_json(spoken))
    assert {"text", "segments", "language"} <= written.keys()
    (segment,) = written["segments"]
    assert {"id", "start", "end", "text", "words"} <= segment.keys()
    (word,) = segment["words"]
    assert {"word", "start", "end", "probability"} <= word.keys()
    (character,) = word["characters"]
    (reading,) = written["n_best"]
    assert (segment["channel"], segment["speaker"]) == (2, "SPEAKER_00")
    docs = (request.config.rootpath / "docs" / "formats.md").read_text(encoding="utf-8")
    json_docs = docs[docs.index("## json") : docs.index("## srt")]
    described = set(re.findall(r"^\| `([\w.\[\]]+)` \|", json_docs, re.MULTILINE))
    error = json.loads(json_error_line("a.wav", "broken", 1))
    assert described == {
        *written,
        *error,
        *(f"segments[].{name}" for name in segment),
        *(f"segments[].words[].{name}" for name in word),
        *(f"segments[].words[].characters[].{name}" for name in character),
        *(f"n_best[].{name}" for name in reading),
    }


def test_what_nobody_asked_for_is_not_written():
    written = json.loads(whisper_json(transcript([Word("yes", 0.5, 0.9, 0.9)])))
    assert "n_best" not in written
    (segment,) = written["segments"]
    assert not {"channel", "speaker"} & segment.keys()
    assert segment["words"][0].keys() == {"word", "start", "end", "probability"}


def test_readings_with_their_scores():
    readings = (Alternative("yes", -1.23456, -0.5), Alternative("yet", -math.inf))
    assert json.loads(whisper_json(transcript(alternatives=readings)))["n_best"] == [
        {"text": "yes", "logit_score": -1.2346, "lm_score": -0.5},
        {"text": "yet", "logit_score": None, "lm_score": None},
    ]


def test_characters_have_times():
    letters = (Character("ß", 0.5, 0.52, np.float32(0.25)), Character("-", 0.7, 0.72, 1.0))
    written = json.loads(whisper_json(transcript([Word("ß-", 0.5, 0.72, 0.5, letters)])))
    assert written["segments"][0]["words"][0]["characters"] == [
        {"character": "ß", "start": 0.5, "end": 0.52, "probability": 0.25},
        {"character": "-", "start": 0.7, "end": 0.72, "probability": 1.0},
    ]


def test_a_line_of_jsonl_is_the_json_object():
    text = "two\nlines\u2028and\x85more ü"
    spoken = transcript([Word(text, 0.5, 0.9, 0.9)], text=text)
    line = format_transcript(spoken, "jsonl")
    assert len(line.splitlines()) == 1
    assert "ü" in line
    assert json.loads(line) == json.loads(whisper_json(spoken))


def test_an_error_is_a_line_of_jsonl():
    assert json_error_line("caf\udce9.wav", "caf\udce9.wav: no such file", 1) == (
        '{"schema_version": 1, "source": "caf\N{REPLACEMENT CHARACTER}.wav", '
        '"error": "caf\N{REPLACEMENT CHARACTER}.wav: no such file", "exit_code": 1}\n'
    )


def test_silence():
    silence = Transcript("", (), 0.0, "mini")
    assert json.loads(whisper_json(silence)) == {
        "schema_version": SCHEMA_VERSION,
        "source": None,
        "model": "mini",
        "duration": 0.0,
        "language": None,
        "text": "",
        "segments": [],
    }


def test_every_script_stays_readable():
    assert '"text": "naïve 日本 🎵 \\"\\\\ \\n"' in whisper_json(
        transcript(text='naïve 日本 🎵 "\\ \n')
    )


def test_times_are_rounded_to_the_millisecond_and_stay_in_order():
    random = np.random.default_rng(0)
    times = np.cumsum(random.exponential(0.02, size=400)).astype(np.float32)
    words = [
        Word("a", start, end, 1 / 3) for start, end in zip(times[::2], times[1::2], strict=True)
    ]
    written = json.loads(whisper_json(transcript(words)))["segments"][0]["words"]
    flat = [time for word in written for time in (word["start"], word["end"])]
    assert flat == sorted(flat)
    assert flat == pytest.approx(times, abs=0.00051)
    assert all(round(time, 3) == time for time in flat)
    assert {word["probability"] for word in written} == {0.3333}


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float32("nan")])
def test_what_is_no_number_becomes_null(value):
    text = whisper_json(transcript([Word("a", 0.0, 1.0, value)], duration_seconds=value))
    assert "NaN" not in text
    assert "Infinity" not in text
    written = json.loads(text)
    assert written["duration"] is None
    assert written["segments"][0]["words"][0]["probability"] is None


def test_a_file_name_that_is_no_unicode():
    name = b"a\xff b.wav".decode("utf-8", "surrogateescape")
    text = whisper_json(transcript(source=name))
    assert json.loads(text.encode("utf-8"))["source"] == "a\N{REPLACEMENT CHARACTER} b.wav"
