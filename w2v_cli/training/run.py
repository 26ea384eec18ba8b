"""A run in its folder: what it was started with, what it found, and what became of it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import torch

from w2v_cli.audio import SAMPLE_RATE
from w2v_cli.checkpoint.atomic import make_folder, write_text
from w2v_cli.checkpoint.lexicons import LEXICON_FILE
from w2v_cli.errors import UsageError
from w2v_cli.model.features import count_frames
from w2v_cli.training.checkpoints import find_checkpoints, is_partial
from w2v_cli.training.ctc import CTCObjective
from w2v_cli.training.manifests import Example, Survey, in_split, read_examples, survey
from w2v_cli.training.objective import Objective
from w2v_cli.training.texts import characters_outside, frames_needed

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

RUN_FILE = "run.json"

OutsideName = Literal["unk", "skip", "refuse"]


@dataclass(frozen=True)
class Data:
    """The recordings of a run, looked at.

    Attributes:
        train: Those to learn from.
        dev: Those to measure on; without any nothing is measured.
        manifests: Where they were listed.
        unused: How many there are of each other split.
        n_repeated: How many rows were there already.
    """

    train: Survey
    dev: Survey
    manifests: tuple[str, ...]
    unused: Counter[str] = field(default_factory=Counter)
    n_repeated: int = 0

    @property
    def fingerprint(self) -> str:
        """A number that is another one for other examples."""
        digest = hashlib.sha256()
        for example in (*self.train.examples, None, *self.dev.examples):
            digest.update(repr(_told(example) if example else None).encode())
        return digest.hexdigest()


def _told(example: Example) -> tuple[Any, ...]:
    """Return what an example says; what came later only where it does, so that runs go on."""
    values = astuple(example)
    later = tuple(field.name for field in fields(Example)).index("speed") + 1
    named = zip(fields(Example)[later:], values[later:], strict=True)
    said = tuple((field.name, value) for field, value in named if value != field.default)
    return (*values[:later], *said)


@dataclass
class Findings:
    """What a look at the texts has found, besides the surveys.

    Attributes:
        outside: Characters of train outside of the vocabulary, with how often they occur.
        outside_dev: Those of dev.
        n_skipped_texts: Examples that were left out for such characters.
        n_too_dense: Examples with more letters than the network has frames.
        n_without_target: Examples without a text or a label.
        n_crowded: Conversations of train with more speakers than are told apart.
    """

    outside: Counter[str] = field(default_factory=Counter)
    outside_dev: Counter[str] = field(default_factory=Counter)
    n_skipped_texts: int = 0
    n_too_dense: int = 0
    n_without_target: int = 0
    n_crowded: int = 0


def gather(
    manifests: Sequence[str],
    dev_manifests: Sequence[str],
    *,
    min_seconds: float,
    max_seconds: float,
) -> Data:
    """Return the recordings of manifests: those of their split train, and those of dev.

    Args:
        manifests: What is learnt from. Rows of other splits than train and dev are not used.
        dev_manifests: All rows of these are measured on instead of the split dev.
        min_seconds: Shorter recordings are not learnt from.
        max_seconds: Longer recordings are not learnt from; measured on they are.

    Raises:
        UsageError: A manifest cannot be read, or nothing is left to learn from.
    """
    listed = [example for manifest in manifests for example in read_examples(manifest)]
    measured = [example for manifest in dev_manifests for example in read_examples(manifest)]
    dev = list(dict.fromkeys(measured)) if dev_manifests else in_split(listed, "dev")
    to_learn = in_split(listed, "train")
    train = survey(to_learn, min_seconds=min_seconds, max_seconds=max_seconds)
    used = ("train",) if dev_manifests else ("train", "dev")
    unused = Counter(example.split for example in listed if example.split not in used)
    if not train.examples:
        why = _why_nothing(train, unused)
        raise UsageError(f"{', '.join(manifests)}: nothing to learn from; {why}")
    n_used = len(measured) + sum(example.split in used for example in listed)
    n_repeated = n_used - len(dev) - len(to_learn)
    return Data(train, survey(dev), (*manifests, *dev_manifests), unused, n_repeated)


def _why_nothing(train: Survey, unused: Collection[str]) -> str:
    reasons = [
        f"{count:,} {what}"
        for count, what in (
            (len(train.unreadable), "that cannot be read"),
            (train.too_short, "too short"),
            (train.too_long, "too long"),
        )
        if count
    ]
    if not reasons:
        there = f"; there are {', '.join(sorted(unused))}" if unused else ""
        return f"no row is of the split train{there}"
    left_out = f"left out: {', '.join(reasons)}"
    if not train.unreadable:
        return left_out
    name, reason = train.unreadable[0]
    return f"{left_out}; the first that cannot be read: {name}: {reason}"


def count_too_dense(objective: Objective, model: Any, examples: Sequence[Any]) -> int:
    """Return how many examples have more letters than the network has frames for them."""
    count = 0
    shortest = objective.shortest_samples(model.config, masks=True)
    for example in examples:
        text = objective.kind(example)
        n_samples = max(round((example.seconds or 0.0) * SAMPLE_RATE), shortest)
        n_frames = count_frames(model.config, n_samples)
        count += frames_needed(text) > n_frames
    return count


def check_texts(objective: CTCObjective, data: Data, outside: OutsideName) -> Findings:
    """Return what the vocabulary makes of the texts, and leave out what it should not learn.

    Args:
        objective: What writes the texts.
        data: Whose lists of examples are changed.
        outside: What is done about characters of train that the vocabulary cannot write: unk
            teaches them as unknown, skip leaves out the recordings, refuse ends it here. Those of
            dev are errors that any model makes.

    Raises:
        UsageError: There are such characters, and that was to be refused.
    """
    found = Findings()
    tokenizer = objective.processor.tokenizer
    for part in (data.train, data.dev):
        with_text = [example for example in part.examples if example.text is not None]
        found.n_without_target += len(part.examples) - len(with_text)
        part.examples = with_text
    texts = [objective.kind(example) for example in data.train.examples]
    found.outside = characters_outside(texts, tokenizer)
    found.outside_dev = characters_outside(map(objective.kind, data.dev.examples), tokenizer)
    if found.outside and outside == "refuse":
        raise UsageError(
            f"--outside-vocabulary refuse: the texts have {describe(found.outside)}, which the "
            f"vocabulary lacks; use --vocab build, another --text-normalization, or skip"
        )
    if found.outside and outside == "skip":
        known = [
            example
            for example, text in zip(data.train.examples, texts, strict=True)
            if not found.outside.keys() & set(text)
        ]
        found.n_skipped_texts = len(data.train.examples) - len(known)
        data.train.examples = known
    if not data.train.examples:
        raise UsageError("nothing to learn from: no recording has a text that can be written")
    return found


def keep_only(data: Data, keep: Callable[[Example], bool]) -> Findings:
    """Leave out the examples that cannot be used, and return how many they were."""
    n_before = len(data.train.examples) + len(data.dev.examples)
    for part in (data.train, data.dev):
        part.examples = [example for example in part.examples if keep(example)]
    n_after = len(data.train.examples) + len(data.dev.examples)
    return Findings(n_without_target=n_before - n_after)


def describe(characters: Counter[str]) -> str:
    """Return characters with how often they occur, the most frequent first.

    >>> describe(Counter("xxy"))
    "'x' (2), 'y' (1)"
    """
    most = characters.most_common(12)
    rest = len(characters) - len(most)
    listed = ", ".join(f"{character!r} ({count})" for character, count in most)
    return listed + (f" and {rest} more" if rest else "")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse what no run can be written into, which takes no look at its settings.

    Raises:
        UsageError: It is no folder, or holds something else than a run.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder}: a file, not a folder; name another")
    if not folder.is_dir() or (folder / RUN_FILE).is_file():
        return
    if find_checkpoints(folder):
        raise UsageError(
            f"{folder}: has checkpoints of no run of w2v, which would be mixed up with those of "
            f"this one; name another --output"
        )
    if overwrite:
        return
    if not all(map(is_partial, folder.iterdir())):
        raise UsageError(
            f"{folder}: the folder is not empty and holds no run; use --overwrite to write "
            f"into it, or another --output"
        )


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder, which is made where it isn't there.

    Raises:
        UsageError: Another run is writing there.
        WriteError: It cannot be made.
    """
    make_folder(folder)
    if sys.platform == "win32":  # there nothing keeps two runs apart
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"{folder}: another run is writing there; wait for its end, or give another "
                f"--output"
            ) from error
        except OSError:  # a file system without such locks, as some network ones are
            log.debug("%s: nothing keeps two runs apart here", folder)
        yield
    finally:
        os.close(descriptor)


