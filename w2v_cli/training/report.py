"""What is written about a run: report.md for who trained, README.md for who uses the model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2v_cli.checkpoint.atomic import write_text
from w2v_cli.checkpoint.resolve import locate
from w2v_cli.counts import counted
from w2v_cli.errors import MissingDependencyError
from w2v_cli.training.figures import show_figure
from w2v_cli.training.objective import Evaluation, Objective
from w2v_cli.training.picture import PICTURE_FILE, draw_training
from w2v_cli.training.run import Data, Findings, describe
from w2v_cli.training.state import Progress
from w2v_cli.training.watcher import Record, read_log

REPORT_FILE = "report.md"
CARD_FILE = "README.md"

_MOST_ROWS = 20
_TASKS = {
    "ctc": "automatic-speech-recognition",
    "adapter": "automatic-speech-recognition",
    "keywords": "audio-classification",
    "speakers": "feature-extraction",
    "frames": "audio-classification",
    "pretrain": "feature-extraction",
}
_DOES = {
    "speakers": "gives recordings of one speaker near vectors",
    "frames": "says which of its speakers speak, in each frame",
    "pretrain": "knows speech without texts, to begin other trainings with",
    "ctc": "writes down what is said, letter by letter",
    "adapter": "writes down what is said in one language, which a small adapter has learnt",
    "keywords": "says which of its labels a recording is",
}


@dataclass(frozen=True)
class Account:
    """What is known about a run that has ended.

    Attributes:
        objective: What the network was trained for.
        data: What it learnt from.
        findings: What was noticed about texts.
        progress: How the run went.
        evaluation: What the finished network makes of the dev examples.
        settings: What the run was started with.
        command: The command line.
        n_parameters: The network's size.
        licence: What the model's card says.
    """

    objective: Objective
    data: Data
    findings: Findings
    progress: Progress
    evaluation: Evaluation
    settings: dict[str, Any]
    command: str
    n_parameters: int
    licence: str | None = None


def write_report(account: Account, folder: Path) -> str | None:
    """Write report.md, its picture and the model's card.

    Returns:
        Why there is no picture; None where there is one.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    missing = None
    try:
        draw_training(account.objective, folder)
    except MissingDependencyError as error:
        missing = str(error)
    picture = f"There is no picture: {missing}." if missing else f"![]({PICTURE_FILE})"
    write_text(folder / REPORT_FILE, report(account, read_log(folder), picture))
    write_text(folder / CARD_FILE, model_card(account))
    return missing


