"""`w2v transcribe`: what is said in recordings, as text."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from w2v_cli.cli import (
    batch_options,
    cluster_options,
    decoding_options,
    engine_options,
    long_options,
    options,
)
from w2v_cli.cli.batch_options import BatchChoice, Recordings
from w2v_cli.cli.cluster_options import ClusterChoice
from w2v_cli.cli.console import Console
from w2v_cli.cli.destinations import Destination, destination
from w2v_cli.cli.inputs import STDIN
from w2v_cli.cli.options import SUBTITLE_DEFAULTS
from w2v_cli.cli.output import STDOUT
from w2v_cli.errors import UsageError
from w2v_cli.formats import SubtitleOptions

if TYPE_CHECKING:
    from w2v_cli.tasks.transcribe import TranscriptionJob

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[INPUT]",
        help="Recordings: wav, flac, ogg, opus, mp3, aiff ..., or - for one on standard input; "
        "folders with --recursive; patterns in quotes.",
        show_default=False,
    ),
]


def transcribe(
    context: typer.Context,
    inputs: Inputs = None,
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
    chunk_seconds: long_options.ChunkSeconds = None,
    stride_seconds: long_options.StrideSeconds = None,
    context_seconds: long_options.ContextSeconds = None,
    vad: long_options.Vad = False,
    raw: long_options.Raw = None,
    partial: long_options.Partial = False,
    recursive: batch_options.Recursive = False,
    include: batch_options.Include = None,
    exclude: batch_options.Exclude = None,
    files_from: batch_options.FilesFrom = None,
    null: batch_options.Null = False,
    manifest: batch_options.Manifest = None,
    shard: batch_options.Shard = None,
    name: batch_options.Name = None,
    skip_existing: batch_options.SkipExisting = False,
    overwrite: batch_options.Overwrite = False,
    retry_failed: batch_options.RetryFailed = False,
    fail_fast: batch_options.FailFast = False,
    dry_run: batch_options.DryRun = False,
    engine: cluster_options.EngineChoice = "local",
    address: cluster_options.Address = None,
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
    batch_seconds: engine_options.BatchSeconds = None,
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
      arecord -f S16_LE -r 16000 | w2v transcribe - --raw 16000 --partial
      w2v transcribe --recursive calls/ --format srt --output texts/
      find . -name '*.flac' -print0 | w2v transcribe --files-from - -0 --format jsonl

    With several recordings each line starts with the recording's name, and json becomes an
    array; subtitles need a folder, with a file for each recording. A recording that cannot be
    read is a line on stderr, and the others go on. What was written to a folder, or of several
    recordings to a file, is not done again by the next run unless something has changed; so a
    run that was interrupted or killed goes on where it was.

    Exit codes: 0 all done, 1 failed, 2 wrong command line, 3 some recordings failed,
    4 no model, 5 a package is missing, 130 interrupted.
    """
    start_seconds = checked_start(start, end)
    live = long_options.live_choice(raw, partial, inputs or [], formats, context)
    choice = batch_options.batch_choice(context.params)  # all options of that group
    recordings = batch_options.recordings(inputs or [], choice)
    cluster = cluster_options.cluster_choice(
        engine,
        address,
        device=device,
        reads_stdin=any(item.source == STDIN for item in recordings.found.items),
    )
    subtitles = options.subtitle_options(
        max_line_width=max_line_width,
        max_line_count=max_line_count,
        max_cue_seconds=max_cue_seconds,
        max_cps=max_cps,
        min_gap_seconds=min_gap,
        highlight_words=highlight_words,
        word_timestamps=word_timestamps,
    )
    target = output_of(recordings, choice, output, formats, subtitles)
    decoding_options.check_n_best_is_shown(n_best, formats or options.DEFAULT_FORMATS)
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
        n_inputs=len(recordings.found.items),
    )

    # Only now: help and usage errors must not wait for torch and numpy.
    chunking = long_options.chunking_choice(chunk_seconds, stride_seconds, context_seconds)

    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.tasks.transcribe import TranscriptionJob

    job = TranscriptionJob(
        model=model,
        target_lang=lang,
        runtime=Runtime(device=device, dtype=dtype, threads=threads, attn=attn),
        hub=HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline),
        decoding=decoding,
        chunking=chunking,
        vad=vad,
        channel=channel,
        start_seconds=start_seconds,
        end_seconds=end,
    )
    console = Console(quiet=quiet, verbose=verbose)
    if live is not None:
        from w2v_cli.cli.live import transcribe_stream

        raise typer.Exit(transcribe_stream(job, live, console))
    exit_code = run(job, recordings, target, choice, console, cluster, batch_seconds=batch_seconds)
    raise typer.Exit(exit_code)


def output_of(
    recordings: Recordings,
    choice: BatchChoice,
    output: str,
    formats: list[str] | None,
    subtitles: SubtitleOptions,
) -> Destination:
    """Return where the transcripts go.

    Raises:
        UsageError: They cannot go there.
    """
    target = destination(
        output,
        formats or options.DEFAULT_FORMATS,
        recordings.found.items,
        subtitles,
        refused=[item for item, _ in recordings.found.refused],
        template=choice.template,
        named=recordings.named,
    )
    batch_options.check_policy(choice, resumable=target.journal_path is not None)
    return target


def run(
    job: TranscriptionJob,
    recordings: Recordings,
    target: Destination,
    choice: BatchChoice,
    console: Console,
    cluster: ClusterChoice,
    *,
    batch_seconds: float | None = None,
) -> int:
    """Return the exit code after all recordings were transcribed.

    Raises:
        W2VError: The model cannot be loaded, or results cannot be written.
    """
    from w2v_cli.checkpoint.progress import show_progress
    from w2v_cli.cli.batch_run import BatchRun, ledger_of, preview

    with contextlib.ExitStack() as stack:
        stack.enter_context(console.warnings_as_lines())
        # Of what lies on many machines, this one reads nothing to see if it has changed.
        ledger = ledger_of(target, job, choice, hashes=cluster.engine == "local")
        if ledger is not None:
            stack.enter_context(ledger.journal)
            target = target.keeping(ledger)
        if choice.dry_run:
            preview(recordings, target, ledger)
            return 0
        if ledger is not None and (changed := ledger.changed_settings()):
            console.warn(
                f"what the last run finished was done with another {', '.join(changed)}, and is "
                f"done again"
            )
        results = stack.enter_context(target)
        progress = stack.enter_context(console.progress(recordings.n_inputs))
        stack.enter_context(show_progress(progress))
        batch = BatchRun(recordings, results, ledger, console, progress, fail_fast=choice.fail_fast)
        engine = stack.enter_context(
            cluster.engine_for(
                job,
                console,
                batch_seconds=batch_seconds,
                on_load=batch.loaded,
                on_heard=batch.heard,
            )
        )
        return batch.run(engine)


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
