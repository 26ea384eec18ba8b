"""The tokenizer's files, read and written.

| file | what it holds |
|---|---|
| tokenizer_config.json | the settings, and the added tokens |
| vocab.json | ids by token, or such vocabularies by language |
| added_tokens.json | ids of the tokens that vocab.json lacks |
| special_tokens_map.json | the special tokens, in older checkpoints |
| tokenizer.json | added tokens, where a tokenizer written in Rust was saved as well |
| chat_template.jinja | the chat template, if a tokenizer was given one |
| additional_chat_templates/*.jinja | others, by their names |
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2v_cli.checkpoint.atomic import make_folder, write_text
from w2v_cli.checkpoint.configs import read_json_object
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.processors import read_if_there
from w2v_cli.checkpoint.resolve import resolve_file
from w2v_cli.errors import CheckpointError
from w2v_cli.processing.added_token import AddedToken, is_added_token, is_token
from w2v_cli.uploads import refuse_upload

if TYPE_CHECKING:
    from w2v_cli.processing.tokenizer import Wav2Vec2CTCTokenizer

CONFIG_FILE = "tokenizer_config.json"
VOCAB_FILE = "vocab.json"
ADDED_TOKENS_FILE = "added_tokens.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"
RUST_FILE = "tokenizer.json"
TEMPLATE_FILE = "chat_template.jinja"
TEMPLATE_FOLDER = "additional_chat_templates"

Name = str | os.PathLike[str]
Json = dict[str, Any]


def load_tokenizer(
    cls: type[Wav2Vec2CTCTokenizer], name: Name, inputs: Sequence[Any], kwargs: Json
) -> Wav2Vec2CTCTokenizer:
    """Return the tokenizer of a checkpoint.

    Args:
        cls: The class to make.
        name: A folder, an embedded name or a model id.
        inputs: Positional arguments of the class.
        kwargs: Options of the Hub, and settings that replace the checkpoint's.

    Raises:
        ValueError: `name` is a file; a tokenizer has several.
        ModelNotFoundError: There is no such checkpoint.
        CheckpointError: It has no vocabulary.
    """
    options = HubOptions.take_from(kwargs)
    if Path(name).is_file():
        raise ValueError(f"{name}: a tokenizer has several files; give the folder they lie in")
    settings = read_if_there(name, CONFIG_FILE, options) or {}
    _refuse_phonemes(name, settings.pop("tokenizer_class", None))
    settings.pop("init_inputs", None)  # which names files, and only a caller may
    inputs = tuple(inputs)
    templates = _templates(name, options)
    if templates:
        alone = set(templates) == {"default"}
        settings["chat_template"] = templates["default"] if alone else templates
    settings.update(kwargs)
    delimiter = settings.get("word_delimiter_token")
    if isinstance(delimiter, dict) and "content" in delimiter:
        settings["word_delimiter_token"] = delimiter["content"]
    _separate_own_tokens(settings, cls.SPECIAL_TOKENS_ATTRIBUTES)
    if kwargs.get("vocab_file") is None:
        # Only a caller may say where the vocabulary is: a checkpoint could name any file.
        settings["vocab_file"] = resolve_file(name, VOCAB_FILE, options)
    if inputs:
        settings.pop("vocab_file")
    elif settings["vocab_file"] is None:
        raise CheckpointError(f"{name}: no {VOCAB_FILE} there, which the tokenizer needs")
    else:
        _check_ids(Path(settings["vocab_file"]))  # for an error that names the file
    settings["name_or_path"] = str(name)
    settings["is_local"] = Path(name).is_dir()
    settings["local_files_only"] = options.local_files_only

    added = settings.get("added_tokens_decoder")
    if added is None:
        added = _older_added_tokens(name, options, settings, kwargs, cls)
    placed = {int(index): _token(token) for index, token in added.items()}
    settings = {key: _with_tokens(value) for key, value in settings.items()}
    settings["added_tokens_decoder"] = placed
    by_text = {token.content: token for token in placed.values()}
    for key in cls.SPECIAL_TOKENS_ATTRIBUTES:
        if settings.get(key) is not None:
            settings[key] = by_text.get(str(settings[key]), settings[key])
    return cls(*inputs, **settings)


def _refuse_phonemes(name: Name, tokenizer_class: str | None) -> None:
    """Refuse a vocabulary of phones, whose texts have other rules than those of letters.

    Raises:
        CheckpointError: It is one.
    """
    if tokenizer_class is not None and "Phoneme" in tokenizer_class:
        raise CheckpointError(
            f"{name}: this model writes phones ({tokenizer_class}), and w2v writes letters alone; "
            f"take a model that writes letters, or load the network and its feature extractor "
            f"alone in Python, whose numbers are the published ones"
        )


def _check_ids(path: Path) -> None:
    """Refuse a vocabulary, or one of several, whose tokens have no numbers.

    Raises:
        CheckpointError: It is one.
    """
    for token, number in read_json_object(path).items():
        entries = number.items() if isinstance(number, dict) else [(token, number)]
        for entry, index in entries:
            if not isinstance(index, int) or index < 0:
                raise CheckpointError(
                    f"{path}: {entry!r} has the number {index!r}, and whole numbers from 0 on are "
                    f"needed; fetch or save the model again"
                )


def _templates(name: Name, options: HubOptions) -> dict[str, str]:
    """Return the chat templates saved beside a tokenizer, by name."""
    folder = Path(name) / options.subfolder / TEMPLATE_FOLDER
    paths = {path.stem: path for path in sorted(folder.glob("*.jinja"))}
    default = resolve_file(name, TEMPLATE_FILE, options)
    if default is not None:
        paths["default"] = default
    return {template: path.read_text(encoding="utf-8") for template, path in paths.items()}


def _separate_own_tokens(settings: Json, usual: Sequence[str]) -> None:
    """Move the special tokens that only some tokenizers have into a dictionary of their own.

    The word delimiter stays where the class takes it from as well.
    """
    if "additional_special_tokens" in settings and not settings.get("extra_special_tokens"):
        settings["extra_special_tokens"] = settings.pop("additional_special_tokens")
    own = {
        key: settings.pop(key)
        for key in list(settings)
        if key not in usual and key.endswith("_token") and is_token(settings[key])
    }
    if isinstance(settings.get("extra_special_tokens"), dict):
        own.update(settings.pop("extra_special_tokens"))
    if own:
        settings["model_specific_special_tokens"] = own
    own = settings.get("model_specific_special_tokens") or {}
    if "word_delimiter_token" in own:
        settings["word_delimiter_token"] = own["word_delimiter_token"]


def _older_added_tokens(
    name: Name,
    options: HubOptions,
    settings: Json,
    given: Mapping[str, Any],
    cls: type[Wav2Vec2CTCTokenizer],
) -> dict[Any, Any]:
    """Return the added tokens of an older checkpoint; its special ones go into `settings`."""
    for key, value in (read_if_there(name, SPECIAL_TOKENS_FILE, options) or {}).items():
        if not given.get(key):
            settings[key] = _older_special_token(key, value, settings)
    if isinstance(settings.get("extra_special_tokens"), dict):
        own = settings.setdefault("model_specific_special_tokens", {})
        own.update(settings.pop("extra_special_tokens"))
    named = [settings.get(key) for key in cls.SPECIAL_TOKENS_ATTRIBUTES]
    extra = settings.get("extra_special_tokens") or []
    special = {str(token) for token in [*named, *extra] if token}
    added: dict[Any, Any] = {}
    for text, index in (read_if_there(name, ADDED_TOKENS_FILE, options) or {}).items():
        is_special = text in special
        added[index] = AddedToken(text, normalized=not is_special, special=is_special)
    for entry in (read_if_there(name, RUST_FILE, options) or {}).get("added_tokens", []):
        rules = {key: value for key, value in entry.items() if key != "id"}
        added[entry["id"]] = AddedToken(**rules)
    return added


def _older_special_token(key: str, value: Any, settings: Mapping[str, Any]) -> Any:
    """Return one entry of special_tokens_map.json as the tokenizer takes it."""
    if key == "extra_special_tokens" and isinstance(value, list):
        tokens = list(settings.get(key) or [])
        for entry in value:
            token = _special(entry) if isinstance(entry, dict) else entry
            if token not in tokens:
                tokens.append(token)
        return tokens
    if isinstance(value, dict) and key != "extra_special_tokens":
        return _special(value)
    return value


def _special(entry: Mapping[str, Any]) -> AddedToken:
    return AddedToken(**{**_rules(entry), "special": True})


def _token(entry: Any) -> AddedToken:
    if isinstance(entry, Mapping):
        return AddedToken(**_rules(entry))
    if not is_added_token(entry):
        raise TypeError(f"added_tokens_decoder holds {entry!r}, which is no added token")
    return AddedToken.copy_of(entry)


def _rules(entry: Mapping[str, Any]) -> Json:
    return {key: value for key, value in entry.items() if key != "__type"}


def _with_tokens(value: Any) -> Any:
    """Return `value` with every dictionary in it that stands for an added token turned into one."""
    if isinstance(value, dict):
        if value.get("__type") == "AddedToken":
            return _token(value)
        return {key: _with_tokens(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_tokens(item) for item in value]
    return value


def _without_tokens(value: Any) -> Any:
    """Return `value` with every added token in it turned into what JSON can hold."""
    if is_added_token(value):
        return {**AddedToken.copy_of(value).__getstate__(), "__type": "AddedToken"}
    if isinstance(value, dict):
        return {key: _without_tokens(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_tokens(item) for item in value]
    return value


def save_tokenizer(
    tokenizer: Wav2Vec2CTCTokenizer,
    folder: Name,
    *,
    legacy_format: bool | None = None,
    filename_prefix: str | None = None,
    push_to_hub: bool = False,
    save_jinja_files: bool = True,
) -> tuple[str, ...]:
    """Return the paths of the tokenizer's files in `folder`.

    The last path is that of added_tokens.json, which is only written if it is needed.

    Raises:
        ValueError: `legacy_format` is False, or `push_to_hub` is True.
    """
    if legacy_format is False:
        raise ValueError("only a tokenizer in Rust can be saved with legacy_format=False")
    refuse_upload(push_to_hub)
    target = make_folder(folder)
    prefix = f"{filename_prefix}-" if filename_prefix else ""
    config_path = target / f"{prefix}{CONFIG_FILE}"
    settings = _tokenizer_settings(tokenizer)
    template_files: list[str] = []
    if save_jinja_files:
        template_files = _save_templates(tokenizer.chat_template, target, prefix)
    elif tokenizer.chat_template is not None:
        settings["chat_template"] = _listed(tokenizer.chat_template)
    _write(config_path, settings)
    outside = {
        token: index
        for token, index in tokenizer.added_tokens_encoder.items()
        if index >= tokenizer.vocab_size
    }
    added_path = target / f"{prefix}{ADDED_TOKENS_FILE}"
    if outside:
        _write(added_path, outside)
    vocab_files = tokenizer.save_vocabulary(folder, filename_prefix=filename_prefix)
    return (str(config_path), *template_files, *vocab_files, str(added_path))


def _save_templates(
    templates: str | Mapping[str, str] | None, target: Path, prefix: str
) -> list[str]:
    """Return the paths of the chat templates that it wrote.

    Raises:
        ValueError: A template's name would lead out of the folder.
    """
    named = {"default": templates} if isinstance(templates, str) else templates or {}
    folder = target / f"{prefix}{TEMPLATE_FOLDER}"
    paths = {
        name: target / f"{prefix}{TEMPLATE_FILE}" if name == "default" else folder / f"{name}.jinja"
        for name in named
    }
    for name, path in paths.items():
        if path.resolve().parent not in (target.resolve(), folder.resolve()) or "/" in name:
            raise ValueError(f"{name!r} cannot be the name of a chat template's file")
    for name, path in paths.items():
        path.parent.mkdir(exist_ok=True)
        write_text(path, named[name])
    return [str(path) for path in paths.values()]


def _listed(templates: str | Mapping[str, str]) -> Any:
    """Return templates as tokenizer_config.json holds them."""
    if isinstance(templates, str):
        return templates
    return [{"name": name, "template": template} for name, template in templates.items()]


def _tokenizer_settings(tokenizer: Wav2Vec2CTCTokenizer) -> Json:
    """Return what tokenizer_config.json says about a tokenizer."""
    unsaved = {"add_bos_token", "add_eos_token", *tokenizer.vocab_files_names}
    settings = copy.deepcopy(tokenizer.init_kwargs)
    for key in [*settings, "model_max_length"]:
        if hasattr(tokenizer, key):
            settings[key] = getattr(tokenizer, key)
    settings.update(tokenizer.special_tokens_map)
    if tokenizer.extra_special_tokens:
        settings["extra_special_tokens"] = tokenizer.extra_special_tokens
    # Where it was loaded from is nobody's business but this machine's.
    unsaved |= {"name_or_path", "special_tokens_map_file", "tokenizer_file", "device_map"}
    unsaved |= {"chat_template"}  # saved in files of its own, or added later
    kept = {key: value for key, value in settings.items() if key not in unsaved}
    settings = dict(_without_tokens(kept))
    settings["added_tokens_decoder"] = {
        index: token.__getstate__() for index, token in tokenizer.added_tokens_decoder.items()
    }
    settings["tokenizer_class"] = type(tokenizer).__name__
    if tokenizer._processor_class is not None:
        settings["processor_class"] = tokenizer._processor_class
    return settings


def save_vocabulary(
    vocab: Mapping[str, Any], folder: Name, filename_prefix: str | None = None
) -> tuple[str, ...]:
    """Return the path of the vocabulary that it wrote into `folder`, as a tuple.

    Raises:
        NotADirectoryError: `folder` is no folder.
    """
    if not Path(folder).is_dir():
        raise NotADirectoryError(f"{folder}: the vocabulary is saved into a folder; make it first")
    prefix = f"{filename_prefix}-" if filename_prefix else ""
    path = Path(folder) / f"{prefix}{VOCAB_FILE}"
    _write(path, vocab)
    return (str(path),)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_text(path, text)
