"""How subtitles are laid out: one frozen object that travels through all writers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class SubtitleOptions:
    """How a transcript is cut into cues, and what is shown in them.

    Attributes:
        max_line_width: Characters in a line; a longer word has a line of its own, uncut.
        max_line_count: Lines in a cue, for each speaker.
        min_cue_seconds: A cue stays at least as long, as far as the next one and
            `max_cue_seconds` let it. The default is the least that Netflix asks for: 5/6 s.
        max_cue_seconds: No cue is shown for longer.
        max_cps: Characters a second that can be read: a cue stays until they are, as far as
            the next cue and `max_cue_seconds` let it.
        min_gap_seconds: At least this long nothing is shown between two cues. The default is
            two frames of film, which is how one sees that the text has changed.
        highlight_words: A cue for every word, with that word underlined in its line (srt, vtt).
        word_timestamps: The times of words too: inside the cues of vtt and the lines of lrc,
            and a label for every word for Audacity.

    Raises:
        ValueError: A number is not positive, or the gap is negative.
    """

    max_line_width: int = 42
    max_line_count: int = 2
    min_cue_seconds: float = 0.833
    max_cue_seconds: float = 7.0
    max_cps: float = 20.0
    min_gap_seconds: float = 0.08
    highlight_words: bool = False
    word_timestamps: bool = False

    def __post_init__(self) -> None:
        for name in ("max_line_width", "max_line_count", "max_cue_seconds", "max_cps"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} is {value}; it must be more than 0")
        for name in ("min_cue_seconds", "min_gap_seconds"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{name} is {value}; it must be 0 or more")
