"""Where the language model inside a checkpoint is found: in a folder, or on the Hub."""

from __future__ import annotations

import json

import pytest
from hub_server import HubModel

from w2v_cli.checkpoint.language_models import language_model_folder
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.resolve import resolve_file
from w2v_cli.errors import HubError

MODEL = "someone/model-with-lm"
FILES = {
    "config.json": json.dumps({"model_type": "wav2vec2"}).encode(),
    "alphabet.json": b"{}",
    "language_model/attrs.json": b"{}",
    "language_model/5gram.bin": b"mmap",
}


def files_of(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_folder_with_an_alphabet_is_its_own_place(tmp_path):
    assert language_model_folder(tmp_path) is None
    (tmp_path / "alphabet.json").write_text("{}")
    assert language_model_folder(tmp_path) == tmp_path


def test_an_embedded_model_has_none():
    assert language_model_folder("mini") is None


def test_all_files_of_the_folder_are_downloaded_whatever_their_names(hub):
    hub.models[MODEL] = HubModel(files=FILES)
    folder = language_model_folder(MODEL)
    assert files_of(folder) == sorted(FILES)


def test_a_model_without_one_costs_no_list(hub):
    hub.models[MODEL] = HubModel(files={"config.json": FILES["config.json"]})
    assert language_model_folder(MODEL) is None
    assert not [path for _, path in hub.requests if path.startswith("/api/")]


def test_an_alphabet_alone_is_a_decoder_without_a_language_model(hub):
    hub.models[MODEL] = HubModel(files={name: FILES[name] for name in list(FILES)[:2]})
    assert files_of(language_model_folder(MODEL)) == ["alphabet.json", "config.json"]


def test_offline_it_comes_from_the_cache(hub):
    hub.models[MODEL] = HubModel(files=FILES)
    folder = language_model_folder(MODEL)
    hub.requests.clear()
    assert language_model_folder(MODEL, HubOptions(local_files_only=True)) == folder
    assert not hub.requests


def test_what_is_in_the_cache_is_used_when_the_list_cannot_be_had(hub):
    hub.models[MODEL] = HubModel(files=FILES)
    folder = language_model_folder(MODEL)
    hub.behaviour.status = 503
    assert language_model_folder(MODEL) == folder


def test_a_list_that_cannot_be_had_is_an_error(hub):
    hub.models[MODEL] = HubModel(files=FILES)
    options = HubOptions(revision=hub.models[MODEL].commit)
    resolve_file(MODEL, "alphabet.json", options)
    hub.behaviour.status = 503
    with pytest.raises(HubError, match="error 503"):
        language_model_folder(MODEL, options)
