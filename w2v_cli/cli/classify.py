"""`w2v classify`: the labels of recordings, such as keywords, languages or emotions."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import typer

from w2v_cli.cli import batch_options, classify_options, cluster_options, engine_options, options
from w2v_cli.cli.console import Console
from w2v_cli.cli.output import STDOUT, utf8_stdout
from w2v_cli.cli.pictures import PICTURES, Drawn, picture_formats, plot_choice
from w2v_cli.formats.labels import label_formats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from w2v_cli.formats.labels import LabelOptions
    from w2v_cli.results import Classification


def classify(
    context: typer.Context,
    inputs: batch_options.Inputs = None,
    model: classify_options.Model = classify_options.DEFAULT_MODEL,
    list_labels: classify_options.ListLabels = False,
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    channel: options.Channel = None,
    start: options.Start = None,
    end: options.End = None,
    top_k: classify_options.TopK = None,
    function: classify_options.Function = "auto",
    threshold: classify_options.Threshold = None,
    labels: classify_options.Labels = None,
    window: classify_options.WindowSeconds = None,
    hop: classify_options.HopSeconds = None,
    chunk_seconds: classify_options.ChunkSeconds = None,
    whole_seconds: classify_options.WholeSeconds = None,
    raw: classify_options.Raw = None,
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
    formats: classify_options.Formats = None,
    output: options.Output = STDOUT,
    plot: classify_options.Plot = None,
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
    """Give recordings labels: which word, language, emotion, kind of speaker.

    \b
    Examples:
      w2v classify stop.wav
      w2v classify --list-labels
      w2v classify --top-k 1 commands/*.wav
      w2v classify --labels yes,no --threshold 0.5 --format csv answers/*.wav
      w2v classify --model superb/wav2vec2-base-superb-er --top-k all --format json talk.mp3
      w2v classify --window 1 --hop 0.25 --threshold 0.8 talk.flac
      w2v classify --window 1 --plot talk.png talk.flac
      w2v classify --recursive calls/ --format jsonl --format png --output labels/
      arecord -t raw -f S16_LE -r 16000 | w2v classify - --raw 16000 --window 1 --threshold 0.8

    A recording of up to ten minutes is heard whole, as published, and longer ones in pieces whose
    frames are averaged together (--whole-seconds). With --window each window is heard as if it
    had been cut out. The default model knows ten command words (yes, no, up, down, left, right,
    on, off, stop, go), other words, and silence.

    Many recordings, resumed runs and bad inputs are as in w2v transcribe.

    Exit codes: 0 all done, 1 failed, 2 wrong command line, 3 some recordings failed,
    4 no model, 5 a package is missing, 130 interrupted.
    """
    if list_labels:
        classify_options.check_nothing_is_heard(inputs, context)
        print_labels(model, revision=revision, cache_dir=cache_dir, offline=offline)
        return
    start_seconds = options.checked_start(start, end)
    classify_options.check_windowing(window, hop)
    classify_options.check_lengths(chunk_seconds, whole_seconds, window)
    windowed = window is not None
    written = classify_options.label_options(top_k, threshold, function, windowed=windowed)
    chosen = classify_options.format_choice(formats, output)
    live = classify_options.live_format(raw, window, inputs or [], chosen, context)
    choice = batch_options.drawing(batch_options.batch_choice(context.params), plot)
    recordings = batch_options.recordings(inputs or [], choice)
    cluster = cluster_options.cluster_choice(context.params, reads_stdin=recordings.reads_stdin)
    draw = partial(drawn, written=written)
    known = {**label_formats(written), **picture_formats(draw)}
    target = batch_options.output_of(recordings, choice, output, chosen, known)
    picture = plot_choice(plot, len(recordings.found.items), output)
    draws = picture is not None or any(name in PICTURES for name in chosen)
    runtime = engine_options.runtime_choice(context.params)  # all options of that group

    # Only now: help and usage errors must not wait for torch and numpy.
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.cli.batch_run import BatchSettings, run
    from w2v_cli.tasks.classify import ClassificationJob, label_chunking

    job = ClassificationJob(
        model=model,
        runtime=runtime,
        hub=HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline),
        chunking=label_chunking(chunk_seconds, whole_seconds),
        channel=channel,
        start_seconds=start_seconds,
        end_seconds=end,
        function=None if function == "auto" else function,
        labels=None if labels is None else tuple(labels),  # who knows the labels splits them
        windowing=classify_options.windowing_choice(window, hop),
        draws=draws,
        threshold=threshold,
    )
    console = Console(quiet=quiet, verbose=verbose)
    if live is not None and raw is not None:
        from w2v_cli.cli.classify_live import classify_stream

        raise typer.Exit(classify_stream(job, raw, live, written, console))
    if picture is not None:
        target = Drawn(target, draw, picture)
    settings = BatchSettings(batch_seconds, asdict(written), done="classified")
    raise typer.Exit(run(job, recordings, target, choice, console, cluster, settings))


def drawn(result: Classification, written: LabelOptions) -> Figure:
    """Return the picture of a recording's labels."""
    from w2v_cli.plots.labels import draw_labels

    return draw_labels(result, top_k=written.top_k, threshold=written.threshold)


def print_labels(model: str, *, revision: str, cache_dir: str | None, offline: bool) -> None:
    """Print the labels that a model knows.

    Raises:
        ModelError: There is no such model, or it has no labels.
    """
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.formats.spoken import one_line
    from w2v_cli.inference.labeller import load_labels

    hub = HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline)
    utf8_stdout().write("".join(f"{one_line(label)}\n" for label in load_labels(model, hub)))
