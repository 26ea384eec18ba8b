"""The configuration of a Wav2Vec2 network: every published field, its default, its JSON."""

from __future__ import annotations

import copy
import functools
import inspect
import json
import logging
import math
import operator
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from w2v_cli.model.config_checks import check_convolutions, check_fields
from w2v_cli.model.generation_fields import GENERATION_FIELDS

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

# The release of the published implementation whose config.json we read and write.
PUBLISHED_VERSION = "5.23.0"

# Fields that config.json leaves out while they have their default value.
_OMITTED_DEFAULTS: dict[str, Any] = {
    "_name_or_path": "",
    "architectures": None,
    "output_hidden_states": False,
    "output_attentions": False,
    "return_dict": True,
    "dtype": None,
    "chunk_size_feed_forward": 0,
    "is_encoder_decoder": False,
    "id2label": {0: "LABEL_0", 1: "LABEL_1"},
    "label2id": {"LABEL_0": 0, "LABEL_1": 1},
    "problem_type": None,
}
_NOT_SERIALIZED = ("_attn_implementation", "_attn_is_default", "_commit_hash")  # never in a file
# JSON has no word for these; the published files spell them as tagged objects.
_FLOAT_TAG = "__float__"
_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

Ints = list[int] | tuple[int, ...]


@dataclass(init=False, eq=False, repr=False)
class Wav2Vec2Config:
    """The shape and the training options of a network (Baevski et al. 2020, 4.2 and table 4).

    Every published field is a keyword argument with its published default. A field that
    this class doesn't know becomes an attribute too and survives saving and loading.
    `num_labels=n` names the labels LABEL_0 ... LABEL_{n-1}.

    Raises:
        ValueError: A value is not of its field's kind, conv_dim, conv_stride and conv_kernel
            differ in length, or `problem_type="single_label_classification"` has fewer than two
            labels.

    >>> Wav2Vec2Config(hidden_size=32, num_attention_heads=2).inputs_to_logits_ratio
    320
    """

    model_type: ClassVar[str] = "wav2vec2"
    has_no_defaults_at_init: ClassVar[bool] = False
    is_composition: ClassVar[bool] = False
    attribute_map: ClassVar[dict[str, str]] = {}
    sub_configs: ClassVar[dict[str, Any]] = {}
    base_model_tp_plan: ClassVar[dict[str, str] | None] = None

    # Shared by all published configurations.
    transformers_version: str | None = None
    architectures: list[str] | None = None
    output_hidden_states: bool | None = False
    return_dict: bool | None = True
    dtype: torch.dtype | str | None = None
    chunk_size_feed_forward: int = 0
    is_encoder_decoder: bool = False
    id2label: dict[int, str] | None = None
    label2id: dict[str, int] | None = None
    problem_type: str | None = None

    # Encoder.
    vocab_size: int | None = 32
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout: float = 0.1
    activation_dropout: float = 0.1
    attention_dropout: float = 0.1
    feat_proj_dropout: float = 0.0
    feat_quantizer_dropout: float = 0.0
    final_dropout: float = 0.1
    layerdrop: float = 0.1
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-5

    # Convolutional feature encoder and positions.
    feat_extract_norm: str = "group"
    feat_extract_activation: str = "gelu"
    conv_dim: Ints = (512, 512, 512, 512, 512, 512, 512)
    conv_stride: Ints = (5, 2, 2, 2, 2, 2, 2)
    conv_kernel: Ints = (10, 3, 3, 3, 3, 2, 2)
    conv_bias: bool = False
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    do_stable_layer_norm: bool = False

    # SpecAugment (Park et al. 2019).
    apply_spec_augment: bool = True
    mask_time_prob: float = 0.05
    mask_time_length: int = 10
    mask_time_min_masks: int = 2
    mask_feature_prob: float = 0.0
    mask_feature_length: int = 10
    mask_feature_min_masks: int = 0

    # Self-supervised pretraining.
    num_codevectors_per_group: int = 320
    num_codevector_groups: int = 2
    contrastive_logits_temperature: float = 0.1
    num_negatives: int = 100
    codevector_dim: int = 256
    proj_codevector_dim: int = 256
    diversity_loss_weight: float = 0.1

    # Heads.
    ctc_loss_reduction: str = "sum"
    ctc_zero_infinity: bool = False
    use_weighted_layer_sum: bool = False
    classifier_proj_size: int = 256
    tdnn_dim: Ints = (512, 512, 512, 512, 1500)
    tdnn_kernel: Ints = (5, 3, 3, 1, 1)
    tdnn_dilation: Ints = (1, 2, 3, 1, 1)
    xvector_output_dim: int = 512
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2

    # Adapters: convolutional ones after the encoder, attention ones inside its layers.
    add_adapter: bool = False
    adapter_kernel_size: int = 3
    adapter_stride: int = 2
    num_adapter_layers: int = 3
    output_hidden_size: int | None = None
    adapter_attn_dim: int | None = None

    def __init__(self, **kwargs: Any) -> None:
        for field in fields(self):
            setattr(self, field.name, copy.copy(kwargs.pop(field.name, field.default)))
        check_fields(self)
        self.num_feat_extract_layers = kwargs.pop("num_feat_extract_layers", len(self.conv_dim))
        self.output_hidden_size = self.output_hidden_size or self.hidden_size

        # Older folders spell the weights' type torch_dtype; where both are there, dtype wins.
        older_dtype = kwargs.pop("torch_dtype", None)
        self.dtype = _as_torch_dtype(older_dtype if self.dtype is None else self.dtype)
        self._set_labels(kwargs.pop("num_labels", None))

        self._name_or_path = str(kwargs.pop("name_or_path", kwargs.pop("_name_or_path", "")))
        attention = kwargs.pop("attn_implementation", None)
        self._attn_implementation: str | None = kwargs.pop("_attn_implementation", attention)
        self._attn_is_default = False  # set by a model that had to choose
        self._output_attentions = bool(kwargs.pop("output_attentions", False))
        if self._attn_implementation is not None:
            self.output_attentions = self._output_attentions  # which it may not return
        for name in ("model_type", *_NOT_SERIALIZED, *GENERATION_FIELDS):
            kwargs.pop(name, None)
        for name, value in kwargs.items():
            setattr(self, name, value)
        self.validate_architecture()

    def _set_labels(self, num_labels: int | None) -> None:
        if self.id2label is None:
            self.num_labels = 2 if num_labels is None else num_labels
            return
        self.id2label = {int(key): value for key, value in self.id2label.items()}
        if num_labels is not None and num_labels != len(self.id2label):
            logger.warning(
                "num_labels=%d was given with an id2label of %d entries; the labels are renamed",
                num_labels,
                len(self.id2label),
            )
            self.num_labels = num_labels

    def validate_architecture(self) -> None:
        """Refuse convolutions that cannot be and a classifier of one class."""
        check_convolutions(self)
        if self.problem_type == "single_label_classification" and self.num_labels == 1:
            raise ValueError(
                "problem_type='single_label_classification' needs num_labels > 1; use "
                "num_labels=2 for a binary task, or problem_type='regression' for one score"
            )

    @property
    def inputs_to_logits_ratio(self) -> int:
        """Samples per output frame (the hop): the product of the strides."""
        return functools.reduce(operator.mul, self.conv_stride, 1)

    @property
    def num_labels(self) -> int:
        """The number of labels; setting it renames them all, unless it stays the same."""
        return 0 if self.id2label is None else len(self.id2label)

    @num_labels.setter
    def num_labels(self, num_labels: int) -> None:
        if self.id2label is None or len(self.id2label) != num_labels:
            self.id2label = {i: f"LABEL_{i}" for i in range(num_labels)}
            self.label2id = {label: i for i, label in self.id2label.items()}

    @property
    def name_or_path(self) -> str:
        """The folder or model id this configuration came from, or an empty string."""
        return self._name_or_path

    @name_or_path.setter
    def name_or_path(self, value: object) -> None:
        self._name_or_path = str(value)

    @property
    def output_attentions(self) -> bool:
        """Whether a forward pass returns attention weights; only eager attention can."""
        return self._output_attentions

    @output_attentions.setter
    def output_attentions(self, value: bool) -> None:
        if value and (self._attn_implementation is None or self._attn_is_default):
            self._attn_implementation = "eager"
            self._attn_is_default = False
        if value and self._attn_implementation != "eager":
            raise ValueError(
                f"attn_implementation={self._attn_implementation!r} does not return attention "
                "weights; output_attentions needs attn_implementation='eager'"
            )
        self._output_attentions = bool(value)

    @property
    def use_return_dict(self) -> bool | None:
        """The older published name of return_dict."""
        return self.return_dict

    @property
    def torch_dtype(self) -> torch.dtype | str | None:
        """The older published name of dtype."""
        return self.dtype

    @torch_dtype.setter
    def torch_dtype(self, value: torch.dtype | str | None) -> None:
        self.dtype = value

    def get_text_config(self, decoder: bool | None = None, encoder: bool | None = None) -> Any:
        """Return self: a speech model has no separate text configuration."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return every field as plain data: tuples as lists, dtype as its name."""
        output: dict[str, Any] = {}
        for name, value in self.__dict__.items():
            if name in _NOT_SERIALIZED:
                continue
            output[name] = list(value) if isinstance(value, tuple) else copy.deepcopy(value)
        output["output_attentions"] = output.pop("_output_attentions")
        output["model_type"] = self.model_type
        output["transformers_version"] = PUBLISHED_VERSION
        if output["dtype"] is not None:
            output["dtype"] = str(output["dtype"]).removeprefix("torch.")
        return output

    def to_diff_dict(self) -> dict[str, Any]:
        """Return to_dict() without the generic fields that have their default value."""
        output = self.to_dict()
        output.pop("_name_or_path", None)
        return {
            name: value
            for name, value in output.items()
            if name not in _OMITTED_DEFAULTS or value != _OMITTED_DEFAULTS[name]
        }

    def to_json_string(self, use_diff: bool = True) -> str:
        """Return the text of config.json: sorted keys, two spaces, a final newline."""
        content = self.to_diff_dict() if use_diff else self.to_dict()
        return json.dumps(_tag_special_floats(content), indent=2, sort_keys=True) + "\n"

    def to_json_file(self, json_file_path: str | os.PathLike[str], use_diff: bool = True) -> None:
        """Write to_json_string() to a file."""
        with open(json_file_path, "w", encoding="utf-8") as file:
            file.write(self.to_json_string(use_diff=use_diff))

    @classmethod
    def from_dict(cls, config_dict: Mapping[str, Any], **kwargs: Any) -> Any:
        """Return the configuration of a mapping, fields given by name taking precedence.

        Args:
            config_dict: Fields as in config.json; left unchanged.
            **kwargs: Fields to set instead. `return_unused_kwargs=True` returns a pair of the
                configuration and those that name no field; otherwise these are dropped.
        """
        return_unused = kwargs.pop("return_unused_kwargs", False)
        content = _untag_special_floats(dict(config_dict))
        for name in ("num_labels", "attn_implementation", "output_attentions", "name_or_path"):
            if name in kwargs:
                content[name] = kwargs.pop(name)
        for name in ("dtype", "torch_dtype"):
            value = kwargs.pop(name, None)
            if value is not None and value != "auto":
                content["dtype"] = value
        config = cls(**content)
        unused: dict[str, Any] = {}
        for name, value in kwargs.items():
            if hasattr(config, name):
                setattr(config, name, value)
            else:
                unused[name] = value
        if "conv_dim" in kwargs and "num_feat_extract_layers" not in kwargs:
            config.num_feat_extract_layers = len(config.conv_dim)
        check_fields(config)
        config.validate_architecture()
        return (config, unused) if return_unused else config

    @classmethod
    def from_json_file(cls, json_file: str | os.PathLike[str]) -> Wav2Vec2Config:
        """Return the configuration in a JSON file."""
        with open(json_file, encoding="utf-8") as file:
            return cls(**_untag_special_floats(json.load(file)))

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any
    ) -> Any:
        """Return the configuration of a checkpoint folder, an embedded model or a model id.

        Args:
            pretrained_model_name_or_path: What to load.
            **kwargs: Where to look (revision, cache_dir, token, local_files_only, subfolder,
                force_download), `return_unused_kwargs`, and fields to set instead.

        Raises:
            ModelError: nothing is there, or it can't be read.
        """
        from w2v_cli.checkpoint.configs import load_config

        return load_config(cls, pretrained_model_name_or_path, **kwargs)

    @classmethod
    def get_config_dict(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the content of config.json, and the arguments that name no place to look."""
        from w2v_cli.checkpoint.configs import load_config_dict

        content, unused = load_config_dict(pretrained_model_name_or_path, **kwargs)
        return content, unused

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Write config.json into a folder, which is made when it isn't there."""
        from w2v_cli.checkpoint.configs import save_config

        save_config(self, save_directory, **kwargs)

    def update(self, config_dict: Mapping[str, Any]) -> None:
        """Set every field of a mapping."""
        for name, value in config_dict.items():
            setattr(self, name, value)

    def update_from_string(self, update_str: str) -> None:
        """Set fields from "name=value,name=value", each value read as its field's type.

        Raises:
            ValueError: a name is unknown, or a value is not of its field's type.
            TypeError: a field's type cannot be written in this form.
        """
        for item in update_str.split(","):
            name, _, text = item.partition("=")
            if not hasattr(self, name):
                raise ValueError(f"the configuration has no field {name!r}")
            setattr(self, name, _parse_like(getattr(self, name), text, name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wav2Vec2Config) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # mutable, and equal by value

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


def _signature() -> inspect.Signature:
    parameters = [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default)
        for field in fields(Wav2Vec2Config)
    ]
    extra = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    return inspect.Signature([*parameters, extra])


# What help() and editors show: the fields are declared once, above.
Wav2Vec2Config.__signature__ = _signature()  # type: ignore[attr-defined]  # as inspect reads it


def _as_torch_dtype(dtype: torch.dtype | str | None) -> torch.dtype | None:
    if dtype is None:
        return None
    import torch

    resolved = getattr(torch, dtype.removeprefix("torch.")) if isinstance(dtype, str) else dtype
    if not isinstance(resolved, torch.dtype):
        raise ValueError(f"dtype={dtype!r} does not name a torch.dtype; use for instance 'float32'")
    return resolved


def _tag_special_floats(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT_TAG: next(k for k, v in _SPECIAL_FLOATS.items() if str(v) == str(value))}
    if isinstance(value, dict):
        return {key: _tag_special_floats(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_tag_special_floats(item) for item in value]
    return value


def _untag_special_floats(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {_FLOAT_TAG} and value[_FLOAT_TAG] in _SPECIAL_FLOATS:
            return _SPECIAL_FLOATS[value[_FLOAT_TAG]]
        return {key: _untag_special_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_untag_special_floats(item) for item in value]
    return value


def _parse_like(current: Any, text: str, name: str) -> Any:
    if isinstance(current, bool):
        if text.lower() not in ("true", "1", "y", "yes", "false", "0", "n", "no"):
            raise ValueError(f"{name}={text!r} is neither true nor false")
        return text.lower() in ("true", "1", "y", "yes")
    if isinstance(current, (int, float, str)):
        return type(current)(text)
    raise TypeError(f"{name} is neither a number, a truth value nor a string")
