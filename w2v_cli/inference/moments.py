"""What a group norm has to know of a whole recording, from a first look at its samples.

The norm of the published base models follows the first convolution, and takes mean and variance
of each of its channels over all of the time. A channel is a linear function of the few samples
that the kernel sees, so both follow from the mean of these samples and of their products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Means over all places of a kernel in a recording.

    Attributes:
        samples: Of each of the samples that it sees, (kernel,).
        products: Of the products of each two of them, (kernel, kernel).
    """

    samples: DoubleArray
    products: DoubleArray

    def of_scaled(self, slope: float, offset: float) -> Moments:
        """Return those of the recording with each sample times a slope, plus an offset."""
        summed = self.samples[:, None] + self.samples
        return Moments(
            slope * self.samples + offset,
            slope**2 * self.products + slope * offset * summed + offset**2,
        )

    def mean_and_variance(
        self, weight: npt.NDArray[Any], bias: npt.NDArray[Any] | None
    ) -> tuple[DoubleArray, DoubleArray]:
        """Return those of each channel of a convolution, (channels,) and (channels,).

        Args:
            weight: Its kernels, (channels, kernel).
            bias: What it adds, (channels,).
        """
        exact = weight.astype(np.float64)
        mean = exact @ self.samples
        variance = np.einsum("ck,kl,cl->c", exact, self.products, exact) - mean**2
        return mean + (0 if bias is None else bias), np.maximum(variance, 0.0)


class MomentsSurvey:
    """Takes the moments of a recording while it is read.

    Args:
        kernel: How many samples the convolution sees.
        stride: From one of its places to the next.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        self._kernel, self._stride = kernel, stride
        self._rest = np.zeros(0, np.float64)
        self._n_places = 0
        self._samples = np.zeros(kernel)
        self._products = np.zeros((kernel, kernel))

    def add(self, samples: npt.NDArray[Any]) -> None:
        """Take in the next samples."""
        held = np.concatenate([self._rest, samples.astype(np.float64)])
        if len(held) < self._kernel:
            self._rest = held
            return
        places = np.lib.stride_tricks.sliding_window_view(held, self._kernel)[:: self._stride]
        places = np.ascontiguousarray(places)  # which BLAS multiplies: three times as fast
        self._n_places += len(places)
        self._samples += places.sum(axis=0)
        self._products += places.T @ places
        self._rest = held[len(places) * self._stride :].copy()

    def moments(self) -> Moments:
        """Return what was found; zeros where there is not a single place."""
        n_places = max(self._n_places, 1)
        return Moments(self._samples / n_places, self._products / n_places)