def report(account: Account, log: Sequence[Record], picture: str = "") -> str:
    """Return report.md: data, figures over time, mistakes and settings."""
    progress = account.progress
    parts = [
        f"# {account.objective.name}: {counted(progress.step, 'step')}",
        f"    {account.command}",
        _outcome(account),
        "## Data",
        _data_table(account.data),
        *data_remarks(account.data, account.findings),
        "## Over time",
        picture,
        _log_table(log),
        skipped_remark(progress),
        *_mistakes(account),
        "## Settings",
        _table(("setting", "value"), _settings_rows(account.settings)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def model_card(account: Account) -> str:
    """Return the model's README.md, with the head that the Hugging Face Hub reads."""
    objective, start = account.objective, account.settings.get("model")
    head = ["---", "library_name: transformers", f"pipeline_tag: {_TASKS[objective.name]}"]
    if account.licence:
        head.append(f"license: {account.licence}")
    if start and locate(start) is None:
        head.append(f"base_model: {start}")
    head += ["tags:", "- wav2vec2", "- w2v", "---"]
    name = type(objective).model_class.__name__
    size = f"{account.n_parameters / 1e6:.1f} million parameters"
    origin = "fresh weights" if account.settings.get("from_scratch") else f"`{start}`"
    parts = [
        "\n".join(head),
        f"# {name}",
        f"A Wav2Vec2 network of {size} that {_DOES[objective.name]}. Trained by w2v from {origin}.",
        *_knowledge(account),
        "## Figures",
        _outcome(account),
        "## Data",
        _data_table(account.data),
        "## Training",
        f"    {account.command}",
        f"{counted(account.progress.step, 'step')}, {account.progress.audio_seconds / 3600:.2f} "
        f"hours of audio heard, {_clock(account.progress.seconds)} of calculation.",
        skipped_remark(account.progress),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def data_remarks(data: Data, findings: Findings) -> list[str]:
    """Return what should be known about the data, a sentence each."""
    remarks = []
    for part, name in ((data.train, "train"), (data.dev, "dev")):
        if part.unreadable:
            path, reason = part.unreadable[0]
            remarks.append(
                f"Left out: {counted(len(part.unreadable), 'recording')} of {name} that cannot be "
                f"read; the first: {path}: {reason}"
            )
    if data.train.too_short or data.train.too_long:
        remarks.append(
            f"Left out: {counted(data.train.too_short, 'recording')} too short and "
            f"{data.train.too_long:,} too long."
        )
    if data.unused:
        remarks.append(
            f"Not used: {counted(data.unused.total(), 'recording')} of other splits "
            f"({', '.join(sorted(data.unused))})."
        )
    if data.n_repeated:
        remarks.append(
            f"Left out: {counted(data.n_repeated, 'row')} that the manifests have already; a "
            f"column `weight` has a recording heard more often."
        )
    if findings.n_without_target:
        remarks.append(
            f"Left out: {counted(findings.n_without_target, 'recording')} without a text, label or "
            f"speaker that is learnt."
        )
    if findings.outside:
        done = f"left out: {counted(findings.n_skipped_texts, 'recording')} with them"
        if not findings.n_skipped_texts:
            done = "learnt as unknown"
        remarks.append(f"The vocabulary lacks {describe(findings.outside)} of train; {done}.")
    if findings.outside_dev:
        outside = describe(findings.outside_dev)
        remarks.append(f"The vocabulary lacks {outside} of dev; each counts as an error.")
    if findings.n_too_dense:
        remarks.append(
            f"Of no use: {counted(findings.n_too_dense, 'recording')} with more letters than the "
            f"network has frames."
        )
    if findings.n_crowded:
        crowded = counted(findings.n_crowded, "recording")
        remarks.append(
            f"With more speakers than --num-speakers: {crowded} of train; where more than so many "
            f"speak in a stretch, those who speak least count as silence."
        )
    weights = [example.weight for example in data.train.examples if example.weight != 1]
    if weights:
        remarks.append(
            f"With a weight: {counted(len(weights), 'recording')} of train, of "
            f"{min(weights):g} to {max(weights):g}; the others have 1."
        )
    if not data.dev.examples:
        remarks.append(
            "There are no dev recordings: nothing was measured, and the last weights are kept."
        )
    return remarks


def _outcome(account: Account) -> str:
    figures, dev = account.evaluation.figures, account.data.dev.examples
    if not figures:
        return "Not measured: there were no dev recordings."
    n_speakers = account.data.dev.n_speakers
    voices = f" of {counted(n_speakers, 'speaker')}" if n_speakers else ""
    table = _table(("measure", "figure"), [(k, show_figure(k, v)) for k, v in figures.items()])
    n_heard = min(len(account.evaluation.results) or len(dev), len(dev))
    on = f"On {counted(n_heard, 'dev recording')}{voices}"
    if n_heard < len(dev):
        on += f" ({len(dev) - n_heard:,} more cannot be decoded)"
    best = account.progress.best
    if not best:
        metric = account.objective.metric
        return f"{on} {metric} cannot be measured, and the last weights are kept:\n\n{table}"
    return (
        f"{on}, the weights of step {best[0][1]}, which were chosen for being the best on them:"
        f"\n\n{table}"
    )


def _data_table(data: Data) -> str:
    rows = [
        (name, len(part.examples), f"{part.seconds / 3600:.2f}", part.n_speakers or "-")
        for name, part in (("train", data.train), ("dev", data.dev))
    ]
    return _table(("split", "recordings", "hours", "speakers"), rows)


def _log_table(log: Sequence[Record]) -> str:
    """Return the looks at the dev examples, or of a run without any some of its losses."""
    looks = [line for line in log if any(name.startswith("dev_") for name in line)]
    if not looks:
        every = max(1, len(log) // _MOST_ROWS)
        return _table(("step", "loss"), [(x["step"], _loss(x)) for x in log[::every]])
    names = [name for name in looks[0] if name.startswith("dev_")]
    losses = {line["step"]: _loss(line) for line in log if "loss" in line}
    every = max(1, math.ceil(len(looks) / _MOST_ROWS))
    rows = [
        (
            x["step"],
            losses.get(x["step"], "-"),
            *(show_figure(n.removeprefix("dev_"), x[n]) for n in names),
        )
        for x in looks[::every]
    ]
    return _table(("step", "loss", *(name.removeprefix("dev_") for name in names)), rows)


def _loss(line: Record) -> float | str:
    """Return the loss in a line of the log; one that was no number is told by a dash."""
    loss = line.get("loss")
    return "-" if loss is None else loss


def skipped_remark(progress: Progress) -> str:
    """Return how many batches were left out; nothing where none was."""
    if not progress.n_skipped:
        return ""
    lost = counted(progress.n_skipped, "batch", "batches")
    return f"Left out, for a loss that was no number: {lost}."


def _mistakes(account: Account) -> list[str]:
    """Return the most frequent mistakes of the finished network, in texts or labels."""
    wrong = Counter(
        (result.reference, result.heard)
        for result in account.evaluation.results
        if isinstance(result.heard, str) and result.reference != result.heard
    )
    if not wrong:
        return []
    rows = [(right, heard, count) for (right, heard), count in wrong.most_common(_MOST_ROWS)]
    return ["## Most frequent mistakes", _table(("is", "heard as", "times"), rows)]


def _knowledge(account: Account) -> list[str]:
    if account.objective.name == "keywords":
        return [f"Its labels: {', '.join(account.settings['labels'])}."]
    if account.objective.name not in ("ctc", "adapter"):
        return []
    rules = account.settings.get("text_rules", {})
    return [
        f"Texts were normalised with `{rules.get('normalizer')}` (case: {rules.get('case')}); "
        f"`w2v evaluate` does the same."
    ]


def _settings_rows(settings: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what was decided; what was left open, and the long vocabulary, say little."""
    return [
        (name, f"`{value}`")
        for name, value in settings.items()
        if value is not None and value is not False and name != "vocabulary"
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    cells = ([str(cell).replace("|", "\\|") or "(nothing)" for cell in row] for row in rows)
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells)])


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02} h" if minutes >= 60 else f"{seconds / 60:.1f} min"
