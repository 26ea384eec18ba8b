"""How a download is shown while it runs: a small interface that a display implements.

    with show_progress(my_display):
        Wav2Vec2ForCTC.from_pretrained("facebook/wav2vec2-base-960h")

Without a display huggingface_hub draws its own bar, on stderr and only on a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Protocol


class DownloadProgress(Protocol):
    """What a display offers; one file is downloaded at a time."""

    def start(self, filename: str, total_bytes: int | None) -> None:
        """Begin a file; `total_bytes` is None when the server does not tell its size."""

    def advance(self, n_bytes: int) -> None:
        """Count `n_bytes` more; negative when a broken download begins again."""

    def finish(self) -> None:
        """End the file, complete or not."""


_display: ContextVar[DownloadProgress | None] = ContextVar("download_display", default=None)


@contextmanager
def show_progress(display: DownloadProgress) -> Iterator[None]:
    """Report every download inside the `with` block to `display`."""
    before = _display.set(display)
    try:
        yield
    finally:
        _display.reset(before)


def bar_class(filename: str) -> type[Any] | None:
    """Return a class for huggingface_hub's `tqdm_class`, or None to leave it its own bar.

    huggingface_hub takes displays only as a class of the shape of tqdm's, and gives it a
    shortened name; the name shown is `filename`.
    """
    display = _display.get()
    return None if display is None else _make_bar_class(display, filename)


def _make_bar_class(display: DownloadProgress, filename: str) -> type[Any]:
    class Bar(AbstractContextManager["Bar", None]):
        def __init__(self, *, total: int | None = None, initial: int = 0, **_: Any) -> None:
            self.n = initial
            self.total = total
            display.start(filename, total)
            if initial:
                display.advance(initial)

        def update(self, n: int = 1) -> None:
            self.n += n
            display.advance(n)

        def update_transfer(self, n: int = 1) -> None:
            """Bytes on the wire; those written to the file are counted already."""

        def set_postfix_str(self, text: str = "", refresh: bool = True) -> None:
            """The display shows its own speed."""

        def refresh(self) -> None:
            """The display redraws itself."""

        def close(self) -> None:
            display.finish()

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
        ) -> None:
            self.close()

    return Bar
