"""`w2v diarize-frames`: who speaks when, and with a second model who says what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from w2v_cli.cli import (
    batch_options,
    cluster_options,
    engine_options,
    options,
    turn_choices,
    turn_options,
)
from w2v_cli.cli.console import Console
from w2v_cli.cli.output import STDOUT
from w2v_cli.cli.pictures import PICTURES, Drawn, picture_formats, plot_choice
from w2v_cli.cli.turn_options import RULES
from w2v_cli.formats.turns import TURN_FORMATS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from w2v_cli.results import Diarization
    from w2v_cli.tasks.diarize import DiarizationJob
    from w2v_cli.tasks.task import ModelJob


def diarize_frames(
    context: typer.Context,
    inputs: batch_options.Inputs = None,
    model: turn_options.TurnsModel = turn_options.DEFAULT_MODEL,
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    channel: turn_options.Channel = None,
    start: options.Start = None,
    end: options.End = None,
    uem: turn_options.Uem = None,
    speakers_model: turn_options.SpeakersModel = None,
    num_speakers: turn_options.NumSpeakers = None,
    min_speakers: turn_options.MinSpeakers = None,
    max_speakers: turn_options.MaxSpeakers = None,
    voice_threshold: turn_options.VoiceThreshold = None,
    onset: turn_options.Onset = RULES.onset,
    offset: turn_options.Offset = None,
    min_duration_on: turn_options.MinDurationOn = RULES.min_duration_on,
    min_duration_off: turn_options.MinDurationOff = RULES.min_duration_off,
    pad_onset: turn_options.PadOnset = RULES.pad_onset,
    pad_offset: turn_options.PadOffset = RULES.pad_offset,
    median_seconds: turn_options.Median = RULES.median_seconds,
    max_simultaneous: turn_options.MaxSimultaneous = None,
    chunk_seconds: turn_options.ChunkSeconds = None,
    stride_seconds: turn_options.StrideSeconds = None,
    transcribe: turn_options.Transcribe = None,
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
    formats: turn_options.Formats = None,
    output: options.Output = STDOUT,
    plot: turn_options.Plot = None,
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
    """Tell who speaks when in recordings.

    \b
    Examples:
      w2v diarize-frames meeting.wav
      w2v diarize-frames --format txt --plot meeting.png meeting.wav
      w2v diarize-frames --speakers-model mini-speakers --num-speakers 3 meeting.wav
      w2v diarize-frames --recursive meetings/ --output turns/
      w2v diarize-frames meetings/*.wav | w2v score --rttm meetings.rttm -
      w2v diarize-frames --transcribe mini --format srt --output talk.srt talk.wav
      w2v diarize-frames --channel all call.wav

    Of each frame of 20 ms the model says how probable it is that each of a few speakers speaks;
    several may at once. A long recording is heard in pieces, whose speakers are linked, so that
    they keep their names. Names are SPEAKER_00, SPEAKER_01 ... in the order of their first turn.

    Many recordings, resumed runs and bad inputs are as in w2v transcribe.

    Exit codes: 0 all done, 1 failed, 2 wrong command line, 3 some recordings failed,
    4 no model, 5 a package is missing, 130 interrupted.
    """
    start_seconds = options.checked_start(start, end)
    choice = batch_options.drawing(batch_options.batch_choice(context.params), plot)
    recordings = batch_options.recordings(inputs or [], choice)
    cluster = cluster_options.cluster_choice(context.params, reads_stdin=recordings.reads_stdin)
    rules = turn_choices.turn_rules(
        offset,
        onset=onset,
        min_duration_on=min_duration_on,
        min_duration_off=min_duration_off,
        pad_onset=pad_onset,
        pad_offset=pad_offset,
        median_seconds=median_seconds,
        max_simultaneous=max_simultaneous,
    )
    voices = (speakers_model, num_speakers, min_speakers, max_speakers, voice_threshold)
    turn_choices.check_speakers(*voices, channel=channel)
    chosen = turn_choices.format_choice(formats, output, transcribe)
    known = {**TURN_FORMATS, **picture_formats(drawn)}
    target = batch_options.output_of(recordings, choice, output, chosen, known, reads=[uem])
    picture = plot_choice(plot, len(recordings.found.items), output)
    runtime = engine_options.runtime_choice(context.params)  # all options of that group

    # Only now: help and usage errors must not wait for torch and numpy.
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.tasks.diarize import DiarizationJob

    turns = DiarizationJob(
        model=model,
        runtime=runtime,
        hub=HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline),
        channel=channel,
        start_seconds=start_seconds,
        end_seconds=end,
        rules=rules,
        chunks=turn_choices.chunks_choice(chunk_seconds, stride_seconds),
        speakers=turn_choices.speaker_choice(*voices),
        regions=turn_choices.regions_of(uem),
        envelope=picture is not None or any(name in PICTURES for name in chosen),
    )
    from w2v_cli.cli.batch_run import BatchSettings, run

    if picture is not None:
        target = Drawn(target, drawn, picture)
    settings = BatchSettings(batch_seconds, done="heard")
    console = Console(quiet=quiet, verbose=verbose)
    job = job_of(turns, transcribe)
    raise typer.Exit(run(job, recordings, target, choice, console, cluster, settings))


def drawn(diarization: Diarization) -> Figure:
    """Return a picture of who speaks when."""
    from w2v_cli.plots.timeline import draw_timeline

    return draw_timeline(diarization)


def job_of(turns: DiarizationJob, transcribe: str | None) -> ModelJob[Diarization]:
    """Return what is done with each recording.

    Args:
        turns: How it is told who speaks when.
        transcribe: The model that writes down what is said; None for none.
    """
    if transcribe is None:
        return turns
    from dataclasses import replace

    from w2v_cli.tasks.spoken_turns import SpokenTurnsJob
    from w2v_cli.tasks.transcribe import TranscriptionJob

    text = TranscriptionJob(
        model=transcribe,
        runtime=turns.runtime,
        hub=replace(turns.hub, revision="main"),  # --revision is one of --model
        channel=turns.channel,
        start_seconds=turns.start_seconds,
        end_seconds=turns.end_seconds,
    )
    return SpokenTurnsJob(text, turns)
