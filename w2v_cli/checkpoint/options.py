"""Where and how a checkpoint's files are looked for: one object instead of seven arguments."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any

DEFAULT_REVISION = "main"

# Accepted by the published from_pretrained because old code passes them, and without meaning
# for where a file comes from: a download always resumes, the proxy is taken from the
# environment, and no code of a model is ever run.
_WITHOUT_EFFECT = (
    "resume_download",
    "proxies",
    "trust_remote_code",
    "user_agent",
    "mirror",
    "_from_auto",
    "_from_pipeline",
    "_commit_hash",
)


@dataclass(frozen=True)
class HubOptions:
    """Where the files of a named model are looked for."""

    revision: str = DEFAULT_REVISION  # a branch, a tag or a commit of the model on the Hub
    cache_dir: str | os.PathLike[str] | None = None  # None: HF_HUB_CACHE, or HF_HOME/hub
    token: str | bool | None = None  # None: HF_TOKEN or the stored login; False: none at all
    local_files_only: bool = False  # True: as with HF_HUB_OFFLINE, the network is not touched
    force_download: bool = False  # True: download again what the cache already has
    subfolder: str = ""  # a folder inside the checkpoint, with forward slashes

    def arguments(self) -> dict[str, Any]:
        """Return the options as `from_pretrained` takes them."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def take_from(cls, kwargs: dict[str, Any]) -> HubOptions:
        """Return the options found among `kwargs`, and remove them from it.

        Names the published `from_pretrained` accepts and that change nothing here
        (`resume_download`, `proxies` ...) are removed as well.
        """
        for name in _WITHOUT_EFFECT:
            kwargs.pop(name, None)
        return cls(
            revision=kwargs.pop("revision", None) or DEFAULT_REVISION,
            cache_dir=kwargs.pop("cache_dir", None),
            token=kwargs.pop("token", None),
            local_files_only=bool(kwargs.pop("local_files_only", False)),
            force_download=bool(kwargs.pop("force_download", False)),
            subfolder=kwargs.pop("subfolder", None) or "",
        )
