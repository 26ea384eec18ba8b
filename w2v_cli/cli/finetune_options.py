"""The options of `w2v finetune` that all kinds of training share, each declared once."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import typer

from w2v_cli.cli.finetune_run_options import RunOptions, option
from w2v_cli.errors import MissingDependencyError, UsageError

RATE_GROUP = "Optimisation"
NETWORK_GROUP = "Network"
WATCH_GROUP = "Measuring and keeping"

ScheduleName = Literal["linear", "cosine", "tri_stage", "constant"]


_NOT_DECISIVE = frozenset(
    (
        *("output", "overwrite", "licence", "cache_dir", "offline", "cache_mb", "dry_run"),
        *("report_to", "logging_dir", "fsdp", "device", "threads", "quiet", "verbose"),
    )
)
"""Options that a run may go on with differently: they don't change what becomes of it."""


@dataclass(frozen=True, kw_only=True)
class SharedOptions(RunOptions):
    """What a training of any kind is told; the names are those of the reference's examples."""

    num_train_epochs: Annotated[
        float,
        option(
            RATE_GROUP, "--num-train-epochs", "How often all recordings are heard.", "N", min=0.0
        ),
    ] = 10.0
    max_steps: Annotated[
        int | None,
        option(RATE_GROUP, "--max-steps", "Steps, instead of epochs.", "N", min=1),
    ] = None
    learning_rate: Annotated[
        float, option(RATE_GROUP, "--learning-rate", "The highest rate.", "RATE", min=0.0)
    ] = 1e-4
    head_learning_rate: Annotated[
        float | None,
        option(
            RATE_GROUP,
            "--head-learning-rate",
            "That of the head. [default: the same]",
            "RATE",
            min=0.0,
        ),
    ] = None
    lr_scheduler_type: Annotated[
        ScheduleName,
        option(
            RATE_GROUP,
            "--lr-scheduler-type",
            "How the rate changes after the "
            "warm-up: down to 0 in a line or along a cosine; hold and then fall (tri_stage); not.",
        ),
    ] = "linear"
    warmup_steps: Annotated[
        int | None,
        option(
            RATE_GROUP,
            "--warmup-steps",
            "Steps on which the rate rises from 0. [default: a tenth of the run]",
            "N",
            min=0,
        ),
    ] = None
    hold_ratio: Annotated[
        float,
        option(
            RATE_GROUP,
            "--hold-ratio",
            "The share of steps at the highest rate, for tri_stage.",
            "SHARE",
            min=0.0,
            max=1.0,
        ),
    ] = 0.4
    final_scale: Annotated[
        float,
        option(
            RATE_GROUP,
            "--final-scale",
            "What is left of the rate at the end, for tri_stage.",
            "SHARE",
            min=1e-9,
            max=1.0,
        ),
    ] = 0.05
    weight_decay: Annotated[
        float, option(RATE_GROUP, "--weight-decay", "AdamW's, of matrices.", "X", min=0.0)
    ] = 0.01
    adam_beta1: Annotated[
        float, option(RATE_GROUP, "--adam-beta1", "AdamW's.", "X", min=0.0, max=0.9999999)
    ] = 0.9
    adam_beta2: Annotated[
        float, option(RATE_GROUP, "--adam-beta2", "AdamW's.", "X", min=0.0, max=0.9999999)
    ] = 0.999
    adam_epsilon: Annotated[
        float, option(RATE_GROUP, "--adam-epsilon", "AdamW's.", "X", min=0.0)
    ] = 1e-8
    max_grad_norm: Annotated[
        float,
        option(
            RATE_GROUP, "--max-grad-norm", "Shorten longer gradients; 0 leaves them.", "X", min=0.0
        ),
    ] = 1.0
    average: Annotated[
        float,
        option(
            RATE_GROUP,
            "--average",
            "Keep a running mean of the weights with this "
            "decay, such as 0.999, and use that; 0 for none.",
            "DECAY",
            min=0.0,
            max=0.9999999,
        ),
    ] = 0.0
    freeze_feature_encoder: Annotated[
        bool | None,
        typer.Option(
            "--freeze-feature-encoder/--no-freeze-feature-encoder",
            help="Keep the convolutions as they are. [default: yes, but not from scratch, nor "
            "with --bands]",
            rich_help_panel=NETWORK_GROUP,
        ),
    ] = None
    freeze_base_model: Annotated[
        bool, option(NETWORK_GROUP, "--freeze-base-model", "Train the head alone.")
    ] = False
    freeze_base_steps: Annotated[
        int,
        option(
            NETWORK_GROUP,
            "--freeze-base-steps",
            "Train the head alone at first, for so many steps.",
            "N",
            min=0,
        ),
    ] = 0
    hidden_dropout: Annotated[
        float | None,
        option(
            NETWORK_GROUP,
            "--hidden-dropout",
            "Like the next ones, a field of the configuration. [default: the model's]",
            "P",
            min=0.0,
            max=1.0,
        ),
    ] = None
    attention_dropout: Annotated[
        float | None,
        option(
            NETWORK_GROUP,
            "--attention-dropout",
            "Dropout of attention.",
            "P",
            min=0.0,
            max=1.0,
        ),
    ] = None
    activation_dropout: Annotated[
        float | None,
        option(
            NETWORK_GROUP,
            "--activation-dropout",
            "Dropout inside of layers.",
            "P",
            min=0.0,
            max=1.0,
        ),
    ] = None
    feat_proj_dropout: Annotated[
        float | None,
        option(
            NETWORK_GROUP,
            "--feat-proj-dropout",
            "Dropout after the convolutions.",
            "P",
            min=0.0,
            max=1.0,
        ),
    ] = None
    final_dropout: Annotated[
        float | None,
        option(
            NETWORK_GROUP,
            "--final-dropout",
            "Dropout before the head (ctc).",
            "P",
            min=0.0,
            max=1.0,
        ),
    ] = None
    layerdrop: Annotated[
        float | None,
        option(
            NETWORK_GROUP,
            "--layerdrop",
            "Share of layers that are left out.",
            "P",
            min=0.0,
            max=1.0,
        ),
    ] = None
    mask_time_prob: Annotated[
        float | None,
        option(
            NETWORK_GROUP,
            "--mask-time-prob",
            "SpecAugment: share of masked frames.",
            "P",
            min=0.0,
            max=1.0,
        ),
    ] = None
    mask_time_length: Annotated[
        int | None,
        option(NETWORK_GROUP, "--mask-time-length", "Frames in a mask.", "N", min=1),
    ] = None
    mask_feature_prob: Annotated[
        float | None,
        option(
            NETWORK_GROUP,
            "--mask-feature-prob",
            "SpecAugment: share of masked channels.",
            "P",
            min=0.0,
            max=1.0,
        ),
    ] = None
    mask_feature_length: Annotated[
        int | None,
        option(
            NETWORK_GROUP,
            "--mask-feature-length",
            "Channels in a mask.",
            "N",
            min=1,
        ),
    ] = None
    gradient_checkpointing: Annotated[
        bool, option(NETWORK_GROUP, "--gradient-checkpointing", "Less memory, more time.")
    ] = False
    eval_steps: Annotated[
        int, option(WATCH_GROUP, "--eval-steps", "Measure every so many steps.", "N", min=1)
    ] = 500
    save_steps: Annotated[
        int,
        option(
            WATCH_GROUP,
            "--save-steps",
            "Write a checkpoint every so many steps, besides after each measuring.",
            "N",
            min=1,
        ),
    ] = 500
    logging_steps: Annotated[
        int,
        option(
            WATCH_GROUP,
            "--logging-steps",
            "Write a line into log.jsonl every so many steps.",
            "N",
            min=1,
        ),
    ] = 10
    report_to: Annotated[
        Literal["tensorboard", "none"] | None,
        option(
            WATCH_GROUP,
            "--report-to",
            "Write events for TensorBoard, too. [default: tensorboard where it is installed]",
        ),
    ] = None
    logging_dir: Annotated[
        str | None,
        option(
            WATCH_GROUP,
            "--logging-dir",
            "Where events for TensorBoard go, into a folder that is called like --output. "
            "[default: runs, in the folder of the run]",
            "DIR",
        ),
    ] = None
    keep_best: Annotated[
        int,
        option(
            WATCH_GROUP,
            "--keep-best",
            "Checkpoints to keep for being the best, besides the last.",
            "N",
            min=1,
        ),
    ] = 1
    early_stopping_patience: Annotated[
        int | None,
        option(
            WATCH_GROUP,
            "--early-stopping-patience",
            "Stop when so many measurings in a row were no gain.",
            "N",
            min=1,
        ),
    ] = None
    early_stopping_threshold: Annotated[
        float, option(WATCH_GROUP, "--early-stopping-threshold", "What is a gain.", "X", min=0.0)
    ] = 0.0

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            UsageError: It does.
        """
        if (self.model is None) == (self.from_scratch is None):
            raise UsageError(
                "say what to begin with: --model MODEL for its weights, or --from-scratch CONFIG "
                "for fresh ones; one of them"
            )
        if self.bf16 and self.fp16:
            raise UsageError("--bf16 and --fp16: one of them")
        if self.max_duration is not None and self.min_duration >= self.max_duration:
            raise UsageError("--min-duration-in-seconds has to be below --max-duration-in-seconds")
        is_asked = self.report_to is not None or self.logging_dir is not None
        if is_asked and self.report_to != "none" and not self.has_events:
            asked = "--logging-dir" if self.report_to is None else "--report-to tensorboard"
            raise MissingDependencyError("tensorboard", extra="train", purpose=asked)
        if self.tempo and importlib.util.find_spec("av") is None:
            raise MissingDependencyError("av", extra="train", purpose="--tempo")
        if self.max_steps is None and self.num_train_epochs <= 0:
            raise UsageError("--num-train-epochs 0 trains nothing; give more, or --max-steps")

    @property
    def has_events(self) -> bool:
        """Whether events for TensorBoard are written."""
        return self.report_to != "none" and importlib.util.find_spec("tensorboard") is not None

    def decisive(self) -> dict[str, Any]:
        """Return the shared options that decide over the result of a run, by name."""
        names = (item.name for item in fields(SharedOptions))
        return {name: getattr(self, name) for name in names if name not in _NOT_DECISIVE}
