"""How KenLM reads a file: quietly, and with errors that speak of the file."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2v_cli.errors import CheckpointError
from w2v_cli.stderr import silent_stderr

if TYPE_CHECKING:
    from w2v_cli.decoding.ngram import NGram

# What comes before says where in KenLM's own source the error arose; kenlm puts brackets around.
_THROWN = re.compile(r"\bthrew \w+\.\s(.*?)\)?$", flags=re.DOTALL)


def open_kenlm(path: Path) -> Any:
    """Return KenLM's own model of a file.

    Raises:
        ImportError: kenlm is not installed.
        CheckpointError: KenLM cannot read the file.
    """
    import kenlm

    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        with silent_stderr():
            return kenlm.Model(str(path), config)
    except (OSError, RuntimeError) as error:
        raise refusal(path, error) from error


def check_readable(ngram: NGram) -> None:
    """Let KenLM read a language model, where its package is there.

    Raises:
        CheckpointError: It cannot.
    """
    with contextlib.suppress(ImportError):
        open_kenlm(ngram.path)


def refusal(path: Path, error: Exception) -> CheckpointError:
    """Return the error that says why KenLM cannot read a file."""
    thrown = _THROWN.search(str(error))
    reason = " ".join((thrown[1] if thrown else str(error)).split())
    return CheckpointError(f"{path}: KenLM cannot read it: {reason}")
