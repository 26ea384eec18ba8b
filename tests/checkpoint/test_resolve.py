"""Which folder, embedded model or model id a name stands for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from w2v_cli.checkpoint import resolve
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.errors import HubError, ModelNotFoundError


@pytest.fixture
def embedded(tmp_path, monkeypatch) -> Path:
    """A package with the one embedded model `mini`, and an unfinished one."""
    models = tmp_path / "package" / "models"
    for name in ("mini", "unfinished"):
        (models / name).mkdir(parents=True)
    (models / "mini" / "config.json").write_text("{}")
    monkeypatch.setattr(resolve, "EMBEDDED_FOLDER", models)
    return models / "mini"


def test_an_embedded_name(embedded):
    assert resolve.embedded_models() == ["mini"]
    assert resolve.locate("mini") == embedded
    assert resolve.resolve_file("mini", "config.json") == embedded / "config.json"
    assert resolve.resolve_file("mini", "vocab.json") is None
    assert resolve.embedded_folder("unfinished") is None


def test_a_folder_comes_before_an_embedded_name(embedded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mini").mkdir()
    assert resolve.locate("mini") == Path("mini")


def test_a_folder_as_text_as_path_and_from_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "some model"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.json").write_text("{}")
    for name in (folder, str(folder), "~/some model"):
        options = HubOptions(subfolder="inner")
        assert resolve.resolve_file(name, "a.json", options) == folder / "inner" / "a.json"
        assert resolve.resolve_file(name, "a.json") is None
        assert resolve.pin(name, options) is options


def test_a_file_is_not_a_model(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_text("")
    with pytest.raises(ModelNotFoundError, match="give the folder it lies in"):
        resolve.locate(file)


@pytest.mark.parametrize(
    "name", ["", "./nowhere", "/no/where", "a/b/c", "~/nowhere", "a b", "../x"]
)
def test_a_path_to_nothing_is_not_asked_of_the_hub(
    embedded, hub, name, tmp_path_factory, monkeypatch
):
    monkeypatch.chdir(tmp_path_factory.mktemp("outer"))  # nothing of ours lies beside it
    with pytest.raises(ModelNotFoundError) as caught:
        resolve.locate(name)
    assert "no such folder, and it cannot be a model id (owner/name)" in str(caught.value)
    assert "embedded models: mini" in str(caught.value)
    assert hub.requests == []


def test_a_path_object_is_never_a_model_id(embedded):
    with pytest.raises(ModelNotFoundError, match="no such folder"):
        resolve.locate(Path("owner/name"))


@pytest.mark.parametrize("name", ["facebook/wav2vec2-base-960h", "gpt2", "a/b.c_d-e"])
def test_a_model_id(embedded, name):
    assert resolve.locate(name) is None


@pytest.mark.parametrize("name", ["mnii", "mimi", "Mini"])
def test_a_misspelt_embedded_name_is_recognised(embedded, hub, name):
    with pytest.raises(ModelNotFoundError, match="did you mean --model mini, embedded in w2v"):
        resolve.resolve_file(name, "config.json")


def test_an_unreachable_hub_is_told_with_what_the_embedded_model_knows(embedded):
    with pytest.raises(HubError) as caught:
        resolve.resolve_file("facebook/wav2vec2-base-960h", "config.json")
    offer = "or use --model mini, embedded in w2v (35 command words and digits)"
    assert str(caught.value).endswith(f"check the path, or the network, {offer}")


def test_offline_a_misspelt_embedded_name_is_recognised_too(embedded):
    with pytest.raises(ModelNotFoundError, match="or use --model mini, embedded"):
        resolve.resolve_file("mnii", "config.json", HubOptions(local_files_only=True))


def test_a_package_without_embedded_models_offers_none(tmp_path, monkeypatch):
    monkeypatch.setattr(resolve, "EMBEDDED_FOLDER", tmp_path)
    with pytest.raises(HubError, match=r"check the path, or the network$"):
        resolve.resolve_file("owner/name", "config.json")


def test_names_resolve_without_the_network_library_or_torch(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    code = (
        "import sys; from w2v_cli.checkpoint.resolve import resolve_file;"
        f"assert resolve_file({str(tmp_path)!r}, 'config.json');"
        "assert not {'huggingface_hub', 'httpx2', 'torch'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=True,
    )


def test_what_an_error_says_of_an_embedded_model_is_of_one_that_may_exist():
    assert sorted(resolve.EMBEDDED_KNOWLEDGE) == resolve.embedded_models()


def test_what_is_offered_in_the_place_of_a_model_that_is_out_of_reach_writes():
    assert resolve.offline_suggestion() == (
        "--model mini, embedded in w2v (35 command words and digits)"
    )
