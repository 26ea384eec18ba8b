"""`w2v align`: when each word of a known text is said in a recording."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from w2v_cli.audio.sources import STDIN, STDIN_LABEL
from w2v_cli.cli import engine_options, options, subtitle_options
from w2v_cli.cli.console import Console
from w2v_cli.cli.destinations import destination
from w2v_cli.cli.inputs import check_inputs
from w2v_cli.cli.output import STDOUT, format_of_name
from w2v_cli.cli.sinks import Destination
from w2v_cli.encodings import decoded_text
from w2v_cli.errors import AudioError, MissingDependencyError, UsageError
from w2v_cli.formats import FORMATS, transcript_formats

if TYPE_CHECKING:
    from w2v_cli.results import Transcript

DEFAULT_FORMAT = "json"

Recording = Annotated[
    str,
    typer.Argument(
        metavar="AUDIO",
        help="A recording: wav, flac, ogg, opus, mp3, aiff ..., or - for standard input.",
    ),
]
TextFile = Annotated[
    str | None,
    typer.Argument(
        metavar="[TEXT]",
        help="A file with what is said, in UTF-8, or - for standard input.",
    ),
]
LiteralText = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="WORDS",
        help="What is said, in place of a file.",
        rich_help_panel=options.RECORDING_GROUP,
    ),
]
Formats = Annotated[
    list[str] | None,
    options.formats_option(
        FORMATS,
        "Any format of w2v transcribe: json, srt, vtt, csv (words), ctm, textgrid ... "
        "May be repeated; all is each of them. [default: what --output ends with, or json]",
    ),
]


def align(
    context: typer.Context,
    audio: Recording,
    text_file: TextFile = None,
    literal_text: LiteralText = None,
    model: options.Model = options.DEFAULT_MODEL,
    lang: options.Language = None,
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    channel: options.Channel = None,
    start: options.Start = None,
    end: options.End = None,
    formats: Formats = None,
    output: options.Output = STDOUT,
    word_timestamps: subtitle_options.WordTimestamps = False,
    max_line_width: subtitle_options.MaxLineWidth = subtitle_options.DEFAULTS.max_line_width,
    max_line_count: subtitle_options.MaxLineCount = subtitle_options.DEFAULTS.max_line_count,
    min_cue_seconds: subtitle_options.MinCueSeconds = subtitle_options.DEFAULTS.min_cue_seconds,
    max_cue_seconds: subtitle_options.MaxCueSeconds = subtitle_options.DEFAULTS.max_cue_seconds,
    max_cps: subtitle_options.MaxCps = subtitle_options.DEFAULTS.max_cps,
    min_gap: subtitle_options.MinGap = subtitle_options.DEFAULTS.min_gap_seconds,
    highlight_words: subtitle_options.HighlightWords = False,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    threads: options.Threads = None,
    attn: options.Attn = "sdpa",
    quantize: engine_options.Quantize = None,
    load_in_8bit: engine_options.LoadIn8Bit = False,
    compiled: engine_options.Compile = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Find when each word of a known text is said in a recording.

    \b
    Examples:
      w2v align chapter.flac chapter.txt
      w2v align --format srt --output talk.srt talk.mp3 talk.txt
      w2v align --format textgrid --output take.TextGrid take.wav take.txt
      w2v align --format ctm --text 'go left then stop' command.wav
      pdftotext talk.pdf - | w2v align talk.opus -

    The text is all that is said, in this order; each line of it becomes a segment, and its
    words come back as they are written. Numbers and signs that the model has no letters for,
    and *, stand for any speech. Without --format the result is json, which has characters
    and scores too.

    Exit codes: 0 done, 1 failed or the text does not fit, 2 wrong command line, 4 no model,
    5 a package is missing, 130 interrupted.
    """
    start_seconds = options.checked_start(start, end)
    check_arguments(audio, text_file, literal_text, channel)
    text = literal_text if text_file is None else read_text(text_file)
    names = formats or [format_of_name(output, FORMATS, DEFAULT_FORMAT)]
    subtitles = subtitle_options.subtitle_choice(context, names)  # all options of that group
    target = destination(
        output,
        names,
        [audio],
        transcript_formats(subtitles),
        reads=[] if text_file in (None, STDIN) else [text_file],
    )
    console = Console(quiet=quiet, verbose=verbose)
    runtime = engine_options.runtime_choice(context.params)

    # Only now: help and usage errors must not wait for torch and numpy.
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.tasks.recording import RecordingJob

    hub = HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline)

    opener = RecordingJob(model, channel=channel, start_seconds=start_seconds, end_seconds=end)

    def work() -> Transcript:
        # First: a wrong file's name must not wait for a model to load.
        with opener.open(audio) as stream:
            from w2v_cli.tasks.align import Aligner

            aligner = Aligner.load(model, runtime=runtime, hub=hub, target_lang=lang)
            console.note(aligner.emitter.description)
            began = time.perf_counter()
            transcript = aligner.align_stream(stream, text or "", source=audio)
        took_seconds = time.perf_counter() - began
        console.note(
            f"{audio}: {transcript.duration_seconds:.1f} s aligned in {took_seconds:.2f} s"
        )
        return transcript

    with console.warnings_as_lines(), target as results:
        exit_code = _written(audio, work, results, console)
    raise typer.Exit(exit_code)


def _written(
    audio: str, work: Callable[[], Transcript], results: Destination[Transcript], console: Console
) -> int:
    """Return the exit code after what is heard was written, or why nothing is."""
    from w2v_cli.checkpoint.progress import show_progress

    with console.progress(1) as progress, show_progress(progress):
        progress.begin(Path(audio).name)
        try:
            transcript = work()
        except (AudioError, MissingDependencyError) as error:
            with progress.hidden():
                console.error(error)
                results.fail(audio, error)
            return error.exit_code
        except KeyboardInterrupt:
            with progress.hidden():
                console.error("interrupted")
            raise
        with progress.hidden():
            results.write(transcript)
    return 0


def check_arguments(
    audio: str, text_file: str | None, literal_text: str | None, channel: object
) -> None:
    """Refuse a recording without a text or with two, and what cannot be read twice.

    Raises:
        UsageError: They contradict each other.
    """
    check_inputs([audio])
    if (text_file is None) == (literal_text is None):
        raise UsageError("the text is missing, or there are two: name a file, or use --text WORDS")
    if audio == text_file == STDIN:
        raise UsageError(
            "- stands for standard input, which can be read only once; name the recording or "
            "the text's file"
        )
    if channel == "all":
        raise UsageError(
            "--channel all: a text is aligned with one channel; choose it by its number, or mix"
        )
    if literal_text is None:
        return
    if not literal_text.split():
        raise UsageError("--text: it has no words; there is nothing to align")
    if any("\ud800" <= letter <= "\udfff" for letter in literal_text):  # bytes that Python keeps
        raise UsageError("--text: it is not in UTF-8; put it into a file that is")


def read_text(name: str) -> str:
    """Return the text of a file, or of standard input for "-".

    Raises:
        UsageError: It cannot be read, is no UTF-8, or has no words.
    """
    shown = STDIN_LABEL if name == STDIN else name
    try:
        content = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{shown}: the text cannot be read: {error.strerror or error}; for a text on the "
            f"command line use --text"
        ) from error
    text = decoded_text(content, shown)
    if not text.split():
        raise UsageError(f"{shown}: the text has no words; there is nothing to align")
    return text
