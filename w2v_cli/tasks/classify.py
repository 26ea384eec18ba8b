"""Classification: waveforms to labels, of whole recordings or of one window after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from w2v_cli.audio.sources import STDIN_LABEL
from w2v_cli.counts import counted
from w2v_cli.errors import AudioError, UsageError
from w2v_cli.formats.labels import check_threshold
from w2v_cli.inference.chunks import Chunk, Chunker, Chunking
from w2v_cli.inference.labeller import Labeller
from w2v_cli.inference.pooling import FrameStatistics
from w2v_cli.results import Classification, Stretch
from w2v_cli.tasks.labels import comma_hint, named_labels
from w2v_cli.tasks.recording import Cutter, Hearing, HearingTask, RecordingJob, about
from w2v_cli.tasks.task import Ready
from w2v_cli.tasks.windows import Window, WindowCutter, Windowing

if TYPE_CHECKING:
    from w2v_cli.audio import Waveforms, WaveformStream
    from w2v_cli.checkpoint.options import HubOptions
    from w2v_cli.inference.network import FloatArray
    from w2v_cli.inference.runtime import Runtime

FunctionName = Literal["softmax", "sigmoid", "none"]

# Longer recordings are cut, unless one says otherwise: their frames no longer all attend to each
# other, which takes time with the square of the length. Networks were trained on seconds.
WHOLE_SECONDS = 600.0

# As transformers' audio-classification pipeline has them.
_FUNCTIONS: dict[str | None, FunctionName] = {
    "regression": "none",
    "multi_label_classification": "sigmoid",
}


def default_function(problem_type: str | None) -> FunctionName:
    """Return what makes scores of a model's outputs, unless one says otherwise.

    >>> default_function("multi_label_classification"), default_function(None)
    ('sigmoid', 'softmax')
    """
    return _FUNCTIONS.get(problem_type, "softmax")


def apply_function(function: FunctionName, logits: FloatArray) -> FloatArray:
    """Return scores, float32 (rows, labels), of the outputs of a network.

    >>> apply_function("sigmoid", np.zeros((1, 2), np.float32))
    array([[0.5, 0.5]], dtype=float32)
    """
    exact = logits.astype(np.float64)
    if function == "sigmoid":
        exact = np.exp(-np.logaddexp(0.0, -exact))
    elif function == "softmax":
        exact = np.exp(exact - exact.max(axis=-1, keepdims=True))
        exact /= exact.sum(axis=-1, keepdims=True)
    scores: FloatArray = exact.astype(np.float32)
    return scores


class Classifier(HearingTask[Classification]):
    """A model that labels recordings; a `w2v_cli.tasks.task.Task`.

    Args:
        labeller: The model.
        function: What makes scores of its outputs; None for what fits its problem type.
        labels: Only these; one of them may be several, with commas between. None for all.
        windowing: Label one window after the other; None labels whole recordings.
        chunking: How recordings are cut that are too long to be heard whole; None for the
            defaults.
        draws: Keep what a waveform looks like.
        threshold: A score below which labels will be left out, which is looked at and no more.

    Raises:
        UsageError: The model has no such label, a name is empty, the threshold is no score, or
            memory has no room for what is longer than `WHOLE_SECONDS` and to be heard whole.
    """

    smallest = "a label"

    def __init__(
        self,
        labeller: Labeller,
        function: FunctionName | None = None,
        labels: tuple[str, ...] | None = None,
        windowing: Windowing | None = None,
        chunking: Chunking | None = None,
        *,
        draws: bool = False,
        threshold: float | None = None,
    ) -> None:
        super().__init__(labeller, chunking or label_chunking())
        self.labeller = labeller
        self.function = function or default_function(labeller.problem_type)
        check_threshold(threshold, self.function)
        self.names, self._columns = _chosen(labeller, labels)
        self.windowing = windowing
        self.draws = draws
        self._check_whole()

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        *,
        runtime: Runtime | None = None,
        hub: HubOptions | None = None,
        function: FunctionName | None = None,
        labels: tuple[str, ...] | None = None,
        windowing: Windowing | None = None,
        chunking: Chunking | None = None,
        draws: bool = False,
        threshold: float | None = None,
    ) -> Classifier:
        """Return the classifier of a folder, an embedded model or a model id.

        Args and errors are those of `Labeller.load` and of the class.
        """
        piece_seconds = None if chunking is None else chunking.chunk_seconds
        labeller = Labeller.load(name, runtime=runtime, hub=hub, piece_seconds=piece_seconds)
        return cls(
            labeller, function, labels, windowing, chunking, draws=draws, threshold=threshold
        )

    def _check_whole(self) -> None:
        asked_seconds = self.chunking.whole_seconds
        room_seconds = self.labeller.longest_whole_seconds
        if asked_seconds > max(WHOLE_SECONDS, room_seconds):
            raise UsageError(
                f"--whole-seconds {asked_seconds:g}: with {self.labeller.name} the memory of "
                f"{self.labeller.model.device} has room for {room_seconds:.0f} s; choose no more"
            )

    @property
    def description(self) -> str:
        """One line about what runs where, and what it tells apart."""
        labels = ", ".join(self.names)
        return f"{super().description}; {counted(len(self.names), 'label')}: {labels}"

    def classify(self, waveforms: Waveforms, *, source: str | None = None) -> Classification:
        """Return the labels of a recording.

        Args:
            waveforms: What `w2v_cli.audio.read_waveforms` returned; every channel is
                classified on its own.
            source: The recording's name.

        Raises:
            AudioError: The model hears another sample rate, the memory is too small, or there
                are no samples.
        """
        return self.begin(waveforms, source=source).result()

    def windows(self, blocks: Iterator[FloatArray]) -> Iterator[Classification]:
        """Yield the labels of each window of a stream, as soon as it was read.

        Args:
            blocks: Samples (samples,) at the model's rate.

        Raises:
            AudioError: The memory is too small for a window, or the precision is.
            ValueError: There are no windows.
        """
        if self.windowing is None:
            raise ValueError("a stream is labelled window by window; choose a windowing")
        cutter = WindowCutter(self.labeller, self.windowing)
        rate = self.labeller.sample_rate
        for window in cutter.chunks(lambda: (block[None] for block in blocks)):
            (frames,) = self.run([window])
            try:
                scores = self.scores(_mean(frames)[None])
            except AudioError as error:
                raise about(STDIN_LABEL, error) from error
            span = Stretch(window.start_sample / rate, window.end_sample / rate)
            yield Classification(
                names=self.names,
                stretches=(span,),
                scores=scores,
                function=self.function,
                windowed=True,
                duration_seconds=span.end_seconds,
                model=self.labeller.name,
            )

    def chunker(self) -> Cutter:
        """Return what cuts a recording."""
        if self.windowing is not None:
            return WindowCutter(self.labeller, self.windowing)
        return Chunker(
            self.labeller,
            self.chunking,
            longest_whole_seconds=self.labeller.longest_whole_seconds,
            hears_silence=True,
        )

    def session(self, stream: WaveformStream, source: str | None) -> ClassificationSession:
        """Begin with a recording that is open.

        Raises:
            AudioError: The model hears another sample rate.
        """
        hearing = self.hearing(stream, source)
        return ClassificationSession(self, hearing)

    def scores(self, means: FloatArray) -> FloatArray:
        """Return the scores of the chosen labels, (rows, labels), of means of frames.

        Raises:
            AudioError: They would not be numbers: half precision is too small for what leads there.
        """
        logits = self.labeller.logits(means)
        if not np.isfinite(logits).all():
            raise self.labeller.not_a_number()
        scores: FloatArray = apply_function(self.function, logits)
        return scores[:, self._columns]


class ClassificationSession:
    """A recording that is being classified; a `w2v_cli.tasks.task.Session`.

    Args:
        classifier: The model and what is asked of it.
        hearing: How the recording is heard.
    """

    def __init__(self, classifier: Classifier, hearing: Hearing) -> None:
        self._classifier, self._hearing = classifier, hearing
        self._stream = hearing.stream
        self._frames: dict[int, FrameStatistics] = {}
        self._windows: list[Window] = []
        self._means: list[FloatArray] = []
        self._envelope = None
        if classifier.draws:
            from w2v_cli.plots.canvas import Envelope

            self._envelope = Envelope(self._stream.sample_rate)

    def chunks(self) -> Iterator[Chunk]:
        """Read the recording and yield its chunks; errors are those of `Hearing.chunks`."""
        if self._envelope is not None:
            for block in self._stream.blocks():
                self._envelope.add(block.mean(axis=0))
        return self._hearing.chunks()

    def take(self, chunk: Chunk, output: FloatArray) -> None:
        """Take in the frames of a chunk.

        Raises:
            AudioError: They are not numbers.
        """
        kept = self._hearing.kept(chunk, output)
        if isinstance(chunk, Window):
            self._windows.append(chunk.without_samples())
            self._means.append(_mean(kept))
        else:
            self._frames.setdefault(chunk.channel, FrameStatistics()).add(kept)

    def finish(self) -> Ready[Classification]:
        """Return the labels.

        Raises:
            AudioError: There are no samples, or the precision is too small.
        """
        stretches = self._stretches()
        if not stretches:
            raise self._hearing.error(AudioError("no samples, so there is nothing to label"))
        try:
            scores = self._classifier.scores(np.stack(self._means))
        except AudioError as error:
            raise self._hearing.error(error) from error
        order = sorted(range(len(stretches)), key=lambda i: stretches[i].start_seconds)
        return Ready(
            Classification(
                names=self._classifier.names,
                stretches=tuple(stretches[index] for index in order),
                scores=scores[order],
                function=self._classifier.function,
                windowed=self._classifier.windowing is not None,
                duration_seconds=self._stream.duration_seconds,
                model=self._classifier.labeller.name,
                source=self._hearing.source,
                envelope=self._envelope,
            )
        )

    def _stretches(self) -> list[Stretch]:
        numbers = self._stream.channel_numbers
        start, rate = self._stream.start_seconds, self._stream.sample_rate
        end = start + self._stream.duration_seconds

        def number(channel: int) -> int | None:
            return numbers[channel] if len(numbers) > 1 else None

        if self._classifier.windowing is not None:
            return [
                Stretch(
                    start + window.start_sample / rate,
                    min(start + window.end_sample / rate, end),
                    number(window.channel),
                )
                for window in self._windows
            ]
        channels = sorted(self._frames)
        self._means = [self._frames[channel].mean for channel in channels]
        return [Stretch(start, end, number(channel)) for channel in channels]


@dataclass(frozen=True)
class ClassificationJob(RecordingJob):
    """What is to be labelled and how; a `w2v_cli.tasks.task.ModelJob`.

    Attributes:
        function: What makes scores; None for what fits the model's problem type.
        labels: Only these, as `Classifier` takes them; None for all.
        windowing: Label one window after the other; None labels whole recordings.
        draws: Keep what a waveform looks like, for a picture.
        threshold: As `Classifier` takes it; labels don't depend on it.
    """

    chunking: Chunking = field(default_factory=lambda: label_chunking())
    function: FunctionName | None = None
    labels: tuple[str, ...] | None = None
    windowing: Windowing | None = None
    draws: bool = False
    threshold: float | None = None

    def load(self) -> Classifier:
        """Load the model; errors are those of `Classifier.load`."""
        return Classifier.load(
            self.model,
            runtime=self.runtime,
            hub=self.hub,
            function=self.function,
            labels=self.labels,
            windowing=self.windowing,
            chunking=self.chunking,
            draws=self.draws,
            threshold=self.threshold,
        )

    def settings(self) -> dict[str, Any]:
        """Return all that labels depend on; see `RecordingJob.settings`."""
        windowing = self.windowing
        return {
            **super().settings(),
            "task": "classify",
            "function": self.function,
            "labels": None if self.labels is None else list(self.labels),
            "window_seconds": None if windowing is None else windowing.window_seconds,
            "hop_seconds": None if windowing is None else windowing.hop_seconds,
        }


def _mean(frames: FloatArray) -> FloatArray:
    mean: FloatArray = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def label_chunking(
    chunk_seconds: float | None = None, whole_seconds: float | None = None
) -> Chunking:
    """Return how recordings are cut: those of up to ten minutes are heard whole.

    Args:
        chunk_seconds: How much is heard at once of longer ones, and by the convolutions of all.
        whole_seconds: Another length up to which they are heard whole.
    """
    whole_seconds = WHOLE_SECONDS if whole_seconds is None else whole_seconds
    return Chunking(chunk_seconds, whole_seconds=whole_seconds, context_seconds=None)


def _chosen(
    labeller: Labeller, labels: tuple[str, ...] | None
) -> tuple[tuple[str, ...], list[int]]:
    """Return the labels that were asked for, and which outputs they are.

    Raises:
        UsageError: There is no such label, or a name is empty.
    """
    if labels is None:
        return labeller.labels, list(range(len(labeller.labels)))
    names = named_labels(labels, labeller.labels)
    for name in names:
        if name not in labeller.labels:
            known = ", ".join(labeller.labels) + comma_hint(labeller.labels)
            raise UsageError(f"--labels {name}: {labeller.name} has no such label; it has {known}")
    columns = [index for index, label in enumerate(labeller.labels) if label in names]
    return tuple(labeller.labels[index] for index in columns), columns
