"""A model id on the command line: downloaded, then taken from the cache; or out of reach."""

import importlib.util
import sys
from pathlib import Path

import pytest

HUB_SERVER = Path(__file__).parent.parent / "checkpoint" / "hub_server.py"


@pytest.fixture(scope="module")
def hub_server():
    spec = importlib.util.spec_from_file_location("cli_hub_server", HUB_SERVER)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hub(hub_server, ctc_folder):
    """A stand-in for the Hub with one model on it."""
    with hub_server.HubServer() as server:
        files = {path.name: path.read_bytes() for path in ctc_folder.iterdir()}
        server.models["acme/talker"] = hub_server.HubModel(files)
        yield server


@pytest.fixture
def home(tmp_path):
    """An environment with an empty cache of its own, and a Hub at a given address."""

    def environment(url, **more):
        return {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"} | more

    return environment


def test_downloaded_once_then_offline(w2v_process, recording, hub, home, ctc_folder):
    path = recording()
    expected = w2v_process("transcribe", path, "--model", ctc_folder).stdout
    assert expected

    first = w2v_process("transcribe", path, "-m", "acme/talker", env=home(hub.url))
    assert (first.exit_code, first.stdout, first.stderr) == (0, expected, "")
    assert any(name.endswith("model.safetensors") for name in hub.downloads())

    nobody = home("http://127.0.0.1:9")
    again = w2v_process("transcribe", path, "-m", "acme/talker", "--offline", env=nobody)
    assert (again.exit_code, again.stdout, again.stderr) == (0, expected, "")

    listed = w2v_process("models", env=nobody)
    assert "acme/talker" in listed.stdout
    assert "downloaded" in listed.stdout


def test_another_revision_and_cache(w2v_process, recording, hub, home, tmp_path):
    arguments = ["transcribe", recording(), "-m", "acme/talker"]
    wrong = w2v_process(*arguments, "--revision", "v9", env=home(hub.url))
    assert wrong.exit_code == 4
    assert len(wrong.stderr.splitlines()) == 1
    assert "has no revision v9" in wrong.stderr
    elsewhere = tmp_path / "elsewhere"
    right = w2v_process(*arguments, "--cache-dir", elsewhere, env=home(hub.url))
    assert right.exit_code == 0
    assert list(elsewhere.rglob("model.safetensors"))


def test_the_default_model_out_of_reach_offers_what_is_embedded(w2v_process, recording, home):
    run = w2v_process("transcribe", recording(), env=home("http://127.0.0.1:9", W2V_MODEL=""))
    assert (run.exit_code, run.stdout) == (4, "")
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.startswith(
        "w2v: facebook/wav2vec2-base-960h: no such folder here, the Hub (http://127.0.0.1:9) "
    )
    assert "--model mini, embedded in w2v (35 command words and digits)" in run.stderr


def test_a_quantized_copy_of_a_model_on_the_hub_needs_no_hub(
    w2v_process, recording, hub, home, tmp_path
):
    path, folder = recording(), tmp_path / "int8"
    expected = w2v_process(
        "transcribe", path, "-m", "acme/talker", "--quantize", "int8", env=home(hub.url)
    )
    assert expected.exit_code == 0
    fresh = home(hub.url, HF_HOME=str(tmp_path / "another"))
    made = w2v_process("quantize", "acme/talker", "--output", folder, env=fresh)
    assert (made.exit_code, made.stderr) == (0, "")
    heard = w2v_process("transcribe", path, "-m", folder, env=home("http://127.0.0.1:9"))
    assert (heard.exit_code, heard.stdout) == (0, expected.stdout)
