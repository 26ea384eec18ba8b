"""What the shared options of `w2v finetune` come to: a start, what is learnt from, and how."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2v_cli.cli.finetune_options import SharedOptions
from w2v_cli.errors import UsageError

if TYPE_CHECKING:
    from w2v_cli.training.loop import Material
    from w2v_cli.training.options import TrainingOptions
    from w2v_cli.training.run import Data
    from w2v_cli.training.start import Start

_CONFIG_FIELDS = (
    "hidden_dropout",
    "attention_dropout",
    "activation_dropout",
    "feat_proj_dropout",
    "final_dropout",
    "layerdrop",
    "mask_time_prob",
    "mask_time_length",
    "mask_feature_prob",
    "mask_feature_length",
)


# What says how a network is run or stored, and not what it is.
_DECIDED = frozenset(
    {
        "architectures",
        "dtype",
        "model_type",
        "name_or_path",
        "output_attentions",
        "output_hidden_states",
        "problem_type",
        "return_dict",
        "transformers_version",
    }
)
_KINDS: dict[type, tuple[type | tuple[type, ...], str]] = {
    bool: (bool, "true or false"),
    int: (int, "a whole number"),
    float: ((int, float), "a number"),
}


def start_of(shared: SharedOptions) -> Start:
    """Return what the run begins with."""
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.training.start import Start

    frozen = shared.freeze_feature_encoder or shared.freeze_base_model
    if shared.bands is not None and shared.from_scratch is None and frozen:
        raise UsageError(
            "--bands: does nothing beside --freeze-feature-encoder or --freeze-base-model; leave "
            "one of them out"
        )
    fields = {name: getattr(shared, name) for name in _CONFIG_FIELDS}
    chosen = {name: value for name, value in fields.items() if value is not None}
    given = settings_of(shared.settings or ())
    for name in chosen.keys() & given.keys():
        raise UsageError(f"--set {name}: the option for it is given, too; leave one of them out")
    masks = bool(shared.mask_time_prob or shared.mask_feature_prob)
    asked = {"apply_spec_augment": True} if masks else {}  # some published models switch it off
    return Start(
        name=shared.model or shared.from_scratch or "",
        from_scratch=shared.from_scratch is not None,
        hub=HubOptions(
            revision=shared.revision, cache_dir=shared.cache_dir, local_files_only=shared.offline
        ),
        settings={**asked, **given, **chosen},
        filter_bank=shared.filter_bank,
        bands=bands_of(shared.bands),
        seed=shared.seed,
    )


def bands_of(listed: str | None) -> tuple[int, ...]:
    """Return the numbers of bands in a comma-separated list; none for None.

    Raises:
        UsageError: They are none.
    """
    if listed is None:
        return ()
    try:
        bands = tuple(int(text) for text in listed.split(","))
    except ValueError:
        bands = ()
    if not bands or min(bands) < 1:
        raise UsageError(
            f"--bands {listed}: needs a number of bands for each convolution, such as 40,40,20,10"
        )
    return bands


def settings_of(assignments: Sequence[str]) -> dict[str, Any]:
    """Return fields of the configuration with their values, which are JSON or plain words.

    Raises:
        UsageError: One is no assignment, or there is no such field.
    """
    from w2v_cli.model.config import Wav2Vec2Config

    known = {item.name: item.default for item in dataclasses.fields(Wav2Vec2Config)}
    found: dict[str, Any] = {}
    for assignment in assignments:
        name, is_assignment, text = assignment.partition("=")
        if not is_assignment or name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "config.json of a model has the names"
            raise UsageError(
                f"--set {assignment}: needs FIELD=VALUE with a field of the configuration; {hint}"
            )
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
        if name in _DECIDED:
            raise UsageError(f"--set {assignment}: the run decides this field; leave it out")
        kind, value = type(known[name]), found[name]
        is_other = isinstance(value, bool) is not (kind is bool)  # a bool is an int to Python
        if kind in _KINDS and (is_other or not isinstance(value, _KINDS[kind][0])):
            raise UsageError(f"--set {assignment}: needs {_KINDS[kind][1]}")
    return found


def material_of(
    shared: SharedOptions, data: Data, crop_seconds: float | None, **sampling: Any
) -> Material:
    """Return what the run learns from.

    Raises:
        UsageError: A folder of noise or rooms holds no recordings, or nobody is named among whom
            to balance.
    """
    if shared.balance_speakers != 1 and not data.train.n_speakers:
        raise UsageError("--balance-speakers: no recording has a speaker; leave it out")

    from w2v_cli.training.augmentation import Augmentation
    from w2v_cli.training.loop import Material
    from w2v_cli.training.sampler import Sampling

    return Material(
        train=data.train.examples,
        dev=data.dev.examples,
        sampling=Sampling(
            batch_seconds=shared.batch_seconds,
            batch_items=shared.batch_items,
            balance=shared.balance,
            balance_speakers=shared.balance_speakers,
            **sampling,
        ),
        augmentation=Augmentation(
            speed=shared.speed,
            gain=shared.gain,
            equalise=shared.equalise,
            reverberate=shared.reverb,
            noise=shared.noise,
            band_limit=shared.band_limit,
            trim=shared.trim,
            tempo=shared.tempo,
            cut_off=shared.cut_off,
            noise_files=recordings_in("--noise-dir", shared.noise_dir),
            room_files=recordings_in("--room-dir", shared.room_dir),
            speed_range=speed_range(shared),
        ),
        cache_mb=shared.cache_mb,
        crop_seconds=crop_seconds,
    )


def speed_range(shared: SharedOptions) -> tuple[float, float]:
    """Return the speeds between which recordings are played.

    Raises:
        UsageError: They are none, or nothing is played at another speed.
    """
    from w2v_cli.training.augmentation import SPEED_RANGE

    listed = shared.speed_range
    if listed is None:
        return SPEED_RANGE
    if not shared.speed:
        raise UsageError("--speed-range: needs --speed, the share of recordings that it is for")
    try:
        low, high = (float(text) for text in listed.split(","))
    except ValueError:
        low = high = 0.0
    if not 0.5 <= low < high <= 2:
        raise UsageError(
            f"--speed-range {listed}: needs two numbers from 0.5 to 2, the slower one first, such "
            f"as 0.8,1.3"
        )
    return low, high


def recordings_in(option: str, folders: Sequence[str] | None) -> tuple[str, ...]:
    """Return the recordings in folders, by their names.

    Args:
        option: Names the folders.
        folders: The folders; None for none.

    Raises:
        UsageError: There are none in one of them.
    """
    from w2v_cli.batch.inputs import Found, Selection, add_named

    if not folders:
        return ()
    found = Found()
    for folder in folders:
        if not Path(folder).is_dir():
            raise UsageError(f"{option} {folder}: no such folder")
    add_named(found, folders, Selection(recursive=True))
    if found.refused:
        raise UsageError(f"{option}: {found.refused[0][1]}")
    return tuple(sorted(item.source for item in found.items))


def training_options(shared: SharedOptions) -> TrainingOptions:
    """Return how the network is trained."""
    from w2v_cli.training.options import TrainingOptions

    freezes = shared.freeze_feature_encoder
    if freezes is None:
        freezes = shared.from_scratch is None and shared.bands is None
    return TrainingOptions(
        learning_rate=shared.learning_rate,
        head_learning_rate=shared.head_learning_rate,
        schedule=shared.lr_scheduler_type,
        warmup_steps=shared.warmup_steps,
        hold_ratio=shared.hold_ratio,
        final_scale=shared.final_scale,
        max_steps=shared.max_steps,
        epochs=shared.num_train_epochs,
        accumulation=shared.gradient_accumulation_steps,
        max_grad_norm=shared.max_grad_norm,
        weight_decay=shared.weight_decay,
        betas=(shared.adam_beta1, shared.adam_beta2),
        epsilon=shared.adam_epsilon,
        precision="bfloat16" if shared.bf16 else "float16" if shared.fp16 else "float32",
        freeze_feature_encoder=freezes,
        freeze_first_layer=shared.bands is not None,
        freeze_base=shared.freeze_base_model,
        freeze_base_steps=shared.freeze_base_steps,
        gradient_checkpointing=shared.gradient_checkpointing,
        average=shared.average,
        eval_steps=shared.eval_steps,
        save_steps=shared.save_steps,
        logging_steps=shared.logging_steps,
        keep_best=shared.keep_best,
        patience=shared.early_stopping_patience,
        threshold=shared.early_stopping_threshold,
        seed=shared.seed,
    )
