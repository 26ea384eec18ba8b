"""The convolutions of a long recording, piece by piece: the same features in less memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn


class FeaturesInPieces(nn.Module):
    """A feature encoder that hears long input values in pieces.

    A frame depends on the samples that it sees, and through a group norm on the mean and the
    variance of the whole; these are found first. So the features are those of the whole, up to
    rounding, and only they, not what leads to them, lie in memory at once.

    Args:
        encoder: A `Wav2Vec2FeatureEncoder`, or what does the same.
        hop_samples: From one of its frames to the next.
        receptive_field_samples: What one of them sees.
        piece_frames: How many of them a piece has.
    """

    def __init__(
        self, encoder: nn.Module, hop_samples: int, receptive_field_samples: int, piece_frames: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self._hop, self._field = hop_samples, receptive_field_samples
        self._piece_frames = max(piece_frames, 1)

    @property
    def conv_layers(self) -> Any:
        """The encoder's own."""
        return self.encoder.conv_layers

    def forward(
        self, input_values: torch.Tensor, input_lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return features, (batch, channels, frames); see `Wav2Vec2FeatureEncoder.forward`.

        Recordings that share a batch with others are heard at once: they are short.
        """
        n_frames = (input_values.shape[1] - self._field) // self._hop + 1
        if len(input_values) > 1 or n_frames <= self._piece_frames:
            features: torch.Tensor = self.encoder(input_values, input_lengths)
            return features
        first = self.conv_layers[0]
        known = getattr(first, "statistics", None)
        is_grouped = hasattr(first, "statistics")
        if is_grouped and known is None:
            first.statistics = self._statistics(input_values)
        try:
            pieces = [self.encoder(piece, None) for piece in self._pieces(input_values, n_frames)]
        finally:
            if is_grouped:
                first.statistics = known
        return torch.cat(pieces, dim=2)

    def _pieces(self, input_values: torch.Tensor, n_frames: int) -> Iterator[torch.Tensor]:
        for begin in range(0, n_frames, self._piece_frames):
            end = min(begin + self._piece_frames, n_frames)
            yield input_values[:, begin * self._hop : (end - 1) * self._hop + self._field]

    def _statistics(self, input_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and variance of each channel of the first convolution, (1, channels)."""
        conv = self.conv_layers[0].conv
        kernel, stride = conv.kernel_size[0], conv.stride[0]
        n_places = (input_values.shape[1] - kernel) // stride + 1
        places_at_once = self._piece_frames * self._hop // stride
        total = squares = torch.zeros(())
        for begin in range(0, n_places, places_at_once):
            end = min(begin + places_at_once, n_places)
            heard = input_values[:, None, begin * stride : (end - 1) * stride + kernel]
            found = conv(heard).to(torch.float32)
            centre = found.mean(dim=-1, keepdim=True)
            # Sums of squares around a piece's own mean, so that nothing large is subtracted.
            n_here = end - begin
            spread = (found - centre).square().sum(dim=-1).double().cpu()
            mean = centre[..., 0].double().cpu()
            total = total + mean * n_here
            squares = squares + spread + mean.square() * n_here
        mean = total / n_places
        variance = (squares / n_places - mean.square()).clamp(min=0)
        device = input_values.device
        return mean.float().to(device), variance.float().to(device)
