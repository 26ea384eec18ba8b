"""Where somebody speaks: Silero's voice activity detector, from the weights in its package.

Its network is small and looks at 32 ms at a time; here many such windows go through it together,
which is several times faster than one after the other and gives the same numbers.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from w2v_cli.diarization.turns import runs_of
from w2v_cli.errors import MissingDependencyError, ModelError

FloatArray = npt.NDArray[np.float32]

SAMPLE_RATE = 16000
"""Hz of what it hears."""

_PACKAGE = "silero_vad"
_NETWORK = "data/silero_vad.jit"
_NETWORK_16K = "_model."  # beside it lies one for 8 kHz

_WINDOW_SAMPLES = 512
_CONTEXT_SAMPLES = 64  # of the window before
_REFLECTED_SAMPLES = 64
_HIDDEN_SIZE = 128
# Windows that go through the network together: 8 s.
_BATCH_WINDOWS = 256


@dataclass(frozen=True)
class SpeechOptions:
    """What counts as speech.

    Attributes:
        threshold: Speech begins in a window whose probability is as high,
        end_threshold: and ends where it falls below this.
        min_pause_seconds: Shorter pauses are kept with the speech around them.
        min_speech_seconds: What is shorter is no speech, but a click.
        margin_seconds: What is kept before and after speech: consonants are quiet.
    """

    threshold: float = 0.5
    end_threshold: float = 0.35
    min_pause_seconds: float = 1.5
    min_speech_seconds: float = 0.06
    margin_seconds: float = 0.5


class SileroVAD:
    """The detector's network.

    Raises:
        MissingDependencyError: The package silero-vad is not installed.
        ModelError: It has another network than the one that is known here.
    """

    def __init__(self) -> None:
        spec = find_spec(_PACKAGE)
        if spec is None or spec.origin is None:
            raise MissingDependencyError("silero-vad", extra="vad", purpose="--vad")
        self._weights = _weights(Path(spec.origin).parent / _NETWORK)
        self._lstm = torch.nn.LSTM(_HIDDEN_SIZE, _HIDDEN_SIZE)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        self._lstm.load_state_dict({f"{n}_l0": self._weights[f"decoder.rnn.{n}"] for n in names})
        self._lstm.requires_grad_(False)

    def probabilities(
        self, windows: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Return how probable speech is in each window, (windows,), and the state after them.

        Args:
            windows: (windows, context and window), one after the other.
            state: What was returned for those before; `start` gives the first.
        """
        with torch.inference_mode():
            padded = F.pad(windows[:, None], (0, _REFLECTED_SAMPLES), "reflect")
            spectrum = F.conv1d(padded, self._weights["stft.forward_basis_buffer"], stride=128)
            real, imaginary = spectrum.chunk(2, dim=1)
            features = (real.square() + imaginary.square()).sqrt()  # (windows, 129, 4)
            for layer, stride in enumerate((1, 2, 2, 1)):
                weight, bias = self._layer(f"encoder.{layer}.reparam_conv")
                features = F.conv1d(features, weight, bias, stride=stride, padding=1).relu()
            hidden, state = self._lstm(features.squeeze(-1), state)  # (windows, hidden)
            weight, bias = self._layer("decoder.decoder.2")
            logits = F.conv1d(hidden.relu()[:, :, None], weight, bias)  # (windows, 1, 1)
        return logits.sigmoid().flatten(), state

    def _layer(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]

    def start(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the state before the first window."""
        return torch.zeros(1, _HIDDEN_SIZE), torch.zeros(1, _HIDDEN_SIZE)


def _weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights of the network for 16 kHz in the package's file.

    Raises:
        ModelError: They are not there.
    """
    needed = {"stft.forward_basis_buffer", "decoder.rnn.weight_ih", "decoder.decoder.2.weight"}
    weights: dict[str, torch.Tensor] = {}
    if path.is_file():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the format is the package's
            network = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]  # torch's own
        weights = {
            name.removeprefix(_NETWORK_16K): weight
            for name, weight in network.state_dict().items()
            if name.startswith(_NETWORK_16K)
        }
    if not needed <= weights.keys():
        raise ModelError(
            f"--vad: {path} has not the network that is known here; install another release: "
            "pip install --upgrade silero-vad"
        )
    return weights


class SpeechDetector:
    """Finds speech in one channel while it is read; see `w2v_cli.inference.chunks.SpeechFinder`.

    Args:
        network: What tells speech from the rest; it may serve several detectors.
        options: What counts as speech; None for the defaults.
    """

    def __init__(self, network: SileroVAD, options: SpeechOptions | None = None) -> None:
        self._network = network
        self._options = options or SpeechOptions()
        self._state = network.start()
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)
        self._blocks: list[FloatArray] = []
        self._n_held = self._n_samples = 0
        self._probabilities: list[FloatArray] = []

    def hear(self, samples: FloatArray) -> None:
        """Take in the next samples."""
        self._blocks.append(samples)
        self._n_held += len(samples)
        self._n_samples += len(samples)
        batch = _BATCH_WINDOWS * _WINDOW_SAMPLES
        while self._n_held >= batch:
            held = np.concatenate(self._blocks)
            self._listen(held[:batch])
            self._blocks, self._n_held = [held[batch:]], self._n_held - batch

    def stretches(self) -> list[tuple[int, int]]:
        """Return where somebody spoke: first sample, and the sample after the last."""
        if self._n_held:
            held = np.concatenate(self._blocks)
            self._listen(np.pad(held, (0, -len(held) % _WINDOW_SAMPLES)))
            self._blocks, self._n_held = [], 0
        if not self._probabilities:
            return []
        probabilities = np.concatenate(self._probabilities)
        return speech_stretches(probabilities, self._n_samples, self._options)

    def _listen(self, samples: FloatArray) -> None:
        windows = samples.reshape(-1, _WINDOW_SAMPLES)
        before = np.vstack([self._context, windows[:-1, -_CONTEXT_SAMPLES:]])
        joined = torch.from_numpy(np.hstack([before, windows]))
        self._context = windows[-1, -_CONTEXT_SAMPLES:]
        probabilities, self._state = self._network.probabilities(joined, self._state)
        self._probabilities.append(probabilities.numpy())


def speech_stretches(
    probabilities: FloatArray, n_samples: int, options: SpeechOptions
) -> list[tuple[int, int]]:
    """Return the stretches of speech in samples, given its probability in each window."""
    begun = probabilities >= options.threshold
    goes_on = probabilities >= options.end_threshold
    # A run of windows that go on is speech from the first that begins it on.
    spans: list[tuple[int, int]] = []
    for first, end in runs_of(goes_on).tolist():
        starts = np.flatnonzero(begun[first:end])
        if len(starts):
            spans.append(((first + int(starts[0])) * _WINDOW_SAMPLES, end * _WINDOW_SAMPLES))
    shortest = options.min_speech_seconds * SAMPLE_RATE
    margin = round(options.margin_seconds * SAMPLE_RATE)
    pause = max(round(options.min_pause_seconds * SAMPLE_RATE), 2 * margin)
    joined: list[tuple[int, int]] = []
    for begin, end in spans:
        if end - begin < shortest:
            continue
        if joined and begin - joined[-1][1] < pause:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((begin, end))
    return [(max(begin - margin, 0), min(end + margin, n_samples)) for begin, end in joined]
