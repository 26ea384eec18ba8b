"""The options of `w2v finetune` about where a run begins, what it hears and where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from w2v_cli.cli import options

DATA_GROUP = "Data"
BATCH_GROUP = "Batches"
AUGMENT_GROUP = "Augmentation (shares of recordings, 0 to 1)"
RUN_GROUP = "Run"


def option(group: str, name: str, text: str, metavar: str | None = None, **rules: Any) -> Any:
    """Return an option of a group; `rules` are those of `typer.Option`."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel=group, **rules)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run is told about itself."""

    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The folder of the run: checkpoints, the log, and in the end the model.",
            rich_help_panel=options.OUTPUT_GROUP,
        ),
    ]
    overwrite: Annotated[
        bool,
        option(
            options.OUTPUT_GROUP,
            "--overwrite",
            "Begin anew where the folder holds another run, or other files.",
        ),
    ] = False
    licence: Annotated[
        str | None,
        option(
            options.OUTPUT_GROUP,
            "--license",
            "What the model's card says, such as cc-by-4.0.",
            "NAME",
        ),
    ] = None
    model: Annotated[
        str | None,
        options.model_option(
            "What to begin with: a folder, a model id of the Hugging Face Hub, or an embedded "
            "model."
        ),
    ] = None
    from_scratch: Annotated[
        str | None,
        option(
            options.MODEL_GROUP,
            "--from-scratch",
            "Begin with fresh weights, in the shape of a config.json or of a model.",
            "CONFIG",
            autocompletion=options.complete_model,
        ),
    ] = None
    filter_bank: Annotated[
        bool,
        option(
            options.MODEL_GROUP,
            "--filter-bank",
            "Begin with a first layer of band-pass filters, with --from-scratch.",
        ),
    ] = False
    bands: Annotated[
        str | None,
        option(
            options.MODEL_GROUP,
            "--bands",
            "Begin, with --from-scratch, with a first layer that hears a spectrogram, which is "
            "kept, and learn the other convolutions over bands as over time: from little speech "
            "that takes far fewer steps. With --model, go on so with what began so. So many bands "
            "has each of them; see docs/finetune.md.",
            "N,N,...",
        ),
    ] = None
    settings: Annotated[
        list[str] | None,
        option(
            options.MODEL_GROUP,
            "--set",
            "Another value for a field of config.json, such as num_hidden_layers=6 or "
            "use_weighted_layer_sum=true; may be repeated.",
            "FIELD=VALUE",
        ),
    ] = None
    revision: options.Revision = "main"
    cache_dir: options.CacheDir = None
    offline: options.Offline = False
    eval_manifest: Annotated[
        list[str] | None,
        option(
            DATA_GROUP,
            "--eval-manifest",
            "Measure on all rows of this, instead of those of the split dev; may be repeated.",
            "FILE",
        ),
    ] = None
    min_duration: Annotated[
        float,
        option(
            DATA_GROUP,
            "--min-duration-in-seconds",
            "Leave shorter recordings out.",
            "SECONDS",
            min=0.0,
        ),
    ] = 0.0
    max_duration: Annotated[
        float | None,
        option(
            DATA_GROUP,
            "--max-duration-in-seconds",
            "Leave longer recordings out, but not of dev. [default: 20; none for frames, speakers "
            "and pretrain, which hear a stretch of them]",
            "SECONDS",
            min=0.0,
        ),
    ] = None
    cache_mb: Annotated[
        float,
        option(
            DATA_GROUP,
            "--cache-mb",
            "Keep so many megabytes of decoded audio in memory, and as much again of noise and "
            "rooms from folders; an hour takes 230.",
            "MB",
            min=0.0,
        ),
    ] = 1000.0
    dry_run: Annotated[
        bool, option(DATA_GROUP, "--dry-run", "Look at the data, say what was found, and stop.")
    ] = False
    batch_seconds: Annotated[
        float,
        option(
            BATCH_GROUP,
            "--batch-seconds",
            "Audio in a batch, padding included.",
            "SECONDS",
            min=0.1,
        ),
    ] = 100.0
    batch_items: Annotated[
        int | None,
        option(
            BATCH_GROUP,
            "--batch-items",
            "Recordings in a batch at most.",
            "N",
            min=1,
        ),
    ] = None
    gradient_accumulation_steps: Annotated[
        int,
        option(
            BATCH_GROUP, "--gradient-accumulation-steps", "Batches that make up a step.", "N", min=1
        ),
    ] = 1
    balance: Annotated[
        float,
        option(
            BATCH_GROUP,
            "--balance",
            "1 hears each recording once an epoch; 0 hears "
            "each text or label as often as any other; between them, rare ones more often.",
            "SHARE",
            min=0.0,
            max=1.0,
        ),
    ] = 1.0
    balance_speakers: Annotated[
        float,
        option(
            BATCH_GROUP,
            "--balance-speakers",
            "The same for those who speak: 0 hears of each text or label every speaker as often "
            "as any other.",
            "SHARE",
            min=0.0,
            max=1.0,
        ),
    ] = 1.0
    speed: Annotated[
        float,
        option(
            AUGMENT_GROUP, "--speed", "Slower or faster by up to 15 %.", "SHARE", min=0.0, max=1.0
        ),
    ] = 0.0
    speed_range: Annotated[
        str | None,
        option(
            AUGMENT_GROUP,
            "--speed-range",
            "How slow and how fast --speed makes them at most; it changes the voice, too: 0.8,1.3 "
            "is from taller people's to children's. [default: 0.85,1.15]",
            "LOW,HIGH",
        ),
    ] = None
    tempo: Annotated[
        float,
        option(
            AUGMENT_GROUP,
            "--tempo",
            "Of those whose speed stays: slower or faster by up to 15 %, in the same voice; needs "
            "the package av (extra train).",
            "SHARE",
            min=0.0,
            max=1.0,
        ),
    ] = 0.0
    gain: Annotated[
        float, option(AUGMENT_GROUP, "--gain", "Louder or softer.", "SHARE", min=0.0, max=1.0)
    ] = 0.0
    equalise: Annotated[
        float,
        option(
            AUGMENT_GROUP, "--equalise", "Through another microphone.", "SHARE", min=0.0, max=1.0
        ),
    ] = 0.0
    reverb: Annotated[
        float, option(AUGMENT_GROUP, "--reverb", "In a room.", "SHARE", min=0.0, max=1.0)
    ] = 0.0
    noise: Annotated[
        float,
        option(
            AUGMENT_GROUP, "--noise", "With noise, 2 to 38 dB below.", "SHARE", min=0.0, max=1.0
        ),
    ] = 0.0
    trim: Annotated[
        float,
        option(
            AUGMENT_GROUP,
            "--trim",
            "Without most of the silence at both ends; good with --join.",
            "SHARE",
            min=0.0,
            max=1.0,
        ),
    ] = 0.0
    cut_off: Annotated[
        float,
        option(
            AUGMENT_GROUP,
            "--cut-off",
            "Of recordings of one word: up to half of it is missing, as where a recording begins "
            "too late or ends too soon.",
            "SHARE",
            min=0.0,
            max=1.0,
        ),
    ] = 0.0
    band_limit: Annotated[
        float,
        option(AUGMENT_GROUP, "--band-limit", "Over a narrow line.", "SHARE", min=0.0, max=1.0),
    ] = 0.0
    noise_dir: Annotated[
        list[str] | None,
        option(
            AUGMENT_GROUP,
            "--noise-dir",
            "Recordings of noise. [default: made, and the voices of others]",
            "DIR",
        ),
    ] = None
    room_dir: Annotated[
        list[str] | None,
        option(
            AUGMENT_GROUP,
            "--room-dir",
            "Recordings of rooms' impulse responses. [default: made]",
            "DIR",
        ),
    ] = None
    seed: Annotated[
        int, option(RUN_GROUP, "--seed", "What everything random begins with.", "N", min=0)
    ] = 42
    full_determinism: Annotated[
        bool,
        option(
            RUN_GROUP,
            "--full-determinism",
            "On a GPU too, only calculations that repeat exactly, where it has them.",
        ),
    ] = False
    bf16: Annotated[
        bool,
        option(
            options.SPEED_GROUP,
            "--bf16",
            "Calculate in bfloat16; weights and the loss of ctc stay float32.",
        ),
    ] = False
    fp16: Annotated[
        bool, option(options.SPEED_GROUP, "--fp16", "The same in float16, for older GPUs.")
    ] = False
    fsdp: Annotated[
        bool,
        option(
            options.SPEED_GROUP,
            "--fsdp",
            "Of several processes (torchrun, accelerate launch) each keeps a part of the weights, "
            "not a copy of all.",
        ),
    ] = False
    device: options.Device = "auto"
    threads: options.Threads = None
    quiet: options.Quiet = False
    verbose: options.Verbose = False
