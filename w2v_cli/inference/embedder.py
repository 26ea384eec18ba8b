"""Waveforms to vectors: hidden states of a layer, pooled, or a model of speakers' x-vectors."""

from __future__ import annotations

import math
import os
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from w2v_cli.checkpoint.resolve import pin
from w2v_cli.counts import counted
from w2v_cli.errors import UsageError
from w2v_cli.inference.loading import Head, Loading
from w2v_cli.inference.network import FloatArray, Network
from w2v_cli.inference.pooling import EveryFrame, FrameStatistics, Pool, PoolName, StatisticsPool
from w2v_cli.model.features import samples_of_frames
from w2v_cli.results import VectorKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.runtime import Runtime
    from w2v_cli.model.config import Wav2Vec2Config
    from w2v_cli.model.wav2vec2 import Wav2Vec2Model
    from w2v_cli.model.xvector import Wav2Vec2ForXVector
    from w2v_cli.processing.feature_extractor import Wav2Vec2FeatureExtractor

LAST_LAYER = "last"
DEFAULT_POOL: PoolName = "mean"
THRESHOLD_FIELD = "verification_threshold"
"""What the configuration of a model of speakers calls the cosine from which on two recordings
count as one speaker's."""

_PIECE_FRAMES = 256  # about 5 s; no slower than a whole chunk at once

XVECTOR_HEAD = Head(
    architecture="Wav2Vec2ForXVector",
    job="embed",
    lacks="has no x-vectors",
    example="mini-speakers",
    weights=("projector.", "tdnn.", "feature_extractor."),
    weights_name="the speaker head (projector, tdnn, feature_extractor)",
    cannot="make x-vectors",
)


class Embedder(Network):
    """A model that turns waveforms into vectors.

    Attributes:
        layer: Which layer's hidden states, a number or last; None for x-vectors.
        pool_name: How frames become a vector; None for x-vectors.
        threshold: The cosine from which on two recordings count as one speaker's; None where
            the model says nothing of it, or where its x-vectors are not used.
        shortest_samples: What a recording has to have for a vector.
    """

    layer: str | None = None
    pool_name: PoolName | None = None
    threshold: float | None = None
    shortest_samples: int

    @abstractmethod
    def pool(self, dtype: npt.DTypeLike = np.float32) -> Pool:
        """Return what takes in the frames of one channel.

        Args:
            dtype: What frames are kept as, where all of them are.
        """


