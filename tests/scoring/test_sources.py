"""Texts by name out of files, folders and manifests."""

import io
import json
import sys

import pytest

from w2v_cli.errors import UsageError
from w2v_cli.formats import SubtitleOptions, format_transcript
from w2v_cli.results import Segment, Transcript, Word
from w2v_cli.scoring import NamedText, read_texts


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return str(path)


def lines(*rows):
    return "\n".join(json.dumps(row) for row in rows) + "\n"


def words_of(text, start):
    return tuple(Word(word, start, start + 0.5, 0.9) for word in text.split())


def test_a_text_file_is_one_text(tmp_path):
    path = write(tmp_path / "talk.txt", "\ufeffgo left\nstop\n")
    assert read_texts(path) == [NamedText(path, "go left\nstop\n")]
    assert read_texts(path, by_line=True) == [NamedText("1", "go left"), NamedText("2", "stop")]
    assert read_texts(write(tmp_path / "empty.txt", "")) == [
        NamedText(str(tmp_path / "empty.txt"), "")
    ]


def test_a_manifest(tmp_path):
    rows = [
        {"audio_filepath": "a/1.wav", "text": "go", "duration": 1.0},
        {"audio_filepath": "a/2.wav", "text": ""},
        {"text": "stop"},
    ]
    path = write(tmp_path / "manifest.jsonl", lines(*rows) + "\n")
    assert read_texts(path) == [
        NamedText("a/1.wav", "go"),
        NamedText("a/2.wav", ""),
        NamedText(f"{path}:3", "stop"),
    ]


def test_only_line_breaks_end_a_line(tmp_path):
    text = "go\x0cleft\u2028now\r\nstop\r\n"
    path = write(tmp_path / "said.txt", text)
    said = [NamedText("1", "go\x0cleft\u2028now"), NamedText("2", "stop")]
    assert read_texts(path, by_line=True) == said
    rows = [json.dumps({"id": t.name, "text": t.text}, ensure_ascii=False) for t in said]
    assert read_texts(write(tmp_path / "said.jsonl", "\r\n".join(rows))) == said


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
def test_what_transcribe_wrote(tmp_path, format_name):
    segments = (Segment(0, 0.0, 1.0, "go left", ()),)
    transcript = Transcript("go left", segments, 1.0, "mini", "a/talk.wav")
    path = write(tmp_path / f"heard.{format_name}", format_transcript(transcript, format_name))
    assert read_texts(path) == [NamedText("a/talk.wav", "go left")]


@pytest.mark.parametrize("format_name", ["srt", "vtt", "tsv", "csv"])
@pytest.mark.parametrize("options", [{}, {"word_timestamps": True}, {"highlight_words": True}])
def test_times_are_no_words(tmp_path, format_name, options):
    """Subtitles and tables of transcribe, of two voices, hold what was said and no more."""
    segments = tuple(
        Segment(n, n, n + 1.0, text, words_of(text, n), speaker=f"SPEAKER_0{n}")
        for n, text in enumerate(("go left", "or right", "stop", "stop", "R&B x"))
    )
    transcript = Transcript("", segments, 5.0, "mini", "a/talk.wav")
    shown = format_transcript(transcript, format_name, SubtitleOptions(**options))
    (read,) = read_texts(write(tmp_path / f"heard.{format_name}", shown))
    assert read.text.split() == ["go", "left", "or", "right", "stop", "stop", "R&B", "x"]
    assert read.name == (
        "a/talk.wav" if format_name == "csv" else str(tmp_path / f"heard.{format_name}")
    )


@pytest.mark.parametrize("quote", ['"', '"yes" ', "'"])
def test_quotes_that_were_said_are_text(tmp_path, quote):
    """As Whisper's tsv: what stands between tabs is the text, quotes and all."""
    segments = tuple(Segment(n, n, n + 1.0, f"{quote}go left", ()) for n in range(2))
    transcript = Transcript("", segments, 2.0, "mini", "talk.wav")
    path = write(tmp_path / "heard.tsv", format_transcript(transcript, "tsv"))
    assert read_texts(path) == [NamedText(path, f"{quote}go left {quote}go left")]


@pytest.mark.parametrize("voice", [{"channel": 2}, {"channel": 1, "speaker": "CHANNEL_1"}])
@pytest.mark.parametrize("format_name", ["txt", "srt", "vtt"])
def test_names_of_voices_are_not_said(tmp_path, format_name, voice):
    segments = (Segment(0, 0.0, 1.0, "go left", words_of("go left", 0), **voice),)
    transcript = Transcript("go left", segments, 2.0, "mini", "talk.wav")
    path = write(tmp_path / f"heard.{format_name}", format_transcript(transcript, format_name))
    assert [text.text.strip() for text in read_texts(path)] == ["go left"]


@pytest.mark.parametrize("name", ["", "m.tsv", "m.csv", "m.json"])
def test_only_text_files_are_compared_by_line(tmp_path, name):
    write(tmp_path / "m.tsv", "path\ttext\na.wav\tgo\n")
    write(tmp_path / "m.csv", "path,text\na.wav,go\n")
    write(tmp_path / "m.json", '{"id": "a", "text": "go"}')
    with pytest.raises(UsageError, match="--by-line is for text files"):
        read_texts(str(tmp_path / name), by_line=True)