def claim_folder(folder: Path, settings: Mapping[str, Any], *, overwrite: bool) -> bool:
    """Return whether a run in the folder goes on; write down what a new one is started with.

    Args:
        folder: The run's.
        settings: What decides over the result of the run, as JSON has it.
        overwrite: Remove an earlier run, and the model that it has made.

    Raises:
        UsageError: The folder holds something else, or a run that was started otherwise.
        WriteError: It cannot be written.
    """
    check_folder(folder, overwrite=overwrite)
    path = folder / RUN_FILE
    if overwrite and path.is_file():
        for checkpoint in find_checkpoints(folder).values():
            for published in checkpoint.iterdir():
                (folder / published.name).unlink(missing_ok=True)
            shutil.rmtree(checkpoint)
        path.unlink()
    elif path.is_file():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        changed = sorted(
            name
            for name in {*earlier, *settings}
            if earlier.get(name) != json.loads(json.dumps(settings.get(name)))
        )
        if changed:
            raise UsageError(
                f"{folder}: holds a run with other settings ({', '.join(changed)}); repeat its "
                f"command to go on, or use --overwrite or another --output"
            )
        return bool(find_checkpoints(folder))
    if overwrite and (folder / LEXICON_FILE).is_file():
        log.warning(
            "%s: its %s stays, so that the new model writes the words in it alone; remove it if "
            "they are another model's",
            folder,
            LEXICON_FILE,
        )
    make_folder(folder)
    write_text(path, json.dumps(settings, ensure_ascii=False, indent=1) + "\n")
    return False


def be_deterministic() -> None:
    """Have torch calculate in ways that repeat exactly, as far as the device has them."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False


def drop_unlabelled(data: Data, labelled: Mapping[str, Sequence[Example]]) -> int:
    """Put the examples with labels in the place of all, and return how many had none.

    Args:
        data: Whose lists of examples are changed.
        labelled: The examples with labels, of train and of dev.
    """
    count = 0
    for part, name in ((data.train, "train"), (data.dev, "dev")):
        count += len(part.examples) - len(labelled[name])
        part.examples = list(labelled[name])
    return count
