"""The files of the feature extractor and the processor, read and written.

| file | what it holds |
|---|---|
| preprocessor_config.json | the feature extractor's settings |
| processor_config.json | the same under `feature_extractor`, as a processor saves them |

The tokenizer's are in `tokenizer_files.py`.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2v_cli.checkpoint.atomic import make_folder, write_text
from w2v_cli.checkpoint.configs import read_json_object
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.resolve import resolve_file
from w2v_cli.errors import CheckpointError, LanguageError, ModelNotFoundError, UsageError
from w2v_cli.uploads import refuse_upload

if TYPE_CHECKING:
    from w2v_cli.processing.feature_extractor import Wav2Vec2FeatureExtractor
    from w2v_cli.processing.processor import Wav2Vec2Processor

FEATURE_EXTRACTOR_FILE = "preprocessor_config.json"
PROCESSOR_FILE = "processor_config.json"

_LONGEST_REASON = 200  # characters

Name = str | os.PathLike[str]
Json = dict[str, Any]


def feature_extractor_settings(name: Name, kwargs: Json) -> tuple[Json, Json]:
    """Return a feature extractor's settings, and of `kwargs` those that do not locate them.

    Args:
        name: A folder, an embedded name, a model id, or a JSON file with the settings.
        kwargs: Options of the Hub, and any others.

    Raises:
        ModelNotFoundError: The checkpoint has no feature extractor.
    """
    options = HubOptions.take_from(kwargs)
    settings = find_feature_extractor(name, options)
    if settings is None:
        raise ModelNotFoundError(
            f"{name}: no {FEATURE_EXTRACTOR_FILE} there; is it a checkpoint of a speech model?"
        )
    return settings, kwargs


def find_feature_extractor(name: Name, options: HubOptions) -> Json | None:
    """Return a feature extractor's settings from whichever file holds them; None where none does.

    Args:
        name: A folder, an embedded name, a model id, or a JSON file with the settings.
        options: Where a model id is looked for.
    """
    if Path(name).is_file():
        return read_json_object(Path(name))
    parts = read_if_there(name, PROCESSOR_FILE, options) or {}
    nested: Json | None = parts.get("feature_extractor", parts.get("audio_processor"))
    return nested or read_if_there(name, FEATURE_EXTRACTOR_FILE, options)


@contextmanager
def explaining_processors(name: Name, target_lang: str | None) -> Iterator[None]:
    """Load a processor or a tokenizer; where its files are damaged or lack a language, say so.

    Args:
        name: The checkpoint.
        target_lang: The language that was asked for.

    Raises:
        UsageError: The checkpoint has no such language, or has several and none was chosen.
        CheckpointError: Its files cannot be used.
    """
    try:
        yield
    except LanguageError as error:
        option = "--lang" if target_lang is None else f"--lang {target_lang}"
        said = textwrap.shorten(str(error), _LONGEST_REASON)  # MMS has over 1000 languages to list
        raise UsageError(f"{option}: {name}: {said}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{name}: the files of its processor cannot be used ({error}); fetch or save the model "
            f"again"
        ) from error


def save_feature_extractor(
    extractor: Wav2Vec2FeatureExtractor, folder: Name, *, push_to_hub: bool = False
) -> list[str]:
    """Return the path of the file that it wrote into `folder`, in a list."""
    refuse_upload(push_to_hub)
    path = make_folder(folder) / FEATURE_EXTRACTOR_FILE
    write_text(path, extractor.to_json_string())
    return [str(path)]


def save_processor(
    processor: Wav2Vec2Processor, folder: Name, *, push_to_hub: bool = False
) -> list[str]:
    """Return the path of the processor_config.json that it wrote beside the tokenizer's files."""
    refuse_upload(push_to_hub)
    path = make_folder(folder) / PROCESSOR_FILE
    processor.tokenizer._set_processor_class(type(processor).__name__)
    processor.tokenizer.save_pretrained(folder)
    write_text(path, processor.to_json_string())
    return [str(path)]


def read_if_there(name: Name, filename: str, options: HubOptions) -> Json | None:
    """Return what a JSON file of a checkpoint holds, or None if there is no such file."""
    path = resolve_file(name, filename, options)
    return None if path is None else read_json_object(path)
