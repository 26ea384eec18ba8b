"""What `w2v embed` does with vectors besides writing them: compare, identify, search, draw."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from w2v_cli.batch.inputs import Found, Selection, add_named
from w2v_cli.cli.batch_options import BatchChoice, Recordings, check_policy, output_of
from w2v_cli.cli.embed_options import Comparing
from w2v_cli.cli.output import STDOUT, check_file, write_result
from w2v_cli.cli.sinks import Destination, WrappedDestination
from w2v_cli.counts import counted
from w2v_cli.errors import SOME_INPUTS_FAILED, UsageError, W2VError
from w2v_cli.formats.format import Format, Joining
from w2v_cli.formats.spoken import as_unicode, one_line
from w2v_cli.formats.vectors import NAMES_SUFFIX, SCHEMA_VERSION, row_name
from w2v_cli.results import Embedding, VectorKind

if TYPE_CHECKING:
    from w2v_cli.cli.console import Console
    from w2v_cli.tasks.embed_search import Candidate, HeldVectors, Names

UNKNOWN = "unknown"
_JSON_DIGITS = 6

RunOn = Callable[[Recordings, Destination[Embedding], Mapping[str, Any]], int]
"""Has the vectors of recordings made, and returns the exit code; the last are settings that
results depend on."""


@dataclass(frozen=True)
class Comparison:
    """A run that compares.

    Attributes:
        choice: What the options of comparing come to.
        format_name: What is written: txt, jsonl or csv.
        output: Where it goes.
        recordings: What was named.
        batch: What the options of a batch come to.
        kind: What makes the vectors.
        threshold: From which cosine on two recordings are of one speaker; None if nobody says.
    """

    choice: Comparing
    format_name: str
    output: str
    recordings: Recordings
    batch: BatchChoice
    kind: VectorKind
    threshold: float | None


def compare(comparison: Comparison, run_on: RunOn, console: Console) -> int:
    """Write the cosine of two recordings, and whether they are of one speaker.

    Raises:
        UsageError: There are not two.
    """
    check_single_file(comparison)
    n_inputs = comparison.recordings.n_inputs
    if n_inputs != 2:
        advice = "; --matrix compares more" if n_inputs > 2 else ""
        raise UsageError(f"--compare: it takes two recordings, and there are {n_inputs}{advice}")
    if comparison.threshold is None:
        console.warn(f"no verdict: {no_threshold(comparison.kind)}")
    found = _Collected()
    exit_code = run_on(comparison.recordings, found, {})
    if exit_code or comparison.batch.dry_run:
        return 1 if exit_code == SOME_INPUTS_FAILED else exit_code  # of one nothing is done
    names, vectors = found.rows()
    if len(names) != 2:
        raise UsageError(
            f"--compare: there are {len(names)} channels to compare; choose one with --channel N, "
            f"or compare all with --matrix"
        )
    from w2v_cli.tasks.embed_search import cosines

    cosine = float(cosines(vectors[:1], vectors[1:])[0, 0])
    same = None if comparison.threshold is None else cosine >= comparison.threshold
    if comparison.format_name == "jsonl":
        text = _line(
            {
                "schema_version": SCHEMA_VERSION,
                "sources": names,
                "model": as_unicode(comparison.kind.model),
                "cosine": round(cosine, _JSON_DIGITS),
                "threshold": comparison.threshold,
                "same_speaker": same,
            }
        )
    else:
        verdict = {None: [], True: ["same speaker"], False: ["different speakers"]}[same]
        text = "\t".join([f"{cosine:.4f}", *verdict]) + "\n"
    write_result(comparison.output, text)
    return 0


def matrix(comparison: Comparison, run_on: RunOn, console: Console) -> int:
    """Write the cosines of all recordings with each other, and draw them.

    Raises:
        W2VError: They cannot be written.
    """
    check_single_file(comparison)
    found = _Collected()
    exit_code = run_on(comparison.recordings, found, {})
    if comparison.batch.dry_run or not found.embeddings:
        return exit_code
    from w2v_cli.tasks.embed_search import cosines

    names, vectors = found.rows()
    scores = cosines(vectors, vectors)
    if comparison.choice.print_matrix:
        rows = [["", *names]]
        for name, row in zip(names, scores, strict=True):
            rows.append([name, *(f"{score:.4f}" for score in row)])
        write_result(comparison.output, _table(rows, comparison.format_name))
    if comparison.choice.plot is not None:
        from w2v_cli.plots.canvas import save_figure
        from w2v_cli.plots.similarity import draw_similarity

        title = f"{counted(len(names), 'recording')}, {PurePath(comparison.kind.model).name}"
        with console.warnings_as_lines():
            figure = draw_similarity(names, scores, title=title, threshold=comparison.threshold)
            save_figure(figure, comparison.choice.plot)
        console.note(f"drawn: {comparison.choice.plot}")
    return exit_code


def identify(comparison: Comparison, run_on: RunOn, console: Console) -> int:
    """Write whose voice each recording has, among the speakers in a folder.

    Raises:
        UsageError: There are none.
    """
    check_policy(comparison.batch, resumable=False)
    folder = comparison.choice.enroll
    assert folder is not None
    enrolled = Found()
    add_named(enrolled, [str(folder)], Selection(recursive=True))
    if not enrolled.items:
        raise UsageError(f"--enroll {folder}: there is no recording in this folder")
    if comparison.threshold is None:
        console.warn(f"nobody is {UNKNOWN}: {no_threshold(comparison.kind)}")
    asked = comparison.recordings
    speakers = _Speakers()
    voices = [item.source for item in enrolled.items]
    target = _Enrolling(_target(comparison, speakers, voices), folder, enrolled, speakers)
    both = Found([*enrolled.items, *asked.found.items], [*enrolled.refused, *asked.found.refused])
    return run_on(replace(asked, found=both), target, {})


def search(comparison: Comparison, run_on: RunOn, console: Console) -> int:
    """Write what is closest to each recording in a file of vectors.

    Raises:
        UsageError: It cannot be read, or other models have made its vectors.
    """
    from w2v_cli.batch.fingerprint import files_fingerprint
    from w2v_cli.tasks.embed_search import check_kinds, open_vectors

    path = comparison.choice.index
    assert path is not None
    names = open_vectors(path)
    if names.kind is not None:
        check_kinds(names.kind, comparison.kind, str(path))
    target = _target(comparison, names, [str(path), f"{path}{NAMES_SUFFIX}"])
    check_policy(comparison.batch, resumable=target.journal_path is not None)
    settings = {
        "search": files_fingerprint(path),
        "top_k": comparison.choice.top_k,
        "threshold": comparison.threshold,
    }
    return run_on(comparison.recordings, target, settings)


def no_threshold(kind: VectorKind) -> str:
    """Return why there is no cosine from which on two recordings are of one speaker."""
    if kind.pool is None:
        return f"{kind.model} names no verification_threshold; give one with --threshold"
    return "of pooled hidden states nobody knows a threshold; give one with --threshold"


def check_single_file(comparison: Comparison) -> None:
    """Refuse what is about files of results where all of them are one table.

    Raises:
        UsageError: There is such an option.
    """
    check_policy(comparison.batch, resumable=False)
    if comparison.batch.template is not None:
        raise UsageError("--name names files in a folder, and here is one result; leave it out")
    sources = [item.source for item in comparison.recordings.found.items]
    check_file(comparison.output, sources)
    draws_alone = comparison.choice.mode == "matrix" and not comparison.choice.print_matrix
    if draws_alone and comparison.output != STDOUT:
        raise UsageError(
            "--output: where the cosines go, which --matrix asks for; --plot names the picture"
        )


class _Collected(Destination[Embedding]):
    """Keeps all vectors, to compare them in the end."""

    keeps = False
    formats: Mapping[str, Format[Embedding]] = {}

    def __init__(self) -> None:
        self.embeddings: list[Embedding] = []

    def write(self, result: Embedding) -> None:
        self.embeddings.append(result)

    def fail(self, source: str, error: W2VError) -> None:
        """Do nothing: there is a line on stderr."""

    def rows(self) -> tuple[list[str], Any]:
        """Return what each vector is called, and all of them: (rows, dimensions)."""
        from w2v_cli.formats.vectors import vector_table

        table = vector_table(self.embeddings)
        pairs = zip(table.sources, table.channels, strict=True)
        return [row_name(*pair) for pair in pairs], table.vectors


class _Speakers:
    """Those who were enrolled; nobody until the last of their recordings was heard."""

    kind: VectorKind | None = None

    def __init__(self) -> None:
        self.held: HeldVectors | None = None

    def closest(self, vectors: Any, top_k: int) -> list[list[Candidate]]:
        assert self.held is not None
        return self.held.closest(vectors, top_k)


class _Enrolling(WrappedDestination[Embedding]):
    """Takes the vectors of speakers first, and then writes those that are to be named.

    Args:
        inner: What these are written to.
        folder: What was given as --enroll.
        found: The recordings in it; they come first.
        speakers: What is filled.
    """

    def __init__(
        self, inner: Destination[Embedding], folder: Path, found: Found, speakers: _Speakers
    ) -> None:
        super().__init__(inner)
        self._folder, self._speakers = folder, speakers
        refused = [item for item, _ in found.refused]
        self._waiting = Counter(item.source for item in (*found.items, *refused))
        self._places = {item.source: item.relative for item in found.items}
        self._enrolled: list[tuple[str, Embedding]] = []

    def write(self, result: Embedding) -> None:
        source = result.source or ""
        if self._is_speakers(source):
            from w2v_cli.tasks.embed_search import speaker_of

            self._enrolled.append((speaker_of(self._places[source]), result))
            return
        if self._speakers.held is None:
            self._speakers.held = self._all_enrolled()
        super().write(result)

    def fail(self, source: str, error: W2VError) -> None:
        if not self._is_speakers(source):
            super().fail(source, error)

    def _is_speakers(self, source: str) -> bool:
        if not self._waiting[source]:
            return False
        self._waiting[source] -= 1
        return True

    def _all_enrolled(self) -> HeldVectors:
        import numpy as np

        from w2v_cli.tasks.embed_search import enrolled

        if not self._enrolled:
            raise UsageError(f"--enroll {self._folder}: none of its recordings can be heard")
        names = [name for name, embedding in self._enrolled for _ in embedding.vectors]
        return enrolled(names, np.concatenate([e.vectors for _, e in self._enrolled]))


def _target(comparison: Comparison, names: Names, reads: Sequence[str]) -> Destination[Embedding]:
    """Return where the names of what is closest go, which is to none of the files that are read."""
    write = _identified if comparison.choice.mode == "identify" else _found
    as_json = comparison.format_name == "jsonl"
    joining: Joining = "lines"

    def lines(embedding: Embedding) -> str:
        closest = names.closest(embedding.vectors, comparison.choice.top_k)
        rows = zip(_row_heads(embedding), closest, strict=True)
        return "".join(
            write(head, candidates, comparison.threshold, as_json) for head, candidates in rows
        )

    formats = {comparison.format_name: Format(f".{comparison.format_name}", lines, joining)}
    return output_of(
        comparison.recordings,
        comparison.batch,
        comparison.output,
        [comparison.format_name],
        formats,
        reads=reads,
    )


def _row_heads(embedding: Embedding) -> Iterator[dict[str, Any]]:
    """Yield for each vector which recording it is of, and which channel."""
    source = as_unicode(embedding.source)
    for channel in embedding.channels or [None] * len(embedding.vectors):
        yield {"source": source} if channel is None else {"source": source, "channel": channel}


def _identified(
    head: dict[str, Any], candidates: Sequence[Candidate], threshold: float | None, as_json: bool
) -> str:
    """Return whose voice a recording has, and the speakers that are closest."""
    best = candidates[0]
    known = threshold is None or best.score >= threshold
    if not as_json:
        columns = [_label(head), best.name if known else UNKNOWN]
        for candidate in candidates:
            columns += [candidate.name, f"{candidate.score:.4f}"]
        return "\t".join(map(one_line, columns)) + "\n"
    return _line(
        {
            "schema_version": SCHEMA_VERSION,
            **head,
            "speaker": best.name if known else None,
            "threshold": threshold,
            "candidates": [
                {"speaker": c.name, "cosine": round(c.score, _JSON_DIGITS)} for c in candidates
            ],
        }
    )


def _found(
    head: dict[str, Any], candidates: Sequence[Candidate], threshold: float | None, as_json: bool
) -> str:
    """Return the recordings that are closest to one, best first: in text a line for each."""
    near = [c for c in candidates if threshold is None or c.score >= threshold]
    if not as_json:
        rows = ([_label(head), candidate.name, f"{candidate.score:.4f}"] for candidate in near)
        return "".join("\t".join(map(one_line, row)) + "\n" for row in rows)
    return _line(
        {
            "schema_version": SCHEMA_VERSION,
            **head,
            "closest": [{"name": c.name, "cosine": round(c.score, _JSON_DIGITS)} for c in near],
        }
    )


def _label(head: dict[str, Any]) -> str:
    return row_name(str(PurePath(head["source"])), head.get("channel"))


def _table(rows: Sequence[Sequence[str]], format_name: str) -> str:
    if format_name == "txt":
        return "".join("\t".join(map(one_line, row)) + "\n" for row in rows)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=True, allow_nan=False) + "\n"
