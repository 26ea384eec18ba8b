"""What a run begins with: a network of a checkpoint or fresh weights, and its objective."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.processors import find_feature_extractor
from w2v_cli.checkpoint.renames import abbreviate, is_of_the_network
from w2v_cli.checkpoint.resolve import pin, resolve_file
from w2v_cli.counts import counted
from w2v_cli.errors import UsageError
from w2v_cli.inference.speaker_activity import CONVERSATION_FIELD
from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.features import shortest_recording_samples
from w2v_cli.processing.feature_extractor import Wav2Vec2FeatureExtractor
from w2v_cli.processing.tokenizer import Wav2Vec2CTCTokenizer
from w2v_cli.training.bands import keep_bands, start_with_bands
from w2v_cli.training.conversations import Mixing
from w2v_cli.training.filter_bank import start_as_filter_bank
from w2v_cli.training.frames import FramesObjective
from w2v_cli.training.keywords import KeywordsObjective
from w2v_cli.training.pretraining import MASK_TIME_PROB, PretrainObjective, Temperature
from w2v_cli.training.speakers import SpeakersObjective
from w2v_cli.training.teacher import Teacher, check_teacher

_USUAL_MASK_PROB = Wav2Vec2Config.mask_time_prob


@dataclass(frozen=True)
class Start:
    """Where a network comes from.

    Attributes:
        name: A folder, an embedded model or a model id.
        from_scratch: Take its configuration alone, and draw the weights.
        hub: Where a model id is looked for.
        settings: Fields of the configuration to replace, such as dropouts.
        filter_bank: Begin with a first layer of band-pass filters, from scratch.
        bands: Convolutions over so many bands each, begun from scratch or kept; empty for none
            (see `training.bands`).
        speech: Returns some, which such a fresh network's filters are measured on.
        seed: What fresh weights are drawn with.
    """

    name: str
    from_scratch: bool = False
    hub: HubOptions = field(default_factory=HubOptions)
    settings: Mapping[str, Any] = field(default_factory=dict)
    filter_bank: bool = False
    bands: tuple[int, ...] = ()
    speech: Callable[[], npt.NDArray[np.float32]] | None = None
    seed: int = 42

    def config(self) -> Wav2Vec2Config:
        """Return the configuration with the settings.

        Raises:
            ModelError: There is no such model.
            UsageError: A setting makes no network.
        """
        try:
            config: Wav2Vec2Config = Wav2Vec2Config.from_pretrained(self.name, **self._where())
            return Wav2Vec2Config.from_dict({**_fields_of(config), **self.settings})  # type: ignore[no-any-return]  # published
        except (ValueError, TypeError) as error:
            raise UsageError(f"{self.name}: {error}") from error

    def feature_extractor(self, config: Wav2Vec2Config) -> Any:
        """Return the checkpoint's feature extractor, or the usual one for its kind of network."""
        folder = Path(self.name)
        name: str | os.PathLike[str] = folder.parent if folder.is_file() else self.name
        if find_feature_extractor(name, self._pinned()) is not None:
            return Wav2Vec2FeatureExtractor.from_pretrained(os.fspath(name), **self._where())
        uses_mask = config.feat_extract_norm == "layer"  # as published: group norm has none
        return Wav2Vec2FeatureExtractor(return_attention_mask=uses_mask)

    def tokenizer(self, **settings: Any) -> Any:
        """Return the checkpoint's tokenizer; None where it has none."""
        if self.file("vocab.json") is None:
            return None
        return Wav2Vec2CTCTokenizer.from_pretrained(self.name, **settings, **self._where())

    def file(self, filename: str) -> Path | None:
        """Return where one of the checkpoint's files lies; None where it has none."""
        if Path(self.name).is_file():  # a configuration alone
            return None
        return resolve_file(self.name, filename, self._pinned())

    def model(self, model_class: Any, **settings: Any) -> Any:
        """Return the network in float32, in training mode.

        Args:
            model_class: Its class.
            **settings: Fields of the configuration that the objective needs.

        Raises:
            ModelError: It cannot be loaded, or doesn't fit.
            UsageError: A setting makes no network.
        """
        torch.manual_seed(self.seed)
        for name, value in settings.items():
            if self.settings.get(name, value) != value:
                raise UsageError(
                    f"{name}={self.settings[name]!r}: the run decides this field of the "
                    f"configuration, as {value!r}; leave it out, or use the option for it"
                )
        chosen = {**self.settings, **settings}
        try:
            if self.from_scratch:
                config = self.config()
                fields = {**_fields_of(config), **chosen, "dtype": None, "architectures": None}
                fields.pop("quantization_config", None)  # it says how weights lie there
                model = model_class(Wav2Vec2Config.from_dict(fields))
                if self.filter_bank:
                    start_as_filter_bank(model)
                if self.bands:
                    assert self.speech is not None
                    start_with_bands(model, self.bands, self.speech())
            else:
                # Layers that are to be fewer or more don't fit, and that is meant.
                with _new_heads_are_expected():
                    model, info = model_class.from_pretrained(
                        self.name,
                        dtype=torch.float32,
                        ignore_mismatched_sizes=True,
                        output_loading_info=True,
                        strict="num_hidden_layers" not in self.settings,
                        **chosen,
                        **self._where(),
                    )
                self._check_shapes(model, info["mismatched_keys"])
                if self.bands:
                    keep_bands(model, self.bands)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{self.name}: {error}") from error
        return model.train()

    def _check_shapes(
        self, model: Any, mismatched: Collection[tuple[str, tuple[int, ...], tuple[int, ...]]]
    ) -> None:
        """Refuse a network that would lose what it has learnt, heads apart.

        Raises:
            UsageError: Weights have other shapes than the configuration says.
        """
        prefix = model.base_model_prefix
        lost = sorted(key for key, *_ in mismatched if is_of_the_network(key, prefix=prefix))
        if lost:
            fields = ", ".join(sorted(filter(_may_shape, self.settings))) or "config.json"
            raise UsageError(
                f"{self.name}: its weights have other shapes than {fields} would give them "
                f"({abbreviate(lost)}), and would be drawn anew; leave the field out, or start "
                f"anew with --from-scratch {self.name}"
            )

    def _pinned(self) -> HubOptions:
        return HubOptions() if Path(self.name).is_file() else pin(self.name, self.hub)

    def _where(self) -> dict[str, Any]:
        return self._pinned().arguments()


