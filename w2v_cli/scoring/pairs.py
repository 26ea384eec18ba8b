"""Which hypothesis belongs to which reference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from w2v_cli.errors import UsageError
from w2v_cli.recording_parts import part_place, split_part
from w2v_cli.scoring.sources import NamedText

Key = tuple[str, ...]

_SUFFIX = re.compile(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{0,7}$")


@dataclass(frozen=True)
class Pair:
    """What was said, and what was heard."""

    name: str
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class Pairing:
    """References and hypotheses side by side.

    Attributes:
        pairs: Those that belong together, in the order of the references.
        without_hypothesis: References that no hypothesis has the name of.
        without_reference: Hypotheses that no reference has the name of.
    """

    pairs: tuple[Pair, ...]
    without_hypothesis: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()


def pair_texts(references: Sequence[NamedText], hypotheses: Sequence[NamedText]) -> Pairing:
    """Return the texts in pairs.

    A single reference and a single hypothesis belong together whatever their names are.
    Otherwise names do, without suffix unless it tells two apart, and with as many of their
    folders as it takes to tell all apart: ``audio/bed/1.opus`` and ``/data/audio/bed/1.wav``.

    Raises:
        UsageError: A name is used twice, also with all its folders.
    """
    if len(references) == len(hypotheses) == 1:
        (reference,), (hypothesis,) = references, hypotheses
        if reference.text is not None and hypothesis.text is not None:
            return Pairing((Pair(reference.name, reference.text, hypothesis.text),))
    reference_keys, hypothesis_keys = _keys(references, hypotheses)
    texts = dict(zip(hypothesis_keys, (h.text for h in hypotheses), strict=True))
    pairs, without = [], []
    for key, reference in zip(reference_keys, references, strict=True):
        text = texts.get(key)
        if text is None or reference.text is None:
            without.append(reference.name)
        else:
            pairs.append(Pair(reference.name, reference.text, text))
    known = set(reference_keys)
    return Pairing(
        tuple(pairs),
        tuple(without),
        tuple(
            h.name for key, h in zip(hypothesis_keys, hypotheses, strict=True) if key not in known
        ),
    )


def _keys(
    references: Sequence[NamedText], hypotheses: Sequence[NamedText]
) -> tuple[list[Key], list[Key]]:
    """Return the ends of all names, long enough to tell them apart.

    Suffixes are left on names that nothing else tells apart, if both sides have the same ones.
    """
    sides = (references, hypotheses)
    exact = all(any(_is_part(text.name) for text in texts) for texts in sides)
    plain = [[_parts(text.name, exact=exact) for text in texts] for texts in sides]
    counts = [Counter(side) for side in plain]
    twice = {parts for count in counts for parts, n in count.items() if n > 1}
    paths = [
        [
            _parts(text.name, exact=exact, suffixes=True) if parts in twice else parts
            for text, parts in zip(texts, side, strict=True)
        ]
        for texts, side in zip(sides, plain, strict=True)
    ]
    longest = max((len(parts) for side in paths for parts in side), default=1)
    for n_parts in range(1, longest + 1):
        keys = [[parts[-n_parts:] for parts in side] for side in paths]
        if all(len(set(side)) == len(side) for side in keys):
            both = set(keys[0]) & set(keys[1])
            named = (
                pair for side in zip(keys, plain, strict=True) for pair in zip(*side, strict=True)
            )
            if all(key in both for key, parts in named if parts in twice):
                return keys[0], keys[1]
    for count, what in zip(counts, ("reference", "hypothesis"), strict=True):
        (parts, n), *_ = count.most_common(1) or [((), 0)]
        if n > 1:
            raise UsageError(
                f"{'/'.join(parts)}: {n} texts have this name on the side of the {what}; "
                f"leave one of each"
            )
    raise AssertionError("names that differ are told apart by all their folders")


def _is_part(name: str) -> bool:
    return split_part(name).recording != name


def _parts(name: str, *, exact: bool = False, suffixes: bool = False) -> Key:
    """Return a path's folders and its last part without suffix; a number is none.

    A part of a recording is called like its file, or `exact` where no side has files of parts.

    >>> _parts("a/b.wav"), _parts("take.2"), _parts("b.wav#t=3.5,8")
    (('a', 'b'), ('take.2',), ('b.3.50-8.00',))
    """
    part = split_part(name)
    if exact and _is_part(name):
        return (*_parts(part.recording, suffixes=suffixes), name.removeprefix(part.recording))
    *folders, last = part_place(PurePath(part.recording), part).parts or ("",)
    return (*folders, last if suffixes else _stem(last))


def _stem(name: str) -> str:
    return _SUFFIX.sub("", name)
