"""Downloads from a real HTTP server, and every way in which one can fail."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubModel

from w2v_cli.checkpoint import hub as hub_module
from w2v_cli.checkpoint.options import HubOptions
from w2v_cli.checkpoint.progress import show_progress
from w2v_cli.checkpoint.resolve import pin, resolve_file
from w2v_cli.errors import HubError, ModelError, ModelNotFoundError

MODEL = "someone/some-wav2vec2"
CONFIG = json.dumps({"model_type": "wav2vec2"}).encode()
TOKEN = "hf_good"


def add_model(hub: Any, **changes: Any) -> HubModel:
    files = {"config.json": CONFIG, "model.safetensors": bytes(range(256)) * 64}
    model = HubModel(**{"files": files, **changes})
    hub.models[MODEL] = model
    return model


def fetch(filename: str = "config.json", **options: Any) -> Path | None:
    return resolve_file(MODEL, filename, HubOptions(**options))


def incomplete_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".incomplete")]


def failure(kind: type[ModelError], **options: Any) -> str:
    """Return the message of the error a fetch ends with, which must be of one line."""
    with pytest.raises(kind) as caught:
        fetch(**options)
    message = str(caught.value)
    assert caught.type is kind
    assert "\n" not in message
    assert message.startswith(f"{MODEL}: ")
    assert caught.value.exit_code == 4
    return message


def test_a_file_is_downloaded_once_and_then_comes_from_the_cache(hub, hub_home):
    model = add_model(hub)
    path = fetch("model.safetensors")
    assert path is not None
    assert path.read_bytes() == model.files["model.safetensors"]
    assert hub_home in path.parents
    assert fetch("model.safetensors") == path
    assert hub.downloads() == ["model.safetensors"]


def test_a_file_the_model_lacks_is_none_and_is_asked_for_once_per_commit(hub):
    add_model(hub)
    assert fetch("vocab.json") is None
    pinned = pin(MODEL, HubOptions())
    assert pinned.revision == hub.models[MODEL].commit
    before = len(hub.requests)
    assert resolve_file(MODEL, "vocab.json", pinned) is None
    assert resolve_file(MODEL, "config.json", pinned) is not None
    assert len(hub.requests) == before


def test_only_the_named_file_is_downloaded(hub):
    add_model(hub, files={"config.json": CONFIG, "pytorch_model.bin": b"1", "tf_model.h5": b"2"})
    fetch("config.json")
    assert hub.downloads() == ["config.json"]


def test_a_new_commit_replaces_the_cached_copy(hub):
    add_model(hub)
    first = fetch()
    add_model(hub, files={"config.json": b'{"new": true}'}, commit="d" * 40)
    second = fetch()
    assert second is not None
    assert second != first
    assert second.read_bytes() == b'{"new": true}'


def test_force_download_fetches_again(hub):
    add_model(hub)
    fetch()
    fetch(force_download=True)
    assert hub.downloads() == ["config.json", "config.json"]


def test_a_subfolder_and_a_revision_are_part_of_the_address(hub):
    add_model(hub, files={"small/config.json": CONFIG}, revisions=("main", "v2"))
    assert fetch(subfolder="small", revision="v2") is not None
    assert hub.requests[0] == ("HEAD", f"/{MODEL}/resolve/v2/small/config.json")
    assert pin(MODEL, HubOptions(subfolder="small")).revision == hub.models[MODEL].commit


def test_cache_dir_names_another_cache(hub, tmp_path, hub_home):
    add_model(hub)
    path = fetch(cache_dir=tmp_path / "elsewhere")
    assert path is not None
    assert tmp_path / "elsewhere" in path.parents
    assert not hub_home.exists()


def test_local_files_only_and_offline_read_the_cache_without_a_request(hub, monkeypatch):
    add_model(hub)
    path = fetch()
    hub.requests.clear()
    assert fetch(local_files_only=True) == path
    assert fetch("vocab.json", local_files_only=True) is None
    monkeypatch.setattr(hub_module.constants, "HF_HUB_OFFLINE", True)
    assert fetch() == path
    assert fetch(revision=hub.models[MODEL].commit) == path
    assert hub.requests == []


def test_offline_without_a_copy_says_so_and_names_what_is_there(hub):
    add_model(hub)
    fetch()
    with pytest.raises(ModelNotFoundError) as caught:
        resolve_file("other/model", "config.json", HubOptions(local_files_only=True))
    assert MODEL not in str(caught.value)  # without its weights it is of no use
    fetch("model.safetensors")
    with pytest.raises(ModelNotFoundError) as caught:
        resolve_file("other/model", "config.json", HubOptions(local_files_only=True))
    message = str(caught.value)
    assert "not in the cache" in message
    assert "--offline" in message
    assert f"{MODEL} (in the cache)" in message
    assert "not in the cache" in failure(ModelNotFoundError, revision="v9", local_files_only=True)


def test_an_unreachable_hub_is_told_at_once_with_an_offer():
    began = time.monotonic()
    message = failure(HubError)
    assert time.monotonic() - began < 5
    assert "http://127.0.0.1:9" in message
    assert "cannot be reached" in message
    assert "check the path, or the network" in message


def test_a_hub_that_does_not_answer_in_time_cannot_be_reached(hub, monkeypatch):
    add_model(hub)
    monkeypatch.setattr(hub_module.constants, "HF_HUB_ETAG_TIMEOUT", 0.05)
    hub.behaviour.seconds_per_answer = 0.5
    message = failure(HubError)
    assert "cannot be reached" in message
    assert "timed out" in message


def test_an_endpoint_that_is_no_address(monkeypatch, hub):
    monkeypatch.setattr(
        hub_module.constants, "HUGGINGFACE_CO_URL_TEMPLATE", "x/{repo_id}/{revision}/{filename}"
    )
    assert "cannot be reached" in failure(HubError)


@pytest.mark.parametrize("cut", [None, 503])
def test_a_cached_model_works_while_the_hub_is_away(hub, monkeypatch, cut):
    add_model(hub)
    path = fetch()
    if cut is None:
        nowhere = "http://127.0.0.1:9/{repo_id}/{revision}/{filename}"
        monkeypatch.setattr(hub_module.constants, "HUGGINGFACE_CO_URL_TEMPLATE", nowhere)
    hub.behaviour.status = cut
    assert fetch() == path


def test_what_another_program_did_not_load_is_not_there_while_the_hub_is_away(
    hub, monkeypatch, caplog
):
    from huggingface_hub import hf_hub_download

    add_model(hub)
    template = "HUGGINGFACE_CO_URL_TEMPLATE"
    nowhere = "http://127.0.0.1:9/{repo_id}/{revision}/{filename}"
    hf_hub_download(MODEL, "config.json")
    with monkeypatch.context() as away:
        away.setattr(hub_module.constants, template, nowhere)
        assert "cannot be reached" in failure(HubError, filename="vocab.json")
    hf_hub_download(MODEL, "model.safetensors")
    monkeypatch.setattr(hub_module.constants, template, nowhere)
    assert fetch("vocab.json") is None
    assert fetch("lexicon.json") is None
    assert fetch("model.safetensors") is not None
    (said,) = caplog.messages
    assert said.startswith(f"{MODEL}: the Hub cannot be reached (")
    assert said.endswith("); of the copy in the cache, vocab.json is missing")


def test_a_file_that_the_model_lacked_is_not_missed_while_the_hub_is_away(hub, monkeypatch, caplog):
    add_model(hub)
    fetch("model.safetensors")
    assert fetch("vocab.json") is None
    nowhere = "http://127.0.0.1:9/{repo_id}/{revision}/{filename}"
    monkeypatch.setattr(hub_module.constants, "HUGGINGFACE_CO_URL_TEMPLATE", nowhere)
    assert fetch("vocab.json") is None
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ImportError("Using SOCKS proxy, but the 'socksio' package is not"), "Using SOCKS proxy"),
        (ValueError("Unknown scheme for proxy URL"), "Unknown scheme for proxy URL"),
        (
            ConnectionResetError(104, "Connection reset by peer"),
            "Connection reset by peer",
        ),
        (
            FileNotFoundError(2, "No such file or directory"),
            "No such file or directory; SSL_CERT_FILE is /nowhere.pem",
        ),
    ],
)
def test_a_hub_that_cannot_be_asked(hub, monkeypatch, error, reason):
    def ask(*_: object, **__: object) -> None:
        raise error

    add_model(hub)
    kept = fetch()
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    monkeypatch.setattr(hub_module, "get_hf_file_metadata", ask)
    assert fetch() == kept
    said = failure(HubError, filename="model.safetensors")
    assert f"cannot be reached ({reason}" in said


def test_a_token_with_letters_that_no_token_has(hub, monkeypatch):
    add_model(hub)
    monkeypatch.setenv("HF_TOKEN", "hf_abc…")
    said = failure(HubError)
    assert "the token (HF_TOKEN, or the stored one) has letters that no token has" in said


def test_a_timeout_that_is_no_number_is_told():
    command = [sys.executable, "-m", "w2v_cli", "models"]
    environment = {**os.environ, "HF_HUB_ETAG_TIMEOUT": "2.5"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 4
    assert run.stderr.startswith("w2v: a variable of the environment that begins with HF_")
    assert len(run.stderr.splitlines()) == 1


def test_a_model_the_hub_does_not_have(hub):
    message = failure(ModelNotFoundError)
    assert "no such folder, no such embedded model and no such model on the Hub" in message
    assert "set HF_TOKEN" in message


def test_a_private_model_without_access(hub, monkeypatch):
    add_model(hub, private=True, readers=frozenset({TOKEN}))
    hub.tokens |= {TOKEN, "hf_other"}
    assert "the token in HF_TOKEN has no access" in failure(ModelNotFoundError, token="hf_other")
    assert fetch(token=TOKEN) is not None
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetch(force_download=True) is not None
    assert "set HF_TOKEN" in failure(ModelNotFoundError, token=False, force_download=True)


def test_a_gated_model(hub):
    add_model(hub, gated=True, readers=frozenset({TOKEN}))
    hub.tokens |= {TOKEN, "hf_other"}
    assert f"accept its terms at {hub.url}/{MODEL}" in failure(HubError)
    assert f"ask for it at {hub.url}/{MODEL}" in failure(HubError, token="hf_other")
    assert fetch(token=TOKEN) is not None


def test_a_revision_the_model_does_not_have(hub):
    add_model(hub)
    message = failure(ModelNotFoundError, revision="v7")
    assert "no revision v7" in message
    assert "take main" in message


def test_a_token_the_hub_does_not_know(hub, monkeypatch):
    add_model(hub)
    monkeypatch.setenv("HF_TOKEN", "hf_revoked")
    message = failure(HubError)
    assert "does not accept the token" in message
    assert "/settings/tokens" in message


def test_a_token_is_asked_for_and_there_is_none(hub):
    add_model(hub)
    assert "there is none" in failure(HubError, token=True)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_out_of_order(hub, status):
    add_model(hub)
    hub.behaviour.status = status
    message = failure(HubError)
    assert f"error {status}" in message
    assert "try again" in message


def test_something_else_than_a_hub(hub):
    add_model(hub)
    hub.behaviour.is_hub = False
    assert "is not a Hub; check HF_ENDPOINT" in failure(HubError)


def test_a_name_the_hub_does_not_allow(hub):
    with pytest.raises(ModelNotFoundError, match="owner/name"):
        resolve_file("some--one/x", "config.json")
    assert hub.requests == []


def test_a_broken_connection_is_resumed(hub, monkeypatch, caplog):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    model = add_model(hub)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1_000)
    hub.behaviour.cut_after_bytes = 10_000
    hub.behaviour.cuts = 1
    with caplog.at_level(logging.CRITICAL, logger="huggingface_hub"):
        path = fetch("model.safetensors")
    assert path is not None
    assert path.read_bytes() == model.files["model.safetensors"]
    assert hub.ranges == ["bytes=10000-"]


def test_an_interrupted_download_leaves_a_clean_cache(hub, hub_home, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    add_model(hub)
    hub.behaviour.cut_after_bytes = 0
    message = failure(HubError, filename="model.safetensors")
    assert "the download of model.safetensors broke off" in message
    assert "run it again" in message
    assert incomplete_files(hub_home) == []
    hub.behaviour.cut_after_bytes = None
    assert fetch("model.safetensors") is not None


def test_a_file_larger_than_the_disk_is_refused_before_it_is_fetched(hub, hub_home):
    add_model(hub)
    hub.behaviour.announced_size["model.safetensors"] = 10**18
    message = failure(HubError, filename="model.safetensors")
    assert "takes 1,000,000,000,000.0 MB" in message
    assert "HF_HOME" in message
    assert hub.downloads() == []


LIMITED_DOWNLOAD = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from w2v_cli.checkpoint.resolve import resolve_file
from w2v_cli.errors import HubError
try:
    resolve_file(sys.argv[1], "model.safetensors")
except HubError as error:
    print(error)
"""


