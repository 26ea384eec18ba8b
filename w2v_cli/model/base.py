"""What every network class shares: initialisation, lengths, switches, and the published doors."""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from w2v_cli.model.attention import (
    DEFAULT_ATTN_IMPLEMENTATION,
    Wav2Vec2Attention,
    check_attn_implementation,
)
from w2v_cli.model.checkpointing import CheckpointedModule
from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.encoder import Wav2Vec2AttnAdapterLayer
from w2v_cli.model.features import (
    Wav2Vec2FeatureProjection,
    Wav2Vec2PositionalConvEmbedding,
    conv_output_length,
)
from w2v_cli.model.initial_weights import draw_layer
from w2v_cli.model.masking import frame_mask
from w2v_cli.model.published import PublishedTraits
from w2v_cli.uploads import NotUploaded

_initialises: ContextVar[bool] = ContextVar("initialises", default=True)
AnyModel = TypeVar("AnyModel", bound="Wav2Vec2PreTrainedModel")


@contextlib.contextmanager
def skip_init() -> Iterator[None]:
    """Build models without drawing their weights, for a checkpoint to fill."""
    token = _initialises.set(False)
    try:
        yield
    finally:
        _initialises.reset(token)


class Wav2Vec2PreTrainedModel(PublishedTraits, NotUploaded, nn.Module):
    """The base of every network: a configuration, weights, and how to load and save them.

    Attributes:
        config: The configuration; `attn_implementation` chosen where it left that open.
        padding_invariant: False: as published. True: a recording's output does not depend on
            the padding that a batch gave it (see docs/differences.md). Needs attention_mask.
        edge_samples: 0: as published. Else so many zeros are heard before and after each
            recording, which `w2v_cli.model.features.edge_samples` tells for a configuration.
        attention_window: None: as published. Else how many frames before and after itself a
            frame attends to in each layer, for recordings much longer than those of the training.
    """

    config_class: ClassVar[type[Wav2Vec2Config]] = Wav2Vec2Config
    base_model_prefix: ClassVar[str] = "wav2vec2"
    main_input_name: ClassVar[str] = "input_values"
    input_modalities: ClassVar[str] = "audio"

    def __init__(self, config: Wav2Vec2Config, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        if not isinstance(config, Wav2Vec2Config):
            raise ValueError(
                f"{type(self).__name__}(config) needs a Wav2Vec2Config, not a "
                f"{type(config).__name__}; for a folder or a model id use "
                f"{type(self).__name__}.from_pretrained(name)"
            )
        if isinstance(config._attn_implementation, dict):  # of several networks; this is the one
            config._attn_implementation = config._attn_implementation.get("")
        if config._attn_implementation is None:
            config._attn_implementation = DEFAULT_ATTN_IMPLEMENTATION
            config._attn_is_default = True
        check_attn_implementation(config._attn_implementation)
        self.config = config
        self.name_or_path = config.name_or_path
        self._padding_invariant = False
        self._edge_samples = 0
        self._attention_window: int | None = None

    @property
    def base_model(self) -> Wav2Vec2PreTrainedModel:
        """The network without its head; itself where there is no head."""
        base: Wav2Vec2PreTrainedModel = getattr(self, self.base_model_prefix, self)
        return base

    def get_encoder(self, modality: str | None = None) -> nn.Module:
        """Return the layers over frames; for any modality by name, the model, as published."""
        return self if modality else self.base_model.get_submodule("encoder")

    def get_decoder(self) -> nn.Module:
        """Return the network without its head, as published: it has no decoder."""
        return self.base_model

    def get_parameter_or_buffer(self, target: str) -> torch.Tensor:
        """Return the weight or the buffer of that name.

        Raises:
            AttributeError: there is neither.
        """
        try:
            return self.get_parameter(target)
        except AttributeError:
            return self.get_buffer(target)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' type."""
        return next(p.dtype for p in self.parameters() if p.is_floating_point())

    @property
    def padding_invariant(self) -> bool:
        return self.base_model._padding_invariant

    @padding_invariant.setter
    def padding_invariant(self, value: bool) -> None:
        self.base_model._padding_invariant = value

    @property
    def edge_samples(self) -> int:
        return self.base_model._edge_samples

    @edge_samples.setter
    def edge_samples(self, value: int) -> None:
        self.base_model._edge_samples = value

    @property
    def attention_window(self) -> int | None:
        return self.base_model._attention_window

    @attention_window.setter
    def attention_window(self, value: int | None) -> None:
        self.base_model._attention_window = value
        for module in self.modules():
            if isinstance(module, Wav2Vec2Attention):
                module.window = value

    def set_attn_implementation(self, attn_implementation: str | dict[str, str]) -> None:
        """Choose eager, sdpa or flash_attention_2; in a dictionary, under the name "".

        Raises:
            ValueError: the name is unknown.
            ImportError: it can't run here; the message names one that can.
        """
        chosen = attn_implementation
        if isinstance(chosen, dict):
            chosen = chosen.get("", self.config._attn_implementation or DEFAULT_ATTN_IMPLEMENTATION)
        check_attn_implementation(chosen)
        self.config._attn_implementation = chosen
        self.config._attn_is_default = False

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """Return the number of weights; a speech network has no embeddings to exclude."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not only_trainable)

    def get_memory_footprint(self, return_buffers: bool = True) -> int:
        """Return the bytes of the weights, and of the buffers unless they don't count."""
        tensors = [*self.parameters(), *(self.buffers() if return_buffers else ())]
        return sum(tensor.nbytes for tensor in tensors)

    def gradient_checkpointing_enable(
        self, gradient_checkpointing_kwargs: dict[str, Any] | None = None
    ) -> None:
        """Recompute activations in the backward pass: less memory, more time."""
        options = {"use_reentrant": False, **(gradient_checkpointing_kwargs or {})}
        self._set_gradient_checkpointing(True, functools.partial(checkpoint, **options))

    def gradient_checkpointing_disable(self) -> None:
        """Keep activations for the backward pass again."""
        self._set_gradient_checkpointing(False, checkpoint)

    def _set_gradient_checkpointing(self, enable: bool, function: Any) -> None:
        module: Any
        for module in self.modules():
            if isinstance(module, CheckpointedModule):
                module._checkpoint = function
            if hasattr(module, "gradient_checkpointing"):
                module.gradient_checkpointing = enable

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether gradient_checkpointing_enable() is in force."""
        return any(getattr(m, "gradient_checkpointing", False) for m in self.modules())

    def activation_checkpointing_enable(
        self,
        activation_checkpointing_kwargs: dict[str, Any] | None = None,
        every_n_layers: int = 1,
        offload: bool = False,
    ) -> None:
        """Recompute activations in the backward pass, by the newer published name.

        Raises:
            ValueError: Only some layers, or activations moved to the processor, are asked for.
        """
        if every_n_layers != 1 or offload:
            raise ValueError(
                "activations of all layers are recomputed here, and none are moved elsewhere; "
                "leave every_n_layers at 1 and offload at False"
            )
        self.gradient_checkpointing_enable(activation_checkpointing_kwargs)

    # The newer published names of the two above.
    activation_checkpointing_disable = gradient_checkpointing_disable
    is_activation_checkpointing = is_gradient_checkpointing

    def enable_input_require_grads(self) -> None:
        """Make the encoder's input require a gradient, also above frozen layers.

        Reentrant gradient checkpointing needs it where only parts of the encoder are trained.
        """
        projection = self.base_model.get_submodule("feature_projection")
        self._input_hook = projection.register_forward_hook(
            lambda module, inputs, output: (output[0].requires_grad_(), output[1])
        )

    def disable_input_require_grads(self) -> None:
        """Undo enable_input_require_grads()."""
        self._input_hook.remove()

    def post_init(self) -> None:
        """Draw the initial weights, unless a checkpoint is about to fill them.

        Called at the end of every class's __init__.
        """
        if _initialises.get():
            self.init_weights()
        if getattr(self.config, "gradient_checkpointing", False):  # as older folders have it
            self.gradient_checkpointing_enable()

    @torch.no_grad()
    def init_weights(self) -> None:
        """Draw the weights anew; those of an inner model, which drew its own, stay."""
        self._initialise(self)

    def _initialise(self, module: nn.Module) -> None:
        for child in module.children():
            if not isinstance(child, Wav2Vec2PreTrainedModel):
                self._initialise(child)
        self._init_weights(module)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Draw one module's own weights; a parent's turn comes after its children's."""
        if isinstance(module, Wav2Vec2PositionalConvEmbedding):
            conv = module.conv
            std = 2 * math.sqrt(1 / (conv.kernel_size[0] * conv.in_channels))
            conv.weight = torch.empty_like(conv.weight).normal_(0.0, std)
            nn.init.zeros_(conv.bias)
        elif isinstance(module, Wav2Vec2FeatureProjection):
            bound = math.sqrt(1 / module.projection.in_features)
            nn.init.uniform_(module.projection.weight, -bound, bound)
            nn.init.uniform_(module.projection.bias, -bound, bound)
        elif isinstance(module, nn.Conv1d):
            if hasattr(module, "parametrizations"):
                return  # that of positions, drawn above
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                bound = math.sqrt(module.groups / (module.in_channels * module.kernel_size[0]))
                nn.init.uniform_(module.bias, -bound, bound)
        else:
            draw_layer(module, std=self.config.initializer_range)

    def _get_feat_extract_output_lengths(
        self, input_lengths: torch.Tensor | int, add_adapter: bool | None = None
    ) -> torch.Tensor:
        """Return output frames for numbers of samples, without and with the final adapter."""
        lengths = torch.as_tensor(input_lengths) + 2 * self.edge_samples
        for kernel_size, stride in zip(
            self.config.conv_kernel, self.config.conv_stride, strict=True
        ):
            lengths = conv_output_length(lengths, kernel_size, stride)
        if self.config.add_adapter if add_adapter is None else add_adapter:
            for _ in range(self.config.num_adapter_layers):
                lengths = conv_output_length(lengths, 1, self.config.adapter_stride)
        return lengths

    def _get_feature_vector_attention_mask(
        self,
        feature_vector_length: int,
        attention_mask: torch.Tensor,
        add_adapter: bool | None = None,
    ) -> torch.Tensor:
        """Return which frames are real, bool (batch, feature_vector_length).

        Of a recording too short for a frame they are counted from the end, as published.
        """
        n_samples = attention_mask.sum(-1)
        lengths = self._get_feat_extract_output_lengths(n_samples, add_adapter=add_adapter)
        from_the_end = (lengths + feature_vector_length).clamp(min=1)
        lengths = lengths.where(lengths > 0, from_the_end)
        return frame_mask(lengths, feature_vector_length)

    def _get_adapters(self) -> dict[str, nn.Parameter]:
        """Return what a language's adapter file holds, by name.

        Raises:
            ValueError: the configuration has no adapter_attn_dim.
        """
        if self.config.adapter_attn_dim is None:
            raise ValueError(
                f"{type(self).__name__} has no adapter layers. Make sure to define "
                "`config.adapter_attn_dim`."
            )
        weights = {
            f"{name}.{inner_name}": parameter
            for name, module in self.named_modules()
            if isinstance(module, Wav2Vec2AttnAdapterLayer)
            for inner_name, parameter in module.named_parameters()
        }
        head = getattr(self, "lm_head", None)
        if head is not None:
            weights |= {f"lm_head.{name}": p for name, p in head.named_parameters()}
        return weights

    def init_adapter_layers(self) -> None:
        """Draw the attention adapters and the CTC head anew, to fine-tune these alone."""
        for module in self.modules():
            if isinstance(module, Wav2Vec2AttnAdapterLayer):
                self._initialise(module)
        head = getattr(self, "lm_head", None)
        if head is not None:
            self._initialise(head)

    def load_adapter(self, target_lang: str, force_load: bool = True, **kwargs: Any) -> None:
        """Load a language's adapter and head from the folder or model id the model came from.

        Args:
            target_lang: An id such as "eng": adapter.eng.safetensors or adapter.eng.bin is read.
            force_load: Whether to load it even where it is the present one.
            **kwargs: Where to look (revision, cache_dir, token, local_files_only,
                force_download) and use_safetensors.

        Raises:
            ValueError: the model has no adapters, or the file's weights are not these.
            ModelError: there is no such file.
        """
        from w2v_cli.checkpoint.adapters import load_adapter

        load_adapter(self, target_lang, force_load=force_load, **kwargs)

    @classmethod
    def _from_config(cls: type[AnyModel], config: Wav2Vec2Config, **kwargs: Any) -> AnyModel:
        """Return a model with fresh weights, of the type that dtype or the configuration names."""
        dtype = kwargs.pop("dtype", kwargs.pop("torch_dtype", config.dtype))
        attn_implementation = kwargs.pop("attn_implementation", None)
        if attn_implementation is not None:
            config._attn_implementation = attn_implementation
        model = cls(config, **kwargs)
        return model if dtype is None else model.to(dtype)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], *args: Any, **kwargs: Any
    ) -> Any:
        """Return a model with the weights of a folder, an embedded model or a model id.

        The model is in evaluation mode. With `output_loading_info=True` a pair is returned, of
        the model and what was missing, unexpected or mismatched.

        Args:
            pretrained_model_name_or_path: What to load.
            *args: Passed to the class after the configuration.
            **kwargs: See `w2v_cli.checkpoint.loading.load_model`; fields of the configuration
                take precedence over the folder's.

        Raises:
            ModelError: nothing is there, it can't be fetched, or it doesn't fit this class.
        """
        from w2v_cli.checkpoint.loading import load_model

        return load_model(cls, pretrained_model_name_or_path, *args, **kwargs)

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Write config.json and safetensors into a folder that the published classes read.

        Args:
            save_directory: The folder, which is made when it isn't there.
            **kwargs: See `w2v_cli.checkpoint.saving.save_model`.
        """
        from w2v_cli.checkpoint.saving import save_model

        save_model(self, save_directory, **kwargs)
