"""Recordings that lie elsewhere: at any URL that fsspec can read, s3://, gs://, https:// ..."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from w2v_cli.errors import AudioError, MissingDependencyError, W2VError

EXTRA = "urls"

# A chain such as zip://talk.wav::s3://bucket/talks.zip is one too. Drive letters are none.
_URL = re.compile(r"(?:[a-z][a-z0-9+.\-]+::)*[a-z][a-z0-9+.\-]+://", re.IGNORECASE)
_LOCAL = re.compile(r"(?:file|local)://", re.IGNORECASE)

# What the extra brings, for http and https, s3, and gs.
_PACKAGES = ("aiohttp", "s3fs", "gcsfs", "fsspec")
_EXAMPLES = "s3://bucket/talk.wav, gs://bucket/talk.wav or https://host/talk.wav"
# Not every web server can send a part of a file, and fsspec finds that out too late.
_STREAMED = ("http", "https")

# A request costs about as much time as some megabytes; decoders go to a file's end and back.
_BLOCK_BYTES = 8 * 2**20
_N_BLOCKS = 4

_CONNECT_SECONDS = 30.0
_SILENCE_SECONDS = 60.0
_QUESTION_SECONDS = 30.0  # about a file, not for it


def is_url(source: object) -> bool:
    """Whether a source is a URL, such as s3://bucket/talk.wav.

    >>> is_url("s3://bucket/talk.wav"), is_url("C:/talk.wav"), is_url("talk.wav")
    (True, False, False)
    """
    return isinstance(source, str) and _URL.match(source) is not None


def local_path(source: str) -> str | None:
    """Return the path that a URL of this machine's own files names; None for another URL.

    >>> local_path("file:///talks/monday.wav")
    '/talks/monday.wav'
    """
    match = _LOCAL.match(source)
    return None if match is None or "::" in source else source[match.end() :]


def url_suffix(url: str) -> str:
    """Return the suffix of the file that a URL names, in lower case.

    >>> url_suffix("https://host/Talk.WAV?signature=a.b")
    '.wav'
    """
    return PurePosixPath(re.split(r"::|[?#]", url, maxsplit=1)[0]).suffix.lower()


@contextlib.contextmanager
def open_url(url: str, label: str) -> Iterator[RemoteFile]:
    """Yield the file at a URL, open for reading.

    Raises:
        AudioError: It is not there, cannot be reached or must not be read.
        MissingDependencyError: The package for its protocol is not installed.
    """
    streamed = url.partition("://")[0].lower() in _STREAMED
    try:
        handle = _open_whole(url) if streamed else _open_in_blocks(url)
    except ImportError as error:
        raise _missing_package(url, label, error) from error
    except Exception as error:  # each store's library has its own family of errors
        raise AudioError(f"{label}: {_reason(error)}") from error
    with RemoteFile(handle, seekable=not streamed) as file:
        yield file


class RemoteFile(io.RawIOBase):
    """A file of fsspec whose every failure is an OSError that says what to do."""

    def __init__(self, handle: Any, *, seekable: bool) -> None:
        self._handle = handle
        self._seekable = seekable

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Whether it is read piece by piece; else it comes once, in order."""
        return self._seekable

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes, all there are if negative; none at the end."""
        try:
            piece: bytes = self._handle.read(-1 if size is None else size)
        except Exception as error:  # as in open_url
            raise OSError(_reason(error).removeprefix("cannot be read: ")) from error
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, and return where it then stands."""
        position: int = self._handle.seek(offset, whence)
        return position

    def tell(self) -> int:
        """Return where it stands, in bytes from the beginning."""
        position: int = self._handle.tell()
        return position

    def close(self) -> None:
        """Let go of it."""
        if not self.closed:
            self._handle.close()
        super().close()


def remote_info(url: str) -> tuple[dict[str, Any], str]:
    """Return what a store or a server tells about a file, and a mark that changes with it.

    Raises:
        Exception: It tells nothing; each store's library has its own family of errors.
    """
    if url.partition("://")[0].lower() in _STREAMED:
        file_system, path = _web(url, total_seconds=_QUESTION_SECONDS)
    else:
        from fsspec.core import url_to_fs

        file_system, path = url_to_fs(url)
    return file_system.info(path), str(file_system.ukey(path))


def _web(url: str, *, total_seconds: float | None = None) -> Any:
    """Return fsspec's file system for a web address, and the path on it."""
    import aiohttp
    from fsspec.core import url_to_fs

    # An hour of studio sound takes longer than the five minutes that aiohttp gives a download.
    patience = aiohttp.ClientTimeout(
        total=total_seconds, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS
    )
    client = {"trust_env": True, "timeout": patience}  # trust_env: proxies
    return url_to_fs(url, client_kwargs=client)


def _open_whole(url: str) -> Any:
    """Return the answer of a web server, which is read once from its beginning."""
    file_system, path = _web(url)
    # Of block size 0 is a stream; a size keeps fsspec from asking for it first.
    return file_system.open(path, "rb", block_size=0, size=1)


def _open_in_blocks(url: str) -> Any:
    """Return a file of a store, of which a few blocks are kept in memory."""
    from fsspec.core import url_to_fs

    file_system, path = url_to_fs(url)
    return file_system.open(
        path,
        "rb",
        block_size=_BLOCK_BYTES,
        cache_type="blockcache",
        cache_options={"maxblocks": _N_BLOCKS},
    )


def _missing_package(url: str, label: str, error: ImportError) -> W2VError:
    """Return the error that says which package is missing, and how it is installed."""
    missing = getattr(error.__cause__, "name", None) or error.name
    protocol = url.partition("://")[0].lower()
    if missing in _PACKAGES:
        purpose = f"{label}: reading {protocol}:// addresses"
        return MissingDependencyError(missing, extra=EXTRA, purpose=purpose)
    advice = f"install it with: pip install {missing}" if missing else str(error)
    return AudioError(f"{label}: reading {protocol}:// addresses needs another package; {advice}")


def _reason(error: BaseException) -> str:
    """Return what went wrong with a file elsewhere, and what to do, in one line."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    status = next((s for e in chain if isinstance(s := getattr(e, "status", None), int)), None)
    deepest = chain[-1]
    text = " ".join(str(deepest).split()) or type(deepest).__name__
    if isinstance(error, ValueError) and "Protocol not known" in text:
        return f"no known kind of address; name a file, or an address such as {_EXAMPLES}"
    if isinstance(error, IsADirectoryError):
        return "a directory; name the recordings in it"
    if status in (401, 403) or any(_is_refusal(link) for link in chain):
        return f"no permission to read it ({text}); sign in, or ask its owner"
    if status in (404, 410) or (isinstance(error, FileNotFoundError) and len(chain) == 1):
        return "no such file; check the address"
    if type(deepest).__name__ == "TooManyRedirects":  # aiohttp's, whose status is 0
        return "cannot be read: the server leads in a circle; check the address"
    if status is not None:
        return f"cannot be read: the server answers {status} {getattr(deepest, 'message', '')}"
    return f"cannot be read: {text}; check the address and the network"


def _is_refusal(error: BaseException) -> bool:
    # botocore's and google's errors of this kind are no PermissionError, but are called so.
    return isinstance(error, PermissionError) or "Credentials" in type(error).__name__
