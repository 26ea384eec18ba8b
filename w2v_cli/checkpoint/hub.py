"""The Hugging Face Hub: the only file of the package that touches the network.

A file comes from the local cache (`HF_HUB_CACHE`, or `hub` under `HF_HOME`) when it is the
newest of its revision, and is downloaded otherwise. With `HF_HUB_OFFLINE`, `--offline` or
`local_files_only` only the cache is read. What can go wrong there is told in one line each,
with the next step: see `docs/checkpoints.md`.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import httpx2

from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.progress import bar_class
from w2v_cli.checkpoint.resolve import offline_suggestion, suggest_embedded
from w2v_cli.errors import HubError, ModelError, ModelNotFoundError

try:
    from huggingface_hub import constants
except ValueError as error:  # of HF_HUB_ETAG_TIMEOUT and the like, which it reads at once
    raise HubError(
        f"a variable of the environment that begins with HF_ has a value that is none "
        f"({error}); see: env | grep ^HF_"
    ) from error
from huggingface_hub import (
    HfApi,
    get_token,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)
from huggingface_hub.file_download import get_hf_file_metadata
from huggingface_hub.utils._validators import validate_repo_id

# huggingface_hub would otherwise ask the Hub for a list of programs to report itself under.
constants.HF_HUB_DISABLE_TELEMETRY = True

BYTES_PER_MB = 1_000_000

# What a write says when there is no more room: the disk, the quota, the largest file allowed.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)

log = logging.getLogger(__name__)

_told: set[str] = set()  # models of which it was said that the cache may lack files

_COMMIT = re.compile(r"[0-9a-f]{40}")


class _HubAwayError(OSError):
    """The Hub did not answer the first question, or it could not be asked."""


# No answer, no certificates, a proxy of a kind that nothing is installed for, or a token with
# letters that no token has.
_NOT_ASKED = (httpx2.TransportError, OSError, ImportError, ValueError)

# It has answered; or there was no token to ask with.
_ANSWERED = (HfHubHTTPError, FileMetadataError, LocalTokenNotFoundError)

_FAILURES = (httpx2.HTTPError, OSError, XetDownloadError)


def fetch_file(model_id: str, filename: str, options: HubOptions) -> Path | None:
    """Return the path of a model's file in the cache, downloaded if need be.

    Args:
        model_id: The model's name on the Hub, ``owner/name``.
        filename: The file inside the model, for instance ``model.safetensors``.
        options: Revision, cache, token and the like.

    Returns:
        The path, or None if the model has no such file.

    Raises:
        ModelNotFoundError: The Hub has no such model or revision, or the network is off
            and the cache has neither.
        HubError: The Hub cannot be reached or refuses, or the download cannot be stored.
    """
    if options.subfolder:
        filename = f"{options.subfolder}/{filename}"
    wanted = _WantedFile(model_id, filename, options)
    try:
        validate_repo_id(model_id)
    except HFValidationError as error:
        raise wanted.explain(error) from error
    if options.local_files_only or constants.is_offline_mode():
        return wanted.offline()
    if _COMMIT.fullmatch(options.revision) and not options.force_download:
        known, path = wanted.in_cache(options.revision)
        if known:
            return path  # a commit never changes: no need to ask the Hub
    try:
        return wanted.online()
    except RemoteEntryNotFoundError:
        return None
    except ModelError:
        raise  # said already
    except _FAILURES as error:
        if options.force_download:
            raise wanted.explain(error) from error
        known, copy = wanted.in_cache(options.revision)
        if known:
            return copy
        # Of a model that another program has loaded the cache lacks what that had no use for.
        if not isinstance(error, _HubAwayError) or not wanted.has_model():
            raise wanted.explain(error) from error
        wanted.tell_missing(error)
        return None


def list_folder(model_id: str, folder: str, options: HubOptions) -> list[str]:
    """Return the names of the files in one folder of a model, sorted; empty if it has none.

    Args:
        model_id: The model's name on the Hub, ``owner/name``.
        folder: The folder inside the model, with forward slashes.
        options: Revision, cache, token and the like.

    Raises:
        ModelNotFoundError: The Hub has no such model or revision.
        HubError: The Hub cannot be reached or refuses.
    """
    folder = f"{options.subfolder}/{folder}" if options.subfolder else folder
    wanted = _WantedFile(model_id, folder, options)
    stored = sorted(path.name for path in wanted.snapshot().glob(f"{folder}/*") if path.is_file())
    if options.local_files_only or constants.is_offline_mode():
        return stored
    try:
        entries = HfApi(library_name="w2v").list_repo_tree(
            model_id, folder, revision=options.revision, token=options.token
        )
        prefix = f"{folder}/"
        return sorted(entry.path.removeprefix(prefix) for entry in entries)
    except RemoteEntryNotFoundError:
        return []
    except (*_FAILURES, *_NOT_ASKED) as error:
        if stored:
            return stored
        told = error if isinstance(error, _ANSWERED) else _away(error)
        raise wanted.explain(told) from error


def cached_models(cache_dir: str | os.PathLike[str] | None = None) -> list[str]:
    """Return the ids of the wav2vec 2.0 models in the cache with their weights, sorted."""
    found = set()
    cache = Path(cache_dir or constants.HF_HUB_CACHE).expanduser()
    for config in cache.glob("models--*/snapshots/*/config.json"):
        try:
            model_type = json.loads(config.read_text(encoding="utf-8")).get("model_type")
        except (OSError, ValueError, AttributeError):
            continue  # another model's broken file is no reason to fail
        if model_type == "wav2vec2" and _has_weights(config.parent):
            found.add(config.parents[2].name.removeprefix("models--").replace("--", "/", 1))
    return sorted(found)


def _has_weights(snapshot: Path) -> bool:
    """Return whether the weights of a model were downloaded, all parts of them."""
    for index in snapshot.glob("*.index.json"):
        try:
            parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return False
        return all((snapshot / part).exists() for part in parts)
    return any(any(snapshot.glob(f"*{suffix}")) for suffix in (".safetensors", ".bin"))


@dataclass(frozen=True)
class _WantedFile:
    """One file of one model, and the ways to come by it."""

    model_id: str
    filename: str
    options: HubOptions

    @property
    def cache_dir(self) -> str:
        return os.fspath(Path(self.options.cache_dir or constants.HF_HUB_CACHE).expanduser())

    def in_cache(self, revision: str) -> tuple[bool, Path | None]:
        """Return whether the cache knows of the file at `revision`, and where it is.

        (True, None) means that the cache remembers that there is no such file.
        """
        cached = try_to_load_from_cache(
            self.model_id, self.filename, cache_dir=self.cache_dir, revision=revision
        )
        if cached is None:
            return False, None
        return True, Path(cached) if isinstance(cached, str) else None

    def offline(self) -> Path | None:
        """Return the cached file, or None if the cached model lacks it."""
        known, path = self.in_cache(self.options.revision)
        if known or self.snapshot().is_dir():
            return path
        raise ModelNotFoundError(
            f"{self.model_id}: no such folder here, and not in the cache ({self.cache_dir}) at "
            f"revision {self.options.revision}, and the network is off (--offline, HF_HUB_OFFLINE "
            f"or local_files_only); check the path, or fetch it once with the network "
            f"on{self._alternatives()}"
        )

    def tell_missing(self, error: _HubAwayError) -> None:
        """Warn, once a model, that the cache may lack files of it."""
        if self.model_id not in _told:
            _told.add(self.model_id)
            log.warning(
                "%s: the Hub cannot be reached (%s); of the copy in the cache, %s is missing",
                self.model_id,
                error,
                self.filename,
            )

    def has_model(self) -> bool:
        """Return whether the cache has a model of this name with its weights."""
        snapshot = self.snapshot()
        if self.options.subfolder:
            snapshot /= self.options.subfolder
        return (snapshot / "config.json").exists() and _has_weights(snapshot)

    def snapshot(self) -> Path:
        """Return the cache's folder for the revision, whether it exists or not."""
        model = Path(self.cache_dir, f"models--{self.model_id.replace('/', '--')}")
        reference = model / "refs" / self.options.revision
        commit = reference.read_text(encoding="utf-8") if reference.is_file() else None
        return model / "snapshots" / (commit or self.options.revision)

    def online(self) -> Path:
        """Return the newest copy of the file, from the cache if it is there already.

        The question for the file's metadata comes first and is asked only once: on its own
        `hf_hub_download` would retry for half a minute before it says that there is no
        network.
        """
        options = self.options
        try:
            url = hf_hub_url(self.model_id, self.filename, revision=options.revision)
            metadata = get_hf_file_metadata(
                url,
                token=options.token,
                timeout=constants.HF_HUB_ETAG_TIMEOUT,
                library_name="w2v",
            )
        except RemoteEntryNotFoundError:
            metadata = None  # the download below says so again, and has the cache remember it
        except _ANSWERED:
            raise
        except _NOT_ASKED as error:
            raise _away(error) from error
        if metadata is not None and not options.force_download:
            newest = self.in_cache(metadata.commit_hash or options.revision)[1]
            if newest is not None and newest == self.in_cache(options.revision)[1]:
                return newest
        if metadata is not None and metadata.size is not None:
            self._check_room(metadata.size)
        path = hf_hub_download(
            self.model_id,
            self.filename,
            revision=options.revision,
            cache_dir=self.cache_dir,
            token=options.token,
            force_download=options.force_download,
            library_name="w2v",
            tqdm_class=bar_class(self.filename),
        )
        return Path(path)

    def _check_room(self, size_bytes: int) -> None:
        """Raise HubError when the cache's disk has less than `size_bytes` free."""
        cache = Path(self.cache_dir).expanduser().resolve()
        disk = next(folder for folder in (cache, *cache.parents) if folder.exists())
        free_bytes = shutil.disk_usage(disk).free
        if free_bytes < size_bytes:
            raise HubError(
                f"{self.model_id}: {self.filename} takes {size_bytes / BYTES_PER_MB:,.1f} MB and "
                f"the disk of the cache has {free_bytes / BYTES_PER_MB:,.1f} MB left; make room "
                f"in {self.cache_dir}, or set HF_HOME to a folder on a larger disk"
            )

    def explain(self, error: Exception) -> ModelError:
        """Return the one-line error for what huggingface_hub or the network raised."""
        if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
            error = error.__cause__  # what went wrong when it asked the Hub
        if isinstance(error, HfHubHTTPError):
            return self._explain_refusal(error)
        if isinstance(error, HFValidationError):
            return ModelNotFoundError(
                f"{self.model_id}: no such folder or embedded model, and not a model id of the "
                f"Hub either; those look like owner/name"
            )
        if isinstance(error, LocalTokenNotFoundError):
            return HubError(
                f"{self.model_id}: token=True asks for a stored token and there is none; set "
                f"HF_TOKEN to a token from {constants.ENDPOINT}/settings/tokens"
            )
        if isinstance(error, FileMetadataError):
            return HubError(
                f"{self.model_id}: what answers at {constants.ENDPOINT} is not a Hub; check "
                f"HF_ENDPOINT, the proxy and the firewall{self._alternatives()}"
            )
        if isinstance(error.__cause__, UnicodeEncodeError):
            return HubError(
                f"{self.model_id}: the token (HF_TOKEN, or the stored one) has letters that no "
                f"token has; set HF_TOKEN to one from {constants.ENDPOINT}/settings/tokens"
            )
        if isinstance(error, (_HubAwayError, httpx2.ConnectError)):
            return self._explain_unreachable(error)
        if isinstance(error, OSError) and error.errno is not None:
            return self._explain_disk(error)
        return self._explain_interruption(error)

    def _explain_refusal(self, error: HfHubHTTPError) -> ModelError:
        """Return the error for an answer of the Hub that is not the file."""
        status = error.response.status_code
        has_token = bool(get_token() if self.options.token in (None, True) else self.options.token)
        page = f"{constants.ENDPOINT}/{self.model_id}"
        said = error.server_message or error.response.headers.get("X-Error-Message") or ""
        if isinstance(error, GatedRepoError):
            step = (
                f"this token has no access to it yet: ask for it at {page}"
                if has_token
                else f"accept its terms at {page} and set HF_TOKEN to your token"
            )
            return HubError(f"{self.model_id}: the model is gated; {step}")
        if status == 401 and has_token and "X-Error-Code" not in error.response.headers:
            return HubError(
                f"{self.model_id}: the Hub does not accept the token; set HF_TOKEN to a valid one "
                f"from {constants.ENDPOINT}/settings/tokens, or to nothing for public models"
            )
        if isinstance(error, RepositoryNotFoundError):
            return self._explain_unknown_model(has_token)
        if isinstance(error, RevisionNotFoundError):
            return ModelNotFoundError(
                f"{self.model_id}: the model has no revision {self.options.revision}; take main, "
                f"or a branch, tag or commit listed at {page}/commits/main"
            )
        if status in (401, 403):
            return HubError(
                f"{self.model_id}: the Hub refuses access ({status}{f': {said}' if said else ''}); "
                f"check the permissions of the token in HF_TOKEN"
            )
        return HubError(
            f"{self.model_id}: the Hub ({constants.ENDPOINT}) answered with error {status}; try "
            f"again in a while{self._alternatives()}"
        )

    def _explain_unknown_model(self, has_token: bool) -> ModelNotFoundError:
        meant = suggest_embedded(self.model_id)
        private = "the token in HF_TOKEN has no access to it" if has_token else "set HF_TOKEN"
        return ModelNotFoundError(
            f"{self.model_id}: no such folder, no such embedded model and no such model on the "
            f"Hub; {f'did you mean {meant}? ' if meant else ''}check the spelling (if it is "
            f"private: {private})"
        )

    def _explain_unreachable(self, error: Exception) -> HubError:
        return HubError(
            f"{self.model_id}: no such folder here, the Hub ({constants.ENDPOINT}) cannot be "
            f"reached ({_first_line(error)}) and the cache has no {self.filename} of it; check the "
            f"path, or the network{self._alternatives()}"
        )

    def _explain_disk(self, error: OSError) -> HubError:
        if error.errno in _NO_ROOM:
            return HubError(
                f"{self.model_id}: the disk is full, {self.filename} could not be stored; make "
                f"room in {self.cache_dir}, or set HF_HOME to a folder on a larger disk"
            )
        if error.errno in _NOT_WRITABLE:
            return HubError(
                f"{self.model_id}: the cache {self.cache_dir} cannot be written; set HF_HOME to "
                f"a folder of your own"
            )
        return HubError(
            f"{self.model_id}: {self.filename} could not be stored in {self.cache_dir} "
            f"({error.strerror}); set HF_HOME to another folder"
        )

    def _explain_interruption(self, error: Exception) -> HubError:
        return HubError(
            f"{self.model_id}: the download of {self.filename} broke off ({_first_line(error)}); "
            f"nothing incomplete was kept: run it again{self._alternatives()}"
        )

    def _alternatives(self) -> str:
        """Return what can be used without the Hub: ", or use --model mini ..."."""
        meant = suggest_embedded(self.model_id)
        offers = [meant] if meant else [offline_suggestion()]
        others = [name for name in cached_models(self.cache_dir) if name != self.model_id]
        offers += [f"{name} (in the cache)" for name in others]
        listed = " or ".join(offer for offer in offers if offer)
        return f", or use {listed}" if listed else ""


def _away(error: Exception) -> _HubAwayError:
    """Return an error that says the Hub was not reached, for one of those before it answers."""
    said = _first_line(error)
    certificates = os.environ.get("SSL_CERT_FILE")
    if certificates and isinstance(error, OSError) and not isinstance(error, httpx2.HTTPError):
        said = f"{said}; SSL_CERT_FILE is {certificates}"
    away = _HubAwayError(said)
    away.__cause__ = error
    return away


def _first_line(error: Exception) -> str:
    """Return the reason an error gives: "Connection refused", its kind if it gives none."""
    reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error).strip().partition("\n")[0])
    return reason.rstrip(".") or type(error).__name__
