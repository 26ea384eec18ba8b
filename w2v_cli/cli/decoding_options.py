"""The options of decoding with a language model, each declared once, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from w2v_cli.cli.options import ALL_FORMATS, OUTPUT_GROUP
from w2v_cli.errors import UsageError
from w2v_cli.tasks.cased import CaseName

if TYPE_CHECKING:
    from w2v_cli.decoding.options import Hotword
    from w2v_cli.tasks.decoding import DecodingChoice

DECODING_GROUP = "Decoding"

DecoderName = Literal["auto", "greedy", "beam", "native", "pyctcdecode"]

LanguageModel = Annotated[
    str | None,
    typer.Option(
        "--lm",
        metavar="DIR|FILE",
        help="An n-gram language model: what w2v lm build made, or a KenLM arpa, arpa.gz or "
        "binary. A model that has one inside uses it without being asked.",
        rich_help_panel=DECODING_GROUP,
    ),
]
Lexicon = Annotated[
    str | None,
    typer.Option(
        "--lexicon",
        metavar="FILE",
        help="Write nothing but the words and phrases of this text file, one a line; # begins a "
        "comment. A model that has a lexicon inside uses it without being asked.",
        rich_help_panel=DECODING_GROUP,
    ),
]
Decoder = Annotated[
    DecoderName,
    typer.Option(
        "--decoder",
        help="greedy takes the best letter of each frame; beam searches, in the faster engine "
        "that is installed, or in the one that is named. auto searches if there is a language "
        "model, a hotword or another option of this group, but for a lexicon.",
        rich_help_panel=DECODING_GROUP,
    ),
]
Case = Annotated[
    CaseName | None,
    typer.Option(
        "--case",
        help="Write small letters, or capitals. [default: as the model was trained to]",
        rich_help_panel=OUTPUT_GROUP,
    ),
]
BeamWidth = Annotated[
    int | None,
    typer.Option(
        "--beam-width",
        min=1,
        metavar="N",
        help="Readings kept after each frame; more is slower and seldom better. [default: 100]",
        rich_help_panel=DECODING_GROUP,
    ),
]
Alpha = Annotated[
    float | None,
    typer.Option(
        "--alpha",
        metavar="WEIGHT",
        help="Weight of the language model. [default: the language model's own, else 0.5]",
        rich_help_panel=DECODING_GROUP,
    ),
]
Beta = Annotated[
    float | None,
    typer.Option(
        "--beta",
        metavar="SCORE",
        help="Added for every word: more for longer texts of shorter words. [default: the "
        "language model's own, else 1.5]",
        rich_help_panel=DECODING_GROUP,
    ),
]
HotwordList = Annotated[
    list[str] | None,
    typer.Option(
        "--hotword",
        metavar="WORD[:WEIGHT]",
        help="A word or phrase to listen for, such as a name; may be repeated.",
        rich_help_panel=DECODING_GROUP,
    ),
]
HotwordsFile = Annotated[
    str | None,
    typer.Option(
        "--hotwords",
        metavar="FILE",
        help="A text file with a hotword a line; # begins a comment.",
        rich_help_panel=DECODING_GROUP,
    ),
]
NBest = Annotated[
    int,
    typer.Option(
        "--n-best",
        min=1,
        metavar="N",
        help="How many readings json gives, with their scores.",
        rich_help_panel=DECODING_GROUP,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        metavar="N",
        help="Processes that search while the network goes on; 0 searches in this one. "
        "[default: one, and none for a single recording]",
        rich_help_panel=DECODING_GROUP,
    ),
]


def decoding_choice(params: Mapping[str, Any], *, n_inputs: int) -> DecodingChoice:
    """Return what the options of this group come to.

    Args:
        params: The values of the command's parameters, by their names; with those of this group.
        n_inputs: How many recordings there are.

    Raises:
        UsageError: One of them contradicts another or is no number, or a file of words cannot
            be read.
    """
    decoder, lexicon, workers = params["decoder"], params["lexicon"], params["workers"]
    for name in ("alpha", "beta"):
        number = params[name]
        if number is not None and not math.isfinite(number):
            raise UsageError(f"--{name} {number}: it must be a finite number, such as 0.5")
    wants = {
        "--lm": params["lm"] is not None,
        "--beam-width": params["beam_width"] is not None,
        "--alpha": params["alpha"] is not None,
        "--beta": params["beta"] is not None,
        "--hotword": bool(params["hotword"]),
        "--hotwords": params["hotwords"] is not None,
        "--n-best": params["n_best"] > 1,
    }
    asked = [option for option, wanted in wants.items() if wanted]
    searches = [*asked, *(["--workers"] if workers else [])]
    if decoder == "greedy" and searches:
        raise UsageError(f"{searches[0]} needs a beam search; leave out --decoder greedy")
    if lexicon is not None and (searches or decoder != "auto"):
        other = searches[0] if searches else f"--decoder {decoder}"
        raise UsageError(
            f"--lexicon is a decoder of its own; leave out {other}, or, to prefer some words "
            f"without forbidding others, leave out --lexicon and take --hotwords {lexicon}"
        )

    from w2v_cli.tasks.decoding import DecodingChoice

    listed = () if params["hotwords"] is None else _lines("--hotwords", params["hotwords"])
    return DecodingChoice(
        lm=params["lm"],
        search=decoder != "greedy" and (decoder != "auto" or bool(asked)),
        lexicon=() if lexicon is None else _lexicon(lexicon),
        use_own=decoder != "greedy",
        engine=decoder if decoder in ("native", "pyctcdecode") else "auto",
        beam_width=params["beam_width"],
        alpha=params["alpha"],
        beta=params["beta"],
        hotwords=tuple(parse_hotword(text) for text in (*(params["hotword"] or ()), *listed)),
        n_best=params["n_best"],
        workers=workers if workers is not None else int(n_inputs > 1),
        case=params["case"],
    )


def check_n_best_is_shown(n_best: int, formats: Sequence[str]) -> None:
    """Refuse to look for readings that no format would show.

    Raises:
        UsageError: There are to be several, and neither json nor jsonl.
    """
    if n_best > 1 and not {"json", "jsonl", ALL_FORMATS} & set(formats):
        raise UsageError(f"--n-best {n_best}: only json shows more than one; add --format json")


def parse_hotword(text: str) -> Hotword:
    """Return the hotword of ``WORD`` or ``WORD:WEIGHT``.

    Raises:
        UsageError: There is no word, or the weight is no number.
    """
    from w2v_cli.decoding.options import Hotword

    word, colon, weight = text.rpartition(":")
    if not colon:
        word, weight = text, ""
    word = " ".join(word.split())
    if not word or (colon and not weight):
        raise UsageError(f"--hotword {text!r}: write a word, or WORD:WEIGHT such as marvin:12")
    if not weight:
        return Hotword(word)
    try:
        return Hotword(word, float(weight))  # which refuses nan and inf
    except ValueError as error:
        raise UsageError(
            f"--hotword {text!r}: {weight!r} is no weight; write a number, such as {word}:12"
        ) from error


def _lexicon(path: str) -> tuple[str, ...]:
    """Return the words and phrases of a file, of which there has to be one."""
    words = tuple(_lines("--lexicon", path))
    if not words:
        raise UsageError(f"--lexicon {path}: no word in it; give a text file, a word a line")
    return words


def _lines(option: str, path: str) -> list[str]:
    """Return the lines of a file that are neither empty nor a comment."""
    try:
        # With or without the mark that Windows puts first.
        with open(path, encoding="utf-8-sig") as file:
            lines = [line.partition("#")[0].strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file in UTF-8"
        raise UsageError(f"{option} {path}: {reason}; give a text file, a word a line") from error
    return [line for line in lines if line]
