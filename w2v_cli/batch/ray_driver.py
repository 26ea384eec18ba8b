"""The place of this process in a Ray cluster: joining it, quietly, and seeing which machines go."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO, cast

from w2v_cli.errors import MissingDependencyError, W2VError
from w2v_cli.stderr import silent_stderr

# Ray reports its use to its makers, and gathers what it has to say, unless told before its import.
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}

_PATIENCE_SECONDS = 30.0
_ANSWER_SECONDS = 10.0


def import_ray() -> Any:
    """Return the module, whose functions have few types, with Ray Data loaded.

    Raises:
        MissingDependencyError: Ray is not installed.
        W2VError: Ray Data cannot be loaded.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError("ray", extra="cluster", purpose="--engine ray") from error
    try:
        import ray.data
    except ImportError as error:
        raise W2VError(f"Ray Data cannot be loaded: {error}") from error
    return ray


class Driver:
    """This process as a driver, which gives out work.

    Args:
        address: The cluster's; None for the one that RAY_ADDRESS names or that this machine
            belongs to, else for a new one of this machine alone.

    Raises:
        MissingDependencyError: Ray is not installed.
        W2VError: There is no such cluster, or it cannot be joined.
    """

    def __init__(self, address: str | None) -> None:
        self.ray = import_ray()
        self._machines: dict[str, str] = {}
        # Who has joined before us may leave after us.
        self._has_joined = not self.ray.is_initialized()
        self._stdout: _WithoutRay | None = None
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        if not self._has_joined:
            return
        try:
            _check_that_someone_listens(address)
            with _silent_core():
                self.ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
        except (OSError, RuntimeError, ValueError, asyncio.TimeoutError) as error:
            place = f"the Ray cluster at {address}" if address else "a Ray cluster"
            reason = str(error).strip().partition("\n")[0] or "it does not answer"
            raise W2VError(f"{place} cannot be joined: {reason}; see: ray status") from error
        self._stdout = _WithoutRay(sys.stdout)
        sys.stdout = cast(TextIO, self._stdout)

    def leave(self) -> None:
        """Leave the cluster, which ends all that this process had running there."""
        if self._has_joined:
            self._has_joined = False
            self.ray.shutdown()
            if self._stdout is not None and sys.stdout is cast(TextIO, self._stdout):
                sys.stdout = self._stdout.stream

    def wait_for_executors(self) -> None:
        """Let Ray Data's threads end, which must not outlive this process's place in the cluster.

        Whatever asks a cluster that was left for something ends the process, without a word.
        """
        for thread in threading.enumerate():
            if thread.name.startswith("StreamingExecutor"):
                thread.join(_PATIENCE_SECONDS)

    def machines(self) -> list[dict[str, float]]:
        """Return what each machine of the cluster has, by Ray's names."""
        return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]

    def lost_machines(self) -> list[str]:
        """Return the addresses of machines that were there when this was asked before."""
        alive = {
            node["NodeID"]: node["NodeManagerAddress"] for node in self.ray.nodes() if node["Alive"]
        }
        lost = [address for node, address in self._machines.items() if node not in alive]
        self._machines = alive
        return lost


def _check_that_someone_listens(address: str | None) -> None:
    """Raise what keeps us from the head of a cluster, for which Ray itself waits minutes."""
    host, _, port = (address or "").rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return

    async def connect() -> None:
        _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()

    asyncio.run(asyncio.wait_for(connect(), _ANSWER_SECONDS))


class _WithoutRay:
    """Standard output without the messages of Ray's threads, which belong elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        if threading.current_thread().name.startswith("ray_"):
            return len(text)
        return self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def _silent_core() -> Iterator[None]:
    """Let Ray's C++ part start with nothing to say; it writes to stderr past Python.

    Its level is taken from the environment when it starts, and it says so at once.
    """
    level = "RAY_BACKEND_LOG_LEVEL"
    if level in os.environ:
        yield
        return
    os.environ[level] = "fatal"
    try:
        with silent_stderr():
            yield
    finally:
        del os.environ[level]
