"""What is said, out of files that say when: subtitles and tables."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from w2v_cli.audio.manifests import PATH_COLUMNS, manifest_rows
from w2v_cli.errors import UsageError

SUBTITLES = (".srt", ".vtt")
TABLES = (".csv", ".tsv")
OTHERS = (".ctm", ".stm", ".lrc", ".textgrid", ".rttm")
"""What has times or fields in its lines that would count as words."""

_TAG = re.compile(r"<[^>]*>")  # of voices, colours, words
_VOICE = re.compile(r"^\[[^\]]*\] ?")  # as our own begin, where there are several


def text_of_subtitles(content: str) -> str:
    """Return the lines of all cues, without tags and the names of voices.

    >>> text_of_subtitles("1\\n00:00:00,000 --> 00:00:01,000\\ngo left\\n")
    'go left'
    """
    said = []
    for block in re.split(r"\n[^\S\n]*\n", content.replace("\r\n", "\n")):
        lines = block.split("\n")
        timing = next((n for n, line in enumerate(lines) if "-->" in line), None)
        if timing is not None:
            said += [_VOICE.sub("", _TAG.sub("", line)) for line in lines[timing + 1 :]]
    return "\n".join(line for line in said if line)


def table_rows(content: str, source: str) -> list[dict[str, Any]]:
    """Return the rows of a manifest; words and segments with times become one row a recording.

    Raises:
        UsageError: It is no table.
    """
    rows = [row for _, row in manifest_rows(content.encode(), source)]
    column = next((name for name in ("word", "text") if rows and name in rows[0]), None)
    if column is None or "start" not in rows[0] or {*PATH_COLUMNS} & {*rows[0]}:
        return rows
    said: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        said[row.get("source") or source].append(row[column] or "")
    return [{"source": name, "text": " ".join(words)} for name, words in said.items()]


def refuse_times(suffix: str, source: str) -> None:
    """Refuse a file whose times would count as words.

    Raises:
        UsageError: It is such a file.
    """
    if suffix in OTHERS:
        raise UsageError(
            f"{source}: what its lines have besides words would be counted; score txt, json, "
            f"jsonl, srt, vtt, tsv or csv"
        )
