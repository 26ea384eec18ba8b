"""What a model writes down of recordings that are too long to be heard whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.audio.waveforms import Waveforms
from w2v_cli.inference.chunks import Chunking
from w2v_cli.inference.emitter import Emitter
from w2v_cli.tasks.decoding import DirectDecoder
from w2v_cli.tasks.transcribe import Transcriber
from w2v_cli.training.ctc import CTCObjective
from w2v_cli.training.examples import Recordings
from w2v_cli.training.manifests import Example
from w2v_cli.training.objective import Result


def is_long(example: Example) -> bool:
    """Return whether `w2v transcribe` would cut a recording of this length."""
    return (example.seconds or 0.0) > Chunking().whole_seconds


def transcribe_long(
    objective: CTCObjective, model: Any, examples: Sequence[Example], recordings: Recordings
) -> list[Result]:
    """Return what `w2v transcribe` makes of long recordings; those that break off are left out."""
    emitter = Emitter(model.config.name_or_path, model, objective.processor)
    transcriber = Transcriber(emitter, decoder=DirectDecoder(objective.hypothesis))
    results = []
    for example in examples:
        waveform = recordings.read(example)
        if waveform is None:
            continue
        seconds = len(waveform) / SAMPLE_RATE
        heard = transcriber.transcribe(
            Waveforms((waveform,), (None,), SAMPLE_RATE, 0.0, seconds), source=example.audio
        )
        results.append(Result(example, objective.kind(example), heard.text))
    return results
