"""What was measured, as a picture: another one for each kind of model."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from w2v_cli.counts import counted
from w2v_cli.formats.spoken import recording_name
from w2v_cli.scoring.diarization import TurnRates
from w2v_cli.scoring.verification import detection_errors
from w2v_cli.training.evaluation import Measured
from w2v_cli.training.figures import show_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def evaluation_figure(measured: Measured) -> Figure | None:
    """Return word errors, a confusion matrix, a DET curve, or errors of who speaks when.

    Returns:
        None where there is nothing to draw: pairs of recordings of one kind only.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    if measured.labels:
        return _confusion(measured)
    if measured.pairs is not None:
        return _detection(measured)
    if "wer" in measured.figures:
        return _word_errors(measured)
    return _turn_errors(measured)


def confusion_counts(measured: Measured) -> list[list[int]]:
    """Return how many recordings of each label were heard as each, a row for each that is right."""
    counts = Counter((result.reference, result.hypothesis) for result in measured.results)
    return [[counts[right, heard] for heard in measured.labels] for right in measured.labels]


def _confusion(measured: Measured) -> Figure:
    from w2v_cli.plots.confusion import confusion_figure

    counts = np.array(confusion_counts(measured), dtype=np.int64)
    return confusion_figure(measured.labels, counts, title=_title(measured, "accuracy"))


def _detection(measured: Measured) -> Figure | None:
    from w2v_cli.plots.detection import detection_figure

    pairs = measured.pairs
    assert pairs is not None
    errors = detection_errors(pairs.scores, pairs.is_same)
    if errors is None:
        return None
    n_same = int(pairs.is_same.sum())
    title = f"{counted(n_same, 'pair')} of one speaker, {len(pairs.scores) - n_same:,} of two"
    return detection_figure(errors, measured.intervals.get("eer"), title=title)


def _word_errors(measured: Measured) -> Figure:
    from w2v_cli.plots.errors import word_errors_figure

    errors, words = (column[:, 0] for column in measured.tallies["wer"])
    seconds = np.array([result.example.seconds or 0.0 for result in measured.results])
    return word_errors_figure(seconds, errors, words, title=_title(measured, "wer"))


def _turn_errors(measured: Measured) -> Figure:
    from w2v_cli.plots.errors import turn_errors_figure

    rates: list[TurnRates] = [result.heard.rates for result in measured.results]
    return turn_errors_figure(
        [recording_name(result.example.audio) for result in measured.results],
        {
            "missed": np.array([r.missed_seconds for r in rates]),
            "false alarm": np.array([r.false_alarm_seconds for r in rates]),
            "another speaker": np.array([r.confused_seconds for r in rates]),
        },
        np.array([r.spoken_seconds for r in rates]),
        title=_title(measured, "der"),
    )


def _title(measured: Measured, name: str) -> str:
    """Return a measure with its interval, and of how many recordings it is."""
    shown = f"{name} {show_figure(name, measured.figures[name])}"
    if name in measured.intervals:
        low, high = (show_figure(name, bound) for bound in measured.intervals[name])
        shown += f" ({low} to {high})"
    return f"{shown}, {counted(len(measured.results), 'recording')}"
