"""srt and vtt: subtitles for players and for browsers (W3C, WebVTT)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from w2v_cli.formats.cues import Cue, CueLine, cues
from w2v_cli.formats.options import SubtitleOptions
from w2v_cli.formats.spoken import clock
from w2v_cli.results import Transcript

# SubRip has no escapes, and players take some tags of HTML and of SubStation in it, and its \\N.
_SRT_LOOKALIKES = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")", "\\": "∖"})
_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def srt(transcript: Transcript, options: SubtitleOptions) -> str:
    """Return SubRip subtitles; nothing at all where nobody speaks.

    Angle brackets, braces and backslashes, which SubRip cannot escape, are replaced by similar
    signs.
    """
    blocks: list[str] = []
    for cue, highlighted in _shown(transcript, options):
        position = 0
        lines = []
        for line in cue.lines:
            texts = _marked(line, position, highlighted, _SRT_LOOKALIKES)
            lines.append(line.label.translate(_SRT_LOOKALIKES) + " ".join(texts))
            position += len(texts)
        times = f"{clock(cue.start_ms, ',')} --> {clock(cue.end_ms, ',')}"
        blocks.append("\n".join([str(len(blocks) + 1), times, *lines, ""]))
    return "\n".join(blocks)


def vtt(transcript: Transcript, options: SubtitleOptions) -> str:
    """Return WebVTT subtitles; only its head where nobody speaks.

    A speaker is a voice, or else a channel. With `word_timestamps` each word that is said later
    than its cue starts has its own time, by which browsers style what was said already
    (``:past``).
    """
    blocks = ["WEBVTT\n"]
    for cue, highlighted in _shown(transcript, options):
        position = 0
        last_ms = cue.start_ms
        lines = []
        for line in cue.lines:
            texts = _marked(line, position, highlighted, _VTT_ESCAPES)
            if options.word_timestamps and not options.highlight_words:
                for index, word in enumerate(line.words):
                    if last_ms < word.start_ms < cue.end_ms:
                        texts[index] = f"<{clock(word.start_ms)}>{texts[index]}"
                        last_ms = word.start_ms
            voice = "" if line.voice is None else f"<v {line.voice.translate(_VTT_ESCAPES)}>"
            lines.append(voice + " ".join(texts) + ("</v>" if voice else ""))
            position += len(texts)
        times = f"{clock(cue.start_ms)} --> {clock(cue.end_ms)}"
        blocks.append("\n".join([times, *lines, ""]))
    return "\n".join(blocks)


def _marked(
    line: CueLine, position: int, highlighted: Collection[int], escapes: dict[int, str]
) -> list[str]:
    """Return a line's words, escaped; the ones in `highlighted` are underlined."""
    return [
        f"<u>{word.text.translate(escapes)}</u>"
        if position + index in highlighted
        else word.text.translate(escapes)
        for index, word in enumerate(line.words)
    ]


def _shown(
    transcript: Transcript, options: SubtitleOptions
) -> Iterator[tuple[Cue, Collection[int]]]:
    """Yield every cue with the places of its highlighted words."""
    for cue in cues(transcript, options):
        if options.highlight_words:
            yield from _highlights(cue)
        else:
            yield cue, ()


def _highlights(cue: Cue) -> Iterator[tuple[Cue, Collection[int]]]:
    """Yield a cue for every word, one after the other without a gap.

    A word that has no time of its own within the cue is highlighted with the one before it.
    """
    by_start = sorted(range(len(cue.words)), key=lambda index: cue.words[index].start_ms)
    starts_ms = [cue.start_ms]
    groups = [[by_start[0]]]
    for index in by_start[1:]:
        start_ms = cue.words[index].start_ms
        if starts_ms[-1] < start_ms < cue.end_ms:
            starts_ms.append(start_ms)
            groups.append([index])
        else:
            groups[-1].append(index)
    for start_ms, end_ms, group in zip(
        starts_ms, [*starts_ms[1:], cue.end_ms], groups, strict=True
    ):
        yield replace(cue, start_ms=start_ms, end_ms=end_ms), group
