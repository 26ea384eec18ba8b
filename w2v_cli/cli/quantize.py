"""`w2v quantize`: a model in fewer bits, saved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from w2v_cli.cli import options
from w2v_cli.cli.console import Console
from w2v_cli.cli.lm_options import Folder, Force
from w2v_cli.errors import UsageError

ModelArgument = Annotated[
    str,
    options.model_argument(
        "A folder, a model id of the Hugging Face Hub, or an embedded model, of any kind."
    ),
]


def quantize(
    model: ModelArgument,
    output: Folder,
    weights: Annotated[
        Literal["int8", "float16"],
        typer.Option(
            "--weights",
            help="int8: whole numbers, which w2v calculates with. float16: half the space, for "
            "any program, calculated as before.",
            rich_help_panel=options.OUTPUT_GROUP,
        ),
    ] = "int8",
    revision: options.Revision = "main",
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    force: Force = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Save a model in fewer bits: whole numbers, which a processor calculates with faster.

    \b
    Examples:
      w2v quantize mini --output mini-int8
      w2v transcribe --model mini-int8 talk.wav
      w2v quantize facebook/wav2vec2-large-960h-lv60-self --output large-int8
      w2v quantize my-run --output my-model --weights float16

    The folder takes about a third of the space of weights of 32 bits, is loaded faster, and is
    used by every command that takes --model; what it gives is what --quantize int8 makes of the
    model. It runs on the CPU only, cannot be trained, and other programs refuse it. No recordings
    are needed.

    With --weights float16 it takes half of the space and is a published folder like any other:
    weights are rounded to 11 binary digits, and everything calculates with them in float32.

    Exit codes: 0 done, 1 the folder cannot be written, 2 wrong command line, 4 no model,
    130 interrupted.
    """
    console = Console(quiet=quiet, verbose=verbose)
    from w2v_cli.checkpoint.resolve import locate
    from w2v_cli.language_model.layout import check_unused

    check_unused(Path(output), force=force)
    folder = locate(model)
    if folder is not None and Path(output).resolve() == folder.resolve():
        raise UsageError(f"--output {output}: this is the model itself; choose another folder")

    # Only now: help and usage errors must not wait for torch and numpy.
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.checkpoint.progress import show_progress
    from w2v_cli.inference.quantized_folder import halve_folder, quantize_folder

    hub = HubOptions(revision=revision, cache_dir=cache_dir, local_files_only=offline)
    began = time.perf_counter()
    with console.warnings_as_lines(), console.progress(1) as progress, show_progress(progress):
        progress.begin("quantizing")
        write = quantize_folder if weights == "int8" else halve_folder
        before, after = write(model, output, hub)
    console.note(f"{time.perf_counter() - began:.1f} s")
    typer.echo(f"{output}: {after / 1e6:.1f} MB instead of {before / 1e6:.1f} MB")
