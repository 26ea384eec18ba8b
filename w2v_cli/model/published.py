"""What code around published models asks of a model before it uses it, answered for ours."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn


class PublishedTraits:
    """Capabilities by their published names: what can be chosen, shared, ignored, split."""

    model_tags: list[str] | None = None
    supports_gradient_checkpointing: ClassVar[bool] = True
    _supports_sdpa: ClassVar[bool] = True
    _supports_flash_attn: ClassVar[bool] = True
    _supports_flex_attn: ClassVar[bool] = False
    _supports_attention_backend: ClassVar[bool] = False
    _can_compile_fullgraph: ClassVar[bool] = False
    _is_stateful: ClassVar[bool] = False
    # No weight is shared, kept in another type, left out of a file, or forgiven when missing.
    _tied_weights_keys: ClassVar[dict[str, str] | None] = None
    _dynamic_tied_weights_keys: ClassVar[list[str] | None] = None
    _keep_in_fp32_modules: ClassVar[frozenset[str]] = frozenset()
    _keep_in_fp32_modules_strict: ClassVar[frozenset[str]] = frozenset()
    _keys_to_ignore_on_save: ClassVar[list[str] | None] = None
    _keys_to_ignore_on_load_missing: ClassVar[list[str] | None] = None
    _keys_to_ignore_on_load_unexpected: ClassVar[list[str] | None] = None
    _no_split_modules: ClassVar[list[str]] = []
    _skip_keys_device_placement: ClassVar[list[str] | None] = None
    _tp_plan: ClassVar[dict[str, str]] = {}
    _pp_plan: ClassVar[dict[str, str]] = {}

    @property
    def all_tied_weights_keys(self) -> dict[str, str]:
        """No weight is shared with another."""
        return {}

    @classmethod
    def can_generate(cls) -> bool:
        """Return False: nothing here generates token by token."""
        return False

    @classmethod
    def _can_set_attn_implementation(cls) -> bool:
        return True

    @classmethod
    def _can_set_experts_implementation(cls) -> bool:
        return False

    def get_input_embeddings(self) -> nn.Module:
        raise NotImplementedError("a network that reads samples has no input embeddings")

    def set_input_embeddings(self, value: nn.Module) -> None:
        raise NotImplementedError("a network that reads samples has no input embeddings")

    def get_output_embeddings(self) -> None:
        """Return None: the output layer is no embedding."""

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        raise NotImplementedError("the output layer is no embedding")

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Module:
        raise NotImplementedError(
            "there are no token embeddings; for another vocabulary load with vocab_size=N and "
            "ignore_mismatched_sizes=True"
        )

    def tie_weights(self, **kwargs: Any) -> None:
        """Do nothing: no weights are shared."""

    def add_model_tags(self, tags: list[str] | str) -> None:
        """Add to `model_tags` those that it lacks; programs that upload models read them."""
        known = self.model_tags or []
        added = [tags] if isinstance(tags, str) else tags
        self.model_tags = [*known, *(tag for tag in dict.fromkeys(added) if tag not in known)]

    @property
    def dummy_inputs(self) -> dict[str, torch.Tensor]:
        """A second of silence."""
        return {"input_values": torch.zeros(1, 16000)}
