"""The convolutional feature encoder: samples to feature frames (Baevski et al. 2020, 2)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.model.activations import activation
from w2v_cli.model.checkpointing import CheckpointedModule
from w2v_cli.model.config import Wav2Vec2Config
from w2v_cli.model.dropout import Dropout
from w2v_cli.model.masking import frame_mask


def conv_output_length(
    input_length: torch.Tensor, kernel_size: int, stride: int, dilation: int = 1
) -> torch.Tensor:
    """Return the output length of an unpadded 1-D convolution."""
    span = dilation * (kernel_size - 1) + 1
    return torch.div(input_length - span, stride, rounding_mode="floor") + 1


def receptive_field_samples(config: Wav2Vec2Config) -> int:
    """Return how many samples a frame sees.

    >>> receptive_field_samples(Wav2Vec2Config())
    400
    """
    n_samples, step = 1, 1
    for kernel_size, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        n_samples += (kernel_size - 1) * step
        step *= stride
    return n_samples


def edge_samples(config: Wav2Vec2Config) -> int:
    """Return how much silence on each side lets frames begin and end with a recording.

    In the published shapes they nearly do; 0. What convolutions see that reach much further than
    from frame to frame is the middle of a recording, and of a short one little.

    >>> edge_samples(Wav2Vec2Config())
    0
    >>> edge_samples(Wav2Vec2Config(feat_extract_norm="layer", conv_kernel=(2000, *[1] * 6)))
    840
    """
    hop = config.inputs_to_logits_ratio
    lead = (receptive_field_samples(config) - hop) // 2
    # A group norm would hear the silence in all of the recording.
    return lead if 2 * lead > hop and config.feat_extract_norm == "layer" else 0


def shortest_recording_samples(config: Wav2Vec2Config) -> int:
    """Return of how many samples there is a frame, silence at the edges not counted.

    >>> shortest_recording_samples(Wav2Vec2Config())
    400
    """
    return receptive_field_samples(config) - 2 * edge_samples(config)


def samples_of_frames(config: Wav2Vec2Config, n_frames: int) -> int:
    """Return of how many samples there are so many frames, silence at the edges not counted.

    >>> samples_of_frames(Wav2Vec2Config(), 3)
    1040
    """
    return shortest_recording_samples(config) + (n_frames - 1) * config.inputs_to_logits_ratio


def count_frames(config: Wav2Vec2Config, n_samples: int) -> int:
    """Return how many frames the convolutions make of samples, with silence at the edges.

    >>> count_frames(Wav2Vec2Config(), 16000)
    49
    """
    beyond = n_samples - shortest_recording_samples(config)
    return max(beyond // config.inputs_to_logits_ratio + 1, 0)


class ConvLayer(CheckpointedModule):
    """A convolution and its activation; the two classes below add a norm between them."""

    def __init__(self, config: Wav2Vec2Config, layer_id: int) -> None:
        super().__init__()
        self.in_conv_dim = config.conv_dim[layer_id - 1] if layer_id > 0 else 1
        self.out_conv_dim = config.conv_dim[layer_id]
        self.conv = nn.Conv1d(
            self.in_conv_dim,
            self.out_conv_dim,
            kernel_size=config.conv_kernel[layer_id],
            stride=config.conv_stride[layer_id],
            bias=config.conv_bias,
        )
        self.activation = activation(config.feat_extract_activation)

    def normalise(self, hidden_states: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        return hidden_states

    def forward(
        self, hidden_states: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return (batch, out_channels, out_frames) from (batch, in_channels, in_frames).

        Args:
            hidden_states: The input.
            lengths: Real output frames (batch,), for norms that look along time.
        """
        hidden_states = self.conv(hidden_states)
        hidden_states = self.normalise(hidden_states, lengths)
        activated: torch.Tensor = self.activation(hidden_states)
        return activated


