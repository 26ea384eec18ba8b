"""KenLM's own programs, where they are installed, and its library, which packages bring along.

The package kenlm has no programs, but its library (libkenlm) writes the binary of an ARPA file
while it loads it. Its interface is C++: it is called in a process of its own, because whatever
it disagrees with ends the process, and what it wrote is loaded and compared before it counts.
"""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from w2v_cli.decoding.kenlm_files import open_kenlm
from w2v_cli.errors import W2VError

LMPLZ = "lmplz"
BUILD_BINARY = "build_binary"

# `lm::ngram::LoadVirtual(char const*, Config const&, ModelType)` and `Config::Config()`, as the
# Itanium C++ ABI (gcc, clang) names them.
_LOAD = "_ZN2lm5ngram11LoadVirtualEPKcRKNS0_6ConfigENS0_9ModelTypeE"
_CONFIGURE = "_ZN2lm5ngram6ConfigC1Ev"
_MODEL_TYPES = {"probing": 0, "trie": 2}


class BuildError(W2VError):
    """A language model that cannot be made from the text."""


def has_program(name: str) -> bool:
    """Return whether a program is on the PATH."""
    return shutil.which(name) is not None


def run_lmplz(
    lines: Iterable[str],
    arpa: Path,
    *,
    order: int,
    prune: Sequence[int] = (),
    fallback: Sequence[float] | None = None,
) -> str:
    """Write an ARPA file with lmplz, and return what it said.

    Args:
        lines: The sentences, each with a line break.
        arpa: The file to write.
        order: Words in the longest n-grams.
        prune: The thresholds of each order.
        fallback: Discounts where none can be estimated; None to refuse.

    Raises:
        BuildError: lmplz failed.
    """
    command = [LMPLZ, "--order", str(order), "--arpa", str(arpa)]
    command += ["--temp_prefix", str(arpa.parent / ".lmplz")]
    if prune:
        command += ["--prune", *map(str, prune)]
    if fallback is not None:
        command += ["--discount_fallback", *map(str, fallback)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, encoding="utf-8"
        )
        assert process.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # it says below why it stopped reading
                process.stdin.writelines(lines)
        except BaseException:  # Ctrl-C too: lmplz must not outlive it
            process.kill()
            process.wait()
            raise
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        code = process.wait()
        said.seek(0)
        words = said.read()
    if code:
        last = " ".join(words.split())[-400:]
        raise BuildError(f"lmplz failed: ... {last}; leave it out with --estimator own")
    return words


def write_binary(arpa: Path, binary: Path, *, kind: str = "trie") -> bool:
    """Write KenLM's binary of an ARPA file and return whether there is a way to do so.

    What the library writes is taken only if KenLM scores words with it as with the ARPA file.

    Args:
        arpa: The ARPA file.
        binary: The file to write.
        kind: ``trie`` is small, ``probing`` fast.
    """
    binary.unlink(missing_ok=True)
    if has_program(BUILD_BINARY):
        command = [BUILD_BINARY, kind, str(arpa), str(binary)]
    elif library() is not None:
        command = [sys.executable, "-m", __name__, kind, str(arpa), str(binary)]
    else:
        return False
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode == 0 and binary.is_file():
        return True
    binary.unlink(missing_ok=True)
    return False


def library() -> Path | None:
    """Return KenLM's library, which the package kenlm brings along, or None."""
    spec = find_spec("kenlm")
    if spec is None or spec.origin is None:
        return None
    for name in ("libkenlm.so", "libkenlm.dylib"):
        path = Path(spec.origin).parent / name
        if path.is_file():
            return path
    return None


class _String(ctypes.Structure):
    """std::string of libstdc++ and of the same size or larger than libc++'s."""

    _fields_ = (("content", ctypes.c_char * 32),)


class _Config(ctypes.Structure):
    """The beginning of `lm::ngram::Config`, and room for the rest (lm/config.hh)."""

    _fields_ = (
        ("show_progress", ctypes.c_bool),
        ("messages", ctypes.c_void_p),
        ("enumerate_vocab", ctypes.c_void_p),
        ("unknown_missing", ctypes.c_int),
        ("sentence_marker_missing", ctypes.c_int),
        ("positive_log_probability", ctypes.c_int),
        ("unknown_missing_logprob", ctypes.c_float),
        ("probing_multiplier", ctypes.c_float),
        ("building_memory", ctypes.c_size_t),
        ("temporary_directory_prefix", _String),
        ("arpa_complain", ctypes.c_int),
        ("write_mmap", ctypes.c_char_p),
        ("write_method", ctypes.c_int),
        ("include_vocab", ctypes.c_bool),
        ("rest", ctypes.c_char * 256),
    )

    def is_as_expected(self) -> bool:
        """Return whether the defaults lie where they should: the library is one we know."""
        return (
            self.unknown_missing_logprob == -100.0
            and self.probing_multiplier == 1.5
            and self.building_memory == 1 << 30
            and self.arpa_complain == 0
            and self.write_mmap is None
            and self.include_vocab
        )


def _convert(kind: str, arpa: str, binary: str) -> int:
    """Write a binary with the library; return the exit code of this process."""
    path = library()
    if path is None:
        return 1
    kenlm = ctypes.CDLL(str(path))
    config = _Config()
    getattr(kenlm, _CONFIGURE)(ctypes.byref(config))
    if not config.is_as_expected():
        return 1
    config.show_progress = False
    config.messages = None
    config.arpa_complain = 2  # not at all
    config.write_mmap = binary.encode()
    load = getattr(kenlm, _LOAD)
    load.restype = ctypes.c_void_p
    load.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
    load(arpa.encode(), ctypes.byref(config), _MODEL_TYPES[kind])
    return 0 if _agree(arpa, binary) else 1


def _agree(arpa: str, binary: str) -> bool:
    """Return whether KenLM gives words of an ARPA file the same scores from its binary."""
    with open(arpa, encoding="utf-8") as file:
        ngrams = [line.split("\t")[1] for line in islice(file, 2000) if "\t" in line]
    text = " ".join(ngram for ngram in ngrams if not ngram.startswith("<"))
    first, second = (open_kenlm(Path(path)) for path in (arpa, binary))
    expected = float(first.score(text))
    return abs(expected - float(second.score(text))) <= 1e-4 * max(1.0, abs(expected))


if __name__ == "__main__":
    sys.exit(_convert(*sys.argv[1:]))
