"""The errors a user can meet, each with the exit code that `w2v` ends with.

    W2VError                      1   a run failed
    ├── WorkerDiedError           1   a decoding that its process did not survive (decoding/pool)
    ├── WorkerLostError           1   a recording that no machine of a cluster survived
    ├── UsageError                2   the command line is wrong
    ├── AudioError                1   a recording cannot be read
    │   ├── AlignmentError            a text cannot be found in it
    │   └── OutOfMemoryError          it does not fit into the memory
    ├── WriteError                1   a file or a folder cannot be written
    ├── ModelError                4   a model cannot be loaded
    │   ├── ModelNotFoundError        no such folder, model id, revision or file
    │   ├── CheckpointError           the files are there, but do not fit the model
    │   │   └── AlphabetMismatchError         a language model of other letters (processing)
    │   └── HubError                  the Hub cannot be reached, or refuses
    └── MissingDependencyError    5   an optional package is not installed

A message is one line: what was given, what is needed, what to do next. A programmer's
mistake is a ValueError or a TypeError; anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

from typing import Any

SOME_INPUTS_FAILED = 3


class W2VError(Exception):
    """An error whose message is meant for the person at the terminal."""

    exit_code = 1


class UsageError(W2VError):
    """Options that contradict each other or cannot be understood."""

    exit_code = 2


class WorkerLostError(W2VError):
    """A recording with which one worker of a cluster after the other went down."""


class AudioError(W2VError):
    """A recording that cannot be read as asked."""


class AlignmentError(AudioError):
    """A recording that cannot hold a text: too short for it, or of other letters."""


class ChannelsError(AudioError):
    """A recording of more than two channels, of which none is chosen."""


class OutOfMemoryError(AudioError):
    """Audio that does not fit into the device's memory, in one pass of the network."""


class WriteError(W2VError, OSError):
    """A file or a folder that cannot be written: no room, no permission, no such place."""


class ModelError(W2VError):
    """A model or a language model that cannot be loaded."""

    exit_code = 4


# The published from_pretrained raises OSError for what it cannot find or reach and RuntimeError
# for weights that do not fit; code that catches those keeps working.
class ModelNotFoundError(ModelError, OSError):
    """No such folder, embedded name, model id, revision or file."""


class CheckpointError(ModelError, RuntimeError):
    """Files that were found but do not fit the model they should fill."""


class LanguageError(W2VError, ValueError):
    """A vocabulary of several languages without the one that was asked for, or none was."""


class HubError(ModelError, OSError):
    """The Hub could not be reached, or refused what was asked."""


class MissingDependencyError(W2VError):
    """An optional package is needed and not installed."""

    exit_code = 5

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        """Say which package is missing, what for, and which extra installs it.

        Args:
            package: The distribution's name, for instance ``av``.
            extra: The extra of w2v that brings it, for instance ``containers``.
            purpose: What the user wanted that needs it, as the start of a sentence.
        """
        super().__init__(
            f"{purpose} needs the package {package}; install it with: pip install 'w2v[{extra}]'"
        )
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is made anew where it is unpickled, from its message alone."""
        return (_unpickled, (type(self), str(self), self.__dict__))


def _unpickled(
    kind: type[MissingDependencyError], message: str, attributes: dict[str, Any]
) -> MissingDependencyError:
    error = kind.__new__(kind, message)
    error.__dict__.update(attributes)
    return error
