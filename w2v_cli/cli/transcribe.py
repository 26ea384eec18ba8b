"""`w2v transcribe`: what is said in recordings, as text."""

from __future__ import annotations

from dataclasses import asdict

import typer

from w2v_cli.cli import (
    batch_options,
    cluster_options,
    decoding_options,
    engine_options,
    long_options,
    options,
    subtitle_options,
    turn_choices,
    turn_options,
)
from w2v_cli.cli.console import Console
from w2v_cli.cli.output import STDOUT, format_of_name
from w2v_cli.formats import FORMATS, transcript_formats


def transcribe(
    context: typer.Context,
    inputs: batch_options.Inputs = None,
    model: options.Model = options.DEFAULT_MODEL,
    lang: options.Language = None,
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    channel: options.Channel = None,
    start: options.Start = None,
    end: options.End = None,
    lm: decoding_options.LanguageModel = None,
    lexicon: decoding_options.Lexicon = None,
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
    speakers: turn_options.Speakers = False,
    turns_model: turn_options.ModelOfTurns = None,
    speakers_model: turn_options.SpeakersModel = None,
    num_speakers: turn_options.NumSpeakers = None,
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
    case: decoding_options.Case = None,
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
      w2v transcribe --lexicon commands.txt --format jsonl *.wav
      w2v transcribe --speakers --format srt --output talk.srt talk.wav
      w2v transcribe --start 1:30 --end 2:00 --channel 1 call.wav
      cat talk.ogg | w2v transcribe -
      arecord -t raw -f S16_LE -r 16000 | w2v transcribe - --raw 16000 --partial
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
    start_seconds = options.checked_start(start, end)
    live = long_options.live_choice(raw, partial, inputs or [], formats, context)
    choice = batch_options.batch_choice(context.params)  # all options of that group
    recordings = batch_options.recordings(inputs or [], choice)
    cluster = cluster_options.cluster_choice(context.params, reads_stdin=recordings.reads_stdin)
    voices = turn_choices.word_speakers(context.params)
    names = formats or [format_of_name(output, FORMATS, options.DEFAULT_FORMAT)]
    subtitles = subtitle_options.subtitle_choice(context, names)  # all options of that group
    known = transcript_formats(subtitles)
    reads = [hotwords, lexicon]
    target = batch_options.output_of(recordings, choice, output, names, known, reads=reads)
    decoding_options.check_n_best_is_shown(n_best, names)
    n_inputs = len(recordings.found.items)
    decoding = decoding_options.decoding_choice(context.params, n_inputs=n_inputs)
    runtime = engine_options.runtime_choice(context.params)  # all options of that group

    # Only now: help and usage errors must not wait for torch and numpy.
    chunking = long_options.chunking_choice(chunk_seconds, stride_seconds, context_seconds)

    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.tasks.transcribe import TranscriptionJob

    text = TranscriptionJob(
        model=model,
        target_lang=lang,
        runtime=runtime,
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

        raise typer.Exit(transcribe_stream(text, live, console))
    from w2v_cli.cli.batch_run import BatchSettings, run

    written = BatchSettings(batch_seconds, {"subtitles": asdict(subtitles)}, done="transcribed")
    job = text if voices is None else voices.job(text)
    raise typer.Exit(run(job, recordings, target, choice, console, cluster, written))
