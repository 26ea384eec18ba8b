"""lrc: lines for players of music, each with the time at which it begins."""

from __future__ import annotations

from dataclasses import replace

from w2v_cli.formats.cues import CueLine, cues
from w2v_cli.formats.options import SubtitleOptions
from w2v_cli.results import Transcript

# LRC has no escapes: brackets hold times.
_LOOKALIKES = str.maketrans({"[": "(", "]": ")", "<": "‹", ">": "›"})


def lrc(transcript: Transcript, options: SubtitleOptions) -> str:
    """Return lyrics, a line for every line of a subtitle; nothing where nobody speaks.

    With `word_timestamps` every word has its time before it, as in the extended format.
    Brackets, which LRC cannot escape, are replaced by similar signs.
    """
    lines = []
    for cue in cues(transcript, replace(options, max_line_count=1)):
        for line in cue.lines:
            lines.append(f"[{_clock(cue.start_ms)}]{_text(line, cue.start_ms, options)}\n")
    return "".join(lines)


def _text(line: CueLine, start_ms: int, options: SubtitleOptions) -> str:
    label = line.label.translate(_LOOKALIKES)
    texts = [word.text.translate(_LOOKALIKES) for word in line.words]
    if options.word_timestamps:
        texts = [
            f"<{_clock(max(start_ms, word.start_ms))}>{text}"
            for word, text in zip(line.words, texts, strict=True)
        ]
    return label + " ".join(texts)


def _clock(time_ms: int) -> str:
    """Return minutes, seconds and hundredths; an hour is sixty minutes here."""
    hundredths = time_ms // 10
    return f"{hundredths // 6000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"
