"""docs/pipelines.md is run from top to bottom, and shows the same."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")

RECORDINGS = {
    "mon/seven.opus": "seven.opus",
    "mon/stop.opus": "stop.opus",
    "tue/happy.opus": "happy.opus",
    "tue/my call.opus": "three.opus",
}


def sections():
    """Return the commands below each heading, each with what it prints."""
    _, *parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    for part in parts:
        (block,) = re.findall(r"^```console\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
        _, *commands = re.split(r"^\$ ", block, flags=re.MULTILINE)
        yield part.partition("\n")[0], [command.partition("\n")[::2] for command in commands]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder that the page is about; what a section leaves there the next one finds."""
    folder = tmp_path_factory.mktemp("pipelines")
    for place, name in RECORDINGS.items():
        path = folder / "calls" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / "data" / name, path)
    (folder / "calls" / "tue" / "notes.wav").write_text("nobody was at home\n" * 50)
    return folder


@pytest.fixture
def environment(tmp_path):
    """Put a `w2v` on the path that is the code under test, whatever is installed."""
    program = tmp_path / "w2v"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m w2v_cli "$@"\n')
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    fixed = {"PATH": path, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "W2V_MODEL": "mini"}
    return os.environ | fixed | {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
@pytest.mark.parametrize(("title", "commands"), list(sections()), ids=lambda value: str(value)[:30])
def test_a_pipeline(title, commands, folder, environment):
    for command, expected in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == (expected, ""), f"$ {command}"


def test_the_folder_is_as_shown(folder, environment):
    command = "find calls -type f | grep -v again | sort"
    shown = PAGE.partition("| sort\n")[2].partition("$ ")[0]
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True)
    assert done.stdout.decode() == shown