class HiddenStates(Embedder):
    """A model of any kind, of which the hidden states of one layer are taken.

    Args:
        name: The model that was asked for.
        model: The network without a head; layers above the one that is asked for are taken out.
        feature_extractor: What makes input values of waveforms.
        layer: A number as the published hidden_states count, 0 for what goes into the first
            layer and negative from the end; or last for the network's output, which in some
            models has gone through one more norm, or an adapter.
        pool_name: How frames become a vector.

    Raises:
        UsageError: The model has no such layer.
    """

    def __init__(
        self,
        name: str,
        model: Wav2Vec2Model,
        feature_extractor: Wav2Vec2FeatureExtractor,
        layer: str = LAST_LAYER,
        pool_name: PoolName = DEFAULT_POOL,
    ) -> None:
        super().__init__(name, model, feature_extractor)
        self.layer, self.pool_name = layer, pool_name
        self.shortest_samples = self.receptive_field_samples
        self._index: int | None = None
        if layer == LAST_LAYER:
            return
        self._index = layer_index(name, int(layer), len(model.encoder.layers))
        self.hop_samples = math.prod(model.config.conv_stride)  # before a final adapter
        model.encoder.layers = model.encoder.layers[: max(self._index, 1)]
        model.adapter = None

    def outputs(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the layer's hidden states, (batch, frames, hidden)."""
        found: Any = self.model(
            input_values,
            attention_mask=attention_mask,
            output_attentions=False,
            output_hidden_states=False if self._index is None else self._index,
            return_dict=True,
        )
        states: torch.Tensor = found.last_hidden_state
        if self._index is not None:
            states = found.hidden_states[self._index]
        return states.float()

    def output_lengths(self, n_samples: Sequence[int]) -> list[int]:
        """Return how many frames there are; a final adapter makes the last layer's fewer."""
        adapted = None if self._index is None else False
        lengths: list[int] = self.model._get_feat_extract_output_lengths(
            torch.tensor(n_samples), add_adapter=adapted
        ).tolist()
        return lengths

    def pool(self, dtype: npt.DTypeLike = np.float32) -> Pool:
        """Return what takes in the frames of one channel."""
        if self.pool_name is None or self.pool_name == "none":
            return EveryFrame(dtype)
        return StatisticsPool(self.pool_name)


class XVectors(Embedder):
    """A model of speakers (Snyder et al. 2018).

    What the network gives for a frame is what its TDNN reads; that runs over the frames of all
    chunks as if they came from one (`XVectorPool`).
    """

    model: Wav2Vec2ForXVector

    def __init__(
        self,
        name: str,
        model: Wav2Vec2ForXVector,
        feature_extractor: Wav2Vec2FeatureExtractor,
    ) -> None:
        super().__init__(name, model, feature_extractor)
        self.threshold = own_threshold(model.config)
        n_frames = shortest_vector_frames(model.config)
        self.shortest_samples = samples_of_frames(model.config, n_frames)

    def outputs(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return what the TDNN reads, (batch, frames, channels)."""
        hidden_states, _, _ = self.model._encode(input_values, attention_mask, False, False)
        projected: torch.Tensor = self.model.projector(hidden_states)
        return projected.float()

    def pool(self, dtype: npt.DTypeLike = np.float32) -> XVectorPool:
        """Return what takes in the frames of one channel."""
        return XVectorPool(self.model)


class XVectorPool:
    """The TDNN over the frames of a channel, and its statistics; see `pooling.Pool`.

    The TDNN runs over pieces of one length, `_PIECE_FRAMES`: what PyTorch prepares for a
    convolution of another length, and for each chunk anew, stays in the heap and makes it grow.
    Of the frames that were added it keeps those of a piece that is not full yet, and as many
    before them as they have to be seen with.

    Args:
        model: The model.
    """

    def __init__(self, model: Wav2Vec2ForXVector) -> None:
        self._model = model
        self._span = tdnn_span(model.config)
        self._statistics = FrameStatistics()
        self._seen: FloatArray = np.zeros((0, model.config.tdnn_dim[0]), np.float32)
        self._next_frame = 0

    def add(self, first_frame: int, frames: FloatArray) -> None:
        """Take in frames; those before a gap, where nobody heard anything, are not seen."""
        if first_frame != self._next_frame:
            self._hear_rest()
            self._seen = self._seen[:0]
        self._next_frame = first_frame + len(frames)
        joined = np.concatenate([self._seen, frames])
        begin = 0
        while len(joined) - begin >= self._span + _PIECE_FRAMES:
            self._hear(joined[begin : begin + self._span + _PIECE_FRAMES])
            begin += _PIECE_FRAMES
        self._seen = joined[begin:].copy()

    def vectors(self) -> FloatArray:
        """Return the x-vector, (1, dimensions), or none of a channel that is too short for one."""
        self._hear_rest()
        found = self._statistics
        if found.n_frames < 2:
            return np.zeros((0, self._model.config.xvector_output_dim), np.float32)
        pooled = self._tensor(np.concatenate([found.mean, found.std])[None])
        with torch.inference_mode():
            vector: FloatArray = self._model.feature_extractor(pooled).float().cpu().numpy()
        return vector

    def frame_numbers(self) -> None:
        """Return None: the vector stands for all frames."""

    def _hear_rest(self) -> None:
        """Hear a piece that will not become full."""
        if len(self._seen) > self._span:
            self._hear(self._seen)
            self._seen = self._seen[len(self._seen) - self._span :]

    def _hear(self, projected: FloatArray) -> None:
        with torch.inference_mode():
            frames = self._model._tdnn_frames(self._tensor(projected[None]))
            self._statistics.add(frames[0].float().cpu().numpy())

    def _tensor(self, array: FloatArray) -> torch.Tensor:
        return torch.from_numpy(array).to(self._model.device, self._model.dtype)


def load_embedder(
    name: str | os.PathLike[str],
    *,
    layer: str | None = None,
    pool_name: PoolName | None = None,
    runtime: Runtime | None = None,
    hub: HubOptions | None = None,
) -> Embedder:
    """Return the embedder of a folder, an embedded model or a model id.

    Args:
        name: What to load.
        layer: Which layer's hidden states; None for x-vectors where the model has them and
            `pool_name` is None, else for the last.
        pool_name: How frames become a vector; None for the mean, where there are no x-vectors.
        runtime: Device, precision, threads and attention; None for the defaults.
        hub: Where to look for it; None for the defaults.

    Raises:
        UsageError: The machine cannot run it as asked, or it has no such layer.
        ModelError: It is not there, or its files do not fit each other.
    """
    from w2v_cli.model.wav2vec2 import Wav2Vec2Model
    from w2v_cli.model.xvector import Wav2Vec2ForXVector

    loading = Loading.prepare(name, runtime, hub)
    if layer is None and pool_name is None and has_x_vectors(loading.config):
        speakers = loading.model(Wav2Vec2ForXVector, XVECTOR_HEAD)
        return XVectors(str(name), speakers, loading.feature_extractor())
    layer, pool_name = layer or LAST_LAYER, pool_name or DEFAULT_POOL
    if layer != LAST_LAYER:  # before minutes are spent on loading
        layer_index(str(name), int(layer), loading.config.num_hidden_layers)
    model = loading.model(Wav2Vec2Model, None)
    return HiddenStates(str(name), model, loading.feature_extractor(), layer, pool_name)


def has_x_vectors(config: Wav2Vec2Config) -> bool:
    """Return whether a model is one of speakers."""
    return XVECTOR_HEAD.architecture in (config.architectures or [])


def layer_index(name: str, layer: int, n_layers: int) -> int:
    """Return which of the published hidden_states is meant, from 0.

    Raises:
        UsageError: The model has no such layer.
    """
    if not -n_layers - 1 <= layer <= n_layers:
        raise UsageError(
            f"--layer {layer}: {name} has {counted(n_layers, 'layer')}; choose 0 (what goes into "
            f"the first) to {n_layers}, or -1 to {-n_layers - 1} from the end, or {LAST_LAYER}"
        )
    return layer % (n_layers + 1)


def shortest_vector_frames(config: Wav2Vec2Config) -> int:
    """Return how many frames of the convolutions make two of the TDNN: one has no spread.

    >>> from w2v_cli.model.config import Wav2Vec2Config
    >>> shortest_vector_frames(Wav2Vec2Config())
    16
    """
    n_frames = tdnn_span(config) + 2
    for _ in range(config.num_adapter_layers if config.add_adapter else 0):
        n_frames = (n_frames - 1) * config.adapter_stride + 1
    return n_frames


def tdnn_span(config: Wav2Vec2Config) -> int:
    """Return how many frames more than it returns the TDNN has to be given.

    >>> from w2v_cli.model.config import Wav2Vec2Config
    >>> tdnn_span(Wav2Vec2Config())
    14
    """
    layers = zip(config.tdnn_kernel, config.tdnn_dilation, strict=True)
    return sum((kernel - 1) * dilation for kernel, dilation in layers)


@dataclass(frozen=True)
class Known:
    """What is known of an embedder before it is loaded.

    Attributes:
        kind: What its vectors are made with.
        threshold: See `Embedder`.
    """

    kind: VectorKind
    threshold: float | None


def known_of(
    name: str, layer: str | None, pool_name: PoolName | None, hub: HubOptions | None
) -> Known:
    """Return what a model's configuration says of its vectors; args are `load_embedder`'s.

    Raises:
        ModelError: There is no such model.
    """
    from w2v_cli.model.config import Wav2Vec2Config

    config = Wav2Vec2Config.from_pretrained(name, **pin(name, hub).arguments())
    if layer is None and pool_name is None and has_x_vectors(config):
        return Known(VectorKind(name), own_threshold(config))
    return Known(VectorKind(name, layer or LAST_LAYER, pool_name or DEFAULT_POOL), None)


def own_threshold(config: Wav2Vec2Config) -> float | None:
    """Return from which cosine of x-vectors on a model says that they are of one speaker."""
    value = getattr(config, THRESHOLD_FIELD, None)
    return None if value is None else float(value)
