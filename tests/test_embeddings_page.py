"""docs/embeddings.md is run from top to bottom, and shows the same."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "embeddings.md").read_text(encoding="utf-8")

RECORDINGS = {
    "voices/anna.opus": "happy.opus",
    "voices/ben.opus": "stop.opus",
    "voices/carl.opus": "sheila.opus",
    "voices/dora/demo.opus": "demo.opus",
    "stranger.opus": "jfk.opus",
}
OPTIONS = re.compile(r"`(--[a-z0-9-]+)")
LAYOUT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def commands():
    """Return each command of the page with what it prints."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            first, *lines = part.splitlines(keepends=True)
            while lines and lines[0].startswith("> "):
                first += lines.pop(0).removeprefix("> ")
            yield first, "".join(lines)


@pytest.mark.slow
def test_the_page(tmp_path):
    for place, name in RECORDINGS.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / "data" / name, path)
    programs = tmp_path / ".bin"
    programs.mkdir()
    for name, arguments in {"w2v": "-m w2v_cli", "python": ""}.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8",
    }
    checker = doctest.OutputChecker()
    for command, expected in commands():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        assert checker.check_output(expected, done.stdout, LAYOUT), f"$ {command}\n{done.stdout}"
    assert (tmp_path / "alike.png").stat().st_size > 1000


def test_every_option_that_is_told_of_is_there():
    done = subprocess.run(
        [sys.executable, "-m", "w2v_cli", "embed", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "200"},
    )
    missing = {option for option in OPTIONS.findall(PAGE) if option not in done.stdout}
    assert not missing
