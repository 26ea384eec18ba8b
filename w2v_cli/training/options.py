"""What a fine-tuner decides, with the names of the reference's examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from w2v_cli.training.schedules import ScheduleName

PrecisionName = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class TrainingOptions:
    """How a network is trained.

    Attributes:
        learning_rate: The peak of the rate.
        head_learning_rate: That of the head; None for the same.
        schedule: How the rate changes.
        warmup_steps: Steps on which it rises; None for a tenth of the run.
        hold_ratio: The share of steps at the peak, for tri_stage.
        final_scale: What is left of the rate at the end, for tri_stage.
        max_steps: Steps of the run; None for `epochs`.
        epochs: How often every example is heard, where there are no `max_steps`.
        accumulation: Batches that make up a step.
        max_grad_norm: Gradients longer than that are shortened; 0 leaves them.
        weight_decay: AdamW's, of matrices alone.
        betas: AdamW's.
        epsilon: AdamW's.
        precision: What is calculated in; weights stay float32.
        freeze_feature_encoder: Keep the convolutions as they are.
        freeze_first_layer: Keep the first convolution as it is.
        freeze_base: Train the head alone.
        freeze_base_steps: Train the head alone for so many steps.
        adapters_alone: Train the attention adapters and the head alone.
        gradient_checkpointing: Recompute activations: less memory, more time.
        average: The decay of a running mean of the weights, which is what is kept; 0 for none.
        eval_steps: Look at the dev examples every so many steps.
        save_steps: Write a checkpoint every so many steps, besides after each look.
        logging_steps: Write a line of log every so many steps.
        keep_best: Checkpoints that are kept for being the best, besides the last.
        patience: Looks without an improvement after which training stops; None never stops.
        threshold: What counts as an improvement.
        seed: What everything random begins with.
    """

    learning_rate: float = 1e-4
    head_learning_rate: float | None = None
    schedule: ScheduleName = "linear"
    warmup_steps: int | None = None
    hold_ratio: float = 0.4
    final_scale: float = 0.05
    max_steps: int | None = None
    epochs: float = 10.0
    accumulation: int = 1
    max_grad_norm: float = 1.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    precision: PrecisionName = "float32"
    freeze_feature_encoder: bool = False
    freeze_first_layer: bool = False
    freeze_base: bool = False
    freeze_base_steps: int = 0
    adapters_alone: bool = False
    gradient_checkpointing: bool = False
    average: float = 0.0
    eval_steps: int = 500
    save_steps: int = 500
    logging_steps: int = 10
    keep_best: int = 1
    patience: int | None = None
    threshold: float = 0.0
    seed: int = 42
