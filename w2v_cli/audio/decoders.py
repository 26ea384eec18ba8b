"""What every decoder offers, and which one reads a file."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from w2v_cli.audio.headers import Extent, examine, starts_like_container, starts_like_text
from w2v_cli.audio.sources import STDIN_LABEL, ByteSource
from w2v_cli.errors import AudioError

if TYPE_CHECKING:
    from w2v_cli.audio.containers import ContainerRecording

FloatArray = npt.NDArray[np.float32]

_HEAD_BYTES = 4096
_RAW_RATES = {".raw": 16000, ".pcm": 16000, ".sln": 8000}


class BrokenRecordingError(Exception):
    """A decoder met bytes it cannot decode. Never leaves w2v_cli.audio."""


class Recording(Protocol):
    """A file that is open for decoding.

    Attributes:
        sample_rate: Hz.
        channels: How many.
        frames: How many samples each channel should have; None where the file says
            nothing reliable.
        breaks_off: The file is cut short, and nobody knows by how much.
        tolerance_seconds: How far `frames` may be from what a whole file decodes to.
    """

    sample_rate: int
    channels: int
    frames: int | None
    breaks_off: bool
    tolerance_seconds: float

    def blocks(self, start_frame: int, end_frame: int | None) -> Iterator[FloatArray]:
        """Yield the samples from `start_frame` to `end_frame` or the end, full scale at 1.

        Each block is float32 (frames, channels), frames > 0. Past the end there is none.

        Raises:
            BrokenRecordingError: The next block cannot be decoded.
        """


@contextlib.contextmanager
def open_recording(source: ByteSource) -> Iterator[Recording]:
    """Yield the recording in a file, opened by the decoder that can read it.

    Raises:
        AudioError: None can, or there is no sound in it.
        MissingDependencyError: The decoder for it is not installed.
    """
    from w2v_cli.audio.soundfiles import SoundfileRecording

    with contextlib.ExitStack() as stack:
        source.seek(0)
        extent = examine(source)
        head = source.read_at(0, _HEAD_BYTES)
        recording: Recording
        if extent.is_joined:
            yield stack.enter_context(in_container(source, extent))
            return
        try:
            recording = stack.enter_context(SoundfileRecording(source, extent))
        except BrokenRecordingError as error:
            source.check()
            if not starts_like_container(head):
                raise AudioError(f"{source.label}: {_unreadable(source, head)}") from error
            recording = stack.enter_context(in_container(source, extent))
        yield recording


def in_container(source: ByteSource, extent: Extent) -> ContainerRecording:
    """Return the recording as FFmpeg reads it.

    Raises:
        AudioError: It cannot.
        MissingDependencyError: PyAV is not installed.
    """
    from w2v_cli.audio.containers import ContainerRecording

    source.seek(0)
    return ContainerRecording(source, extent)


def _unreadable(source: ByteSource, head: bytes) -> str:
    """Return what a file is that no decoder knows, and what to do with it."""
    if starts_like_text(head):
        return "holds text, not sound; name a recording"
    if source.suffix in _RAW_RATES:
        rate = _RAW_RATES[source.suffix]
        return (
            "has no header that says its rate and format; give it one with: "
            f"ffmpeg -f s16le -ar {rate} -ac 1 -i {shlex.quote(source.label)} recording.wav; or "
            f"w2v transcribe - --raw {rate} < {shlex.quote(source.label)}"
        )
    if source.label == STDIN_LABEL:
        return (
            "not a recording in a known format; convert it first, with ffmpeg for instance, or "
            "say the rate of bare samples: w2v transcribe - --raw 16000"
        )
    return (
        "not a recording in a known format; try: "
        f"ffmpeg -i {shlex.quote(source.label)} recording.wav"
    )
