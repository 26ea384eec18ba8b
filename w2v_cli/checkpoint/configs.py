"""config.json: what a checkpoint says about its network."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from w2v_cli.checkpoint.atomic import make_folder, write_text
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.resolve import resolve_file
from w2v_cli.errors import CheckpointError, ModelNotFoundError
from w2v_cli.uploads import refuse_upload

CONFIG_FILE = "config.json"


def load_config(cls: Any, name: str | os.PathLike[str], **kwargs: Any) -> Any:
    """Return the configuration of a checkpoint.

    Args:
        cls: The configuration's class.
        name: A folder, a config.json, an embedded model or a model id.
        **kwargs: Where to look (see HubOptions); `return_unused_kwargs=True` for a pair of
            the configuration and the arguments that name no field of it; any other argument
            takes the place of the field of that name.

    Raises:
        ModelNotFoundError: There is no such model, or it has no config.json.
        CheckpointError: config.json cannot be read, or describes another kind of network.
        HubError: The Hub cannot be reached or refuses.
    """
    content, kwargs = load_config_dict(name, **kwargs)
    part = _part_for(cls, content, name)
    try:
        return cls.from_dict(part, **kwargs)
    except (ValueError, TypeError, AttributeError) as error:
        given = ", ".join(key for key in kwargs if key != "return_unused_kwargs")
        with_given = f", with {given} as given," if given else ""
        raise CheckpointError(
            f"{name}: its {CONFIG_FILE}{with_given} makes no network: {error}"
        ) from error


def load_config_dict(
    name: str | os.PathLike[str], **kwargs: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the content of config.json, and the arguments that name no place to look.

    Raises:
        ModelNotFoundError: There is no such model, or it has no config.json.
        CheckpointError: config.json is not a JSON object.
        HubError: The Hub cannot be reached or refuses.
    """
    options = HubOptions.take_from(kwargs)
    path: Path | None = Path(name)
    if path is not None and not path.is_file():
        path = resolve_file(name, CONFIG_FILE, options)
    if path is None:
        place = f" in {options.subfolder}" if options.subfolder else ""
        raise ModelNotFoundError(
            f"{name}: there is no {CONFIG_FILE}{place}, so this is not a model; give a folder or "
            f"a model id that has one"
        )
    return read_json_object(path), kwargs


def read_json_object(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds.

    Raises:
        CheckpointError: It cannot be read, or is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # of JSON as well as of UTF-8
        raise CheckpointError(
            f"{path}: not valid JSON ({error}); fetch or save the model again"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: a JSON object is needed here; fetch the model again")
    return content


def save_config(config: Any, folder: str | os.PathLike[str], *, push_to_hub: bool = False) -> None:
    """Write config.json into `folder`, which is made when it isn't there.

    Raises:
        ValueError: push_to_hub is true.
        WriteError: The folder cannot be written.
    """
    refuse_upload(push_to_hub)
    write_text(make_folder(folder) / CONFIG_FILE, config.to_json_string(use_diff=True))


def _part_for(cls: Any, content: dict[str, Any], name: object) -> dict[str, Any]:
    """Return the part of config.json that describes a network of `cls`."""
    model_type = content.get("model_type", cls.model_type)
    if model_type == cls.model_type:
        return content
    for part in content.values():  # a wav2vec 2.0 encoder inside a larger model
        if isinstance(part, dict) and part.get("model_type") == cls.model_type:
            return part
    raise CheckpointError(
        f"{name}: this is a {model_type} model, and a {cls.model_type} model is needed; choose "
        f"one whose {CONFIG_FILE} says model_type {cls.model_type}"
    )