def _may_shape(field_name: str) -> bool:
    """Return whether a field of a configuration may decide over the shapes of weights."""
    return not field_name.startswith("mask_") and not field_name.endswith(("dropout", "drop"))


@contextmanager
def _new_heads_are_expected() -> Iterator[None]:
    """Load without the warning that a head is new: it is about to be trained."""
    log = logging.getLogger("w2v_cli.checkpoint.loading")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def names_of(config: Wav2Vec2Config) -> list[str]:
    """Return what a network's outputs are called, in their order."""
    return [name for _, name in sorted((config.id2label or {}).items())]


def named_outputs(names: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a configuration that say what its outputs are called."""
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }


def start_keywords(
    start: Start,
    labels: Sequence[str],
    *,
    label_smoothing: float = 0.0,
    teacher: str | None = None,
    teacher_weight: float = 0.7,
) -> tuple[Any, KeywordsObjective]:
    """Return a network that tells labels apart, and its objective.

    Args:
        start: Where the network comes from.
        labels: What it tells apart.
        label_smoothing: See `KeywordsObjective`.
        teacher: A folder, an embedded model or a model id to learn from besides; None for none.
        teacher_weight: See `Teacher`.

    Raises:
        ModelError: The network, or the teacher, cannot be loaded.
        UsageError: There is one label only, a setting makes no network, or the teacher tells
            other labels apart, or hears otherwise.
    """
    if len(labels) < 2:
        raise UsageError(
            f"{counted(len(labels), 'label')} in the examples to learn from ({', '.join(labels)}); "
            f"a classifier needs two"
        )
    config = start.config()
    own = names_of(config)
    if not start.from_scratch and set(own) == set(labels):
        labels = own  # the head stays as it is
    model = start.model(KeywordsObjective.model_class, **named_outputs(labels))
    if not start.from_scratch and list(labels) != own:
        model._initialise(model.classifier)
    extractor = start.feature_extractor(config)
    learns_from = None
    if teacher is not None:
        named = Start(teacher, hub=start.hub, seed=start.seed)
        learns_from = _teacher_of(named, labels, extractor, teacher_weight)
    return model, KeywordsObjective(
        extractor, labels, label_smoothing=label_smoothing, teacher=learns_from
    )


def _teacher_of(named: Start, labels: Sequence[str], extractor: Any, weight: float) -> Teacher:
    """Return the classifier that a start names, to learn from."""
    config = named.config()
    theirs, own = names_of(config), named.feature_extractor(config)
    check_teacher(named.name, theirs, labels, own, extractor)
    model = named.model(KeywordsObjective.model_class)
    return Teacher(model, [theirs.index(label) for label in labels], weight)


def start_speakers(
    start: Start, speakers: Sequence[str], *, margin_steps: int = 0
) -> tuple[Any, SpeakersObjective]:
    """Return a network that gives recordings vectors, and its objective.

    Raises:
        ModelError: The network cannot be loaded.
        UsageError: There is one speaker only, or a setting makes no network.
    """
    if len(speakers) < 2:
        raise UsageError(
            f"{counted(len(speakers), 'speaker')} in the examples to learn from; it takes two at "
            f"least"
        )
    config = start.config()
    own = names_of(config)
    model = start.model(SpeakersObjective.model_class, **named_outputs(speakers))
    if not start.from_scratch and list(speakers) != own:
        model._initialise(model.objective)
    if config.architectures != [SpeakersObjective.model_class.__name__]:
        # What is trained is the cosine of what this layer makes of the vectors, and what is
        # compared are the vectors: they should begin as the same.
        torch.nn.init.eye_(model.classifier.weight)
    extractor = start.feature_extractor(config)
    return model, SpeakersObjective(extractor, speakers, margin_steps=margin_steps)


def start_pretraining(
    start: Start, temperature: Temperature | None = None, *, mask_time_prob: float = MASK_TIME_PROB
) -> tuple[Any, PretrainObjective]:
    """Return a network that predicts masked frames, and its objective.

    Args:
        start: Where the network comes from.
        temperature: Of the choice of codebook entries.
        mask_time_prob: The share of frames that are masked.

    Raises:
        ModelError: The network cannot be loaded.
        UsageError: A setting makes no network.
    """
    config = start.config()
    # A network without masks of its own has no vector for masked frames.
    prob = config.mask_time_prob or _USUAL_MASK_PROB
    model = start.model(PretrainObjective.model_class, apply_spec_augment=True, mask_time_prob=prob)
    extractor = start.feature_extractor(config)
    return model, PretrainObjective(extractor, temperature, mask_time_prob=mask_time_prob)


def start_frames(start: Start, mixing: Mixing) -> tuple[Any, FramesObjective]:
    """Return a network that says who speaks in each frame, and its objective.

    Raises:
        ModelError: The network cannot be loaded.
        UsageError: A setting makes no network.
    """
    config = start.config()
    names = [f"speaker {index + 1}" for index in range(mixing.n_speakers)]
    model = start.model(
        FramesObjective.model_class,
        **named_outputs(names),
        problem_type="multi_label_classification",
    )
    # What hears with it later cuts recordings alike.
    setattr(model.config, CONVERSATION_FIELD, mixing.seconds)
    hop = config.inputs_to_logits_ratio
    return model, FramesObjective(
        start.feature_extractor(config),
        hop=hop,
        receptive_field=shortest_recording_samples(config),
        mixing=mixing,
    )


def check_masks(config: Wav2Vec2Config, chosen: Collection[str]) -> None:
    """Refuse masks that cannot be drawn, or were chosen and never are.

    Args:
        config: The network's.
        chosen: Which of its fields were chosen for this run.

    Raises:
        UsageError: There is such a mask.
    """
    masked = [name for name in ("mask_time_prob", "mask_feature_prob") if name in chosen]
    if not config.apply_spec_augment and any(getattr(config, name) for name in masked):
        raise UsageError(
            "apply_spec_augment=false: masks are asked for besides, and there would be none; leave "
            "one of them out"
        )
    for what in ("time", "feature"):
        if getattr(config, f"mask_{what}_length") < 1:
            raise UsageError(f"mask_{what}_length: a mask has 1 or more; leave it out")
        if f"mask_{what}_length" in chosen and not getattr(config, f"mask_{what}_prob"):
            raise UsageError(
                f"--mask-{what}-length: does nothing without --mask-{what}-prob; give both"
            )
    if config.mask_feature_prob and config.mask_feature_length > config.hidden_size:
        raise UsageError(
            f"--mask-feature-length {config.mask_feature_length}: the network has "
            f"{config.hidden_size} channels; give fewer"
        )


def shortest_seconds(config: Wav2Vec2Config) -> float:
    """Return how short a recording may be: one frame. Silence makes it long enough for a mask.

    >>> shortest_seconds(Wav2Vec2Config())
    0.025
    """
    return shortest_recording_samples(config) / SAMPLE_RATE


def _fields_of(config: Wav2Vec2Config) -> dict[str, Any]:
    """Return the fields of a configuration that do not follow from others."""
    return {k: value for k, value in config.to_dict().items() if k != "num_feat_extract_layers"}