def test_where_no_word_was_heard_the_text_is_empty(tmp_path):
    silent = Transcript("", (), 5.0, "mini", "a/talk.wav")
    for format_name in ("srt", "vtt", "tsv", "csv"):
        path = write(tmp_path / f"heard.{format_name}", format_transcript(silent, format_name))
        assert read_texts(path) == [NamedText(path, "")]


def test_subtitles_of_other_programs(tmp_path):
    text = (
        "WEBVTT - a title\n\nNOTE not said\n\nSTYLE\n::cue { color: red }\n\n1\r\n"
        "00:01.000 --> 00:02.000 align:start\r\n<v Ann>Go <b>left</b>,\r\nnow\r\n \r\n"
        "00:03.000 --> 00:04.000\n12 times\n"
    )
    (read,) = read_texts(write(tmp_path / "talk.vtt", text))
    assert read.text == "Go left,\nnow\n12 times"


def test_tables_that_are_manifests(tmp_path):
    path = write(tmp_path / "said.tsv", "path\tsentence\tstart\na/1.wav\tgo\t\nb.wav\t\t1.5\n")
    assert read_texts(path) == [NamedText("a/1.wav", "go"), NamedText("b.wav#t=1.5", "")]


def test_rows_may_be_parts_of_recordings(tmp_path):
    rows = [
        {"audio_filepath": "talk.wav", "offset": 2.5, "duration": 2.5, "text": "go"},
        {"audio_filepath": "talk.wav", "channel": 2, "duration": 9, "text": "left"},
    ]
    texts = read_texts(write(tmp_path / "said.jsonl", lines(*rows)))
    assert texts == [NamedText("talk.wav#t=2.5,5", "go"), NamedText("talk.wav#channel=2", "left")]


def test_columns_of_something_else_are_none_of_a_part(tmp_path):
    row = {"audio_filepath": "talk.wav", "channel": "left", "start": "10:02", "text": "go"}
    assert read_texts(write(tmp_path / "said.jsonl", lines(row))) == [NamedText("talk.wav", "go")]
    table = write(tmp_path / "said.csv", "filename,text\ntalk.wav,go\n")
    assert read_texts(table) == [NamedText("talk.wav", "go")]


@pytest.mark.parametrize("name", ["a.ctm", "a.STM", "a.TextGrid", "a.lrc"])
def test_what_has_more_than_words_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="what its lines have besides words would be counted"):
        read_texts(write(tmp_path / name, "talk 1 0.0 0.5 go\n"))


def test_an_array_and_a_failed_recording(tmp_path):
    rows = [{"source": "a.wav", "text": "go"}, {"source": "b.wav", "error": "no such file"}]
    expected = [NamedText("a.wav", "go"), NamedText("b.wav", None)]
    assert read_texts(write(tmp_path / "heard.json", json.dumps(rows, indent=1))) == expected
    assert read_texts(write(tmp_path / "heard.jsonl", lines(*rows))) == expected


def test_a_folder_has_a_text_for_each_name(tmp_path):
    write(tmp_path / "b.txt", "b")
    write(tmp_path / "b.srt", "1")
    write(tmp_path / "b.json", json.dumps({"source": "b.wav", "text": "not this"}))
    write(tmp_path / "b.labels.txt", "0\t1\tb")
    write(tmp_path / "sub" / "a.json", json.dumps({"source": "x.wav", "text": "a"}))
    write(tmp_path / ".hidden" / "c.txt", "c")
    assert read_texts(str(tmp_path)) == [NamedText("b.txt", "b"), NamedText("sub/a.json", "a")]


def test_times_of_labels_are_no_words(tmp_path):
    with pytest.raises(UsageError, match="what its lines have besides words would be counted"):
        read_texts(write(tmp_path / "talk.labels.txt", "0\t1\tgo"))


@pytest.mark.parametrize("text", ["go left", lines({"source": "a", "text": "go left"})])
def test_standard_input(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    (read,) = read_texts("-")
    assert read.text == "go left"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "go"}\n{"text": \n', r"a\.jsonl:2: not JSON"),
        ("a.json", b"[" * 200_000, "nested too deep"),
        ("a.jsonl", b'{"source": "a.wav"}\n', r"object 1: no text; a row needs one of text"),
        ("a.json", b"[1]", r"object 1: no text"),
        ("a.json", b'{"error": "lost"}', r"object 1: no name"),
        ("a.trn", b"go left (s1-u1)\nstop\n", r"a\.trn:2: no \(name\) at the line's end"),
        ("a.txt", "grün".encode("latin1"), r"a\.txt: the text is not in UTF-8"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_texts(str(tmp_path / name))


def test_trn_files_name_each_line(tmp_path):
    path = write(tmp_path / "a.trn", "go (um) left (s1-u1)\n\n(s1-u2)\n")
    assert read_texts(path) == [NamedText("s1-u1", "go (um) left"), NamedText("s1-u2", "")]


def test_what_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"missing\.txt: cannot be read: No such file"):
        read_texts(str(tmp_path / "missing.txt"))
    with pytest.raises(UsageError, match="files in this folder"):
        read_texts(str(tmp_path))
    path = write(tmp_path / "a.jsonl", lines({"text": "go"}))
    with pytest.raises(UsageError, match="--by-line is for text files"):
        read_texts(path, by_line=True)
