"""Recordings as vectors: of a layer of any model, pooled over time, or the voice's x-vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from w2v_cli.errors import AudioError
from w2v_cli.inference.chunks import Chunking
from w2v_cli.inference.embedder import Embedder, load_embedder
from w2v_cli.inference.pooling import PoolName, unit_length
from w2v_cli.results import Embedding, VectorKind
from w2v_cli.tasks.recording import Hearing, HearingTask, RecordingJob
from w2v_cli.tasks.task import Ready

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms, WaveformStream
    from w2v_cli.inference.chunks import Chunk
    from w2v_cli.inference.network import FloatArray
    from w2v_cli.inference.pooling import Pool

VectorDtype = Literal["float32", "float16"]


@dataclass(frozen=True)
class VectorOptions:
    """How vectors are given out.

    Attributes:
        dtype: As which numbers.
        unit_length: Divide each by its length.
    """

    dtype: VectorDtype = "float32"
    unit_length: bool = False


class Vectorizer(HearingTask["Embedding"]):
    """A model that turns recordings into vectors; a `w2v_cli.tasks.task.Task`.

    Attributes:
        embedder: The model.

    Args:
        embedder: The model.
        options: How vectors are given out; None for the defaults.
        chunking: How long recordings are cut; None for the defaults.
    """

    smallest = "a vector"

    def __init__(
        self,
        embedder: Embedder,
        options: VectorOptions | None = None,
        chunking: Chunking | None = None,
    ) -> None:
        super().__init__(embedder, chunking)
        self.embedder = embedder
        self.options = options or VectorOptions()

    def embed(self, waveforms: Waveforms, *, source: str | None = None) -> Embedding:
        """Return the vectors of a recording.

        Args:
            waveforms: What `w2v_cli.audio.read_waveforms` returned; every channel has its own.
            source: The recording's name.

        Raises:
            AudioError: There is no vector of it, the model hears another sample rate, or the
                memory is too small.
        """
        return self.begin(waveforms, source=source).result()

    def session(self, stream: WaveformStream, source: str | None) -> EmbeddingSession:
        """Begin with a recording that is open.

        Raises:
            AudioError: The model hears another sample rate.
        """
        return EmbeddingSession(self.embedder, self.options, self.hearing(stream, source))


class EmbeddingSession:
    """A recording that becomes vectors; a `w2v_cli.tasks.task.Session`.

    Args:
        embedder: The model.
        options: How vectors are given out.
        hearing: How the recording is heard.
    """

    def __init__(self, embedder: Embedder, options: VectorOptions, hearing: Hearing) -> None:
        self._embedder, self._options, self._hearing = embedder, options, hearing
        numbers = hearing.stream.channel_numbers
        self._pools: list[Pool] = [embedder.pool(self._kept_dtype) for _ in numbers]

    @property
    def _kept_dtype(self) -> VectorDtype:
        # To be divided by their lengths they have to be exact.
        return "float32" if self._options.unit_length else self._options.dtype

    def chunks(self) -> Iterator[Chunk]:
        """Read the recording and yield its chunks; errors are those of `Hearing.chunks`."""
        return self._hearing.chunks()

    def take(self, chunk: Chunk, output: FloatArray) -> None:
        """Take in what the network made of a chunk.

        Raises:
            AudioError: It is not a number.
        """
        kept = self._hearing.kept(chunk, output)
        self._pools[chunk.channel].add(chunk.first_frame, kept)

    def finish(self) -> Ready[Embedding]:
        """Return the vectors, of those channels in which there is something to hear.

        Raises:
            AudioError: There are none, or they are no numbers of the type that was asked for.
        """
        stream = self._hearing.stream
        numbers = stream.channel_numbers
        found = [(pool, pool.vectors(), n) for pool, n in zip(self._pools, numbers, strict=True)]
        found = [row for row in found if len(row[1])]
        if not found:
            raise self._hearing.error(self._no_vector())
        frames = [pool.frame_numbers() for pool, _, _ in found]
        channels: tuple[int, ...] = ()
        if len(numbers) > 1:
            channels = tuple(
                n for _, vectors, n in found for _ in range(len(vectors)) if n is not None
            )
        starts = None
        if frames[0] is not None:
            hop_seconds = self._embedder.hop_samples / self._embedder.sample_rate
            joined = np.concatenate([row for row in frames if row is not None])
            starts = stream.start_seconds + joined * hop_seconds
        return Ready(
            Embedding(
                vectors=self._given_out(np.concatenate([vectors for _, vectors, _ in found])),
                kind=self._kind(),
                duration_seconds=stream.duration_seconds,
                source=self._hearing.source,
                channels=channels,
                starts_seconds=starts,
            )
        )

    def _given_out(self, vectors: FloatArray) -> FloatArray:
        if self._options.unit_length:
            vectors = unit_length(vectors)
        with np.errstate(over="ignore"):  # looked for below
            given = vectors.astype(self._options.dtype)
        if np.isfinite(given).all():
            return given
        # Frames that are kept as float16 were finite before.
        if vectors.dtype == np.float16 or np.isfinite(vectors).all():
            raise self._hearing.error(
                AudioError("its vectors do not fit into float16; use --vector-dtype float32")
            )
        raise self._hearing.error(self._embedder.not_a_number())

    def _kind(self) -> VectorKind:
        return VectorKind(
            model=self._embedder.name,
            layer=self._embedder.layer,
            pool=self._embedder.pool_name,
            unit_length=self._options.unit_length,
        )

    def _no_vector(self) -> AudioError:
        """Return why there is no vector."""
        seconds = self._hearing.stream.duration_seconds
        if seconds == 0:
            return AudioError("no sound in it, and so no vector; choose another recording")
        shortest_seconds = self._embedder.shortest_samples / self._embedder.sample_rate
        if seconds < shortest_seconds:
            return AudioError(
                f"{seconds:.2f} s of sound, which is too short for a vector; this model needs "
                f"{shortest_seconds:.2f} s or more"
            )
        return AudioError("nothing but digital silence, and so no vector; choose another recording")


@dataclass(frozen=True)
class EmbeddingJob(RecordingJob):
    """What is to become vectors and how; a `w2v_cli.tasks.task.ModelJob`.

    Attributes:
        layer: Which layer's hidden states, a number or last; None for x-vectors where the model
            has them and there is no pool, else for the last.
        pool: How frames become a vector; None for the mean, where there are no x-vectors.
        options: How vectors are given out.
    """

    layer: str | None = None
    pool: PoolName | None = None
    options: VectorOptions = VectorOptions()

    def load(self) -> Vectorizer:
        """Load the model; errors are those of `load_embedder`."""
        embedder = load_embedder(
            self.model,
            layer=self.layer,
            pool_name=self.pool,
            runtime=self.runtime,
            hub=self.hub,
        )
        return Vectorizer(embedder, self.options, self.chunking)

    def settings(self) -> dict[str, Any]:
        """Return all that vectors depend on; see `RecordingJob.settings`."""
        return {
            **super().settings(),
            "task": "embed",
            "layer": self.layer,
            "pool": self.pool,
            "vector_dtype": self.options.dtype,
            "unit_length": self.options.unit_length,
        }