def run_python(code: str, *arguments: str, **environment: str) -> str:
    """Run `code` in a Python of its own, so that the environment counts from its start."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    completed = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**inherited, "PYTHONPATH": str(Path.cwd()), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.strip()


def test_a_disk_that_fills_up_while_a_file_is_written(hub, tmp_path):
    add_model(hub)
    message = run_python(
        LIMITED_DOWNLOAD, MODEL, HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "small")
    )
    assert message.startswith(f"{MODEL}: the disk is full, model.safetensors")
    assert incomplete_files(tmp_path / "small") == []


def test_a_cache_that_cannot_be_written(hub, tmp_path):
    add_model(hub)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.access(locked, os.W_OK):
        pytest.skip("this user may write everywhere")
    assert "cannot be written" in failure(HubError, cache_dir=locked)


def test_a_cache_under_a_file_is_told(hub, tmp_path):
    add_model(hub)
    (tmp_path / "file").write_text("")
    assert "set HF_HOME to another folder" in failure(HubError, cache_dir=tmp_path / "file")


FETCH = """
import sys
from w2v_cli.checkpoint.resolve import resolve_file
from w2v_cli.errors import ModelError
try:
    print(resolve_file(sys.argv[1], "config.json"))
except ModelError as error:
    print(type(error).__name__, error)
