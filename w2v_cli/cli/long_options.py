"""The options of long recordings and of streams, each declared once, and what they come to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2v_cli.audio.sources import STDIN
from w2v_cli.cli.options import DEFAULT_FORMAT, LONGEST_SECONDS
from w2v_cli.cli.partners import was_given
from w2v_cli.errors import UsageError

if TYPE_CHECKING:
    from w2v_cli.inference.chunks import Chunking

LONG_GROUP = "Long recordings"
LIVE_GROUP = "Streams"

HIGHEST_RAW_RATE = 768_000
"""Hz; no converter samples faster, and what resamples would calculate without end."""

ChunkSeconds = Annotated[
    float | None,
    typer.Option(
        "--chunk-seconds",
        metavar="SECONDS",
        help="The longest piece that the network hears at once. From 15 on the result hardly "
        "depends on it. [default: what memory has room for, up to 30]",
        rich_help_panel=LONG_GROUP,
    ),
]
StrideSeconds = Annotated[
    float | None,
    typer.Option(
        "--stride-seconds",
        metavar="SECONDS",
        help="What the network hears before and after the part of a piece that is kept. "
        "[default: 4, or a quarter of a piece of less than 16]",
        rich_help_panel=LONG_GROUP,
    ),
]
ContextSeconds = Annotated[
    float | None,
    typer.Option(
        "--context-seconds",
        metavar="SECONDS",
        help="In recordings of more than 30 s, what each layer of the network sees before and "
        "after a moment; 0 for all of the piece. [default: 2]",
        rich_help_panel=LONG_GROUP,
    ),
]
Vad = Annotated[
    bool,
    typer.Option(
        "--vad",
        help="Leave out what Silero's detector takes for no speech; needs the extra vad.",
        rich_help_panel=LONG_GROUP,
    ),
]


def raw_option(text: str) -> Any:
    """Return the option of a stream's rate, with what its help says."""
    return typer.Option(
        "--raw",
        min=1000,
        max=HIGHEST_RAW_RATE,
        metavar="RATE",
        help=text,
        rich_help_panel=LIVE_GROUP,
    )


Raw = Annotated[
    int | None,
    raw_option(
        "Standard input is raw PCM of this rate, in Hz: signed 16-bit little-endian, one "
        "channel. It may still grow: each segment is printed when it is final."
    ),
]
Partial = Annotated[
    bool,
    typer.Option(
        "--partial",
        help="With --raw: show the words that may still change, on standard error, or with "
        "--format jsonl as records.",
        rich_help_panel=LIVE_GROUP,
    ),
]

# What --raw can be combined with, by the names of the command's parameters.
_LIVE_PARAMETERS = frozenset(
    {
        *("inputs", "raw", "partial", "formats", "quiet", "verbose"),
        *("model", "lang", "revision", "cache_dir", "offline"),
        *("device", "dtype", "threads", "attn", "quantize", "load_in_8bit", "compiled"),
        *("lm", "lexicon", "decoder", "beam_width", "alpha", "beta"),
        *("hotword", "hotwords", "workers", "case"),
    }
)
_LIVE_FORMATS = ("txt", "jsonl")


@dataclass(frozen=True)
class LiveChoice:
    """How a stream is transcribed.

    Attributes:
        raw_rate: Hz of the stream.
        format_name: txt or jsonl.
        partial: Show what may still change.
    """

    raw_rate: int
    format_name: str
    partial: bool


def chunking_choice(
    chunk_seconds: float | None,
    stride_seconds: float | None,
    context_seconds: float | None = None,
) -> Chunking:
    """Return how long recordings are cut.

    Raises:
        UsageError: A length that cannot be.
    """
    lengths = {
        "--chunk-seconds": chunk_seconds,
        "--stride-seconds": stride_seconds,
        "--context-seconds": context_seconds,
    }
    for option, seconds in lengths.items():
        if seconds is not None and not 0 <= seconds <= LONGEST_SECONDS:
            raise UsageError(
                f"{option} {seconds:g}: it must be 0 or more, up to {LONGEST_SECONDS:.0f}"
            )
    if chunk_seconds == 0:
        raise UsageError("--chunk-seconds 0: it must be more than 0")
    if chunk_seconds is not None and stride_seconds is not None:
        least_seconds = 3 * stride_seconds
        if chunk_seconds < least_seconds:
            raise UsageError(
                f"--chunk-seconds {chunk_seconds:g}: too short for --stride-seconds "
                f"{stride_seconds:g}; it must be 3 times as long, {least_seconds:g} or more"
            )

    from w2v_cli.inference.chunks import Chunking  # numpy, which usage errors do not wait for

    chunking = Chunking(chunk_seconds=chunk_seconds, stride_seconds=stride_seconds)
    if context_seconds is None:
        return chunking
    return replace(chunking, context_seconds=context_seconds or None)


def live_choice(
    raw: int | None,
    partial: bool,
    inputs: Sequence[str],
    formats: Sequence[str] | None,
    context: typer.Context,
) -> LiveChoice | None:
    """Return how a stream is transcribed; None if --raw does not ask for one.

    Args:
        raw: What was given as --raw.
        partial: Whether --partial was given.
        inputs: The inputs.
        formats: What was given as --format.
        context: The command line, to see what else was given.

    Raises:
        UsageError: Something else was given that a stream has no use for.
    """
    if raw is None:
        if partial:
            raise UsageError("--partial shows what is heard in a stream; it needs - --raw RATE")
        return None
    check_stream(context, inputs, _LIVE_PARAMETERS)
    chosen = tuple(dict.fromkeys(formats or [DEFAULT_FORMAT]))
    if len(chosen) != 1 or chosen[0] not in _LIVE_FORMATS:
        raise UsageError(
            f"--raw: segments are printed one by one, as {' or '.join(_LIVE_FORMATS)}; choose one "
            f"of them with --format"
        )
    return LiveChoice(raw, chosen[0], partial)


def check_stream(context: typer.Context, inputs: Sequence[str], allowed: Collection[str]) -> None:
    """Refuse inputs that are no stream, and options that a stream has no use for.

    Args:
        context: The command line.
        inputs: The inputs.
        allowed: What --raw can be combined with, by the names of the command's parameters.

    Raises:
        UsageError: There is one.
    """
    if list(inputs) != [STDIN]:
        raise UsageError("--raw reads standard input and nothing else; name - as the only input")
    check_alone(context, allowed, "--raw", "recordings that end")


def check_alone(context: typer.Context, allowed: Collection[str], beside: str, what: str) -> None:
    """Refuse options that have no effect beside another one, such as those of a stream.

    Args:
        context: The command line.
        allowed: What that one can have, by the names of the command's parameters.
        beside: That one.
        what: What the others are for.

    Raises:
        UsageError: Another was given.
    """
    for parameter in context.command.params:
        if was_given(context, parameter.name or "") and parameter.name not in allowed:
            raise UsageError(f"{parameter.opts[0]} is for {what}; leave it out, or {beside}")
