"""The JSON that a reader of Whisper's JSON reads."""

import json
import math
import re

import numpy as np
import pytest

from w2v_cli.formats import whisper_json
from w2v_cli.formats.whisper_json import SCHEMA_VERSION
from w2v_cli.results import Segment, Transcript, Word


def transcript(words=(), *, text="", channel=None, **fields):
    segment = Segment(0, 0.5, 1.4, text, tuple(words), channel)
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
    written = json.loads(whisper_json(transcript([Word("yes", 0.5, 0.9, 0.9)], channel=2)))
    assert {"text", "segments", "language"} <= written.keys()
    (segment,) = written["segments"]
    assert {"id", "start", "end", "text", "words"} <= segment.keys()
    (word,) = segment["words"]
    assert word.keys() == {"word", "start", "end", "probability"}
    assert segment["channel"] == 2
    docs = (request.config.rootpath / "docs" / "formats.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `([\w.\[\]]+)` \|", docs, re.MULTILINE))
    assert described == {
        *written,
        *(f"segments[].{name}" for name in segment),
        *(f"segments[].words[].{name}" for name in word),
    }


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