"""


def test_the_environment_is_honoured(hub, tmp_path):
    add_model(hub, gated=True, readers=frozenset({TOKEN}))
    hub.tokens.add(TOKEN)
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    assert run_python(FETCH, MODEL, **settings).startswith("HubError")
    path = run_python(FETCH, MODEL, HF_TOKEN=TOKEN, **settings)
    assert Path(path).is_relative_to(tmp_path / "home" / "hub")
    before = len(hub.requests)
    assert run_python(FETCH, MODEL, HF_HUB_OFFLINE="1", **settings) == path
    assert "the network is off" in run_python(FETCH, "a/b", HF_HUB_OFFLINE="1", **settings)
    assert len(hub.requests) == before


class RecordedProgress:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done_bytes = 0

    def start(self, filename: str, total_bytes: int | None) -> None:
        self.lines.append(f"start {filename} {total_bytes}")

    def advance(self, n_bytes: int) -> None:
        self.done_bytes += n_bytes

    def finish(self) -> None:
        self.lines.append(f"finish {self.done_bytes}")


def test_a_display_is_told_the_name_the_size_and_every_byte(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    add_model(hub)
    hub.behaviour.cut_after_bytes = 5_000
    hub.behaviour.cuts = 2
    display = RecordedProgress()
    with show_progress(display):
        fetch("model.safetensors")
    assert display.lines == ["start model.safetensors 16384", "finish 16384"]


def test_without_a_terminal_nothing_is_drawn(hub, capfd):
    add_model(hub)
    fetch("model.safetensors")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_nothing_but_files_is_asked_of_the_hub(hub, tmp_path):
    add_model(hub)
    run_python(FETCH, MODEL, HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "home"))
    assert all(re.match(rf"/{MODEL}/resolve/", path) for _, path in hub.requests)
