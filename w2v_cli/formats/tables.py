"""tsv, csv and Audacity's labels: rows with times, for spreadsheets and editors."""

from __future__ import annotations

import csv as csv_module
import io
import math

from w2v_cli.formats.options import SubtitleOptions
from w2v_cli.formats.spoken import (
    as_unicode,
    decimal_seconds,
    one_line,
    span_ms,
    spoken_words,
    voice_label,
    voice_of,
)
from w2v_cli.results import Transcript

CSV_COLUMNS = (
    "source",
    "channel",
    "segment",
    "start",
    "end",
    "word",
    "probability",
    "interpolated",
    "speaker",
)


def tsv(transcript: Transcript) -> str:
    """Return the segments as Whisper writes them: start, end and text, in milliseconds.

    A last column names the channel where the channels were transcribed apart, and the speaker
    where speakers are known.
    """
    apart = any(segment.channel is not None for segment in transcript.segments)
    known = any(segment.speaker is not None for segment in transcript.segments)
    more = [*(["channel"] if apart else []), *(["speaker"] if known else [])]
    rows = [["start", "end", "text", *more]]
    for segment in transcript.segments:
        start_ms, end_ms = span_ms(segment)
        channel = [str(segment.channel or "")] if apart else []
        speaker = [one_line(segment.speaker or "")] if known else []
        rows.append([str(start_ms), str(end_ms), one_line(segment.text), *channel, *speaker])
    return "".join("\t".join(row) + "\n" for row in rows)


def csv(transcript: Transcript) -> str:
    """Return a row for every word, in seconds, under a row with the columns' names."""
    text = io.StringIO()
    rows = csv_module.writer(text, lineterminator="\n")
    rows.writerow(CSV_COLUMNS)
    source = as_unicode(transcript.source)
    for segment in transcript.segments:
        for word in spoken_words(segment):
            start_ms, end_ms = span_ms(word)
            rows.writerow(
                [
                    source,
                    segment.channel,
                    segment.id,
                    decimal_seconds(start_ms),
                    decimal_seconds(end_ms),
                    word.text,
                    f"{word.probability:.4f}" if math.isfinite(word.probability) else "",
                    int(word.interpolated),
                    segment.speaker,
                ]
            )
    return text.getvalue()


def audacity_labels(transcript: Transcript, options: SubtitleOptions) -> str:
    """Return a label track for Audacity: a label a segment, or with word times a label a word."""
    rows = []
    for segment in transcript.segments:
        label = voice_label(voice_of(segment))
        labelled = [(span_ms(segment), one_line(segment.text))]
        if options.word_timestamps:
            labelled = [(span_ms(word), word.text) for word in spoken_words(segment)]
        for (start_ms, end_ms), text in labelled:
            times = f"{decimal_seconds(start_ms)}\t{decimal_seconds(end_ms)}"
            rows.append(f"{times}\t{f'{label} {text}'.strip()}\n")
    return "".join(rows)
