"""What the networks return: dataclasses that can also be read by key and by position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from w2v_cli.named_output import NamedOutput

Tensors = tuple[torch.Tensor, ...]


class ModelOutput(NamedOutput):
    """Fields by name, by key, or by position among those that are not None.

    >>> output = CausalLMOutput(logits=torch.zeros(1, 2, 3))
    >>> output.logits is output["logits"] is output[0]
    True
    >>> output.loss is None, list(output)
    (True, ['logits'])
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        pytree.register_pytree_node(
            cls,
            lambda output: (list(output.values()), list(output.keys())),
            lambda values, names: cls(**dict(zip(names, values, strict=True))),
            serialized_type_name=f"{cls.__module__}.{cls.__name__}",
        )

    def __post_init__(self) -> None:
        """Take fields by name, a mapping or pairs, that came in place of the first field."""
        first = next(iter(self.__dataclass_fields__))
        given = getattr(self, first)
        if list(self) != [first] or isinstance(given, torch.Tensor):
            return
        pairs = list(given.items()) if isinstance(given, Mapping) else given
        if isinstance(pairs, (list, tuple)) and pairs and all(map(_is_named, pairs)):
            super().__setattr__(first, None)
            super().__delitem__(first)
            for name, value in pairs:
                setattr(self, name, value)

    def __delitem__(self, key: str) -> None:
        raise TypeError(f"a {type(self).__name__} keeps its fields; {key!r} can't be deleted")

    def pop(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} keeps its fields; pop() is not for it")

    def setdefault(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} has fixed fields; setdefault() is not for it")

    def update(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(f"a {type(self).__name__} has fixed fields; update() is not for it")


@dataclass
class BaseModelOutput(ModelOutput):
    """An encoder's output.

    Attributes:
        last_hidden_state: (batch, frames, hidden).
        hidden_states: The encoder's input and every layer's output, each (batch, frames,
            hidden); of a layer that layer drop skipped, its input.
        attentions: A layer's weights each, (batch, heads, frames, frames).
    """

    last_hidden_state: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@dataclass
class Wav2Vec2BaseModelOutput(ModelOutput):
    """The base model's output.

    Attributes:
        last_hidden_state: (batch, frames, hidden).
        extract_features: The normalised convolutional features, (batch, frames, conv_dim[-1]).
        hidden_states: As in BaseModelOutput.
        attentions: As in BaseModelOutput.
    """

    last_hidden_state: torch.Tensor | None = None
    extract_features: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@dataclass
class CausalLMOutput(ModelOutput):
    """The CTC head's output.

    Attributes:
        loss: Scalar, or (batch,) where the reduction is "none"; with labels only.
        logits: (batch, frames, vocab), before any softmax.
        hidden_states: As in BaseModelOutput.
        attentions: As in BaseModelOutput.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@dataclass
class SequenceClassifierOutput(ModelOutput):
    """A classifier's output for whole recordings: logits (batch, labels)."""

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@dataclass
class TokenClassifierOutput(ModelOutput):
    """A classifier's output for every frame: logits (batch, frames, labels)."""

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@dataclass
class XVectorOutput(ModelOutput):
    """The speaker head's output.

    Attributes:
        loss: Scalar; with labels only.
        logits: (batch, xvector_output_dim), what the additive-margin loss compares.
        embeddings: The x-vectors, (batch, xvector_output_dim).
        hidden_states: As in BaseModelOutput.
        attentions: As in BaseModelOutput.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    embeddings: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None


@dataclass
class Wav2Vec2ForPreTrainingOutput(ModelOutput):
    """The pretraining head's output (Baevski et al. 2020, 3.2).

    Attributes:
        loss: contrastive_loss + diversity_loss_weight * diversity_loss, summed over masked
            frames; with sampled negatives only, as are the two.
        projected_states: Context vectors, (batch, frames, proj_codevector_dim).
        projected_quantized_states: Targets, of the same shape.
        codevector_perplexity: Scalar, summed over the codebook groups.
        hidden_states: As in BaseModelOutput.
        attentions: As in BaseModelOutput.
        contrastive_loss: Scalar.
        diversity_loss: Scalar.
    """

    loss: torch.Tensor | None = None
    projected_states: torch.Tensor | None = None
    projected_quantized_states: torch.Tensor | None = None
    codevector_perplexity: torch.Tensor | None = None
    hidden_states: Tensors | None = None
    attentions: Tensors | None = None
    contrastive_loss: torch.Tensor | None = None
    diversity_loss: torch.Tensor | None = None


def as_published(output: ModelOutput, return_dict: bool) -> Any:
    """Return the output itself, or its tuple where return_dict is false."""
    return output if return_dict else output.to_tuple()


def present(values: Iterable[torch.Tensor] | None) -> Tensors | None:
    """Return collected tensors as a tuple, or None where none were asked for."""
    return None if values is None else tuple(values)


def _is_named(pair: Any) -> bool:
    """Return whether something is a name with a value."""
    return isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str)