class LayerNormConvLayer(ConvLayer):
    """A convolution with a norm over the channels of each frame."""

    def __init__(self, config: Wav2Vec2Config, layer_id: int) -> None:
        super().__init__(config, layer_id)
        self.layer_norm = nn.LayerNorm(self.out_conv_dim, elementwise_affine=True)

    def normalise(self, hidden_states: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        normalised: torch.Tensor = self.layer_norm(hidden_states.transpose(-2, -1))
        return normalised.transpose(-2, -1)


class GroupNormConvLayer(ConvLayer):
    """A convolution with a norm over the time of each channel.

    The norm sees padding too, unless `lengths` says where the recording ends.

    Attributes:
        statistics: None: as published. Else mean and variance that are taken for those of each
            row and channel, (batch, channels) both: of a whole recording, where the rows are
            parts of it.
    """

    def __init__(self, config: Wav2Vec2Config, layer_id: int) -> None:
        super().__init__(config, layer_id)
        self.layer_norm = nn.GroupNorm(
            num_groups=self.out_conv_dim, num_channels=self.out_conv_dim, affine=True
        )
        self.statistics: tuple[torch.Tensor, torch.Tensor] | None = None

    def normalise(self, hidden_states: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        if lengths is None and self.statistics is None:
            normalised: torch.Tensor = self.layer_norm(hidden_states)
            return normalised
        values = hidden_states.to(torch.float32)
        if self.statistics is not None:
            mean, variance = (number[:, :, None] for number in self.statistics)
        elif lengths is not None:
            real = frame_mask(lengths, hidden_states.shape[-1])[:, None, :]  # (batch, 1, frames)
            n_real = lengths.clamp(min=1)[:, None, None].to(torch.float32)
            mean = (values * real).sum(-1, keepdim=True) / n_real
            variance = ((values - mean).square() * real).sum(-1, keepdim=True) / n_real
        values = (values - mean) * torch.rsqrt(variance + self.layer_norm.eps)
        values = values * self.layer_norm.weight[:, None] + self.layer_norm.bias[:, None]
        return values.to(hidden_states.dtype)


class Wav2Vec2FeatureEncoder(nn.Module):
    """Samples (batch, samples) to features (batch, conv_dim[-1], frames)."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        n_layers = config.num_feat_extract_layers
        layers: list[ConvLayer]
        if config.feat_extract_norm == "group":
            layers = [GroupNormConvLayer(config, 0)]
            layers += [ConvLayer(config, i) for i in range(1, n_layers)]
        elif config.feat_extract_norm == "layer":
            layers = [LayerNormConvLayer(config, i) for i in range(n_layers)]
        else:
            raise ValueError(
                f"`config.feat_extract_norm` is {config.feat_extract_norm}, but has to be one of "
                "['group', 'layer']"
            )
        self.conv_layers = nn.ModuleList(layers)
        self.spans = tuple(zip(config.conv_kernel, config.conv_stride, strict=True))
        self.gradient_checkpointing = False

    def _freeze_parameters(self) -> None:
        for parameter in self.parameters():
            parameter.requires_grad = False

    @property
    def _checkpoints_first_layer(self) -> bool:
        return (
            self.gradient_checkpointing
            and self.training
            and torch.is_grad_enabled()
            and any(parameter.requires_grad for parameter in self.conv_layers[0].parameters())
        )

    def forward(
        self, input_values: torch.Tensor, input_lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return features, (batch, conv_dim[-1], frames).

        Args:
            input_values: (batch, samples).
            input_lengths: Real samples (batch,): makes the group norm look at these alone.
        """
        hidden_states = input_values[:, None]  # (batch, 1, samples)
        if self._checkpoints_first_layer and not hidden_states.requires_grad:
            # What is calculated again the reentrant way learns only if what it is given does.
            hidden_states.requires_grad_()
        lengths = input_lengths
        for layer, (kernel_size, stride) in zip(self.conv_layers, self.spans, strict=True):
            if lengths is not None:
                lengths = conv_output_length(lengths, kernel_size, stride)
            hidden_states = layer(hidden_states, lengths)
        return hidden_states


class Wav2Vec2FeatureProjection(nn.Module):
    """Feature frames to the encoder's width, and the normalised features themselves."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.conv_dim[-1], eps=config.layer_norm_eps)
        self.projection = nn.Linear(config.conv_dim[-1], config.hidden_size)
        self.dropout = Dropout(config.feat_proj_dropout)

    def forward(self, hidden_states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (batch, frames, hidden) and the normalised input (batch, frames, conv_dim)."""
        normalised = self.layer_norm(hidden_states)  # the quantizer's input
        return self.dropout(self.projection(normalised)), normalised


class Wav2Vec2PositionalConvEmbedding(nn.Module):
    """Relative positions as a grouped convolution over time, weight-normalised."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        kernel_size = config.num_conv_pos_embeddings
        conv = nn.Conv1d(
            config.hidden_size,
            config.hidden_size,
            kernel_size=kernel_size,
            padding=kernel_size // 2,
            groups=config.num_conv_pos_embedding_groups,
        )
        if conv.weight.is_meta:
            # A checkpoint is about to fill it. Weight norm takes a norm, and the first norm on
            # the meta device imports torch's compiler: a second, on every start, for nothing.
            conv.weight = nn.Parameter(torch.empty(conv.weight.shape, device="cpu"))
        self.conv = nn.utils.parametrizations.weight_norm(conv, name="weight", dim=2)
        self.activation = activation(config.feat_extract_activation)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return what is to be added to the input, (batch, frames, hidden)."""
        n_frames = hidden_states.shape[1]
        positions = self.conv(hidden_states.transpose(1, 2))[..., :n_frames]
        activated: torch.Tensor = self.activation(positions)
        return activated.transpose(1, 2)


class Wav2Vec2AdapterLayer(nn.Module):
    """A strided convolution with a gated linear unit."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        assert config.output_hidden_size is not None
        self.conv = nn.Conv1d(
            config.output_hidden_size,
            2 * config.output_hidden_size,
            config.adapter_kernel_size,
            stride=config.adapter_stride,
            padding=1,
        )

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return F.glu(self.conv(hidden_states), dim=1)
