"""The positional convolution, whose kernel is long, as products of spectra."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from w2v_cli.inference.form.features import activate
from w2v_cli.inference.form.mapped import forget

# Kernels of fewer frames, or groups of fewer channels, are faster as a plain convolution.
_SHORTEST_KERNEL = 64
_NARROWEST_GROUP = 32


def positions_form(trained: Any) -> nn.Module:
    """Return the faster form of a trained positional convolution."""
    conv = trained.conv
    is_small = conv.kernel_size[0] < _SHORTEST_KERNEL
    is_narrow = conv.in_channels // conv.groups < _NARROWEST_GROUP
    form = FoldedPositions(trained) if is_small or is_narrow else SpectralPositions(trained)
    for parameter in conv.parameters():
        forget(parameter.detach())
    return form


class FoldedPositions(nn.Module):
    """The trained convolution, its weight norm calculated once."""

    def __init__(self, trained: Any) -> None:
        super().__init__()
        conv = trained.conv
        self._weight = conv.weight.detach().clone()
        self._bias = conv.bias.detach().clone()
        self._groups = conv.groups
        self._padding = conv.padding[0]
        self.activation = trained.activation

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return what is to be added to the input, (batch, frames, hidden)."""
        n_frames = hidden_states.shape[1]
        positions = F.conv1d(
            hidden_states.transpose(1, 2),
            self._weight,
            self._bias,
            padding=self._padding,
            groups=self._groups,
        )[..., :n_frames]
        return activate(self.activation, positions.transpose(1, 2))


class SpectralPositions(nn.Module):
    """The same by overlapping blocks of time, each a product of spectra (overlap-save).

    A block is twice as long as the kernel; what its end lacks is the next block's beginning.
    """

    def __init__(self, trained: Any) -> None:
        super().__init__()
        conv = trained.conv
        kernel = conv.kernel_size[0]
        self._groups = conv.groups
        self._before = conv.padding[0]
        self._block = 2 ** (2 * kernel - 1).bit_length()
        self._kept = self._block - kernel + 1  # frames of a block that hear all of the kernel
        channels = conv.in_channels // conv.groups
        weight = conv.weight.detach().view(self._groups, channels, channels, kernel)
        spectra = torch.fft.rfft(weight, n=self._block).conj()  # (groups, out, in, frequencies)
        self._spectra = spectra.permute(3, 0, 2, 1).contiguous()  # (frequencies, groups, in, out)
        self._bias = conv.bias.detach().clone()
        self.activation = trained.activation

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return what is to be added to the input, (batch, frames, hidden)."""
        return torch.stack([self._of_one(row) for row in hidden_states])

    def _of_one(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return (frames, hidden) from (frames, hidden)."""
        n_frames, size = hidden.shape
        n_blocks = -(-n_frames // self._kept)
        after = n_blocks * self._kept + self._block - self._kept - n_frames - self._before
        padded = F.pad(hidden.t(), (self._before, after))  # (hidden, frames and more)
        blocks = padded.unfold(1, self._block, self._kept)  # (hidden, blocks, frames)
        spectra = torch.fft.rfft(blocks).view(self._groups, -1, n_blocks, self._block // 2 + 1)
        spectra = spectra.permute(3, 0, 2, 1)  # (frequencies, groups, blocks, in)
        products = torch.matmul(spectra, self._spectra).permute(2, 1, 3, 0)
        heard = torch.fft.irfft(products, n=self._block)[..., : self._kept]
        # (blocks, groups, out, frames) to (frames, hidden)
        heard = heard.permute(0, 3, 1, 2).reshape(n_blocks * self._kept, size)[:n_frames]
        return activate(self.activation, heard.add_(self._bias))
