"""`w2v bench`: how fast this machine is, and which settings suit it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from w2v_cli.cli import options
from w2v_cli.cli.console import Console
from w2v_cli.counts import counted

if TYPE_CHECKING:
    from w2v_cli.inference.benchmark import Measurement

SCHEMA_VERSION = 1
"""Counts up when a field changes its meaning or goes away, not when one is added."""

MEASURE_GROUP = "Measuring"
# One thread each, as many processes as cores: worth saying when they do so much more together.
_WORTH_SAYING = 1.1

ModelArgument = Annotated[
    str | None,
    options.model_argument(
        "A folder, a model id of the Hugging Face Hub, or an embedded model, of any kind. "
        "[default: random weights in the shape of wav2vec2-base]",
        metavar="[MODEL]",
    ),
]
Seconds = Annotated[
    float,
    typer.Option(
        "--seconds",
        min=1.0,
        max=600.0,
        metavar="SECONDS",
        help="How long the longer recording is; the short ones have a second each.",
        rich_help_panel=MEASURE_GROUP,
    ),
]
Rounds = Annotated[
    int,
    typer.Option(
        "--rounds",
        min=1,
        metavar="N",
        help="How often each setting is measured; the median counts.",
        rich_help_panel=MEASURE_GROUP,
    ),
]
Report = Annotated[
    Literal["table", "json"],
    typer.Option("--format", "-f", help="table: for people.", rich_help_panel=options.OUTPUT_GROUP),
]


def bench(
    model: ModelArgument = None,
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    seconds: Seconds = 10.0,
    rounds: Rounds = 3,
    threads: options.Threads = None,
    report: Report = "table",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Measure how fast a model runs here, and say which settings suit this machine.

    \b
    Examples:
      w2v bench
      w2v bench mini
      w2v bench facebook/wav2vec2-large-960h-lv60-self --rounds 5
      w2v bench --format json > bench.json

    Noise goes through the network, without reading and decoding: one longer recording, and short
    ones, one by one or several at once. Speeds are multiples of real time, so that 20 means a
    minute in 3 seconds; memory is the most that the process has held. It takes less than a minute
    for a model of the base size. Let the machine do nothing else meanwhile.

    Exit codes: 0 done, 1 failed, 2 wrong command line, 4 no model, 130 interrupted.
    """
    console = Console(quiet=quiet, verbose=verbose)

    # Only now: help and usage errors must not wait for torch and numpy.
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.benchmark import Plan, measure, ways_of_this_machine

    hub = HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline)
    plan = Plan(model, hub, seconds, n_clips=8, rounds=rounds)
    ways = ways_of_this_machine(threads)
    measured: list[Measurement] = []
    with console.warnings_as_lines(), console.progress(len(ways)) as progress:
        for way in ways:
            progress.begin(way.runtime.quantize or way.runtime.dtype)
            # A folder by w2v quantize has whole numbers from the first way on, and nothing else.
            if not measured or measured[0].precision != "int8":
                found = measure(plan, way)
                for one in found:
                    console.note(
                        f"{one.device}, {one.precision}, {counted(one.threads, 'thread')}: "
                        f"{heard(one)}, {one.speed:.1f} x real time"
                    )
                measured += found
            progress.input_done()
    name = model or "random weights in the shape of wav2vec2-base"
    typer.echo(as_json(name, measured) if report == "json" else as_table(name, measured))


def as_table(name: str, measured: list[Measurement]) -> str:
    """Return the figures for people, and what they say."""
    lines = [f"{name}: speed as a multiple of real time", ""]
    lines.append(
        f"{'device':7} {'precision':9} {'threads':>7} {'recordings':18} {'speed':>7} {'memory':>8}"
    )
    lines += [
        f"{one.device:7} {one.precision:9} {one.threads:>7} {heard(one):18} "
        f"{one.speed:>7.1f} {one.peak_bytes / 1e6:>5.0f} MB"
        for one in measured
    ]
    return "\n".join([*lines, "", *advice(measured)])


def heard(one: Measurement) -> str:
    """Return what went through the network together."""
    if one.batch_seconds is None:
        return "one, longer"
    return f"short, {one.batch_seconds:g} s at once" if one.batch_seconds else "short, one by one"


def advice(measured: list[Measurement]) -> list[str]:
    """Return which options suit the machine, a line for each kind of work."""
    from w2v_cli.inference.benchmark import best

    longer, short = best(measured)
    lines = [
        f"Fastest for longer recordings: {chosen_options(longer)}",
        f"Fastest for short recordings: {chosen_options(short)} "
        f"--batch-seconds {short.batch_seconds:g}",
    ]
    alone = next(
        (
            one
            for one in measured
            if (one.device, one.precision, one.threads) == (longer.device, longer.precision, 1)
        ),
        longer,
    )
    n_cores = max(one.threads for one in measured)
    if longer.device == "cpu" and alone.speed * n_cores > _WORTH_SAYING * longer.speed:
        lines.append(
            f"For many recordings, {n_cores} processes of --threads 1, each with its --shard, may "
            f"do up to {alone.speed * n_cores:.0f} times real time together"
        )
    exact = [
        one.speed for one in measured if one.precision == "float32" and one.batch_seconds is None
    ]
    if longer.precision == "int8" and exact:
        lines.append(
            f"int8 is {longer.speed / max(exact):.1f} times as fast as float32 and may change a "
            f"word now and then: w2v transcribe with and without, and w2v score, tell how many"
        )
    return lines


def chosen_options(one: Measurement) -> str:
    """Return the options of a setting, as they are typed."""
    if one.precision == "int8":
        return f"--quantize int8 --threads {one.threads}"
    return f"--device {one.device} --dtype {one.precision} --threads {one.threads}"


def as_json(name: str, measured: list[Measurement]) -> str:
    """Return the figures as a JSON object on several lines."""
    from w2v_cli.inference.benchmark import best

    longer, short = best(measured)

    def fields(one: Measurement) -> dict[str, object]:
        return {
            "device": one.device,
            "precision": one.precision,
            "threads": one.threads,
            "batch_seconds": one.batch_seconds,
            "times_real_time": round(one.speed, 2),
            "peak_bytes": one.peak_bytes,
        }

    content = {
        "schema_version": SCHEMA_VERSION,
        "model": name,
        "settings": [fields(one) for one in measured],
        "fastest_for_longer_recordings": fields(longer),
        "fastest_for_short_recordings": fields(short),
    }
    return json.dumps(content, ensure_ascii=False, indent=2)
