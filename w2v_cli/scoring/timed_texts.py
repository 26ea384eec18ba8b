"""What is said, out of files that say when: subtitles and tables."""

from __future__ import annotations

import html
import io
import re
from collections import defaultdict
from typing import Any

from w2v_cli.audio.manifests import PATH_COLUMNS, manifest_rows
from w2v_cli.errors import UsageError

SUBTITLES = (".srt", ".vtt")
TABLES = (".csv", ".tsv")
OTHERS = (".ctm", ".stm", ".lrc", ".textgrid", ".rttm")
"""What has times or fields in its lines that would count as words."""
LABELS = ".labels.txt"
"""So do Audacity's labels."""

_TIMED_HEAD = "start\tend\ttext"
_TAG = re.compile(r"</?[A-Za-z][^>]*>|<[\d:.]+>")  # of voices, colours, words; times of words
_VOICE_TAG = re.compile(r"</?v[^>]*>")
_VOICE = re.compile(r"^\[(?:(?:SPEAKER|CHANNEL)_\d+|channel \d+)\] ?", re.MULTILINE)  # our own


def text_of_subtitles(content: str, suffix: str) -> str:
    """Return the lines of all cues, without tags and the names of voices.

    Cues that follow each other and differ in what is highlighted only are one.

    >>> text_of_subtitles("1\\n00:00:00,000 --> 00:00:01,000\\ngo <u>left</u>\\n", ".srt")
    'go left'
    """
    said: list[str] = []
    first_of_run = ""
    for block in re.split(r"\n[^\S\n]*\n", io.StringIO(content, newline=None).read()):
        lines = block.split("\n")
        timing = next((n for n, line in enumerate(lines) if "-->" in line), None)
        if timing is None:
            continue
        marked = "\n".join(_voiceless(line) for line in lines[timing + 1 :]).strip("\n")
        plain = _TAG.sub("", marked)
        is_same = bool(said) and plain == said[-1]
        if plain and not (is_same and "<u>" in marked and marked != first_of_run):
            said.append(plain)
            first_of_run = marked
    text = "\n".join(said)
    return html.unescape(text) if suffix == ".vtt" else text


def _voiceless(line: str) -> str:
    return without_voices(_VOICE_TAG.sub("", line))


def without_voices(text: str) -> str:
    """Return a text without the names of voices that `w2v transcribe` begins lines with.

    >>> without_voices("[channel 1] go left\\n[SPEAKER_00] stop")
    'go left\\nstop'
    """
    return _VOICE.sub("", text)


def table_rows(content: str, source: str) -> list[dict[str, Any]]:
    """Return the rows of a manifest; words and segments with times become one row a recording.

    A table of them without any is a recording of which no word was written.

    Raises:
        UsageError: It is no table.
    """
    lines = io.StringIO(content, newline=None).read().split("\n")
    if lines[0].startswith(_TIMED_HEAD):  # Whisper's, where a quote is what somebody said
        return [{"source": source, "text": " ".join(_third(line) for line in lines[1:] if line)}]
    columns = set(re.split(r"[\t,;]", lines[0].strip()))
    column = next((name for name in ("word", "text") if name in columns), None)
    rows = [row for _, row in manifest_rows(content.encode(), source)]
    if column is None or "start" not in columns or columns & {*PATH_COLUMNS}:
        return rows
    said: dict[str, list[str]] = defaultdict(list) if rows else {source: []}
    for row in rows:
        said[row.get("source") or source].append(row[column] or "")
    return [{"source": name, "text": " ".join(words)} for name, words in said.items()]


def _third(line: str) -> str:
    return "".join(line.split("\t")[2:3])


def refuse_times(suffix: str, source: str) -> None:
    """Refuse a file whose times would count as words.

    Raises:
        UsageError: It is such a file.
    """
    if suffix in OTHERS or source.lower().endswith(LABELS):
        raise UsageError(
            f"{source}: what its lines have besides words would be counted; score txt, json, "
            f"jsonl, srt, vtt, tsv or csv"
        )
