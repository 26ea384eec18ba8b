"""`w2v embed`: recordings as vectors, and which of them are alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from w2v_cli.cli import batch_options, cluster_options, engine_options, long_options, options
from w2v_cli.cli import embed_options as own
from w2v_cli.cli.console import Console
from w2v_cli.cli.embed_formats import chosen_vector_formats, vector_formats
from w2v_cli.cli.output import STDOUT

if TYPE_CHECKING:
    from w2v_cli.cli.batch_options import BatchChoice, Recordings
    from w2v_cli.cli.embed_compare import RunOn
    from w2v_cli.cli.embed_options import Comparing
    from w2v_cli.cli.sinks import Destination
    from w2v_cli.results import Embedding
    from w2v_cli.tasks.embed import EmbeddingJob

DEFAULT_MODEL = "mini-speakers"


def embed(
    context: typer.Context,
    inputs: batch_options.Inputs = None,
    model: own.Model = DEFAULT_MODEL,
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    channel: options.Channel = None,
    start: options.Start = None,
    end: options.End = None,
    layer: own.Layer = None,
    pool: own.Pool = None,
    vector_dtype: own.VectorType = "float32",
    normalize: own.Normalize = False,
    compare: own.Compare = False,
    threshold: own.Threshold = None,
    enroll: own.Enroll = None,
    identify: own.Identify = False,
    matrix: own.Matrix = False,
    plot: own.Plot = None,
    search: own.Search = None,
    top_k: own.TopK = None,
    chunk_seconds: long_options.ChunkSeconds = None,
    stride_seconds: long_options.StrideSeconds = None,
    context_seconds: long_options.ContextSeconds = None,
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
    formats: own.Formats = None,
    output: options.Output = STDOUT,
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
    """Turn recordings into vectors, and find out which are alike.

    \b
    Examples:
      w2v embed talk.flac
      w2v embed --recursive calls/ --output voices.npz
      w2v embed --model facebook/wav2vec2-base --layer 6 --pool mean+std *.wav -o states.parquet
      w2v embed --pool none --vector-dtype float16 talk.wav -o frames.npz
      w2v embed *.wav -f npy -f jsonl -o vectors/
      w2v embed --compare a.wav b.wav
      w2v embed --enroll speakers/ --identify call-1.wav call-2.wav
      w2v embed --matrix --plot alike.png *.wav
      w2v embed --recursive archive/ -o archive.usearch
      w2v embed --search archive.usearch --top-k 5 voice.wav

    A model of speakers gives a vector that tells whose voice it is (an x-vector). Of any other
    model, and with --layer or --pool, it is the hidden states of a layer, by default their mean
    over time. The names of the recordings are kept beside the vectors. What was written to a file
    or a folder is not done again by the next run unless something has changed.

    Exit codes: 0 all done, 1 failed, 2 wrong command line, 3 some recordings failed,
    4 no model, 5 a package is missing, 130 interrupted.
    """
    start_seconds = options.checked_start(start, end)
    choice = own.comparing(context.params)
    batch = batch_options.batch_choice(context.params)  # all options of that group
    recordings = batch_options.recordings(inputs or [], batch)
    cluster = cluster_options.cluster_choice(context.params, reads_stdin=recordings.reads_stdin)
    console = Console(quiet=quiet, verbose=verbose)
    target = None
    if choice.mode == "vectors":
        chosen = chosen_vector_formats(formats, output)
        target = batch_options.output_of(
            recordings, batch, output, chosen, vector_formats(output, chosen)
        )
    format_name = "" if target is not None else own.one_format(formats, choice, output)
    runtime = engine_options.runtime_choice(context.params)  # all options of that group

    # Only now: help and usage errors must not wait for torch and numpy.
    chunking = long_options.chunking_choice(chunk_seconds, stride_seconds, context_seconds)

    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.cli.batch_run import BatchSettings, run
    from w2v_cli.tasks.embed import EmbeddingJob, VectorOptions

    job = EmbeddingJob(
        model=model,
        runtime=runtime,
        hub=HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline),
        chunking=chunking,
        channel=channel,
        start_seconds=start_seconds,
        end_seconds=end,
        layer=layer,
        pool=pool,
        options=VectorOptions(vector_dtype, normalize),
    )

    def run_on(
        recordings: Recordings, target: Destination[Embedding], settings: Mapping[str, Any]
    ) -> int:
        how = BatchSettings(batch_seconds, settings, done="heard")
        return run(job, recordings, target, batch, console, cluster, how)

    if target is not None:
        raise typer.Exit(run_on(recordings, target, {}))
    raise typer.Exit(
        _compared(job, choice, batch, recordings, format_name, output, run_on, console)
    )


def _compared(
    job: EmbeddingJob,
    choice: Comparing,
    batch: BatchChoice,
    recordings: Recordings,
    format_name: str,
    output: str,
    run_on: RunOn,
    console: Console,
) -> int:
    """Return the exit code after vectors were compared."""
    from w2v_cli.cli import embed_compare
    from w2v_cli.inference.embedder import known_of

    known = known_of(job.model, job.layer, job.pool, job.hub)
    threshold = choice.threshold
    if threshold is None and choice.mode != "search":
        threshold = known.threshold
    comparison = embed_compare.Comparison(
        choice, format_name, output, recordings, batch, known.kind, threshold
    )
    jobs = {
        "compare": embed_compare.compare,
        "identify": embed_compare.identify,
        "matrix": embed_compare.matrix,
        "search": embed_compare.search,
    }
    return jobs[choice.mode](comparison, run_on, console)
