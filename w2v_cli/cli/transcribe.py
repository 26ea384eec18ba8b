"""`w2v transcribe`: what is said in recordings, as text."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from w2v_cli.cli import decoding_options, options
from w2v_cli.cli.console import Console
from w2v_cli.cli.destinations import destination
from w2v_cli.cli.inputs import InputRun, check_inputs
from w2v_cli.cli.options import SUBTITLE_DEFAULTS
from w2v_cli.cli.output import STDOUT
from w2v_cli.errors import UsageError

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.results import Transcript
    from w2v_cli.tasks.decoding import DecodingChoice
    from w2v_cli.tasks.transcribe import PendingTranscript, Transcriber

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
    lm: decoding_options.LanguageModel = None,
    decoder: decoding_options.Decoder = "auto",
    beam_width: decoding_options.BeamWidth = None,
    alpha: decoding_options.Alpha = None,
    beta: decoding_options.Beta = None,
    hotword: decoding_options.HotwordList = None,
    hotwords: decoding_options.HotwordsFile = None,
    n_best: decoding_options.NBest = 1,
    workers: decoding_options.Workers = None,
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
      w2v transcribe --lm my-lm/ --hotword Marvin --hotword Sheila:15 *.wav
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
    decoding = decoding_options.decoding_choice(
        lm=lm,
        decoder=decoder,
        beam_width=beam_width,
        alpha=alpha,
        beta=beta,
        hotwords=hotword,
        hotwords_file=hotwords,
        n_best=n_best,
        workers=workers,
        n_inputs=len(inputs),
    )
    console = Console(quiet=quiet, verbose=verbose)

    # Only now: help and usage errors must not wait for torch and numpy.
    from w2v_cli.audio import read_waveforms
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.checkpoint.progress import show_progress
    from w2v_cli.inference.runtime import Runtime

    runtime = Runtime(device=device, dtype=dtype, threads=threads, attn=attn)
    hub = HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline)
    with (
        console.warnings_as_lines(),
        target as results,
        console.progress(len(inputs)) as progress,
        show_progress(progress),
        LoadedOnce(model, lang, runtime, hub, decoding, console) as transcriber,
    ):

        def begin(source: str) -> TimedTranscript:
            # Read first: a wrong file's name must not wait for a model to load.
            waveforms = read_waveforms(
                source, channel=channel, start_seconds=start_seconds, end_seconds=end
            )
            return TimedTranscript.begin(transcriber(), waveforms, source, console)

        run = InputRun(results.write, results.fail, console, progress, ahead=2 * decoding.workers)
        exit_code = run.run(inputs, begin)
    raise typer.Exit(exit_code)


@dataclass(frozen=True)
class TimedTranscript:
    """A transcript that was begun, and tells how long it took when it is there."""

    pending: PendingTranscript
    network_seconds: float
    console: Console

    @classmethod
    def begin(
        cls, transcriber: Transcriber, waveforms: Waveforms, source: str, console: Console
    ) -> TimedTranscript:
        """Run the network over a recording."""
        began = time.perf_counter()
        pending = transcriber.begin(waveforms, source=source)
        return cls(pending, time.perf_counter() - began, console)

    @property
    def ready(self) -> bool:
        """Whether it need not be waited for."""
        return self.pending.ready

    def result(self) -> Transcript:
        """Wait for the transcript and return it."""
        began = time.perf_counter()
        transcript = self.pending.result()
        decoding_seconds = time.perf_counter() - began
        self.console.note(
            f"{transcript.source}: {transcript.duration_seconds:.1f} s transcribed in "
            f"{self.network_seconds:.2f} s, and {decoding_seconds:.2f} s waited for the decoder"
        )
        return transcript


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


class LoadedOnce:
    """A model that is loaded when first called for; a `with` block ends its processes."""

    def __init__(
        self,
        model: str,
        lang: str | None,
        runtime: Runtime,
        hub: HubOptions,
        decoding: DecodingChoice,
        console: Console,
    ) -> None:
        self._model, self._lang, self._runtime, self._hub = model, lang, runtime, hub
        self._decoding, self._console = decoding, console
        self._transcriber: Transcriber | None = None

    def __call__(self) -> Transcriber:
        """Return the transcriber, loaded if it is not yet."""
        if self._transcriber is None:
            from w2v_cli.tasks.transcribe import Transcriber

            began = time.perf_counter()
            self._transcriber = Transcriber.load(
                self._model,
                runtime=self._runtime,
                hub=self._hub,
                target_lang=self._lang,
                decoding=self._decoding,
            )
            took_seconds = time.perf_counter() - began
            description = self._transcriber.emitter.description
            self._console.note(f"{description}; loaded in {took_seconds:.2f} s")
        return self._transcriber

    def __enter__(self) -> LoadedOnce:
        return self

    def __exit__(self, *_: object) -> None:
        if self._transcriber is not None:
            self._transcriber.close()
