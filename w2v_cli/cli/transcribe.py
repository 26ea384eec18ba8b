"""`w2v transcribe`: what is said in recordings, as text."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Annotated

import typer

from w2v_cli.cli import options
from w2v_cli.cli.console import Console
from w2v_cli.cli.destinations import destination
from w2v_cli.cli.inputs import check_inputs, for_each_input
from w2v_cli.cli.options import SUBTITLE_DEFAULTS
from w2v_cli.cli.output import STDOUT
from w2v_cli.errors import UsageError

if TYPE_CHECKING:
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.results import Transcript
    from w2v_cli.tasks.transcribe import Transcriber

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Recordings: wav, flac, ogg, opus, mp3, aiff ..., or - for one on standard input.",
        show_default=False,
    ),
]


def transcribe(
    inputs: Inputs,
    model: options.Model = options.DEFAULT_MODEL,
    lang: options.Language = None,
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    channel: options.Channel = None,
    start: options.Start = None,
    end: options.End = None,
    formats: options.Formats = None,
    output: options.Output = STDOUT,
    word_timestamps: options.WordTimestamps = False,
    max_line_width: options.MaxLineWidth = SUBTITLE_DEFAULTS.max_line_width,
    max_line_count: options.MaxLineCount = SUBTITLE_DEFAULTS.max_line_count,
    max_cue_seconds: options.MaxCueSeconds = SUBTITLE_DEFAULTS.max_cue_seconds,
    max_cps: options.MaxCps = SUBTITLE_DEFAULTS.max_cps,
    min_gap: options.MinGap = SUBTITLE_DEFAULTS.min_gap_seconds,
    highlight_words: options.HighlightWords = False,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    threads: options.Threads = None,
    attn: options.Attn = "sdpa",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write down what is said in recordings.

    \b
    Examples:
      w2v transcribe talk.flac
      w2v transcribe --model mini commands/*.wav
      w2v transcribe --format json --output talk.json talk.mp3
      w2v transcribe --format srt --format vtt --output subtitles/ *.mp4
      w2v transcribe --format srt --max-line-width 32 --highlight-words talk.wav
      w2v transcribe --format all --output talk talk.wav
      w2v transcribe --format jsonl *.ogg | jq -r .text
      w2v transcribe --start 1:30 --end 2:00 --channel 1 call.wav
      cat talk.ogg | w2v transcribe -

    With several recordings each line starts with the recording's name, and json becomes an
    array; subtitles need a folder, with a file for each recording. A recording that cannot be
    read is a line on stderr, and the others go on.

    Exit codes: 0 all done, 1 failed, 2 wrong command line, 3 some recordings failed,
    4 no model, 5 a package is missing, 130 interrupted.
    """
    start_seconds = checked_start(start, end)
    check_inputs(inputs)
    subtitles = options.subtitle_options(
        max_line_width=max_line_width,
        max_line_count=max_line_count,
        max_cue_seconds=max_cue_seconds,
        max_cps=max_cps,
        min_gap_seconds=min_gap,
        highlight_words=highlight_words,
        word_timestamps=word_timestamps,
    )
    target = destination(output, formats or options.DEFAULT_FORMATS, inputs, subtitles)
    console = Console(quiet=quiet, verbose=verbose)

    # Only now: help and usage errors must not wait for torch and numpy.
    from w2v_cli.audio import read_waveforms
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.checkpoint.progress import show_progress
    from w2v_cli.inference.runtime import Runtime

    runtime = Runtime(device=device, dtype=dtype, threads=threads, attn=attn)
    hub = HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline)
    transcriber = loaded_once(model, lang, runtime, hub, console)

    def work(source: str) -> Transcript:
        # Read first: a wrong file's name must not wait for a model to load.
        waveforms = read_waveforms(
            source, channel=channel, start_seconds=start_seconds, end_seconds=end
        )
        hears = transcriber()
        began = time.perf_counter()
        transcript = hears.transcribe(waveforms, source=source)
        took_seconds = time.perf_counter() - began
        console.note(
            f"{source}: {transcript.duration_seconds:.1f} s transcribed in {took_seconds:.2f} s"
        )
        return transcript

    with (
        console.warnings_as_lines(),
        target as results,
        console.progress(len(inputs)) as progress,
        show_progress(progress),
    ):
        exit_code = for_each_input(
            inputs, work, results.write, fail=results.fail, console=console, progress=progress
        )
    raise typer.Exit(exit_code)


def checked_start(start: float | None, end: float | None) -> float:
    """Return where to begin, in seconds.

    Raises:
        UsageError: The end does not come after it.
    """
    start_seconds = start or 0.0
    if end is not None and end <= start_seconds:
        raise UsageError(
            f"--end {end:g} s is not after --start {start_seconds:g} s; choose a later --end"
        )
    return start_seconds


def loaded_once(
    model: str, lang: str | None, runtime: Runtime, hub: HubOptions, console: Console
) -> Callable[[], Transcriber]:
    """Return a function that loads the model when first called, and returns it again later."""

    @cache
    def load() -> Transcriber:
        from w2v_cli.tasks.transcribe import Transcriber

        began = time.perf_counter()
        transcriber = Transcriber.load(model, runtime=runtime, hub=hub, target_lang=lang)
        took_seconds = time.perf_counter() - began
        console.note(f"{transcriber.emitter.description}; loaded in {took_seconds:.2f} s")
        return transcriber

    return load
