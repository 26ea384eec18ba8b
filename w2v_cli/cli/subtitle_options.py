"""The options of subtitles, and of times of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated, Any

import typer

from w2v_cli.cli.options import ALL_FORMATS, OUTPUT_GROUP
from w2v_cli.cli.partners import was_given
from w2v_cli.errors import UsageError
from w2v_cli.formats import SubtitleOptions

SUBTITLES_GROUP = "Subtitles"
DEFAULTS = SubtitleOptions()

# Where each of them makes a difference.
_CUES = ("srt", "vtt", "lrc")
_FORMATS = {
    "max_line_width": _CUES,
    "max_line_count": ("srt", "vtt"),
    "min_cue_seconds": ("srt", "vtt"),
    "max_cue_seconds": _CUES,
    "max_cps": ("srt", "vtt"),
    "min_gap": _CUES,
    "highlight_words": ("srt", "vtt"),
    "word_timestamps": ("vtt", "lrc", "audacity"),
}


def subtitle_choice(context: typer.Context, formats: Sequence[str]) -> SubtitleOptions:
    """Return what the options of subtitles come to.

    Args:
        context: The command line.
        formats: What results are written in.

    Raises:
        UsageError: One of them is no number that can be used, such as nan, or was given and
            makes no difference in these formats.
    """
    for name, where in _FORMATS.items():
        if was_given(context, name) and {*where, ALL_FORMATS}.isdisjoint(formats):
            raise UsageError(
                f"--{name.replace('_', '-')}: makes no difference in {' and '.join(formats)}; "
                f"leave it out, or add --format {where[0]}"
            )
    params = context.params
    names = (field.name for field in fields(SubtitleOptions) if field.name != "min_gap_seconds")
    return subtitle_options(min_gap_seconds=params["min_gap"], **{n: params[n] for n in names})


def subtitle_options(**chosen: Any) -> SubtitleOptions:
    """Return what the options of subtitles come to.

    Raises:
        UsageError: One of them is no number that can be used, such as nan.
    """
    try:
        return SubtitleOptions(**chosen)
    except ValueError as error:
        name, _, reason = str(error).partition(" ")
        option = name.removesuffix("_seconds") if name.startswith("min_gap") else name
        raise UsageError(f"--{option.replace('_', '-')} {reason}") from error


WordTimestamps = Annotated[
    bool,
    typer.Option(
        "--word-timestamps",
        help="Times of words too, within the cues of vtt and the lines of lrc; for Audacity "
        "a label a word.",
        rich_help_panel=OUTPUT_GROUP,
    ),
]
MaxLineWidth = Annotated[
    int,
    typer.Option(
        "--max-line-width",
        min=1,
        metavar="N",
        help="Characters in a line; 1 gives every word a line of its own.",
        rich_help_panel=SUBTITLES_GROUP,
    ),
]
MaxLineCount = Annotated[
    int,
    typer.Option(
        "--max-line-count",
        min=1,
        metavar="N",
        help="Lines that are shown together.",
        rich_help_panel=SUBTITLES_GROUP,
    ),
]
MinCueSeconds = Annotated[
    float,
    typer.Option(
        "--min-cue-seconds",
        min=0.0,
        metavar="SECONDS",
        help="How long lines are shown at least, if nothing follows.",
        rich_help_panel=SUBTITLES_GROUP,
    ),
]
MaxCueSeconds = Annotated[
    float,
    typer.Option(
        "--max-cue-seconds",
        min=0.1,
        metavar="SECONDS",
        help="How long the same lines are shown at most.",
        rich_help_panel=SUBTITLES_GROUP,
    ),
]
MaxCps = Annotated[
    float,
    typer.Option(
        "--max-cps",
        min=1.0,
        metavar="N",
        help="Characters a second that people read: lines stay as long, if nothing follows.",
        rich_help_panel=SUBTITLES_GROUP,
    ),
]
MinGap = Annotated[
    float,
    typer.Option(
        "--min-gap",
        min=0.0,
        metavar="SECONDS",
        help="Nothing is shown for at least this long between two cues.",
        rich_help_panel=SUBTITLES_GROUP,
    ),
]
HighlightWords = Annotated[
    bool,
    typer.Option(
        "--highlight-words",
        help="Underline each word while it is said (srt, vtt).",
        rich_help_panel=SUBTITLES_GROUP,
    ),
]
